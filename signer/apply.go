package signer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

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
}

// Prepared is a document with everything of a new seal but its signature.
type Prepared struct {
	pending *ofd.Pending
	draft   draft
	job     Job
	maker   []byte
}

// Prepare lints the document, the seal, the place and the key that shall sign,
// and signs nothing. A document that cannot take the seal is ErrDocument with
// the reason of package ofd inside.
func Prepare(doc []byte, job Job, pub crypto.PublicKey) (*Prepared, error) {
	pending, maker, err := prepareDocument(doc, job)
	if err != nil {
		return nil, err
	}
	draft, err := job.prepareValue(pending, pub)
	if err != nil {
		return nil, err
	}
	return &Prepared{pending: pending, draft: draft, job: job, maker: maker}, nil
}

// prepareDocument makes the changes to the document and returns the certificate
// of the seal's maker, if there is a seal.
func prepareDocument(doc []byte, job Job) (pending *ofd.Pending, maker []byte, err error) {
	req := ofd.SealRequest{Type: ofd.TypeSign, Provider: job.Provider, SignTime: job.Time, WholeProtected: job.Whole}
	var e *seal.Seal
	if job.Standard != StandardCMS {
		if e, err = seal.ParseSeal(job.SealDER); err != nil {
			return nil, nil, err
		}
		req.Type, req.SealDER, maker = ofd.TypeSeal, job.SealDER, e.MakerCertDER
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if e != nil {
		if req.Stamps, err = job.places(pkg, float64(e.Picture.Width), float64(e.Picture.Height)); err != nil {
			return nil, nil, err
		}
	}
	if pending, err = ofd.Prepare(pkg, req); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return pending, maker, nil
}

// Sign signs what was prepared and returns the sealed document after it was
// verified as a receiver would.
func (p *Prepared) Sign(ctx context.Context, key crypto.Signer) ([]byte, error) {
	value, err := p.draft.Sign(key)
	if err != nil {
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

// check verifies the sealed document with the two certificates at hand as
// anchors: all that does not depend on a trust list must hold for the new seal.
func (p *Prepared) check(ctx context.Context, out []byte) error {
	anchors := [][]byte{p.job.CertDER}
	if p.maker != nil {
		anchors = append(anchors, p.maker)
	}
	report, err := verify.Document(ctx, out, verify.Options{
		Trust: verify.NewTrust(anchors...),
		Now:   func() time.Time { return p.job.Time },
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSelfCheck, err)
	}
	if len(report.Signatures) == 0 {
		return fmt.Errorf("%w: no signature found", ErrSelfCheck)
	}
	mine := report.Signatures[len(report.Signatures)-1]
	if mine.Verdict == verify.Valid {
		return nil
	}
	for _, c := range mine.Checks {
		if c.Result == verify.Fail {
			return fmt.Errorf("%w: check %s", ErrSelfCheck, c.ID)
		}
	}
	return fmt.Errorf("%w: verdict %s", ErrSelfCheck, mine.Verdict)
}

// Sealable reports, as ErrDocument, why a document should not be sealed: it
// cannot take a seal, or a seal already on it is broken.
func Sealable(ctx context.Context, doc []byte, job Job) error {
	if _, _, err := prepareDocument(doc, job); err != nil {
		return err
	}
	report, err := verify.Document(ctx, doc, verify.Options{Now: func() time.Time { return job.Time }})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if report.Integrity == verify.Altered {
		return fmt.Errorf("%w: %w", ErrDocument, errAltered)
	}
	return nil
}

var errAltered = errors.New("a seal on it is broken")
