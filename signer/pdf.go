package signer

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
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
	fail := func(err error) (pending, cited, error) { return nil, cited{}, err }
	switch {
	case e == nil:
		return fail(fmt.Errorf("%w: %q signs the description of an OFD; see SignPDF", ErrStandard, job.Standard))
	case job.Whole:
		return fail(fmt.Errorf("%w: a PDF has no list of signatures to protect", ErrDocument))
	}
	paper, err := openPaper(doc)
	if err != nil {
		return fail(err)
	}
	c, info, err := job.quotePDF(paper.doc)
	if err != nil {
		return fail(err)
	}
	places, err := job.places(paper, float64(e.Picture.Width), float64(e.Picture.Height))
	if err != nil {
		return fail(err)
	}
	sizes := paper.sizes()
	stamps := make([]pdf.Stamp, len(places))
	for i, p := range places {
		if !sizes[p.Page-1].Meets(p.Visible()) {
			return fail(fmt.Errorf("%w: the place is off the page", ErrDocument))
		}
		stamps[i] = pdf.Stamp{Page: p.Page, X: p.X, Y: p.Y, W: p.W, H: p.H, Clip: (*pdf.Rect)(p.Clip)}
	}
	reserve := len(job.SealDER) + len(job.CertDER) + valueRoom
	if job.Stamper != nil {
		reserve += tokenRoom
	}
	q, err := pdf.Prepare(doc, pdf.Request{
		Filter: pdf.Name(job.PDF.Filter), SubFilter: pdf.Name(job.PDF.SubFilter),
		Picture: e.Picture.Data, Page: stamps[0].Page, X: stamps[0].X, Y: stamps[0].Y, W: stamps[0].W, H: stamps[0].H,
		Clip: stamps[0].Clip, Also: stamps[1:], Name: e.Name, Time: job.Time, Reserve: reserve, Info: info,
	})
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrDocument, err))
	}
	sum := sm3.New()
	if err := q.Digest(sum); err != nil {
		return fail(fmt.Errorf("signer: digest the document: %w", err))
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
	if err := lintSigner(s.CertDER, key.Public(), s.Time); err != nil {
		return nil, err
	}
	req := pdf.Request{
		Filter: pdf.FilterCMS, SubFilter: pdf.SubFilterCAdES, Name: s.Name, Time: s.Time, Reserve: valueRoom + len(s.CertDER),
	}
	for _, c := range s.Chain {
		req.Reserve += len(c)
	}
	spec := signeddata.Spec{CertDER: s.CertDER, Chain: s.Chain}
	anchors := [][]byte{s.CertDER}
	if spec.Stamp = stamping(ctx, s.Stamper, &anchors); spec.Stamp != nil {
		req.Reserve += tokenRoom
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
