package svg

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// em is the size in which outlines are defined; text scales them.
const em = 100

// face is an embedded font whose outlines are drawn.
type face struct {
	font *sfnt.Font
	buf  sfnt.Buffer
	ids  map[sfnt.GlyphIndex]string // of defined outlines, "" for a blank
}

// face opens the font file of a Font resource once; nil when there is none or it
// does not read, and then the reader's own fonts serve.
func (s *sheet) face(it item) *face {
	s.spend(it.el)
	if !it.el.Is() || strings.TrimSpace(it.el.Find("FontFile").Text()) == "" {
		return nil
	}
	key := it.key()
	f, known := s.faces[key]
	if !known {
		var err error
		if f, err = s.openFace(it); err != nil {
			s.warn(WarnFont, it.el.Find("FontFile").Text())
		}
		s.faces[key] = f
	}
	return f
}

func (s *sheet) openFace(it item) (f *face, err error) {
	file, found := s.media(it, "FontFile")
	size := s.pkg.Size(file)
	if !found || size > maxFont || s.fontBytes+size > maxFonts {
		return nil, fmt.Errorf("svg: font missing or too large")
	}
	s.fontBytes += size
	data, err := s.pkg.Read(file)
	if err != nil {
		return nil, err
	}
	// A foreign parser on foreign bytes: what it cannot stand is a font that does
	// not read, not the end of the server.
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("svg: font: %v", r)
		}
	}()
	parsed, err := sfnt.Parse(withTables(data))
	if err != nil {
		return nil, err
	}
	return &face{font: parsed, ids: map[sfnt.GlyphIndex]string{}}, nil
}

// outlines draws text by the glyphs of its embedded font. It draws nothing and
// returns false when a character has no glyph: one font for one text.
func (s *sheet) outlines(u *unit, f *face, runs []run, size, hscale float64, paints string) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			s.warn(WarnFont, u.id())
			ok = false
		}
	}()
	chosen := s.chosen(u)
	turn := numberOr(u.el.Attr("CharDirection"), 0)
	var b strings.Builder
	pos := 0
	for _, r := range runs {
		x, y, advance := 0.0, 0.0, 0.0
		for i, c := range r.chars {
			if i < len(r.xs) {
				x, y = r.xs[i], r.ys[i]
			} else {
				x += advance
			}
			glyphs, named := chosen[pos]
			pos++
			if !named {
				g, err := f.font.GlyphIndex(&f.buf, c)
				if err != nil || g == 0 && c > 0x20 {
					return false
				}
				glyphs = []sfnt.GlyphIndex{g}
			}
			advance = 0
			for _, g := range glyphs {
				id, ok := s.outline(f, g)
				if !ok {
					return false
				}
				if id != "" {
					m := shift(x+advance, y).then(quarter(turn)).then(matrix{size / em * hscale, 0, 0, size / em, 0, 0})
					b.WriteString(`<use href="#` + id + `"` + m.attr() + `/>`)
				}
				if a, err := f.font.GlyphAdvance(&f.buf, g, fixed.I(em), font.HintingNone); err == nil {
					advance += float64(a) / 64 / em * size * hscale
				}
			}
			if b.Len() > maxOutput {
				s.fail("size of the picture")
				return true
			}
		}
	}
	s.put("<g", u.place().attr(), paints, ">", b.String(), "</g>")
	return true
}

// quarter turns a glyph about its origin (CharDirection).
func quarter(angle float64) matrix {
	switch angle {
	case 90:
		return matrix{0, 1, -1, 0, 0, 0}
	case 180:
		return matrix{-1, 0, 0, -1, 0, 0}
	case 270:
		return matrix{0, -1, 1, 0, 0, 0}
	}
	return identity
}

// chosen are the glyphs that CGTransform elements name, by the place of the
// character in the object's text (GB/T 33190, 11.4). The first character of a
// group carries all its glyphs when the numbers differ.
func (s *sheet) chosen(u *unit) map[int][]sfnt.GlyphIndex {
	var out map[int][]sfnt.GlyphIndex
	for k := range u.el.Kids() {
		if k.Name() != "CGTransform" {
			continue
		}
		if !s.spend(k, k.Find("Glyphs")) {
			return out
		}
		var glyphs []sfnt.GlyphIndex
		for _, g := range strings.Fields(k.Find("Glyphs").Text()) {
			n, err := strconv.ParseUint(g, 10, 16)
			if err != nil {
				s.warn(WarnPath, u.id())
				return out
			}
			glyphs = append(glyphs, sfnt.GlyphIndex(n))
		}
		if out == nil {
			out = map[int][]sfnt.GlyphIndex{}
		}
		first := int(numberOr(k.Attr("CodePosition"), 0))
		codes := int(min(maxChars, max(1, numberOr(k.Attr("CodeCount"), 1))))
		if s.chars += len(glyphs); s.chars > maxChars {
			s.fail("number of characters")
			return out
		}
		if codes == len(glyphs) {
			for i, g := range glyphs {
				out[first+i] = []sfnt.GlyphIndex{g}
			}
			continue
		}
		out[first] = glyphs
		for i := 1; i < codes; i++ {
			out[first+i] = nil
		}
	}
	return out
}

// outline defines a glyph once; id is "" for a blank one.
func (s *sheet) outline(f *face, g sfnt.GlyphIndex) (id string, ok bool) {
	if id, ok := f.ids[g]; ok {
		return id, true
	}
	segments, err := f.font.LoadGlyph(&f.buf, g, fixed.I(em), nil)
	if err != nil {
		return "", false
	}
	var d strings.Builder
	for _, seg := range segments {
		n := 1
		switch seg.Op {
		case sfnt.SegmentOpMoveTo:
			if d.Len() > 0 {
				d.WriteByte('Z')
			}
			d.WriteByte('M')
		case sfnt.SegmentOpLineTo:
			d.WriteByte('L')
		case sfnt.SegmentOpQuadTo:
			n = 2
			d.WriteByte('Q')
		case sfnt.SegmentOpCubeTo:
			n = 3
			d.WriteByte('C')
		}
		for i, p := range seg.Args[:n] {
			if i > 0 {
				d.WriteByte(' ')
			}
			d.WriteString(num(float64(p.X)/64) + " " + num(float64(p.Y)/64))
		}
	}
	if d.Len() > 0 {
		id = s.id()
		s.define("<path", attr("id", id), attr("d", d.String()+"Z"), "/>")
	}
	f.ids[g] = id
	return id, true
}
