package pdfview

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/yinxin-gov/yinxin/signer/pdf"
)

// maxTexts are the text objects of a page whose fonts are looked at.
const maxTexts = 2_000

// Paint draws a page, from 1, as large as fits into w × h pixels, on white paper.
// Annotations and the widgets of forms and seals are drawn only when they are
// asked for. Errors: pdf.ErrFormat, pdf.ErrLimit.
func (v *Viewer) Paint(ctx context.Context, file []byte, page, w, h int, annotations bool) (pdf.Raster, error) {
	if w < 1 || h < 1 || w > maxPixels || h > maxPixels {
		return pdf.Raster{}, fmt.Errorf("%w: picture of %d×%d", pdf.ErrLimit, w, h)
	}
	var out pdf.Raster
	err := v.with(ctx, file, func(d document) error {
		p, err := d.page(page)
		if err != nil {
			return err
		}
		size, err := d.GetPageSize(&requests.GetPageSize{Page: p})
		if err != nil {
			return broken(err)
		}
		if !(size.Width > 0 && size.Height > 0) || math.IsInf(size.Width+size.Height, 0) {
			return fmt.Errorf("%w: page of %g × %g", pdf.ErrFormat, size.Width, size.Height)
		}
		var flags enums.FPDF_RENDER_FLAG
		if annotations {
			flags = enums.FPDF_RENDER_FLAG_ANNOT
		}
		r, err := d.RenderPageInPixels(&requests.RenderPageInPixels{Page: p, Width: w, Height: h, RenderFlags: flags, RenderForm: annotations})
		if err != nil {
			return broken(err)
		}
		out.Image = onPaper(r.Result.Image)
		out.Missing = d.missing(p)
		return nil
	})
	return out, err
}

// broken is the error of what the engine does not read, or crashes on. Behind the
// first line stand addresses of its code.
func broken(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%w: the page does not draw: %s", pdf.ErrFormat, first)
}

// onPaper copies the engine's picture out of its memory. The pixels are not
// premultiplied, whatever their type says.
func onPaper(src *image.RGBA) *image.RGBA {
	out := image.NewRGBA(src.Rect)
	draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, &image.NRGBA{Pix: src.Pix, Stride: src.Stride, Rect: src.Rect}, src.Rect.Min, draw.Over)
	return out
}

// missing are the fonts of the page that the file does not bring: another font
// stands in, and the page may look otherwise than its maker saw it. A font that
// cannot be asked counts as there.
func (d document) missing(p requests.Page) (names []string) {
	n, err := d.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: p})
	if err != nil {
		return nil
	}
	for i := range min(n.Count, maxTexts) {
		o, err := d.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: p, Index: i})
		if err != nil {
			return names
		}
		kind, err := d.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: o.PageObject})
		if err != nil || kind.Type != enums.FPDF_PAGEOBJ_TEXT {
			continue
		}
		f, err := d.FPDFTextObj_GetFont(&requests.FPDFTextObj_GetFont{PageObject: o.PageObject})
		if err != nil {
			continue
		}
		in, err := d.FPDFFont_GetIsEmbedded(&requests.FPDFFont_GetIsEmbedded{Font: f.Font})
		if err != nil || in.IsEmbedded {
			continue
		}
		name, err := d.FPDFFont_GetBaseFontName(&requests.FPDFFont_GetBaseFontName{Font: f.Font})
		if err == nil && !slices.Contains(names, name.BaseFontName) {
			names = append(names, name.BaseFontName)
		}
	}
	return names
}
