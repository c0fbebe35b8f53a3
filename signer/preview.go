package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ErrReport: the report is not about this document.
var ErrReport = errors.New("signer: report of another document")

// Painter draws pages of PDF files: package pdfview.
type Painter interface {
	Paint(ctx context.Context, file []byte, page, w, h int, annotations bool) (pdf.Raster, error)
}

// PreviewOptions are what a preview says in the reader's language, and who draws
// what this room cannot.
type PreviewOptions struct {
	Labels  svg.Labels
	Caption func(verify.Signature) string // line of the legend, e.g. name of the seal and verdict; nil: seal and verdict as data
	Differs string                        // behind the caption of a stamp that does not show its seal, default "appearance differs"
	Painter Painter                       // nil: a PDF is ErrDocument
}

// Preview draws page (from 0, over all documents of the package) of an OFD or
// PDF document with its stamps as an overlay: verdicts come from the report that
// verify.Document made of the same bytes. A signature that the report does not
// know is never drawn as one.
//
// In an OFD the pictures come from the signed values. In a PDF the page shows the
// widgets itself, as every reader does; the overlay frames them, and says which of
// them do not look like the seal that was signed.
//
// Errors: ErrDocument, ErrReport, svg.ErrPage, svg.ErrLimit.
func Preview(ctx context.Context, doc []byte, rep verify.Report, page int, opt PreviewOptions) (svg.Result, error) {
	if isPDF(doc) {
		return previewPDF(ctx, doc, rep, page, opt)
	}
	pkg, err := ofd.OpenReaderAt(bytes.NewReader(doc), int64(len(doc)), ofd.Limits{})
	if err != nil {
		return svg.Result{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if err := ctx.Err(); err != nil {
		return svg.Result{}, err
	}
	stamps, err := stampsOf(pkg, rep, page, opt)
	if err != nil {
		return svg.Result{}, err
	}
	return svg.Page(pkg, page, svg.Options{Stamps: stamps, Labels: opt.Labels})
}

// PageCount is the number of pages that Preview draws of a document.
func PageCount(doc []byte) (int, error) {
	if isPDF(doc) {
		p, err := openPaper(doc)
		return len(p.pages), err
	}
	pkg, err := ofd.OpenReaderAt(bytes.NewReader(doc), int64(len(doc)), ofd.Limits{})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return len(pkg.Pages()), nil
}

// stampsOf joins the stamps on one page with the verdicts of their signatures.
// The report lists signatures in the order of the package.
func stampsOf(pkg *ofd.Package, rep verify.Report, page int, opt PreviewOptions) ([]svg.Stamp, error) {
	sigs := pkg.Signatures()
	if rep.Format != "ofd" || len(sigs) != len(rep.Signatures) {
		return nil, ErrReport
	}
	body := 0
	for body < len(pkg.Bodies) && page >= len(pkg.Bodies[body].Pages) {
		page -= len(pkg.Bodies[body].Pages)
		body++
	}
	unsound := unsound(rep)
	var out []svg.Stamp
	for i := range sigs {
		found := rep.Signatures[i]
		if unsound {
			found.Verdict = verify.Invalid
		}
		if found.ID != sigs[i].ID {
			return nil, ErrReport
		}
		if sigs[i].Body != body || page < 0 || body == len(pkg.Bodies) {
			continue
		}
		var picture []byte
		for _, st := range sigs[i].Stamps {
			if st.PageRef != pkg.Bodies[body].Pages[page].ID || st.Malformed {
				continue
			}
			if picture == nil {
				picture = signedPicture(pkg, &sigs[i])
			}
			out = append(out, svg.Stamp{Box: st.Boundary, Clip: st.Clip, Picture: picture,
				Class: svg.Class(found.Verdict), Caption: opt.caption(found)})
		}
	}
	return out, nil
}

// unsound reports whether the document itself failed: a seal is worth no more
// than what it stands on.
func unsound(rep verify.Report) bool {
	return slices.ContainsFunc(rep.Checks, func(c verify.Check) bool { return c.Result == verify.Fail })
}

func (w PreviewOptions) caption(s verify.Signature) string {
	if w.Caption != nil {
		return w.Caption(s)
	}
	return s.Seal + " · " + string(s.Verdict)
}

// signedPicture is the picture inside the signed value, empty when there is none
// that reads: never the one of Seal.esl, which a forger could exchange.
func signedPicture(pkg *ofd.Package, s *ofd.Signature) []byte {
	if s.ValuePath != "" {
		if value, err := pkg.Read(s.ValuePath); err == nil {
			if ses, err := seal.ParseSignature(value); err == nil {
				return ses.Seal.Picture.Data
			}
		}
	}
	return []byte{}
}
