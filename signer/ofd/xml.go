package ofd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of XML beside its size; nodes are elements and attributes. A package of
// 20,000 files has some 80,000 in its longest structural file.
const (
	maxDepth  = 64
	maxNodes  = 300_000 // of one file that is read for its content
	maxFrame  = 150_000 // of one structural file, or the frame of a page
	maxFrames = 600_000 // of all of them
)

// node is an element of a structural file, known by its local name because
// namespaces vary between producers (reference §3.1).
type node struct {
	name string
	attr []xml.Attr
	kids []*node
	text string
	more []byte // text after a comment or CDATA, until the end tag
	// broken tells that the text stands in several pieces: readers exist that take
	// the first one only.
	broken bool
}

// parseXML reads one file. The children of elements named prune are checked for
// form but not kept: page content is large and holds no file reference.
func parseXML(b []byte, prune string) (*node, error) {
	n, _, err := parseXMLWithin(b, prune, maxNodes)
	return n, err
}

// parseXMLWithin is parseXML with a limit of nodes; it returns how many there were.
func parseXMLWithin(b []byte, prune string, most int) (_ *node, count int, _ error) {
	b, marked, err := decoded(b)
	if err != nil {
		return nil, 0, err
	}
	if !tokensFit(b) {
		return nil, count, fmt.Errorf("%w: a tag or text is too long", ErrLimit)
	}
	dec := xml.NewDecoder(bytes.NewReader(b))
	dec.CharsetReader = charset
	if marked {
		dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	}
	var (
		root  *node
		stack []*node
		names []xml.Name
		skip  int // depth below which nothing is kept, 0 = keep
	)
	for {
		// RawToken spares the namespace work; nesting is checked here.
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, count, fmt.Errorf("%w: %w", ErrXML, err)
		}
		switch t := tok.(type) {
		case xml.Directive:
			// A document type declaration, the door of entity attacks.
			return nil, count, fmt.Errorf("%w: document type declaration", ErrXML)
		case xml.StartElement:
			if root != nil && len(names) == 0 {
				return nil, count, fmt.Errorf("%w: two root elements", ErrXML)
			}
			names = append(names, t.Name)
			if len(names) > maxDepth {
				return nil, count, fmt.Errorf("%w: too deep", ErrXML)
			}
			if skip > 0 {
				continue
			}
			if count += 1 + len(t.Attr); count > most {
				return nil, count, fmt.Errorf("%w: too many elements", ErrLimit)
			}
			if again(t.Attr) {
				return nil, count, fmt.Errorf("%w: an attribute stands twice", ErrXML)
			}
			n := &node{name: t.Name.Local, attr: t.Attr}
			if root == nil {
				root = n
			} else {
				up := stack[len(stack)-1]
				up.kids = append(up.kids, n)
			}
			stack = append(stack, n)
			if n.name == prune {
				skip = len(names)
			}
		case xml.EndElement:
			if len(names) == 0 || names[len(names)-1] != t.Name {
				return nil, count, fmt.Errorf("%w: end tag %s", ErrXML, t.Name.Local)
			}
			if skip == len(names) {
				skip = 0
			}
			if skip == 0 {
				n := stack[len(stack)-1]
				n.text += string(n.more)
				n.more = nil
				stack = stack[:len(stack)-1]
			}
			names = names[:len(names)-1]
		case xml.CharData:
			if skip == 0 && len(stack) > 0 {
				n := stack[len(stack)-1]
				if n.name != "TextCode" { // there every space has its place on the page
					t = bytes.TrimSpace(t)
				}
				if n.text == "" {
					n.text = string(t)
				} else {
					n.broken = n.broken || len(t) > 0
					n.more = append(n.more, t...)
				}
			} else if len(names) == 0 && len(bytes.TrimSpace(t)) > 0 {
				return nil, count, fmt.Errorf("%w: text outside the root element", ErrXML)
			}
		}
	}
	if root == nil || len(names) != 0 {
		return nil, count, fmt.Errorf("%w: file ends inside an element", ErrXML)
	}
	return root, count, nil
}

// find returns the first child of that name, or nil.
func (n *node) find(name string) *node {
	if n != nil {
		for _, k := range n.kids {
			if k.name == name {
				return k
			}
		}
	}
	return nil
}

// value is the text of the first child of that name.
func (n *node) value(name string) string {
	if k := n.find(name); k != nil {
		return k.text
	}
	return ""
}

// get is an attribute by local name, the one without a prefix before others.
func (n *node) get(name string) string {
	other := ""
	for i := range n.attr {
		switch a := &n.attr[i]; {
		case a.Name.Local != name || a.Name.Space == "xmlns":
		case a.Name.Space == "":
			return a.Value
		case other == "":
			other = a.Value
		}
	}
	return other
}

// again reports whether one attribute stands twice, which is not well formed and
// which readers of XML do not all refuse: some show the last.
func again(attr []xml.Attr) bool {
	if len(attr) < 2 {
		return false
	}
	if len(attr) > 16 {
		seen := make(map[xml.Name]bool, len(attr))
		for i := range attr {
			if seen[attr[i].Name] {
				return true
			}
			seen[attr[i].Name] = true
		}
		return false
	}
	for i := range attr {
		for j := range i {
			if attr[i].Name == attr[j].Name {
				return true
			}
		}
	}
	return false
}

// same reports whether two elements say the same.
func same(a, b *node) bool {
	if a.name != b.name || a.text != b.text || len(a.attr) != len(b.attr) || len(a.kids) != len(b.kids) {
		return false
	}
	for i := range a.attr {
		if a.attr[i] != b.attr[i] {
			return false
		}
	}
	for i := range a.kids {
		if !same(a.kids[i], b.kids[i]) {
			return false
		}
	}
	return true
}

// Box is a rectangle in millimetres, origin at the top left.
type Box struct{ X, Y, W, H float64 }

// ParseBox reads "x y w h".
func ParseBox(s string) (Box, bool) {
	var v [4]float64
	parts := strings.Fields(s)
	if len(parts) != 4 {
		return Box{}, false
	}
	for i, part := range parts {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || f != f || f > 1e6 || f < -1e6 {
			return Box{}, false
		}
		v[i] = f
	}
	return Box{v[0], v[1], v[2], v[3]}, true
}

// Meets reports whether two rectangles share an area.
func (b Box) Meets(o Box) bool {
	return b.W > 0 && b.H > 0 && o.W > 0 && o.H > 0 &&
		b.X < o.X+o.W && o.X < b.X+b.W && b.Y < o.Y+o.H && o.Y < b.Y+b.H
}

func (b Box) String() string {
	return number(b.X) + " " + number(b.Y) + " " + number(b.W) + " " + number(b.H)
}

// number prints millimetres to four places, without trailing zeros.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
