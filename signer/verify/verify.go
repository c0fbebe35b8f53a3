// Package verify judges the seals and signatures of an OFD or PDF document, and CMS
// signatures on a file of any kind: container, structure, mathematics, coverage,
// certificates, periods. It returns a Report
// and never a sentence; internal/text has the words for every id, reason and
// warning (Checks, Reasons, Warnings).
//
// The order of the checks is that of GM/T 0031-2014, 6.2.3 with the seal first,
// as GB/T 38540-2020, 7.3 has it, and with checks of container, coverage and
// stamps that the standards leave out. A check that fails never stops the ones
// that do not need it, so that a report names everything that is wrong.
//
// It reads seals of GM/T 0031-2014 (V1), GB/T 38540-2020 (V4) and GM/T 0031-2025
// (V5), GB/T 35275 messages in both forms, and names a bare r‖s for what it is: a
// value that nobody is known to have signed.
//
// It fails closed: what cannot be judged here (RSA, a token, a digest method, a
// certificate that does not parse) is indeterminate and never
// valid. It refuses only what is no document at all (ErrNotDocument) or exceeds
// the limits (ErrLimit).
//
// It claims no legal effect: valid means that the technical checks hold up to the
// trust anchors that the caller gave.
package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Outcomes that callers branch on; a verdict is not an error.
var (
	ErrNotDocument = errors.New("verify: not an OFD or PDF document, nor a CMS signature")
	ErrLimit       = errors.New("verify: document exceeds a limit")
)

// Options of one verification. Zero values: no anchor, the time of the machine,
// no revocation data.
type Options struct {
	File       string           // name for the report
	Trust      *Trust           // nil: no anchors, nothing can be valid
	Now        func() time.Time // nil: time.Now
	Revocation Revocation       // nil: revocation unknown, a warning
	// Proven is a time at which the document is known to have existed as it is,
	// such as that of the time-stamp on its archive package: it bounds signatures
	// that carry no time-stamp of their own. Zero: none.
	Proven time.Time
	// Carried are certificates of authorities between holders and anchors, as an
	// archive package keeps them; they vouch for nobody by themselves.
	Carried  [][]byte
	Limits   ofd.Limits
	Consents Consents // nil: nobody is asked whether a provider consented to be quoted
	// SecondOpinion, when set, checks every SM2 signature again with another
	// implementation: check second.opinion.
	SecondOpinion SecondOpinion
	// SelfTest flips one bit of every value that holds and checks it again, which
	// must fail: check sig.selftest.
	SelfTest bool
	// Content is what a detached CMS signature signs: required there, ErrContent
	// elsewhere.
	Content     io.ReaderAt
	ContentSize int64
	// Extract gets the content that a CMS message carries while it is digested. It
	// is worth nothing unless the report says Intact.
	Extract io.Writer
}

// Revocation answers whether a certificate was revoked, and when. A zero time
// with known is "not revoked".
type Revocation interface {
	RevokedAt(ctx context.Context, certDER []byte) (at time.Time, known bool, err error)
}

// Dated is a Revocation whose data hold for a time only, such as captured lists:
// it is asked for the time at which the certificate must not have been revoked.
type Dated interface {
	RevokedBy(ctx context.Context, certDER []byte, by time.Time) (at time.Time, known bool, err error)
}

// Dates is a Revocation that knows what the authority stated: the time of
// revocation, and since when the key is not trusted (invalidityDate, RFC 5280
// 5.3.2). RevokedAt answers with the earlier one; the report names both.
type Dates interface {
	Dates(ctx context.Context, certDER []byte) (revocation, invalidity time.Time, err error)
}

// Document verifies a document in memory.
func Document(ctx context.Context, data []byte, opt Options) (Report, error) {
	return Reader(ctx, bytes.NewReader(data), int64(len(data)), opt)
}

// Reader verifies a document without holding it in memory.
func Reader(ctx context.Context, r io.ReaderAt, size int64, opt Options) (Report, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	var magic [64]byte
	n, err := r.ReadAt(magic[:min(size, int64(len(magic)))], 0)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return Report{}, fmt.Errorf("reading document: %w", err)
	case signeddata.Recognise(magic[:n]):
		return cmsFile(ctx, r, size, &opt)
	case opt.Content != nil:
		return Report{}, ErrContent
	case opt.Extract != nil:
		return Report{}, ErrExtract
	case bytes.HasPrefix(magic[:n], []byte("%PDF-")):
		return pdfDocument(ctx, r, size, &opt)
	}
	pkg, err := ofd.OpenReaderAt(r, size, opt.Limits)
	switch {
	case errors.Is(err, ofd.ErrLimit):
		return Report{}, fmt.Errorf("%w: %w", ErrLimit, err)
	case err != nil:
		return Report{}, fmt.Errorf("%w: %w", ErrNotDocument, err)
	}
	rep, err := document(ctx, pkg, &opt)
	if err != nil {
		return Report{}, err
	}
	list, malformed := ofdCitations(pkg)
	return rep, checkCitations(ctx, &opt, &rep, io.NewSectionReader(r, 0, size), list, malformed)
}

// document runs the checks of the package, then those of every signature.
func document(ctx context.Context, pkg *ofd.Package, opt *Options) (Report, error) {
	rep := Report{File: opt.File, Format: "ofd", Signatures: []Signature{}, Warnings: []Warning{}}
	for _, n := range pkg.Notes() {
		rep.warn(n.Code, n.Path, "")
	}
	for _, n := range pkg.Problems() {
		if n.Code == ofd.ProblemMissing {
			rep.warn(n.Code, n.Path, "")
		}
	}
	orphans, sigs := pkg.Orphans(), pkg.Signatures()
	for _, f := range orphans {
		rep.warn(WarnOrphan, f, "")
	}
	own := []outcome{checkContainer(pkg), checkStructure(pkg), checkList(orphans, len(sigs)), checkEntries(ctx, opt, pkg)}
	worst := effNone
	for _, o := range own {
		rep.Checks = append(rep.Checks, o.Check)
		worst = max(worst, o.effect)
	}
	integrity, verdict := worst.integrity(), worst.verdict()
	for i := range sigs {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		s := newSubject(ctx, opt, pkg, sigs, i)
		got := s.judge(own[0])
		got.Revision = s.revision(i)
		rep.Signatures = append(rep.Signatures, got.Signature)
		for _, w := range s.warnings {
			rep.warn(w.Code, w.Path, got.ID)
		}
		integrity, verdict = integrity.join(got.integrity), verdict.join(got.Verdict)
	}
	if len(sigs) == 0 && worst < effInvalid {
		integrity, verdict = Unsigned, Indeterminate
	}
	rep.Integrity, rep.Verdict = integrity, verdict
	return rep, nil
}
