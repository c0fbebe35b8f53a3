package signer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Job is one seal, or one signature without a seal, to be put on one document.
type Job struct {
	Standard  Standard // "" is StandardV4
	SealDER   []byte   // none for StandardCMS
	CertDER   []byte   // of the signer; an entry of the seal's list
	Time      time.Time
	Placement Placement   // of the stamp; nothing for StandardCMS
	Also      []Placement // further stamps of the same seal
	Whole     bool        // protects the list of signatures too: no later seal possible
	Content   bool        // StandardCMS in form (a)
	Provider  ofd.Provider
	Citations []cite.Citation // what the document quotes; written before it is sealed
	PDF       PDFNames        // of a PDF only
	Stamper   Stamper         // nil: no time-stamp; seals of StandardV4 only
}

// pending is a document, OFD or PDF, that waits for its signed value.
type pending interface {
	DataHash() []byte // what the seal signs
	Property() string
	Finish(value []byte) ([]byte, error)
}

// Prepared is a document with everything of a new seal but its signature.
type Prepared struct {
	pending pending
	draft   draft
	job     Job
	maker   []byte
	stamper []byte // certificate of the time-stamp service that answered
	cited   cited
}

// Prepare lints the document, the seal, the place and the key that shall sign,
// and signs nothing. A document that cannot take the seal is ErrDocument with
// the reason of package ofd inside.
func Prepare(doc []byte, job Job, pub crypto.PublicKey) (*Prepared, error) {
	pending, maker, cited, err := prepareDocument(doc, job)
	if err != nil {
		return nil, err
	}
	draft, err := job.prepareValue(pending, pub)
	if err != nil {
		return nil, err
	}
	return &Prepared{pending: pending, draft: draft, job: job, maker: maker, cited: cited}, nil
}

// seal reads the seal of a job, nil when it has none.
func (j Job) seal() (*seal.Seal, error) {
	if j.Standard == StandardCMS {
		return nil, nil
	}
	return seal.ParseSeal(j.SealDER)
}

// prepareDocument makes the changes to the document and returns the certificate
// of the seal's maker, if there is a seal, and what the document quotes.
func prepareDocument(doc []byte, job Job) (changed pending, maker []byte, c cited, err error) {
	fail := func(err error) (pending, []byte, cited, error) { return nil, nil, cited{}, err }
	req := ofd.SealRequest{Type: ofd.TypeSign, Provider: job.Provider, SignTime: job.Time, WholeProtected: job.Whole}
	e, err := job.seal()
	if err != nil {
		return fail(err)
	}
	if e != nil {
		req.Type, req.SealDER, maker = ofd.TypeSeal, job.SealDER, e.MakerCertDER
	}
	if isPDF(doc) {
		changed, c, err = preparePDF(doc, job, e)
		return changed, maker, c, err
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrDocument, err))
	}
	if c, req.Custom, err = job.quoteOFD(pkg); err != nil {
		return fail(err)
	}
	if e != nil {
		if req.Stamps, err = job.places(ofdPaper{pkg}, float64(e.Picture.Width), float64(e.Picture.Height)); err != nil {
			return fail(err)
		}
	}
	if changed, err = ofd.Prepare(pkg, req); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrDocument, err))
	}
	return changed, maker, c, nil
}

// Sign signs what was prepared and returns the sealed document after it was
// verified as a receiver would.
func (p *Prepared) Sign(ctx context.Context, key crypto.Signer) ([]byte, error) {
	value, err := p.draft.Sign(key)
	if err != nil {
		return nil, err
	}
	if value, err = p.stamp(ctx, value); err != nil {
		return nil, err
	}
	out, err := p.pending.Finish(value)
	if err != nil {
		return nil, fmt.Errorf("signer: write the sealed document: %w", err)
	}
	if err := p.check(ctx, out); err != nil {
		return nil, err
	}
	return out, nil
}

// stamp puts a time-stamp into the seal (GB/T 38540, 7.1). A seal that should
// have one is not made without it.
func (p *Prepared) stamp(ctx context.Context, value []byte) ([]byte, error) {
	if p.job.Stamper == nil {
		return value, nil
	}
	ses, err := seal.ParseSignature(value)
	if err != nil {
		return nil, err
	}
	token, err := p.job.Stamper.Stamp(ctx, ses.Value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	t, err := tsp.ParseToken(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	p.stamper = t.CertDER
	return seal.AddTimeStamp(value, token)
}

// check verifies the sealed document with the certificates at hand as anchors:
// all that does not depend on a trust list must hold for the new seal.
func (p *Prepared) check(ctx context.Context, out []byte) error {
	anchors := [][]byte{p.job.CertDER}
	if p.maker != nil {
		anchors = append(anchors, p.maker)
	}
	if p.stamper != nil {
		anchors = append(anchors, p.stamper)
	}
	report, err := selfCheck(ctx, out, p.job.Time, verify.NewTrust(anchors...))
	if err != nil {
		return err
	}
	if !slices.EqualFunc(report.Citations, p.cited.list, func(r verify.Citation, c cite.Citation) bool { return r.Citation == c }) {
		return fmt.Errorf("%w: the citations are not those that were asked for", ErrSelfCheck)
	}
	return nil
}

func selfCheck(ctx context.Context, out []byte, at time.Time, trust *verify.Trust) (verify.Report, error) {
	return standing(verify.Document(ctx, out, verify.Options{Trust: trust, Now: func() time.Time { return at }}))
}

// standing reports, as ErrSelfCheck, why the last signature does not hold.
func standing(report verify.Report, err error) (verify.Report, error) {
	if err != nil {
		return report, fmt.Errorf("%w: %w", ErrSelfCheck, err)
	}
	if len(report.Signatures) == 0 {
		return report, fmt.Errorf("%w: no signature found", ErrSelfCheck)
	}
	mine := report.Signatures[len(report.Signatures)-1]
	if mine.Verdict == verify.Valid {
		return report, nil
	}
	for _, c := range mine.Checks {
		if c.Result == verify.Fail {
			return report, fmt.Errorf("%w: check %s", ErrSelfCheck, c.ID)
		}
	}
	return report, fmt.Errorf("%w: verdict %s", ErrSelfCheck, mine.Verdict)
}

// Sealable reports, as ErrDocument, why a document should not be sealed: it
// cannot take a seal, or a seal already on it is broken.
func Sealable(ctx context.Context, doc []byte, job Job) error {
	_, err := sealable(ctx, doc, job)
	return err
}

// sealable is Sealable and says what the document quotes.
func sealable(ctx context.Context, doc []byte, job Job) (cited, error) {
	_, _, c, err := prepareDocument(doc, job)
	if err != nil {
		return c, err
	}
	report, err := verify.Document(ctx, doc, verify.Options{Now: func() time.Time { return job.Time }})
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if report.Integrity == verify.Altered {
		return c, fmt.Errorf("%w: %w", ErrDocument, errAltered)
	}
	return c, nil
}

var errAltered = errors.New("a seal on it is broken")
