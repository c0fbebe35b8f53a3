package ofd

import (
	"fmt"
	"iter"
	"strings"
)

// Element is one element of an XML file of the package, for rooms that read what
// pages hold. It is known by its local name, like everything here; the zero
// Element is "not there" and has no name, attributes or children.
type Element struct{ n *node }

// Element reads one XML file under the limits of this room: size, depth, number
// of elements, no DTD. Errors: ErrNoEntry, ErrDamaged, ErrLimit, ErrXML.
func (p *Package) Element(abs string) (Element, error) {
	b, err := p.Read(abs)
	if err != nil {
		return Element{}, err
	}
	n, err := parseXML(b, "")
	if err != nil {
		return Element{}, fmt.Errorf("%s: %w", abs, err)
	}
	return Element{n}, nil
}

// Size is the inflated size that the directory declares for a file, -1 when there
// is none: what a reader asks before it inflates.
func (p *Package) Size(abs string) int64 {
	e, err := p.find(abs)
	if err != nil {
		return -1
	}
	return e.usize
}

// Is reports whether the element is there.
func (e Element) Is() bool { return e.n != nil }

// Name is the local name.
func (e Element) Name() string {
	if e.n == nil {
		return ""
	}
	return e.n.name
}

// Attr is an attribute by local name, "" when missing.
func (e Element) Attr(name string) string {
	if e.n == nil {
		return ""
	}
	return e.n.get(name)
}

// Text is the character data. Blanks at the ends are cut off, but not those of a
// TextCode, which DeltaX counts.
func (e Element) Text() string {
	if e.n == nil {
		return ""
	}
	return e.n.text
}

// Weight is what looking at the element alone costs, in bytes: attributes, text
// and eight for each child. A page is short and can name one heavy element
// a thousand times; who draws it counts this.
func (e Element) Weight() int {
	if e.n == nil {
		return 0
	}
	n := 1 + len(e.n.text) + 8*len(e.n.kids)
	for i := range e.n.attr {
		n += 1 + len(e.n.attr[i].Value)
	}
	return n
}

// Find is the first child of that name.
func (e Element) Find(name string) Element { return Element{e.n.find(name)} }

// Kids are the children in order.
func (e Element) Kids() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		if e.n == nil {
			return
		}
		for _, k := range e.n.kids {
			if !yield(Element{k}) {
				return
			}
		}
	}
}

// MediaRef is the reference to a file that a resource file names: its places are
// relative to the BaseLoc of the resource file (GB/T 33190, 7.9).
func MediaRef(baseLoc, loc string) string {
	dir := strings.Trim(strings.ReplaceAll(baseLoc, `\`, "/"), " ")
	loc = strings.TrimSpace(loc)
	if dir == "" || loc == "" || strings.HasPrefix(loc, "/") || strings.HasPrefix(loc, `\`) {
		return loc
	}
	return strings.TrimSuffix(dir, "/") + "/" + loc
}
