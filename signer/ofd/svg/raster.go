package svg

import (
	"fmt"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Raster is Page for a page that somebody else drew, w × h millimetres, PNG or
// JPEG: the same stamps and the same legend around it. Errors: ErrPage, ErrLimit.
func Raster(picture []byte, w, h float64, opt Options) (Result, error) {
	if !(w >= minEdge && h >= minEdge && w <= maxEdge && h <= maxEdge) {
		return Result{}, fmt.Errorf("%w: %g × %g", ErrPage, w, h)
	}
	d := newDrawing(opt.Labels)
	id := d.image(picture, "page")
	if id == "" {
		return Result{}, fmt.Errorf("%w: picture of the page", ErrLimit)
	}
	d.put(`<g class="page" clip-path="url(#page)"><use href="#`, id, `"`, matrix{w, 0, 0, h, 0, 0}.attr(), "/></g>")
	return d.finish(ofd.Box{W: w, H: h}, opt.Stamps)
}
