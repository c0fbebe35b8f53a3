package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// rasterSide is the longer side of a page's picture: 135 dots an inch of A4.
const rasterSide = 1580

func previewPDF(ctx context.Context, doc []byte, rep verify.Report, page int, opt PreviewOptions) (svg.Result, error) {
	if opt.Painter == nil {
		return svg.Result{}, fmt.Errorf("%w: no engine for PDF pages", ErrDocument)
	}
	p, err := openPaper(doc)
	if err != nil {
		return svg.Result{}, err
	}
	if rep.Format != "pdf" || len(p.sigs) != len(rep.Signatures) {
		return svg.Result{}, ErrReport
	}
	if page < 0 || page >= len(p.pages) {
		return svg.Result{}, fmt.Errorf("%w: no page %d", svg.ErrPage, page)
	}
	size := p.pages[page]
	shown, err := opt.Painter.Paint(ctx, doc, page+1, rasterSide, rasterSide, true)
	if err != nil {
		return svg.Result{}, painted(err)
	}
	// A page of another shape than the one that was verified is another page.
	if b := shown.Image.Bounds(); math.Abs(float64(b.Dx())*size.H-float64(b.Dy())*size.W) > 0.01*rasterSide*(size.W+size.H) {
		return svg.Result{}, fmt.Errorf("%w: the engine shows another page", svg.ErrPage)
	}
	c := comparison{page: size, shown: shown.Image, bare: func() (pdf.Raster, error) {
		return opt.Painter.Paint(ctx, doc, page+1, rasterSide, rasterSide, false)
	}}
	stamps, warnings, err := p.stamps(rep, page+1, opt, &c)
	if err != nil {
		return svg.Result{}, err
	}
	if len(shown.Missing) > 0 {
		warnings = append(warnings, svg.Warning{Code: svg.WarnFonts, Detail: strings.Join(shown.Missing, ", ")})
	}
	var picture bytes.Buffer
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := fast.Encode(&picture, shown.Image); err != nil {
		return svg.Result{}, fmt.Errorf("signer: picture of the page: %w", err)
	}
	out, err := svg.Raster(picture.Bytes(), size.W, size.H, svg.Options{Stamps: stamps, Labels: opt.Labels})
	out.Warnings = append(warnings, out.Warnings...)
	return out, err
}

// painted turns an engine's errors into those of Preview.
func painted(err error) error {
	switch {
	case errors.Is(err, pdf.ErrLimit):
		return fmt.Errorf("%w: %w", svg.ErrLimit, err)
	case errors.Is(err, pdf.ErrFormat):
		return fmt.Errorf("%w: %w", svg.ErrPage, err)
	}
	return err
}

// stamps joins what a page shows of signatures with their verdicts. The report
// lists signatures in the order of the file.
func (p pdfPaper) stamps(rep verify.Report, page int, opt PreviewOptions, c *comparison) (out []svg.Stamp, warnings []svg.Warning, err error) {
	differs := opt.Differs
	if differs == "" {
		differs = "appearance differs"
	}
	for i, s := range p.sigs {
		found := rep.Signatures[i]
		if found.ID != s.Field {
			return nil, nil, ErrReport
		}
		if unsound(rep) {
			found.Verdict = verify.Invalid
		}
		ses, sesErr := seal.ParseSignature(s.Value)
		for _, at := range s.Places {
			if at.Page != page {
				continue
			}
			st := svg.Stamp{Box: ofd.Box(at.Rect), Class: svg.Class(found.Verdict), Caption: opt.caption(found)}
			if sesErr != nil {
				warnings = append(warnings, svg.Warning{Code: svg.WarnOwn, Detail: s.Field})
			} else {
				same, err := c.shows(ses.Seal.Picture, at.Rect)
				if err != nil {
					return nil, nil, err
				}
				if !same {
					warnings = append(warnings, svg.Warning{Code: svg.WarnStamp, Detail: s.Field})
					st.Caption += " · " + differs
					if st.Class == svg.Valid {
						st.Class = svg.Indeterminate
					}
				}
			}
			out = append(out, st)
		}
	}
	return out, warnings, nil
}
