package pdf

import (
	"fmt"
	"math"
	"strconv"
)

// Box is a rectangle in default user space, lower left to upper right.
type Box struct{ X0, Y0, X1, Y1 float64 }

func (b Box) array() Array {
	return Array{decimal(b.X0), decimal(b.Y0), decimal(b.X1), decimal(b.Y1)}
}

func (b Box) meets(o Box) bool {
	return b.X0 < o.X1 && o.X0 < b.X1 && b.Y0 < o.Y1 && o.Y0 < b.Y1
}

// Page is a page as it is shown: W and H in millimetres, after its rotation.
type Page struct {
	W, H float64

	ref    Ref
	dict   *Dict
	crop   Box
	rotate int     // 0, 90, 180, 270, clockwise
	unit   float64 // millimetres of one unit of user space
}

const mmPerPoint = 25.4 / 72

// inherited are the attributes that a page takes from its parents (7.7.3.4).
type inherited struct{ media, crop, rotate Object }

// Pages lists the pages in order.
func (d *Document) Pages() ([]Page, error) {
	w := pageWalk{d: d, seen: map[Ref]bool{}}
	if err := w.node(d.catalog().Get("Pages"), inherited{}, 0); err != nil {
		return nil, err
	}
	return w.pages, nil
}

type pageWalk struct {
	d     *Document
	seen  map[Ref]bool
	pages []Page
}

func (w *pageWalk) node(o Object, in inherited, depth int) error {
	ref, ok := o.(Ref)
	n := w.d.dict(o)
	switch {
	case depth > maxDepth:
		return fmt.Errorf("%w: nesting of the page tree", ErrLimit)
	case !ok || n == nil || w.seen[ref]:
		return fmt.Errorf("%w: page tree", ErrFormat)
	}
	if w.seen[ref] = true; len(w.seen) > maxPages {
		return fmt.Errorf("%w: more than %d pages", ErrLimit, maxPages)
	}
	for k, to := range map[Name]*Object{"MediaBox": &in.media, "CropBox": &in.crop, "Rotate": &in.rotate} {
		if v := n.Get(k); v != nil {
			*to = v
		}
	}
	if kids := w.d.array(n.Get("Kids")); kids != nil {
		for _, kid := range kids {
			if err := w.node(kid, in, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	p, err := w.d.page(ref, n, in)
	if err != nil {
		return err
	}
	w.pages = append(w.pages, p)
	return nil
}

func (d *Document) page(ref Ref, n *Dict, in inherited) (Page, error) {
	media, ok := d.box(in.media)
	if !ok {
		return Page{}, fmt.Errorf("%w: page without a size", ErrFormat)
	}
	p := Page{ref: ref, dict: n, crop: media, unit: mmPerPoint}
	if crop, ok := d.box(in.crop); ok && crop.meets(media) {
		p.crop = Box{max(crop.X0, media.X0), max(crop.Y0, media.Y0), min(crop.X1, media.X1), min(crop.Y1, media.Y1)}
	}
	if u, ok := number(d.Resolve(n.Get("UserUnit"))); ok && u > 0 && u < 1e4 {
		p.unit *= u
	}
	if r, ok := d.Resolve(in.rotate).(Int); ok && r%90 == 0 {
		p.rotate = int((r%360 + 360) % 360)
	}
	p.W, p.H = (p.crop.X1-p.crop.X0)*p.unit, (p.crop.Y1-p.crop.Y0)*p.unit
	if p.rotate%180 != 0 {
		p.W, p.H = p.H, p.W
	}
	return p, nil
}

// place turns a rectangle of the page as shown, millimetres from its upper left
// corner, into user space.
func (p Page) place(x, y, w, h float64) Box {
	x, y, w, h = x/p.unit, y/p.unit, w/p.unit, h/p.unit
	c := p.crop
	switch p.rotate {
	case 90: // right is up, down is right
		return Box{c.X0 + y, c.Y0 + x, c.X0 + y + h, c.Y0 + x + w}
	case 180:
		return Box{c.X1 - x - w, c.Y0 + y, c.X1 - x, c.Y0 + y + h}
	case 270:
		return Box{c.X1 - y - h, c.Y1 - x - w, c.X1 - y, c.Y1 - x}
	}
	return Box{c.X0 + x, c.Y1 - y - h, c.X0 + x + w, c.Y1 - y}
}

// Shown is the reverse of place: a box of user space on the page as it is shown.
func (p Page) Shown(b Box) Rect {
	c, w, h := p.crop, b.X1-b.X0, b.Y1-b.Y0
	r := Rect{b.X0 - c.X0, c.Y1 - b.Y1, w, h}
	switch p.rotate {
	case 90:
		r = Rect{b.Y0 - c.Y0, b.X0 - c.X0, h, w}
	case 180:
		r = Rect{c.X1 - b.X1, b.Y0 - c.Y0, w, h}
	case 270:
		r = Rect{c.Y1 - b.Y1, c.X1 - b.X1, h, w}
	}
	return Rect{r.X * p.unit, r.Y * p.unit, r.W * p.unit, r.H * p.unit}
}

// number reads a finite number.
func number(o Object) (float64, bool) {
	switch v := o.(type) {
	case Int:
		return float64(v), true
	case Real:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	}
	return 0, false
}

// box reads a rectangle of any two opposite corners.
func (d *Document) box(o Object) (Box, bool) {
	a := d.array(o)
	if len(a) != 4 {
		return Box{}, false
	}
	var v [4]float64
	for i := range v {
		var ok bool
		if v[i], ok = number(d.Resolve(a[i])); !ok {
			return Box{}, false
		}
	}
	b := Box{min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])}
	return b, b.X0 < b.X1 && b.Y0 < b.Y1
}
