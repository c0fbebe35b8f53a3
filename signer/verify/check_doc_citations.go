package verify

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
)

// Citation is a resource that the document quotes, and what is known of the
// provider's consent.
type Citation struct {
	cite.Citation
	Result Result `json:"result"`
	Reason string `json:"reason,omitempty"`
}

// Consents answers whether the provider consented to a citation: who keeps the
// register of consents implements it.
type Consents interface {
	// Consented returns "" when a consent covers the citation, or one of the
	// reasons Consent…. Not known: the register cannot say, and the answer counts
	// for nothing.
	Consented(ctx context.Context, q Quote) (reason string, known bool, err error)
}

// Quote is a citation in its document.
type Quote struct {
	cite.Citation
	File  string    // SM3 of the file as it is, lower-case hex
	Seals []string  // numbers of the seals on it
	At    time.Time // of the earliest signature
}

// checkCitations judges what the document says that it quotes. The check stands
// only in reports on documents that quote something.
//
// It never makes a verdict worse because nobody was asked: without a register of
// consents it is skipped, with a warning, and the verdict is that of the seals.
// Only what is known to be false is a failure; like a known revocation it makes
// the verdict invalid and leaves the integrity alone (design §9).
func checkCitations(ctx context.Context, opt *Options, rep *Report, file *io.SectionReader, list []cite.Citation, malformed error) error {
	const clause = "京政发〔2017〕37号, 19; GB/T 33190-2016, 7.4"
	if len(list) == 0 && malformed == nil {
		return nil
	}
	for _, c := range list {
		rep.Citations = append(rep.Citations, Citation{Citation: c, Result: Skipped, Reason: ReasonCitationUnasked})
	}
	at := firstSigned(rep.Signatures)
	var o outcome
	var err error
	switch {
	case rep.Integrity != Intact:
		// Nobody is known to have said so.
		mark(rep.Citations, CannotTell, ReasonCitationOpen)
		o = cannot(CheckCitations, clause, ReasonCitationOpen, string(rep.Integrity))
		o.effect = effNone
	case malformed != nil:
		o = fail(CheckCitations, clause, ReasonCitationForm, malformed.Error(), effInvalid)
	case opt.Consents == nil || at.IsZero():
		o = skip(CheckCitations, clause, ReasonCitationUnasked)
		rep.warn(WarnConsent, "", "")
	default:
		o, err = askConsents(ctx, opt.Consents, rep, file, at, clause)
	}
	rep.Checks = append(rep.Checks, o.Check)
	rep.Verdict = rep.Verdict.join(o.effect.verdict())
	return err
}

// askConsents asks about each citation; the worst answer is the check's.
func askConsents(ctx context.Context, consents Consents, rep *Report, file *io.SectionReader, at time.Time, clause string) (outcome, error) {
	h := sm3.New()
	if _, err := io.Copy(h, file); err != nil {
		return outcome{}, fmt.Errorf("reading document: %w", err)
	}
	q := Quote{File: hex.EncodeToString(h.Sum(nil)), At: at}
	for _, s := range rep.Signatures {
		if s.SealID != "" {
			q.Seals = append(q.Seals, s.SealID)
		}
	}
	var refused, unknown []string
	reason := ""
	for i := range rep.Citations {
		c := &rep.Citations[i]
		q.Citation = c.Citation
		why, known, err := consents.Consented(ctx, q)
		switch {
		case err != nil:
			return outcome{}, fmt.Errorf("asking for consent %.80q: %w", c.Consent, err)
		case !known:
			c.Reason = ReasonCitationUnasked
			unknown = append(unknown, c.Consent)
			rep.warn(WarnConsent, c.Consent, "")
		case why != "":
			c.Result, c.Reason = Fail, why
			refused, reason = append(refused, c.Consent), why
		default:
			c.Result, c.Reason = Pass, ""
		}
	}
	switch {
	case len(refused) > 0:
		return fail(CheckCitations, clause, reason, strings.Join(refused, "; "), effInvalid), nil
	case len(unknown) > 0:
		o := skip(CheckCitations, clause, ReasonCitationUnasked)
		o.Detail = strings.Join(unknown, "; ")
		return o, nil
	}
	return pass(CheckCitations, clause, fmt.Sprintf("%d", len(rep.Citations))), nil
}

func mark(list []Citation, r Result, reason string) {
	for i := range list {
		list[i].Result, list[i].Reason = r, reason
	}
}

// firstSigned is the earliest time of signing: the seal that covered the
// citations first.
func firstSigned(sigs []Signature) time.Time {
	var first time.Time
	for _, s := range sigs {
		if at, err := time.Parse(time.RFC3339, s.SignedAt); err == nil && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// ofdCitations reads the citations of all documents of a package.
func ofdCitations(pkg *ofd.Package) (all []cite.Citation, err error) {
	for _, b := range pkg.Bodies {
		list, err := CitationsOf(b)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	if len(all) > cite.Max {
		return nil, fmt.Errorf("%w: %d of them", cite.ErrMalformed, len(all))
	}
	return all, nil
}

// CitationsOf reads the citations of one document of a package.
func CitationsOf(b ofd.Body) ([]cite.Citation, error) {
	var names, values []string
	for _, c := range b.Custom {
		names, values = append(names, c.Name), append(values, c.Value)
	}
	return cite.FromOFD(names, values)
}

// CitationsOfPDF reads those of a PDF.
func CitationsOfPDF(d *pdf.Document) ([]cite.Citation, error) {
	entry, err := d.Info(cite.PDFKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cite.ErrMalformed, err)
	}
	return cite.FromPDF(entry)
}
