package signer

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif"  // pictures of seals
	_ "image/jpeg" // likewise
	"math"

	"golang.org/x/image/draw"

	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// comparison looks whether a page shows the seals that were signed. What a widget
// draws is free in a PDF: the value of one seal can stand behind the picture of
// another, or under a patch that covers it.
type comparison struct {
	page  pdf.Page
	shown *image.RGBA
	bare  func() (pdf.Raster, error) // the page without widgets and annotations
	under *image.RGBA                // … once it was drawn
}

// Bounds of what counts as the same: smoothing and compression change a little
// everywhere, another seal much in places.
const (
	cell         = 4     // pixels of a side
	cellDiffers  = 56    // of 255, in one colour, of a cell's mean
	maxDiffering = 0.015 // of the cells with ink; one other character is 0.02
	maxSeal      = 16 << 20
	sameSize     = 1.0 // millimetres
)

// shows reports whether a place of the page looks like the seal's picture, or
// like a slice of it. A picture that does not read is not the same.
func (c *comparison) shows(p seal.Picture, at pdf.Rect) (bool, error) {
	if c.under == nil {
		r, err := c.bare()
		if err != nil {
			return false, painted(err)
		}
		c.under = r.Image
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(p.Data))
	if err != nil || cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxSeal/cfg.Height || c.under.Rect != c.shown.Rect {
		return false, nil
	}
	picture, _, err := image.Decode(bytes.NewReader(p.Data))
	if err != nil {
		return false, nil
	}
	sx, sy := float64(c.shown.Rect.Dx())/c.page.W, float64(c.shown.Rect.Dy())/c.page.H
	area := image.Rect(pixel(at.X*sx), pixel(at.Y*sy), pixel((at.X+at.W)*sx), pixel((at.Y+at.H)*sy))
	w, h := float64(p.Width), float64(p.Height)
	whole := image.Pt(area.Dx(), area.Dy())
	switch { // a slice of a ride seal is somewhere in the picture
	case at.W < w-sameSize && math.Abs(at.H-h) < sameSize:
		whole.X = pixel(w * sx)
	case at.H < h-sameSize && math.Abs(at.W-w) < sameSize:
		whole.Y = pixel(h * sy)
	}
	return c.part(picture, area, whole), nil
}

func pixel(f float64) int { return int(math.Round(f)) }

// part compares an area with every part of a picture of a size. Engines round the
// place and the size of a picture each in their own way: up to two pixels more,
// and one beside, are the same.
func (c *comparison) part(picture image.Image, area image.Rectangle, size image.Point) bool {
	if size.X < 1 || size.Y < 1 || size.X > 2*rasterSide || size.Y > 2*rasterSide {
		return false
	}
	for more := range 9 {
		whole := image.NewNRGBA(image.Rectangle{Max: size.Add(image.Pt(more%3, more/3))})
		draw.BiLinear.Scale(whole, whole.Rect, picture, picture.Bounds(), draw.Src, nil)
		room := whole.Rect.Max.Sub(area.Size())
		for y := -1; y <= room.Y+1; y++ {
			for x := -1; x <= room.X+1; x++ {
				if c.same(whole, area, image.Pt(x, y)) {
					return true
				}
			}
		}
	}
	return false
}

// same lays the picture, from a point on, over the bare page and compares it with
// what the page shows, cell by cell, because engines differ by half a pixel at
// every edge. What counts is ink: cells that one of the two has and the other has
// not, among those that any of them has.
func (c *comparison) same(picture *image.NRGBA, area image.Rectangle, from image.Point) bool {
	seen := area.Intersect(c.shown.Rect)
	ink, wrong := 0, 0
	enough := int(maxDiffering*float64(seen.Dx()*seen.Dy())/cell/cell) + 1
	for y := seen.Min.Y; y < seen.Max.Y; y += cell {
		for x := seen.Min.X; x < seen.Max.X; x += cell {
			var paper, want, is mean
			field := image.Rect(x, y, x+cell, y+cell).Intersect(seen)
			for v := field.Min.Y; v < field.Max.Y; v++ {
				for u := field.Min.X; u < field.Max.X; u++ {
					at := c.under.PixOffset(u, v) // both pictures have one shape
					paper.add(c.under.Pix[at : at+3])
					is.add(c.shown.Pix[at : at+3])
					want.over(picture.NRGBAAt(from.X+u-area.Min.X, from.Y+v-area.Min.Y), c.under.Pix[at:at+3])
				}
			}
			limit := cellDiffers * field.Dx() * field.Dy()
			if want.far(paper, limit) || is.far(paper, limit) {
				ink++
			}
			if want.far(is, limit) {
				if wrong++; wrong > enough {
					return false
				}
			}
		}
	}
	return float64(wrong) <= maxDiffering*float64(ink)
}

// mean is the sum of the colours of one cell.
type mean [3]int

func (m *mean) add(pix []uint8) {
	for i, p := range pix {
		m[i] += int(p)
	}
}

// over adds a pixel of the picture on opaque paper.
func (m *mean) over(p color.NRGBA, paper []uint8) {
	a := int(p.A)
	for i, v := range [3]uint8{p.R, p.G, p.B} {
		m[i] += (int(v)*a + int(paper[i])*(255-a)) / 255
	}
}

func (m mean) far(o mean, limit int) bool {
	for i := range m {
		if d := m[i] - o[i]; d > limit || d < -limit {
			return true
		}
	}
	return false
}
