package pdf

import "slices"

// evidence is the validation data of a file (DSS; ISO 32000-2, 12.8.4.3): the one
// part beside signatures that a later revision may add to or grow. What it holds
// is shown by no reader.
type evidence struct {
	lists map[int]bool // dictionaries and lists of the old revision that may grow
	grown map[int]bool // … and did
}

// maxEvidence bounds the objects of validation data that are looked at.
const maxEvidence = 10_000

// evidenceOf finds what the catalog's DSS names: streams too when all is wanted.
func (d *Document) evidenceOf(all bool) map[int]bool {
	out := map[int]bool{}
	var walk func(o Object, depth int)
	walk = func(o Object, depth int) {
		if ref, ok := o.(Ref); ok {
			if out[ref.Num] || len(out) == maxEvidence {
				return
			}
			o = d.Load(ref)
			if _, isStream := o.(*Stream); !isStream || all {
				out[ref.Num] = true
			}
		}
		if depth > 6 { // DSS, VRI, one entry, its list
			return
		}
		switch v := o.(type) {
		case Array:
			for _, e := range v {
				walk(e, depth+1)
			}
		case *Dict:
			for _, e := range v.Vals {
				walk(e, depth+1)
			}
		case *Stream:
			if all {
				walk(v.Dict, depth+1)
			}
		}
	}
	walk(d.catalog().Get("DSS"), 0)
	return out
}

// grownEvidence: everything that was there is there, and what came is new.
func (c *comparison) grownEvidence(a, b Object, depth int) bool {
	if equal(a, b) {
		return true
	}
	switch x := a.(type) {
	case Array:
		y, ok := b.(Array)
		return ok && len(y) >= len(x) && equal(x, y[:len(x):len(x)])
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || depth > 6 || len(x.Twice)+len(y.Twice) > 0 {
			return false
		}
		for i, k := range x.Keys {
			if v := y.Get(k); v == nil || !c.grownEvidence(x.Vals[i], v, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}

// catalogGrown: a form with new signatures, validation data, and the extensions
// that its names belong to; nothing else.
func (c *comparison) catalogGrown(x, y *Dict) bool {
	if !equalBut(x, y, "AcroForm", "DSS", "Extensions") || !c.formGrown(c.old.dict(x.Get("AcroForm")), c.d.dict(y.Get("AcroForm"))) {
		return false
	}
	if was := x.Get("DSS"); was != nil && !c.grownEvidence(was, y.Get("DSS"), 0) {
		return false
	}
	return x.Get("Extensions") == nil || y.Get("Extensions") != nil
}

// OnlyEvidence reports whether later revisions added validation data to a signed
// one and not one object more: not even a signature.
func (d *Document) OnlyEvidence(old *Document) bool {
	if d.start < old.size || !d.endsWhole() || d.catalog().Get("DSS") == nil || len(d.Changes(old)) > 0 {
		return false
	}
	now, err := d.Signatures()
	if err != nil {
		return false
	}
	was, err := old.Signatures()
	if err != nil || len(now) != len(was) {
		return false
	}
	reached := d.evidenceOf(true)
	for n := range d.entries {
		e, before := d.entries[n], old.entry(n)
		if e == before || e.kind != plain && e.kind != compressed || before.kind == plain || before.kind == compressed {
			continue
		}
		if st, ok := d.Load(Ref{n, int(e.gen)}).(*Stream); ok && slices.Contains([]Object{Name("XRef"), Name("ObjStm")}, st.Dict.Get("Type")) {
			continue
		}
		if !reached[n] {
			return false
		}
	}
	return true
}
