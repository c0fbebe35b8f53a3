package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ErrReport: the report is not about this document.
var ErrReport = errors.New("signer: report of another document")

// PreviewWords are what a preview says in the reader's language.
type PreviewWords struct {
	Labels  svg.Labels
	Caption func(verify.Signature) string // line of the legend, e.g. name of the seal and verdict; nil: seal and verdict as data
}

// Preview draws page (from 0, over all documents of the package) of an OFD
// document with its stamps as an overlay: pictures come from the signed values,
// verdicts from the report that verify.Document made of the same bytes. A
// signature that the report does not know is never drawn.
//
// Errors: ErrDocument, ErrReport, svg.ErrPage, svg.ErrLimit.
func Preview(ctx context.Context, doc []byte, rep verify.Report, page int, words PreviewWords) (svg.Result, error) {
	pkg, err := ofd.OpenReaderAt(bytes.NewReader(doc), int64(len(doc)), ofd.Limits{})
	if err != nil {
		return svg.Result{}, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if err := ctx.Err(); err != nil {
		return svg.Result{}, err
	}
	stamps, err := stampsOf(pkg, rep, page, words)
	if err != nil {
		return svg.Result{}, err
	}
	return svg.Page(pkg, page, svg.Options{Stamps: stamps, Labels: words.Labels})
}

// stampsOf joins the stamps on one page with the verdicts of their signatures.
// The report lists signatures in the order of the package.
func stampsOf(pkg *ofd.Package, rep verify.Report, page int, words PreviewWords) ([]svg.Stamp, error) {
	sigs := pkg.Signatures()
	if rep.Format != "ofd" || len(sigs) != len(rep.Signatures) {
		return nil, ErrReport
	}
	body := 0
	for body < len(pkg.Bodies) && page >= len(pkg.Bodies[body].Pages) {
		page -= len(pkg.Bodies[body].Pages)
		body++
	}
	unsound := false
	for _, c := range rep.Checks {
		unsound = unsound || c.Result == verify.Fail
	}
	var out []svg.Stamp
	for i := range sigs {
		found := rep.Signatures[i]
		if unsound { // a seal is worth no more than the document it stands on
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
				Class: svg.Class(found.Verdict), Caption: words.caption(found)})
		}
	}
	return out, nil
}

func (w PreviewWords) caption(s verify.Signature) string {
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
