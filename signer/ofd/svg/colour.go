package svg

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// paint is a colour or a gradient as SVG writes it.
type paint struct {
	value string // "#rrggbb", "url(#id)" or "none"
	alpha float64
}

var black = paint{"#000000", 1}

// attrs are the attributes of a fill or a stroke.
func (p paint) attrs(role string) string {
	out := attr(role, p.value)
	if p.alpha < 1 && p.value != "none" {
		out += attr(role+"-opacity", num(p.alpha))
	}
	return out
}

// colour reads a CT_Color (GB/T 33190, 8.3).
func (s *sheet) colour(el ofd.Element) paint {
	if !s.spend(el) {
		return black
	}
	p := paint{s.plain(el), alphaOf(el)}
	for k := range el.Kids() {
		switch k.Name() {
		case "AxialShd", "RadialShd":
			if id := s.gradient(k); id != "" {
				p.value = "url(#" + id + ")"
				return p
			}
			s.warn(WarnColour, k.Name())
		case "Pattern":
			s.warn(WarnColour, k.Name())
			p.value = "#c8c8c8" // between ink and paper: shows that something is there
		case "GouraudShd", "LaGourandShd", "LaGouraudShd":
			s.warn(WarnColour, k.Name())
			p.value = s.plain(k.Find("Point").Find("Color"))
		}
	}
	return p
}

func alphaOf(el ofd.Element) float64 {
	return min(1, max(0, numberOr(el.Attr("Alpha"), 255)/255))
}

// plain is the colour by value or by index into the palette, black when it names
// none.
func (s *sheet) plain(el ofd.Element) string {
	cs := el.Attr("ColorSpace")
	if cs == "" {
		cs = s.defaultCS
	}
	space, _ := s.res.find(cs, "ColorSpace")
	value := el.Attr("Value")
	if index, err := strconv.Atoi(el.Attr("Index")); value == "" && err == nil {
		palette := space.el.Find("Palette")
		s.spend(space.el, palette)
		for cv := range palette.Kids() {
			if index == 0 {
				value = cv.Text()
				s.spend(cv)
			}
			index--
		}
	}
	if strings.TrimSpace(value) == "" {
		return black.value
	}
	bits := numberOr(space.el.Attr("BitsPerComponent"), 8)
	full := math.Exp2(min(16, max(1, bits))) - 1
	var v []float64
	for _, f := range strings.Fields(value) {
		n, ok := component(f)
		if !ok || len(v) == 4 {
			s.warn(WarnColour, value)
			return black.value
		}
		v = append(v, min(1, max(0, n/full)))
	}
	switch len(v) { // the number of channels tells the kind even where the resource is missing
	case 1:
		return hex(v[0], v[0], v[0])
	case 3:
		return hex(v[0], v[1], v[2])
	case 4: // CMYK without a profile
		return hex((1-v[0])*(1-v[3]), (1-v[1])*(1-v[3]), (1-v[2])*(1-v[3]))
	}
	s.warn(WarnColour, value)
	return black.value
}

// component is one channel: decimal, or hexadecimal as "#ff".
func component(f string) (float64, bool) {
	if h, is := strings.CutPrefix(f, "#"); is {
		n, err := strconv.ParseUint(h, 16, 16)
		return float64(n), err == nil
	}
	return number(f)
}

func hex(r, g, b float64) string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(r*255)), int(math.Round(g*255)), int(math.Round(b*255)))
}

// gradient defines an axial or radial shading in the object's space; "" when its
// points do not read.
func (s *sheet) gradient(el ofd.Element) string {
	s.spend(el)
	start, end := numbers(el.Attr("StartPoint"), 2), numbers(el.Attr("EndPoint"), 2)
	if start == nil || end == nil {
		return ""
	}
	id, kind, geometry := s.id(), "linearGradient", ""
	if el.Name() == "AxialShd" {
		geometry = attr("x1", num(start[0])) + attr("y1", num(start[1])) + attr("x2", num(end[0])) + attr("y2", num(end[1]))
	} else {
		kind = "radialGradient"
		geometry = attr("fx", num(start[0])) + attr("fy", num(start[1])) + attr("cx", num(end[0])) + attr("cy", num(end[1])) +
			attr("r", num(max(0, numberOr(el.Attr("EndRadius"), 0))))
	}
	spread := map[string]string{"Repeat": "repeat", "Reflect": "reflect"}[el.Attr("MapType")]
	if spread != "" {
		geometry += attr("spreadMethod", spread)
	}
	var stops []ofd.Element
	for k := range el.Kids() {
		if k.Name() == "Segment" && len(stops) < 64 {
			stops = append(stops, k)
		}
	}
	if len(stops) < 2 {
		return ""
	}
	s.define("<", kind, attr("id", id), ` gradientUnits="userSpaceOnUse"`, geometry, ">")
	for i, k := range stops {
		at := numberOr(k.Attr("Position"), float64(i)/float64(len(stops)-1))
		c := k.Find("Color")
		s.spend(k, c)
		s.define("<stop", attr("offset", num(min(1, max(0, at)))), attr("stop-color", s.plain(c)),
			attr("stop-opacity", num(alphaOf(c))), "/>")
	}
	s.define("</", kind, ">")
	return id
}
