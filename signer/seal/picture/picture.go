// Package picture draws and checks the picture of an electronic seal (印模).
//
// A drawn picture is a round red seal with a five-pointed star: the unit's name
// on the arc from left to right, a special-purpose name below the star
// (国发〔1999〕25号). It always carries the watermark 样章: there is no way to
// draw without it, since making the seal of an organ is not ours to do
// (design §2 law 7). The national emblem is never drawn; a unit whose seal
// carries it, and every production seal, brings its picture with the filing
// number (备案号) under which the picture was made: see Accept.
//
// It refuses a name with a character that the embedded font subset lacks, and
// a name too long to be legible.
package picture

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Watermark stands on every drawn picture.
const Watermark = "样章"

// DefaultDiameter in millimetres: a bureau's seal with a star.
const DefaultDiameter = 42

// DPI is the resolution of drawn pictures.
const DPI = 300

// Outcomes that callers branch on.
var (
	// ErrGlyph: the font subset lacks a character; upload a picture instead.
	ErrGlyph = errors.New("picture: character not in the seal font")
	// ErrSpec: a name or size that gives no legible seal.
	ErrSpec = errors.New("picture: cannot be drawn")
	// ErrPicture: an uploaded picture that is not acceptable.
	ErrPicture = errors.New("picture: not an acceptable PNG")
	// ErrFiling: an uploaded picture without its filing number.
	ErrFiling = errors.New("picture: filing number missing")
)

// Spec is what is drawn.
type Spec struct {
	Unit     string // statutory name, on the arc; 2 to 36 characters
	Purpose  string // special-purpose name below the star, e.g. 公文专用章; may be empty; at most 12 characters
	Diameter int    // millimetres; zero means DefaultDiameter; 30 to 45
}

// Measures of a seal of DefaultDiameter, in millimetres; other sizes scale.
const (
	ringWidth   = 1.2
	starRadius  = 7.0 // about 14 mm across
	textOuter   = 18.9
	textHeight  = 5.2
	purposeLine = 11.2 // centre of the purpose below the centre of the seal
	purposeSize = 3.7
	purposeWide = 17.0
)

// Draw returns the seal as PNG, RGBA with transparent background.
func Draw(s Spec) ([]byte, error) {
	if s.Diameter == 0 {
		s.Diameter = DefaultDiameter
	}
	s.Unit, s.Purpose = strings.TrimSpace(s.Unit), strings.TrimSpace(s.Purpose)
	if s.Diameter < 30 || s.Diameter > 45 {
		return nil, fmt.Errorf("%w: diameter %d mm, 30 to 45 expected", ErrSpec, s.Diameter)
	}
	unit, purpose := []rune(s.Unit), []rune(s.Purpose)
	if n := len(unit); n < 2 || n > 36 || !utf8.ValidString(s.Unit) {
		return nil, fmt.Errorf("%w: unit name of %d characters, 2 to 36 expected", ErrSpec, n)
	}
	if n := len(purpose); n > 12 || !utf8.ValidString(s.Purpose) {
		return nil, fmt.Errorf("%w: purpose of %d characters, at most 12 expected", ErrSpec, n)
	}
	c, err := newCanvas(s.Diameter)
	if err != nil {
		return nil, err
	}
	c.ring(DefaultDiameter/2-0.1, ringWidth, ink)
	c.star(starRadius, ink)
	if err := c.arc(unit, len(purpose) > 0); err != nil {
		return nil, err
	}
	if err := c.line(purpose, purposeLine, purposeSize, purposeWide, 0, ink); err != nil {
		return nil, err
	}
	if err := c.watermark(); err != nil {
		return nil, err
	}
	return encode(c.image())
}

// arc sets the unit's name around the star, feet to the centre, evenly spaced
// over 240 to 300 degrees; a short name keeps its characters together.
func (c *canvas) arc(name []rune, purpose bool) error {
	n := float64(len(name))
	span := math.Min(240+5*math.Max(n-9, 0), 300)
	if purpose {
		span = math.Min(span, 252) // leaves room for the line below
	}
	pitch := math.Min(span/(n-1), 32) * math.Pi / 180
	// Long names get narrow and slightly lower characters, as engravers do it.
	height := textHeight - math.Min(math.Max(n-14, 0)*0.05, 0.8)
	inner := textOuter - height
	width := math.Min(height, pitch*(inner+0.25*height)*0.96)
	for i, r := range name {
		angle := (float64(i) - (n-1)/2) * pitch
		radius := textOuter - height/2
		at := point{radius * math.Sin(angle), -radius * math.Cos(angle)}
		if err := c.glyph(r, at, width, height, angle); err != nil {
			return err
		}
	}
	c.fill(ink)
	return nil
}

// line sets text centred on a straight line through (0, y), turned by angle
// around the centre of the seal, no wider than wide.
func (c *canvas) line(text []rune, y, size, wide, angle float64, on layer) error {
	n := float64(len(text))
	if n == 0 {
		return nil
	}
	width := math.Min(size, wide/n)
	pitch := math.Min(size*1.12, wide/n)
	for i, r := range text {
		at := point{(float64(i) - (n-1)/2) * pitch, y}.turn(angle)
		if err := c.glyph(r, at, width, size, angle); err != nil {
			return err
		}
	}
	c.fill(on)
	return nil
}

// watermark makes the picture a specimen that nobody takes for a real seal:
// two large characters across it and a filled band at its foot.
func (c *canvas) watermark() error {
	slant := -30 * math.Pi / 180
	words := []rune(Watermark)
	for i, r := range words {
		at := point{(float64(i) - 0.5) * 15, 0}.turn(slant)
		if err := c.glyph(r, at, 13, 13, slant); err != nil {
			return err
		}
	}
	c.fill(mark)
	c.rect(point{-4.6, 14.6}, point{4.6, 18.2}, ink)
	return c.line(words, 16.4, 3.3, 9, 0, erase)
}
