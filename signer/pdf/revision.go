package pdf

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Revision opens the part of the file that a signature covers. It is ErrFormat
// when that part is not a whole file of its own with the signature in it.
func (d *Document) Revision(s *Signature) (*Document, error) {
	end := s.End()
	if end > d.size {
		return nil, fmt.Errorf("%w: range outside the file", ErrFormat)
	}
	old, err := openWith(io.NewSectionReader(d.s.r, 0, end), end, d.spent)
	if err != nil {
		return nil, err
	}
	if !old.endsWhole() {
		return nil, fmt.Errorf("%w: the signed part does not end with a revision", ErrFormat)
	}
	sigs, err := old.Signatures()
	if err != nil {
		return nil, err
	}
	for _, o := range sigs {
		if o.contents != nil && s.contents != nil && o.contents.Start == s.contents.Start && o.Field == s.Field {
			return old, nil
		}
	}
	return nil, fmt.Errorf("%w: the signed part does not hold its signature", ErrFormat)
}

// Changes lists what later revisions did to a signed one beside adding signature
// fields with their widgets and stamps, and validation data (DSS): nothing, when
// all that they did is to sign again or to keep evidence.
func (d *Document) Changes(old *Document) []string {
	c := &comparison{d: d, old: old, widgets: map[Ref]bool{}, lists: map[int]bool{}}
	c.evidence = evidence{old.evidenceOf(false), map[int]bool{}}
	if !equal(d.Trailer.Get("Root"), old.Trailer.Get("Root")) || !equal(d.Trailer.Get("Info"), old.Trailer.Get("Info")) {
		return []string{"trailer"}
	}
	if err := c.roles(); err != nil {
		return []string{"pages"}
	}
	added := map[int]bool{}
	for n := range d.entries {
		switch was, is := old.entry(n), d.entries[n]; {
		case was.kind == unset || was.kind == free:
			added[n] = is.kind == plain || is.kind == compressed
		case was == is && (is.kind != compressed || d.samePack(old, is)):
		case !c.allowed(n, was, is):
			c.note("object " + fmt.Sprint(n))
		}
	}
	// A reference to nothing becomes something when its number is used; a list that
	// grew as validation data must not be a part of the pages too.
	for n := range old.entries {
		e := old.entries[n]
		if e.kind != plain && e.kind != compressed {
			continue
		}
		o := old.Load(Ref{n, int(e.gen)})
		if old.refers(o, added, 0) {
			c.note("object " + fmt.Sprint(n) + " refers to a new one")
		}
		if root, ok := o.(*Dict); ok && n == c.root.Num {
			o = root.with("DSS", nil)
		}
		if !c.evidence.lists[n] && old.refers(o, c.evidence.grown, 0) {
			c.note("object " + fmt.Sprint(n) + " refers to validation data")
		}
	}
	return c.notes
}

func (d *Document) entry(n int) entry {
	if n >= len(d.entries) {
		return entry{}
	}
	return d.entries[n]
}

// samePack reports whether the object stream of an entry is the same one in both
// revisions.
func (d *Document) samePack(old *Document, e entry) bool {
	return d.entry(int(e.at)) == old.entry(int(e.at))
}

// refers reports whether a value names one of the objects.
func (d *Document) refers(o Object, nums map[int]bool, depth int) bool {
	if len(nums) == 0 {
		return false
	}
	if depth > maxDepth {
		return true
	}
	switch v := o.(type) {
	case Ref:
		return nums[v.Num]
	case Array:
		return slices.ContainsFunc(v, func(e Object) bool { return d.refers(e, nums, depth+1) })
	case *Dict:
		return slices.ContainsFunc(v.Vals, func(e Object) bool { return d.refers(e, nums, depth+1) })
	case *Stream:
		return d.refers(v.Dict, nums, depth+1)
	}
	return false
}

type comparison struct {
	d, old  *Document
	widgets map[Ref]bool // of signatures that the old revision does not have
	lists   map[int]bool // objects that are lists of fields or of annotations
	form    Ref
	root    Ref
	notes   []string

	evidence evidence
}

func (c *comparison) note(what string) {
	if len(c.notes) < maxFaults {
		c.notes = append(c.notes, what)
	}
}

// roles finds the objects that signing again may change.
func (c *comparison) roles() error {
	c.root, _ = c.d.Trailer.Get("Root").(Ref)
	form := c.d.catalog().Get("AcroForm")
	c.form, _ = form.(Ref)
	if ref, ok := c.d.dict(form).Get("Fields").(Ref); ok {
		c.lists[ref.Num] = true
	}
	pages, err := c.d.Pages()
	if err != nil {
		return err
	}
	for _, p := range pages {
		if ref, ok := p.dict.Get("Annots").(Ref); ok {
			c.lists[ref.Num] = true
		}
	}
	sigs, err := c.d.Signatures()
	if err != nil {
		return err
	}
	for _, s := range sigs {
		if e := c.old.entry(s.ref.Num); s.ref != (Ref{}) && (e.kind == unset || e.kind == free) {
			c.widgets[s.ref] = true
			for _, ref := range s.shown {
				if e := c.old.entry(ref.Num); e.kind == unset || e.kind == free {
					c.widgets[ref] = true
				}
			}
		}
	}
	return nil
}

