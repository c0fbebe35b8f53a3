package svg

import (
	"bytes"
	"strconv"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Measures of the legend below the page, in millimetres.
const (
	legendLine = 6.0
	legendEdge = 3.0
)

// maxStamps that are drawn on one page.
const maxStamps = 256

// colours of the classes: frame, number and legend.
var colours = map[Class]string{Valid: "#1a7f37", Indeterminate: "#9a6700", Invalid: "#c1121f"}

// known is the class, Indeterminate for a word that is none.
func (c Class) known() Class {
	if colours[c] == "" {
		return Indeterminate
	}
	return c
}

// stamps draws the overlay and its legend and returns the legend's height. The
// page is clipped to its box, so the legend is the one place of the picture that
// no document can write to.
func (d *drawing) stamps(list []Stamp, page ofd.Box) float64 {
	if len(list) == 0 {
		return 0
	}
	if len(list) > maxStamps {
		d.fail("number of stamps")
		return 0
	}
	foot := 2*legendEdge + legendLine*float64(len(list))
	d.put(`<g class="stamps"><g clip-path="url(#page)">`)
	for i, st := range list {
		st.Class = st.Class.known()
		d.stamp(i+1, st, page)
	}
	d.put(`</g><g class="legend"><rect`, rect(ofd.Box{Y: page.H, W: page.W, H: foot}), ` fill="#f6f8fa"/>`,
		"<path", attr("d", "M0 "+num(page.H)+"L"+num(page.W)+" "+num(page.H)), ` stroke="#57606a" stroke-width="0.4"/>`)
	for i, st := range list {
		st.Class = st.Class.known()
		y := page.H + legendEdge + (float64(i)+0.5)*legendLine
		d.number(legendEdge+2, y, i+1, st.Class)
		d.put("<text", attr("class", "stamp "+string(st.Class)), attr("x", num(legendEdge+6)), attr("y", num(y+1.2)),
			` font-size="3.4" font-family="sans-serif"`, attr("fill", colours[st.Class]), ">", escape(st.Caption), "</text>")
	}
	d.put("</g></g>")
	return foot
}

// stamp draws one seal with a frame of its class and its number; a seal whose
// signature does not hold is crossed out.
func (d *drawing) stamp(n int, st Stamp, page ofd.Box) {
	seen := st.Box
	if st.Clip != nil {
		seen = ofd.Box{X: st.Box.X + st.Clip.X, Y: st.Box.Y + st.Clip.Y, W: st.Clip.W, H: st.Clip.H}
	}
	if !(seen.W > 0 && seen.H > 0 && st.Box.W > 0 && st.Box.H > 0) {
		return // its line of the legend remains
	}
	clip := d.id()
	d.define("<clipPath", attr("id", clip), "><rect", rect(seen), "/></clipPath>")
	d.put("<g", attr("class", "stamp "+string(st.Class)), `><g clip-path="url(#`, clip, `)">`)
	if st.Picture != nil {
		d.seal(st)
	}
	d.put("</g>")
	x0, y0 := max(seen.X, 0), max(seen.Y, 0)
	x1, y1 := min(seen.X+seen.W, page.W), min(seen.Y+seen.H, page.H)
	line := attr("stroke", colours[st.Class]) + ` stroke-width="0.35" fill="none"`
	if st.Class == Invalid {
		d.put("<path", attr("d", "M"+num(x0)+" "+num(y0)+"L"+num(x1)+" "+num(y1)+"M"+num(x0)+" "+num(y1)+"L"+num(x1)+" "+num(y0)),
			attr("stroke", colours[Invalid]), ` stroke-width="0.8" fill="none"/>`)
	}
	d.put("<rect", rect(ofd.Box{X: x0, Y: y0, W: max(0, x1-x0), H: max(0, y1-y0)}), line, ` stroke-dasharray="1.5 1"/>`)
	d.number(min(x0+2, page.W-2), max(y0-2, 2), n, st.Class)
	d.put("</g>")
}

// number is the stamp's number on a disc of its class.
func (d *drawing) number(x, y float64, n int, c Class) {
	d.put("<circle", attr("cx", num(x)), attr("cy", num(y)), ` r="1.8"`, attr("fill", colours[c]), "/>",
		"<text", attr("x", num(x)), attr("y", num(y+0.9)), ` font-size="2.6" font-family="sans-serif" text-anchor="middle" fill="#ffffff">`,
		strconv.Itoa(n), "</text>")
}

// seal draws the picture of a seal into its box: a raster picture, or the first
// page of a nested OFD package (reference §8: tax seals).
func (d *drawing) seal(st Stamp) {
	if bytes.HasPrefix(st.Picture, []byte("PK\x03\x04")) {
		if d.nested(st) {
			return
		}
	} else if id := d.sealImage(st.Picture); id != "" {
		d.put(`<use href="#`, id, `"`, shift(st.Box.X, st.Box.Y).then(matrix{st.Box.W, 0, 0, st.Box.H, 0, 0}).attr(), "/>")
		return
	}
	d.placeholder(st.Box, "")
}

func (d *drawing) nested(st Stamp) bool {
	lim := ofd.Limits{Entries: 256, EntrySize: maxImage, Total: 2 * maxImage, XMLSize: maxImage}
	pkg, err := ofd.OpenReaderAt(bytes.NewReader(st.Picture), int64(len(st.Picture)), lim)
	if err != nil {
		d.warn(WarnImage, "seal")
		return false
	}
	s, pg, err := newSheet(d, pkg, 0)
	if err != nil {
		d.warn(WarnImage, "seal")
		return false
	}
	root, err := s.element(pg.Path)
	if err != nil {
		d.warn(WarnImage, "seal")
		return false
	}
	scale := matrix{st.Box.W / pg.Box.W, 0, 0, st.Box.H / pg.Box.H, 0, 0}
	d.put("<g", shift(st.Box.X, st.Box.Y).then(scale).attr(), ">")
	s.content(root, pg.Path)
	d.put("</g>")
	return true
}
