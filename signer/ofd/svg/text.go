package svg

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// run is a TextCode with its glyph positions in object space. Where xs is shorter
// than the text, the rest follows with the font's own advances.
type run struct {
	chars  []rune
	xs, ys []float64
}

// runs positions the text of a TextObject (GB/T 33190, 11.3).
func (s *sheet) runs(u *unit) []run {
	var out []run
	x, y := 0.0, 0.0
	for k := range u.el.Kids() {
		if k.Name() != "TextCode" {
			continue
		}
		if !s.spend(k) {
			return nil
		}
		// A code without X or Y goes on where the one before began.
		x, y = numberOr(k.Attr("X"), x), numberOr(k.Attr("Y"), y)
		chars := []rune(k.Text())
		if s.chars += len(chars); s.chars > maxChars {
			s.fail("number of characters")
			return nil
		}
		if len(chars) == 0 {
			continue
		}
		dx, ok := deltas(k.Attr("DeltaX"), len(chars)-1)
		dy, ok2 := deltas(k.Attr("DeltaY"), len(chars)-1)
		if !ok || !ok2 {
			s.warn(WarnPath, u.id())
		}
		r := run{chars: chars, xs: []float64{x}, ys: []float64{y}}
		for i := range max(len(dx), len(dy)) {
			r.xs = append(r.xs, r.xs[i]+at(dx, i))
			r.ys = append(r.ys, r.ys[i]+at(dy, i))
		}
		out = append(out, r)
	}
	return out
}

func at(v []float64, i int) float64 {
	if i < len(v) {
		return v[i]
	}
	return 0
}

// text draws a TextObject. It is not clipped to its box: a fallback font may be
// wider, and half a character reads worse than one that overlaps.
func (s *sheet) text(u *unit, opacity string) {
	size, ok := number(strings.TrimSpace(u.el.Attr("Size")))
	if !ok || size <= 0 {
		s.warn(WarnObject, u.id())
		return
	}
	runs := s.runs(u)
	if len(runs) == 0 || s.failed != nil {
		return
	}
	paints := ` fill="none"`
	if isTrue(u.el.Attr("Fill"), true) {
		p := black
		if u.style.hasFill {
			p = s.colour(u.style.fill)
		}
		paints = p.attrs("fill")
	}
	if isTrue(u.el.Attr("Stroke"), false) && u.style.hasLine {
		paints += u.style.line(s.colour(u.style.stroke))
	}
	font, _ := s.res.find(u.el.Attr("Font"), "Font")
	hscale := numberOr(u.el.Attr("HScale"), 1)
	if hscale < 0.01 || hscale > 100 {
		hscale = 1
	}
	if f := s.face(font); f != nil && s.outlines(u, f, runs, size, hscale, paints+opacity) {
		return
	}
	s.named(u, font.el, runs, size, hscale, paints+opacity)
}

// named draws text in a family of the reader's machine.
func (s *sheet) named(u *unit, font ofd.Element, runs []run, size, hscale float64, paints string) {
	m := u.place()
	if hscale != 1 {
		// The glyphs are scaled, their places are not.
		m = m.then(matrix{hscale, 0, 0, 1, 0, 0})
	}
	look := attr("font-family", families(font.Attr("FontName"), font.Attr("FamilyName"))) + attr("font-size", num(size))
	if weight := int(numberOr(u.el.Attr("Weight"), 400)); weight != 400 {
		look += attr("font-weight", num(float64(min(900, max(100, weight/100*100)))))
	} else if isTrue(font.Attr("Bold"), false) {
		look += ` font-weight="700"`
	}
	if isTrue(u.el.Attr("Italic"), isTrue(font.Attr("Italic"), false)) {
		look += ` font-style="italic"`
	}
	turn := ""
	if a := numberOr(u.el.Attr("CharDirection"), 0); a == 90 || a == 180 || a == 270 {
		turn = attr("rotate", num(a))
	}
	s.put(`<text xml:space="preserve"`, m.attr(), look, turn, paints, ">")
	for _, r := range runs {
		for _, part := range r.parts() {
			s.put("<tspan", list("x", part.xs, hscale), list("y", part.ys, 1), ">", escape(printable(part.chars)), "</tspan>")
		}
	}
	s.put("</text>")
}

// parts cuts a run at characters beyond the basic plane, each of which stands
// alone: readers disagree whether such a character takes one place of a list or
// two.
func (r run) parts() []run {
	var out []run
	start := 0
	cut := func(end int) {
		if end > start {
			out = append(out, run{r.chars[start:end], r.xs[min(start, len(r.xs)):min(end, len(r.xs))], r.ys[min(start, len(r.ys)):min(end, len(r.ys))]})
		}
		start = end
	}
	for i, c := range r.chars {
		if c > 0xffff {
			cut(i)
			cut(i + 1)
		}
	}
	cut(len(r.chars))
	return out
}

// list writes coordinates; one that all share is written once.
func list(name string, v []float64, scale float64) string {
	if len(v) == 0 {
		return ""
	}
	same := true
	for _, f := range v {
		same = same && f == v[0]
	}
	if same && (name == "y" || len(v) == 1) {
		return attr(name, num(v[0]/scale))
	}
	var b strings.Builder
	for i, f := range v {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(num(f / scale))
	}
	return attr(name, b.String())
}

// printable replaces control characters one by one, so that places stay true.
func printable(chars []rune) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 {
			return ' '
		}
		return r
	}, string(chars))
}

// fallbacks are families that readers have, by kind of the named one (reference
// §9: without a list, text in a missing font disappears).
var fallbacks = []struct {
	words    []string // in the font's name, lower case
	families string
}{
	{[]string{"仿宋", "fangsong"}, `FangSong, 仿宋, FangSong_GB2312, STFangsong, FZFangSong-Z02, "Noto Serif CJK SC", "Source Han Serif SC", SimSun, serif`},
	{[]string{"楷", "kai"}, `KaiTi, 楷体, KaiTi_GB2312, STKaiti, "Kaiti SC", FZKai-Z03, "Noto Serif CJK SC", "Source Han Serif SC", SimSun, serif`},
	{[]string{"黑", "hei", "雅黑", "yahei", "sans", "arial", "helvetica", "圆"}, `SimHei, 黑体, "Microsoft YaHei", "PingFang SC", STHeiti, "Noto Sans CJK SC", "Source Han Sans SC", sans-serif`},
	{[]string{"courier", "mono", "consol"}, `"Courier New", "Noto Sans Mono CJK SC", monospace`},
	{nil, `SimSun, 宋体, NSimSun, STSong, "Songti SC", "Noto Serif CJK SC", "Source Han Serif SC", serif`},
}

// families is a font-family list: the document's names first, reduced to letters
// and digits, then what stands in for them.
func families(names ...string) string {
	var b strings.Builder
	all := ""
	for _, n := range names {
		n = familyName(n)
		if n == "" || strings.Contains(all, strings.ToLower(n)) {
			continue
		}
		all += strings.ToLower(n) + "\n"
		b.WriteString(`"` + n + `", `)
	}
	for _, f := range fallbacks {
		for _, w := range f.words {
			if strings.Contains(all, w) {
				return b.String() + f.families
			}
		}
	}
	return b.String() + fallbacks[len(fallbacks)-1].families
}

// familyName keeps what cannot leave a quoted family name.
func familyName(s string) string {
	n := 0
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		ok := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x3400 && r <= 0x9fff ||
			r == ' ' || r == '-' || r == '_'
		if n++; !ok || n > 64 {
			return -1
		}
		return r
	}, s))
}
