package ofd

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Hit is one place of a text: page counts from 1 over all documents of the
// package, the box is in page space.
type Hit struct {
	Page int
	Box  Box
}

// maxGlyphs bounds the characters of one page; a page of print has 2,000.
const maxGlyphs = 500_000

// glyph is one character with its baseline and size, in page space.
type glyph struct {
	r          rune
	x, y, size float64
}

// Find lists the places of a text on the pages, in the order in which the pages
// draw it. White space does not count, and a text may run over several text
// objects, because producers break lines and even words into objects. Text of
// templates, annotations and pictures is not searched.
func (p *Package) Find(text string) ([]Hit, error) {
	want := squeeze(text)
	if want == "" {
		return nil, nil
	}
	var hits []Hit
	for n, pg := range p.Pages() {
		if pg.Path == "" {
			continue
		}
		glyphs, err := p.glyphs(pg.Path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", pg.Path, err)
		}
		for _, b := range match(glyphs, want) {
			hits = append(hits, Hit{n + 1, b})
		}
	}
	return hits, nil
}

// squeeze drops white space, also the ideographic one.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// glyphs are the characters that a page draws itself, white space left out.
func (p *Package) glyphs(abs string) ([]glyph, error) {
	b, err := p.Read(abs)
	if err != nil {
		return nil, err
	}
	root, err := parseXML(b, "")
	if err != nil {
		return nil, err
	}
	var out []glyph
	var walk func(n *node) error
	walk = func(n *node) error { // as deep as parseXML permits
		if n.name == "TextObject" {
			out = appendText(out, n)
			if len(out) > maxGlyphs {
				return limitErr("characters of " + abs)
			}
			return nil
		}
		for _, k := range n.kids {
			if err := walk(k); err != nil {
				return err
			}
		}
		return nil
	}
	if content := root.find("Content"); content != nil {
		err = walk(content)
	}
	return out, err
}

// appendText adds the characters of one TextObject (GB/T 33190, 11.3).
func appendText(out []glyph, n *node) []glyph {
	box, _ := ParseBox(n.get("Boundary"))
	size, _ := strconv.ParseFloat(n.get("Size"), 64)
	m := [6]float64{1, 0, 0, 1, 0, 0}
	if f := strings.Fields(n.get("CTM")); len(f) == 6 {
		for i := range f {
			m[i], _ = strconv.ParseFloat(f[i], 64)
		}
	}
	scale := math.Sqrt(math.Abs(m[0]*m[3] - m[1]*m[2]))
	var x, y float64 // of a TextCode without its own: those of the one before
	for _, code := range n.kids {
		if code.name != "TextCode" || len(code.text) > 4*maxGlyphs {
			continue
		}
		if v, err := strconv.ParseFloat(code.get("X"), 64); err == nil {
			x = v
		}
		if v, err := strconv.ParseFloat(code.get("Y"), 64); err == nil {
			y = v
		}
		runes := []rune(code.text)
		dx, dy := deltas(code.get("DeltaX"), len(runes)), deltas(code.get("DeltaY"), len(runes))
		cx, cy := x, y
		for i, r := range runes {
			if !unicode.IsSpace(r) {
				out = append(out, glyph{r, box.X + m[0]*cx + m[2]*cy + m[4], box.Y + m[1]*cx + m[3]*cy + m[5], size * scale})
			}
			switch {
			case i < len(dx):
				cx += dx[i]
			case len(dy) == 0:
				cx += advance(r) * size
			}
			if i < len(dy) {
				cy += dy[i]
			}
		}
	}
	return out
}

// deltas reads "v v …" with repeats "g count v", at most n values.
func deltas(s string, n int) []float64 {
	f := strings.Fields(s)
	var out []float64
	for i := 0; i < len(f) && len(out) < n; i++ {
		count, at := 1, i
		if f[i] == "g" && i+2 < len(f) {
			count, _ = strconv.Atoi(f[i+1])
			at, i = i+2, i+2
		}
		v, err := strconv.ParseFloat(f[at], 64)
		if err != nil {
			return out
		}
		for range min(max(count, 0), n-len(out)) {
			out = append(out, v)
		}
	}
	return out
}

// match returns the box around each occurrence.
func match(glyphs []glyph, want string) []Box {
	var text strings.Builder
	at := make([]int, 0, len(glyphs)) // byte offset of each glyph
	for _, g := range glyphs {
		at = append(at, text.Len())
		text.WriteRune(g.r)
	}
	at = append(at, text.Len())
	var out []Box
	s := text.String()
	for g, from := 0, 0; ; {
		i := strings.Index(s[from:], want)
		if i < 0 {
			return out
		}
		start, stop := from+i, from+i+len(want)
		for at[g] < start {
			g++
		}
		left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
		for k := g; at[k] < stop; k++ {
			c := glyphs[k]
			left, right = min(left, c.x), max(right, c.x+advance(c.r)*c.size)
			top, bottom = min(top, c.y-c.size), max(bottom, c.y)
		}
		out = append(out, Box{left, top, right - left, bottom - top})
		from = stop
	}
}
