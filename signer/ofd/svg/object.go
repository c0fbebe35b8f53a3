package svg

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// unit is a graphic object (图元) about to be drawn (GB/T 33190, 8.5).
type unit struct {
	el    ofd.Element
	box   ofd.Box // Boundary, in the space of what holds the object
	sized bool    // Boundary reads
	ctm   matrix  // object space to the box's corner
	style style
}

// place is the transformation from object space to what holds the object.
func (u *unit) place() matrix { return shift(u.box.X, u.box.Y).then(u.ctm) }

// id is the object's identifier for warnings.
func (u *unit) id() string { return u.el.Name() + " " + u.el.Attr("ID") }

// block draws the objects of a layer, page block or composite in order.
func (s *sheet) block(el ofd.Element, st style) {
	for k := range el.Kids() {
		if !s.spend(k) {
			return
		}
		switch k.Name() {
		case "PageBlock":
			if s.depth >= maxDepth {
				s.warn(WarnCycle, "PageBlock "+k.Attr("ID"))
				continue
			}
			s.depth++
			s.block(k, st)
			s.depth--
		case "TextObject", "PathObject", "ImageObject", "CompositeObject":
			s.draw(k, st)
		case "Actions", "Clips", "FillColor", "StrokeColor": // of the block, not objects
		default:
			s.object()
			s.warn(WarnObject, k.Name()+" "+k.Attr("ID"))
		}
	}
}

func (s *sheet) draw(el ofd.Element, st style) {
	if !s.object() || !isTrue(el.Attr("Visible"), true) {
		return
	}
	u := &unit{el: el, style: s.styleOf(el, st)}
	u.box, u.sized = ofd.ParseBox(el.Attr("Boundary"))
	var ok bool
	if u.ctm, ok = parseMatrix(el.Attr("CTM")); !ok {
		s.warn(WarnPath, u.id())
	}
	if !u.sized {
		s.warn(WarnObject, u.id())
	}
	clips := s.clips(u)
	opacity := ""
	if a := alphaOf(el); a < 1 {
		opacity = attr("opacity", num(a))
	}
	for _, id := range clips {
		s.put(`<g clip-path="url(#`, id, `)">`)
	}
	switch el.Name() {
	case "TextObject":
		s.text(u, opacity)
	case "PathObject":
		s.path(u, opacity)
	case "ImageObject":
		s.picture(u, opacity)
	case "CompositeObject":
		s.composite(u, opacity)
	}
	s.put(strings.Repeat("</g>", len(clips)))
}

// clips defines the clip regions of an object: each Clip is the union of its
// areas, and all of them apply (GB/T 33190, 8.4). They lie in the object's box,
// before the object's own transformation unless TransFlag says otherwise.
func (s *sheet) clips(u *unit) []string {
	list := u.el.Find("Clips")
	if !list.Is() {
		return nil
	}
	s.spend(list)
	base := shift(u.box.X, u.box.Y)
	if isTrue(list.Attr("TransFlag"), false) {
		base = u.place()
	}
	var ids []string
	for clip := range list.Kids() {
		if clip.Name() != "Clip" || len(ids) == maxDepth {
			continue
		}
		s.spend(clip)
		id := s.id()
		s.define(`<clipPath`, attr("id", id), `>`)
		for area := range clip.Kids() {
			if s.object() {
				s.clipArea(area, base, u.id())
			}
		}
		s.define(`</clipPath>`)
		ids = append(ids, id)
	}
	return ids
}

func (s *sheet) clipArea(area ofd.Element, base matrix, owner string) {
	path := area.Find("Path")
	abbreviated := path.Find("AbbreviatedData")
	if !s.spend(area, path, abbreviated) {
		return
	}
	data := abbreviated.Text()
	m, ok := parseMatrix(area.Attr("CTM"))
	inner, ok2 := parseMatrix(path.Attr("CTM"))
	box, _ := ofd.ParseBox(path.Attr("Boundary"))
	if !path.Is() || !ok || !ok2 || len(data) > maxPath {
		s.warn(WarnPath, owner) // text as a clip: nothing of it shows
		return
	}
	d, _, ok := pathData(data)
	if !ok {
		s.warn(WarnPath, owner)
	}
	if d == "" {
		return
	}
	rule := ""
	if strings.EqualFold(path.Attr("Rule"), "Even-Odd") {
		rule = ` clip-rule="evenodd"`
	}
	s.define("<path", base.then(m).then(shift(box.X, box.Y)).then(inner).attr(), attr("d", d), rule, "/>")
}

// path draws a PathObject (GB/T 33190, 9), clipped to its box where it leaves it.
func (s *sheet) path(u *unit, opacity string) {
	stroke, fill := isTrue(u.el.Attr("Stroke"), true), isTrue(u.el.Attr("Fill"), false)
	abbreviated := u.el.Find("AbbreviatedData")
	data := abbreviated.Text()
	if len(data) > maxPath {
		s.warn(WarnPath, u.id())
		s.placeholder(u.box, u.id())
		return
	}
	if !s.spend(abbreviated) {
		return
	}
	d, box, ok := pathData(data)
	if !ok {
		s.warn(WarnPath, u.id())
	}
	if d == "" || !stroke && !fill {
		return
	}
	paintAttrs := ` fill="none"`
	if fill {
		p := paint{"none", 1} // transparent where nobody names a colour
		if u.style.hasFill {
			p = s.colour(u.style.fill)
		}
		paintAttrs = p.attrs("fill")
		if strings.EqualFold(u.el.Attr("Rule"), "Even-Odd") {
			paintAttrs += ` fill-rule="evenodd"`
		}
	}
	grow := 0.01
	if stroke {
		p := black
		if u.style.hasLine {
			p = s.colour(u.style.stroke)
		}
		paintAttrs += u.style.line(p)
		// Rules of tables have boxes without height: the line's own width is let through.
		grow = u.style.width
	}
	end := s.clipTo(u, u.place().bounds(box), grow)
	s.put("<path", u.place().attr(), attr("d", d), paintAttrs, opacity, "/>", end)
}

// clipTo opens a group that clips to the object's box when the drawing leaves it,
// and returns what closes the group.
func (s *sheet) clipTo(u *unit, drawn ofd.Box, grow float64) string {
	b := ofd.Box{X: u.box.X - grow, Y: u.box.Y - grow, W: u.box.W + 2*grow, H: u.box.H + 2*grow}
	if !u.sized || drawn.X >= b.X && drawn.Y >= b.Y && drawn.X+drawn.W <= b.X+b.W && drawn.Y+drawn.H <= b.Y+b.H {
		return ""
	}
	id := s.id()
	s.define("<clipPath", attr("id", id), "><rect", rect(b), "/></clipPath>")
	s.put(`<g clip-path="url(#`, id, `)">`)
	return "</g>"
}

// composite draws a CompositeObject: its resource, in its own space (GB/T 33190,
// 13).
func (s *sheet) composite(u *unit, opacity string) {
	it, ok := s.res.find(u.el.Attr("ResourceID"), "CompositeGraphicUnit", "CompositGraphicUnit")
	if !ok {
		s.warn(WarnResource, u.id())
		s.placeholder(u.box, u.id())
		return
	}
	s.within(it.key(), func() {
		size := ofd.Box{W: numberOr(it.el.Attr("Width"), u.box.W), H: numberOr(it.el.Attr("Height"), u.box.H)}
		end := s.clipTo(u, u.place().bounds(size), 0.01)
		s.put("<g", u.place().attr(), opacity, ">")
		st := plainStyle()
		s.block(it.el.Find("Content"), st)
		s.put("</g>", end)
	})
}
