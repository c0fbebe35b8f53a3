package signer

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// isPDF tells the two kinds of document apart by their first bytes, as verify does.
func isPDF(doc []byte) bool { return bytes.HasPrefix(doc, []byte("%PDF-")) }

// pendingPDF is a PDF that waits for its SES_Signature (GM/T 0112-2021, 7).
type pendingPDF struct {
	*pdf.Pending
	hash []byte
}

func (p pendingPDF) DataHash() []byte { return p.hash }

// Property names the field: the standard's text for OFD, the path of the signed
// description, has no counterpart in a PDF.
func (p pendingPDF) Property() string { return "/" + p.Field() }

// valueRoom is what an SES_Signature takes beside its seal, its certificate and
// a time-stamp.
const valueRoom, tokenRoom = 1 << 10, 16 << 10

func preparePDF(doc []byte, job Job, e *seal.Seal) (pending, cited, error) {
	switch {
	case e == nil:
		return nil, cited{}, fmt.Errorf("%w: %q signs the description of an OFD; see SignPDF", ErrStandard, job.Standard)
	case job.Whole:
		return nil, cited{}, fmt.Errorf("%w: a PDF has no list of signatures to protect", ErrDocument)
	case job.Placement.Ride != "" || job.Placement.Keyword != "" || len(job.Also) > 0:
		return nil, cited{}, fmt.Errorf("%w: ride seals, keywords and further stamps are for OFD", ErrDocument)
	}
	d, err := pdf.OpenBytes(doc)
	if err != nil {
		return nil, cited{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	c, info, err := job.quotePDF(d)
	if err != nil {
		return nil, cited{}, err
	}
	pages, err := d.Pages()
	if err != nil {
		return nil, cited{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	place := job.Placement
	if place.Page == 0 {
		place.Page = len(pages)
	}
	if place.Page < 1 || place.Page > len(pages) {
		return nil, cited{}, fmt.Errorf("%w: no page %d of %d", ErrDocument, place.Page, len(pages))
	}
	page := ofd.Box{W: pages[place.Page-1].W, H: pages[place.Page-1].H}
	w, h := float64(e.Picture.Width), float64(e.Picture.Height)
	if place.X == 0 && place.Y == 0 {
		place.X, place.Y = lowerRight(page, nil, w, h)
	}
	if !page.Meets(ofd.Box{X: place.X, Y: place.Y, W: w, H: h}) {
		return nil, cited{}, fmt.Errorf("%w: the place is off the page", ErrDocument)
	}
	reserve := len(job.SealDER) + len(job.CertDER) + valueRoom
	if job.Stamper != nil {
		reserve += tokenRoom
	}
	q, err := pdf.Prepare(doc, pdf.Request{
		Filter: pdf.Name(job.PDF.Filter), SubFilter: pdf.Name(job.PDF.SubFilter),
		Picture: e.Picture.Data, Page: place.Page, X: place.X, Y: place.Y, W: w, H: h,
		Name: e.Name, Time: job.Time, Reserve: reserve, Info: info,
	})
	if err != nil {
		return nil, cited{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	sum := sm3.New()
	if err := q.Digest(sum); err != nil {
		return nil, cited{}, fmt.Errorf("signer: digest the document: %w", err)
	}
	return pendingPDF{q, sum.Sum(nil)}, c, nil
}

// PDFNames are the names of the signature handler and format in a PDF. Zero
// values: GM.PKILite and GM.sm2seal; some readers want other ones.
type PDFNames struct{ Filter, SubFilter string }

// PDFSignature is an international signature on a PDF (PAdES, ETSI EN 319 142-1):
// a CMS signature with an ECDSA P-256 certificate, or with an SM2 certificate in
// the frame of GB/T 35275.
type PDFSignature struct {
	CertDER []byte
	Chain   [][]byte // authorities to carry along
	Time    time.Time
	Name    string  // of the signer, shown by readers; empty: none
	PKCS7   bool    // adbe.pkcs7.detached with signingTime, for old readers
	Stamper Stamper // nil: no time-stamp
}

// SignPDF adds an invisible signature and verifies the result as a receiver
// would. PAdES keeps the claimed time in the dictionary and forbids it among the
// attributes; the older format has it there.
func SignPDF(ctx context.Context, doc []byte, s PDFSignature, key crypto.Signer) ([]byte, error) {
	req := pdf.Request{
		Filter: pdf.FilterCMS, SubFilter: pdf.SubFilterCAdES, Name: s.Name, Time: s.Time, Reserve: valueRoom + len(s.CertDER),
	}
	for _, c := range s.Chain {
		req.Reserve += len(c)
	}
	spec := signeddata.Spec{CertDER: s.CertDER, Chain: s.Chain}
	anchors := [][]byte{s.CertDER}
	if s.Stamper != nil {
		req.Reserve += tokenRoom
		spec.Stamp = func(value []byte) ([]byte, error) {
			token, err := s.Stamper.Stamp(ctx, value)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrStamp, err)
			}
			t, err := tsp.ParseToken(token)
			if err == nil && t.CertDER != nil {
				anchors = append(anchors, t.CertDER)
			}
			return token, err
		}
	}
	if s.PKCS7 {
		req.SubFilter, spec.Time = pdf.SubFilterPKCS7, s.Time
	}
	digest, err := signeddata.DigestFor(s.CertDER)
	if err != nil {
		return nil, err
	}
	q, err := pdf.Prepare(doc, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	h := digest.New()
	if err := q.Digest(h); err != nil {
		return nil, fmt.Errorf("signer: digest the document: %w", err)
	}
	spec.Digest = h.Sum(nil)
	value, err := signeddata.Sign(spec, key)
	if err != nil {
		return nil, err
	}
	out, err := q.Finish(value)
	if err != nil {
		return nil, fmt.Errorf("signer: write the signed document: %w", err)
	}
	if _, err := selfCheck(ctx, out, s.Time, verify.NewTrust(anchors...)); err != nil {
		return nil, err
	}
	return out, nil
}
