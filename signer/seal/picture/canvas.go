package picture

import (
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// fontFile is a subset of Noto Serif CJK SC; see font/README.md.
//
//go:embed font/NotoSerifSC-SemiBold-seal.otf
var fontFile []byte

// layer is what an outline is filled on: the seal's own red ink, the grey
// watermark over it, or ink taken away.
type layer int

const (
	ink layer = iota
	mark
	erase
)

var (
	inkColour  = color.NRGBA{R: 0xff, A: 0xff}
	markColour = color.NRGBA{R: 0x30, G: 0x30, B: 0x30, A: 0x66}
)

// point is millimetres from the centre, y down.
type point struct{ x, y float64 }

func (p point) turn(a float64) point {
	sin, cos := math.Sincos(a)
	return point{p.x*cos - p.y*sin, p.x*sin + p.y*cos}
}

// canvas draws filled outlines in millimetres of a seal of DefaultDiameter.
// Coverage is kept per layer and coloured at the end, so that edges have the
// pure colour and only their alpha varies.
type canvas struct {
	ink, mark *image.Alpha
	ras       *vector.Rasterizer
	font      *sfnt.Font
	buf       sfnt.Buffer
	scale     float64 // pixels a millimetre
	mid       float64 // centre in pixels
}

func newCanvas(diameter int) (*canvas, error) {
	f, err := sfnt.Parse(fontFile)
	if err != nil {
		return nil, fmt.Errorf("picture: embedded font: %w", err)
	}
	px := int(math.Round(float64(diameter) * DPI / 25.4))
	return &canvas{
		ink:   image.NewAlpha(image.Rect(0, 0, px, px)),
		mark:  image.NewAlpha(image.Rect(0, 0, px, px)),
		ras:   vector.NewRasterizer(px, px),
		font:  f,
		scale: float64(px) / DefaultDiameter,
		mid:   float64(px) / 2,
	}, nil
}

func (c *canvas) px(p point) (x, y float32) {
	return float32(c.mid + p.x*c.scale), float32(c.mid + p.y*c.scale)
}

// fill paints the outline collected in the rasterizer and empties it.
func (c *canvas) fill(on layer) {
	b := c.ink.Bounds()
	switch on {
	case ink:
		c.ras.Draw(c.ink, b, image.Opaque, image.Point{})
	case mark:
		c.ras.Draw(c.mark, b, image.Opaque, image.Point{})
	case erase:
		mask := image.NewAlpha(b)
		c.ras.Draw(mask, b, image.Opaque, image.Point{})
		for i, a := range mask.Pix {
			c.ink.Pix[i] = uint8(uint32(c.ink.Pix[i]) * (255 - uint32(a)) / 255)
		}
	}
	c.ras.Reset(b.Dx(), b.Dy())
}

// image lays the watermark over the ink. Coverage is rounded to fifths, which
// the eye does not notice at 300 dpi and which halves the file.
func (c *canvas) image() *image.NRGBA {
	out := image.NewNRGBA(c.ink.Bounds())
	steps := func(a uint8) uint32 { return (uint32(a) + 25) / 51 * 51 }
	for i := range c.ink.Pix {
		m := steps(c.mark.Pix[i]) * uint32(markColour.A) / 255
		a := steps(c.ink.Pix[i]) * (255 - m) / 255
		if m+a == 0 {
			continue
		}
		mix := func(over, under uint8) uint8 { return uint8((uint32(over)*m + uint32(under)*a) / (m + a)) }
		px := out.Pix[4*i : 4*i+4]
		px[0] = mix(markColour.R, inkColour.R)
		px[1] = mix(markColour.G, inkColour.G)
		px[2] = mix(markColour.B, inkColour.B)
		px[3] = uint8(m + a)
	}
	return out
}

// circle adds a circle of four cubic curves; a hole runs the other way round.
func (c *canvas) circle(r float64, hole bool) {
	const k = 0.5522847498 // distance of control points that makes the curve round
	dir := 1.0
	if hole {
		dir = -1
	}
	at := func(x, y float64) (float32, float32) { return c.px(point{x * r, dir * y * r}) }
	move := func(x, y float64) { a, b := at(x, y); c.ras.MoveTo(a, b) }
	cube := func(x1, y1, x2, y2, x3, y3 float64) {
		a, b := at(x1, y1)
		d, e := at(x2, y2)
		f, g := at(x3, y3)
		c.ras.CubeTo(a, b, d, e, f, g)
	}
	move(1, 0)
	cube(1, k, k, 1, 0, 1)
	cube(-k, 1, -1, k, -1, 0)
	cube(-1, -k, -k, -1, 0, -1)
	cube(k, -1, 1, -k, 1, 0)
	c.ras.ClosePath()
}

func (c *canvas) ring(outer, width float64, on layer) {
	c.circle(outer, false)
	c.circle(outer-width, true)
	c.fill(on)
}

func (c *canvas) polygon(on layer, corners ...point) {
	for i, p := range corners {
		x, y := c.px(p)
		if i == 0 {
			c.ras.MoveTo(x, y)
		} else {
			c.ras.LineTo(x, y)
		}
	}
	c.ras.ClosePath()
	c.fill(on)
}

func (c *canvas) rect(from, to point, on layer) {
	c.polygon(on, from, point{to.x, from.y}, to, point{from.x, to.y})
}

// star is a regular five-pointed star, one point up.
func (c *canvas) star(radius float64, on layer) {
	inner := radius * (3 - math.Sqrt(5)) / 2 // where the lines of a pentagram cross
	corners := make([]point, 10)
	for i := range corners {
		r := radius
		if i%2 == 1 {
			r = inner
		}
		corners[i] = point{0, -r}.turn(float64(i) * math.Pi / 5)
	}
	c.polygon(on, corners...)
}

// glyph adds one character with its em box of width × height centred on at,
// turned by angle; the caller fills a whole line at once.
func (c *canvas) glyph(r rune, at point, width, height, angle float64) error {
	i, err := c.font.GlyphIndex(&c.buf, r)
	if err != nil {
		return fmt.Errorf("picture: embedded font: %w", err)
	}
	if i == 0 {
		return fmt.Errorf("%w: %q (U+%04X)", ErrGlyph, string(r), r)
	}
	em := c.font.UnitsPerEm()
	ppem := fixed.I(int(em)) // outlines in font units, exact
	advance, err := c.font.GlyphAdvance(&c.buf, i, ppem, font.HintingNone)
	if err != nil {
		return fmt.Errorf("picture: glyph %q: %w", string(r), err)
	}
	segs, err := c.font.LoadGlyph(&c.buf, i, ppem, nil)
	if err != nil {
		return fmt.Errorf("picture: glyph %q: %w", string(r), err)
	}
	const above = 0.38 // the centre of a Chinese em box above its baseline
	unit := float64(em) * 64
	to := func(p fixed.Point26_6) (float32, float32) {
		q := point{
			(float64(p.X) - float64(advance)/2) / unit * width,
			(float64(p.Y)/unit + above) * height,
		}.turn(angle)
		return c.px(point{at.x + q.x, at.y + q.y})
	}
	for k, s := range segs {
		ax, ay := to(s.Args[0])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if k > 0 {
				c.ras.ClosePath()
			}
			c.ras.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			c.ras.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			bx, by := to(s.Args[1])
			c.ras.QuadTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			bx, by := to(s.Args[1])
			dx, dy := to(s.Args[2])
			c.ras.CubeTo(ax, ay, bx, by, dx, dy)
		}
	}
	c.ras.ClosePath()
	return nil
}
