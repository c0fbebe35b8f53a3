package signer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Placement is where the stamp goes, in millimetres from the upper left corner
// of the page to that of the seal. Zero values: the last page; lower right.
type Placement struct {
	Page int     `json:"page,omitempty"` // from 1; 0 is the last page
	X    float64 `json:"x,omitempty"`
	Y    float64 `json:"y,omitempty"` // X and Y both 0: lower right
}

// Margins of the default place: where a seal stands on the date line of an
// official document (GB/T 9704, 7.3.5).
const (
	marginRight  = 26
	marginBottom = 40
)

// Job is one seal to be put on one document.
type Job struct {
	SealDER   []byte
	CertDER   []byte // of the signer; an entry of the seal's list
	Time      time.Time
	Placement Placement
	Whole     bool // protects the list of signatures too: no later seal possible
	Provider  ofd.Provider
	PDF       PDFNames // of a PDF only
	Stamper   Stamper  // nil: no time-stamp
}

// pending is a document, OFD or PDF, that waits for its SES_Signature.
type pending interface {
	DataHash() []byte // what the seal signs
	Property() string
	Finish(value []byte) ([]byte, error)
}

// Prepared is a document with everything of a new seal but its signature.
type Prepared struct {
	pending pending
	draft   *seal.Draft
	job     Job
	maker   []byte
	stamper []byte // certificate of the time-stamp service that answered
}

// Prepare lints the document, the seal, the place and the key that shall sign,
// and signs nothing. A document that cannot take the seal is ErrDocument with
// the reason of package ofd inside.
func Prepare(doc []byte, job Job, pub crypto.PublicKey) (*Prepared, error) {
	e, err := seal.ParseSeal(job.SealDER)
	if err != nil {
		return nil, err
	}
	pending, err := prepareDocument(doc, job, e)
	if err != nil {
		return nil, err
	}
	draft, err := seal.Prepare(seal.SignSpec{
		SealDER: job.SealDER, CertDER: job.CertDER, Time: job.Time,
		DataHash: pending.DataHash(), Property: pending.Property(),
	}, pub)
	if err != nil {
		return nil, err
	}
	return &Prepared{pending: pending, draft: draft, job: job, maker: e.MakerCertDER}, nil
}

func prepareDocument(doc []byte, job Job, e *seal.Seal) (pending, error) {
	if isPDF(doc) {
		return preparePDF(doc, job, e)
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	pages := pkg.Pages()
	sheets := make([]sheet, len(pages))
	for i, p := range pages {
		sheets[i] = sheet{p.Box.W, p.Box.H}
	}
	place, err := job.Placement.on(sheets, float64(e.Picture.Width), float64(e.Picture.Height))
	if err != nil {
		return nil, err
	}
	pending, err := ofd.Prepare(pkg, ofd.SealRequest{
		Provider: job.Provider, Stamps: []ofd.Place{place}, SealDER: job.SealDER,
		SignTime: job.Time, WholeProtected: job.Whole,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return pending, nil
}

// sheet is the size of a page in millimetres.
type sheet struct{ w, h float64 }

// on finds the place on the pages of a document.
func (p Placement) on(pages []sheet, w, h float64) (ofd.Place, error) {
	if len(pages) == 0 {
		return ofd.Place{}, fmt.Errorf("%w: it has no page", ErrDocument)
	}
	if p.Page == 0 {
		p.Page = len(pages)
	}
	if p.Page < 1 || p.Page > len(pages) {
		return ofd.Place{}, fmt.Errorf("%w: no page %d of %d", ErrDocument, p.Page, len(pages))
	}
	if p.X == 0 && p.Y == 0 {
		page := pages[p.Page-1]
		p.X = math.Max(page.w-w-marginRight, 0)
		p.Y = math.Max(page.h-h-marginBottom, 0)
	}
	return ofd.Place{Page: p.Page, X: p.X, Y: p.Y, W: w, H: h}, nil
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
	anchors := [][]byte{p.job.CertDER, p.maker}
	if p.stamper != nil {
		anchors = append(anchors, p.stamper)
	}
	return selfCheck(ctx, out, p.job.Time, verify.NewTrust(anchors...))
}

func selfCheck(ctx context.Context, out []byte, at time.Time, trust *verify.Trust) error {
	report, err := verify.Document(ctx, out, verify.Options{Trust: trust, Now: func() time.Time { return at }})
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
	e, err := seal.ParseSeal(job.SealDER)
	if err != nil {
		return err
	}
	if _, err := prepareDocument(doc, job, e); err != nil {
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