// allowed reports whether an object changed only as signing again changes it.
func (c *comparison) allowed(n int, was, is entry) bool {
	if is.kind != plain && is.kind != compressed {
		return false
	}
	a, b := c.old.Load(Ref{n, int(was.gen)}), c.d.Load(Ref{n, int(is.gen)})
	if a != nil && equal(a, b) {
		return true
	}
	if c.lists[n] {
		return c.grown(a, b)
	}
	if c.evidence.lists[n] && n != c.root.Num && a != nil && c.grownEvidence(a, b, 1) {
		c.evidence.grown[n] = true
		return true
	}
	x, ok1 := a.(*Dict)
	y, ok2 := b.(*Dict)
	switch {
	case !ok1 || !ok2:
		return false
	case n == c.root.Num:
		return c.catalogGrown(x, y)
	case c.form != Ref{} && n == c.form.Num:
		return c.formGrown(x, y)
	case x.Get("Type") == Name("Page"):
		return equalBut(x, y, "Annots") && c.grown(c.old.Resolve(x.Get("Annots")), c.d.Resolve(y.Get("Annots")))
	}
	return false
}

func (c *comparison) formGrown(a, b *Dict) bool {
	if a == nil {
		a = &Dict{}
	}
	return b != nil && equalBut(a, b, "Fields", "SigFlags") && c.grown(c.old.Resolve(a.Get("Fields")), c.d.Resolve(b.Get("Fields")))
}

// grown: the same list with widgets of new signatures behind it.
func (c *comparison) grown(a, b Object) bool {
	x, ok := a.(Array)
	y, ok2 := b.(Array)
	if a != nil && !ok || !ok2 || len(y) < len(x) || !equal(x, y[:len(x):len(x)]) && len(x) > 0 {
		return false
	}
	for _, o := range y[len(x):] {
		if ref, ok := o.(Ref); !ok || !c.widgets[ref] {
			return false
		}
	}
	return true
}

// Remains are places of the file that look like a signature or an object, but
// belong to none that the structure reaches: what a removed signature or a
// smuggled object leaves behind.
type Remains struct {
	Signatures []int64 // ByteRange outside the signatures that were found
	Shadows    []int64 // a second body of an object in use, in no revision's list
}

// MentionsSignature reports whether a file that does not open looks signed.
func MentionsSignature(r io.ReaderAt, size int64) (bool, error) {
	d := &Document{s: newSource(r, size), size: size, spent: &budget{}}
	rest, err := d.Scan(nil)
	return len(rest.Signatures) > 0, err
}

// Scan reads the whole file for remains.
func (d *Document) Scan(sigs []*Signature) (Remains, error) {
	const overlap = 64
	var out Remains
	buf := make([]byte, 256<<10)
	for from := int64(0); from < d.size; from += int64(len(buf) - overlap) {
		n, err := d.s.r.ReadAt(buf[:min(int64(len(buf)), d.size-from)], from)
		if err != nil && err != io.EOF {
			return out, fmt.Errorf("reading document: %w", err)
		}
		b := buf[:n]
		last := from+int64(n) >= d.size
		for i := 0; i < n; {
			k := bytes.Index(b[i:], []byte("/ByteRange"))
			if k < 0 {
				break
			}
			if i += k; !last && i >= n-overlap {
				break // the next block has it whole
			}
			if at := from + int64(i); !near(sigs, at) && !slices.Contains(out.Signatures, at) && len(out.Signatures) < maxFaults {
				out.Signatures = append(out.Signatures, at)
			}
			i += len("/ByteRange")
		}
		d.shadows(b, from, &out)
	}
	return out, nil
}

// near reports whether a place belongs to the dictionary of a signature: the
// range stands beside its value, within what a dictionary of one takes.
func near(sigs []*Signature, at int64) bool {
	for _, s := range sigs {
		if c := s.contents; c != nil && at > c.Start-4096 && at < c.End+4096 {
			return true
		}
	}
	return false
}

// shadows finds "n 0 obj" at the start of a line.
func (d *Document) shadows(b []byte, from int64, out *Remains) {
	for i := 0; ; {
		k := bytes.Index(b[i:], []byte(" 0 obj"))
		if k < 0 {
			return
		}
		end := i + k
		i = end + len(" 0 obj")
		start, num := end, 0
		for start > 0 && end-start < 7 && b[start-1] >= '0' && b[start-1] <= '9' {
			start--
		}
		for _, c := range b[start:end] {
			num = num*10 + int(c-'0')
		}
		at := from + int64(start)
		if start == end || start > 0 && b[start-1] != '\n' && b[start-1] != '\r' || start == 0 && from > 0 {
			continue
		}
		if _, listed := slices.BinarySearch(d.offsets, at); listed || d.entry(num).kind != plain {
			continue
		}
		if !slices.Contains(out.Shadows, at) && len(out.Shadows) < maxFaults {
			out.Shadows = append(out.Shadows, at)
		}
	}
}
