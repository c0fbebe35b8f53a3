package svg

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// defaultWidth is a line's width where nobody names one (GB/T 33190, 8.2).
const defaultWidth = 0.353

// style is what draw parameters and an object's own attributes make together.
// Colours stay elements until they are drawn: a gradient belongs to its object.
type style struct {
	width, miter     float64
	cap, join        string
	dash             string
	dashOffset       float64
	fill, stroke     ofd.Element
	hasFill, hasLine bool // a colour was named
}

func plainStyle() style { return style{width: defaultWidth, miter: 4.234} }

// styleOf adds an object's draw parameter and its own attributes to what the
// layer gives: the nearest wins.
func (s *sheet) styleOf(el ofd.Element, from style) style {
	s.drawParam(&from, el.Attr("DrawParam"), 0)
	from.apply(el) // the element itself is counted where it is drawn
	return from
}

// drawParam applies a draw parameter after the one it builds on (Relative).
func (s *sheet) drawParam(st *style, id string, depth int) {
	if id == "" {
		return
	}
	it, ok := s.res.find(id, "DrawParam")
	if !ok {
		s.warn(WarnResource, id)
		return
	}
	if depth == maxDepth {
		s.warn(WarnCycle, id)
		return
	}
	if !s.spend(it.el) {
		return
	}
	s.drawParam(st, it.el.Attr("Relative"), depth+1)
	st.apply(it.el)
}

func (st *style) apply(el ofd.Element) {
	st.width = max(0, numberOr(el.Attr("LineWidth"), st.width))
	st.miter = max(1, numberOr(el.Attr("MiterLimit"), st.miter))
	st.dashOffset = numberOr(el.Attr("DashOffset"), st.dashOffset)
	// Names of the standard are those of SVG in lower case; others are dropped.
	switch c := strings.ToLower(el.Attr("Cap")); c {
	case "butt", "round", "square":
		st.cap = c
	}
	switch j := strings.ToLower(el.Attr("Join")); j {
	case "miter", "round", "bevel":
		st.join = j
	}
	if p := el.Attr("DashPattern"); p != "" {
		st.dash = dashes(p)
	}
	if c := el.Find("FillColor"); c.Is() {
		st.fill, st.hasFill = c, true
	}
	if c := el.Find("StrokeColor"); c.Is() {
		st.stroke, st.hasLine = c, true
	}
}

// dashes is a dash array, "" when it has anything but lengths.
func dashes(s string) string {
	parts := strings.Fields(s)
	if len(parts) > 32 {
		return ""
	}
	for i, p := range parts {
		f, ok := number(p)
		if !ok || f < 0 {
			return ""
		}
		parts[i] = num(f)
	}
	return strings.Join(parts, " ")
}

// line are the attributes of a stroked outline.
func (st *style) line(p paint) string {
	out := p.attrs("stroke") + attr("stroke-width", num(st.width))
	if st.cap != "" && st.cap != "butt" {
		out += attr("stroke-linecap", st.cap)
	}
	if st.join != "" && st.join != "miter" {
		out += attr("stroke-linejoin", st.join)
	} else if st.miter != 4 {
		out += attr("stroke-miterlimit", num(st.miter))
	}
	if st.dash != "" {
		out += attr("stroke-dasharray", st.dash)
		if st.dashOffset != 0 {
			out += attr("stroke-dashoffset", num(st.dashOffset))
		}
	}
	return out
}

// isTrue reads a boolean attribute.
func isTrue(s string, def bool) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	return def
}
