package pdf

import "strings"

// Annotation flags that keep it from being seen (12.5.3).
const flagHidden, flagNoView = 2, 32

// stampMark stands between the name of a field and the number of one of its
// further stamps, in the name of an annotation. A signature field has one widget
// at most (12.7.4.5), so the others are stamp annotations; no field has the mark
// in its name by our hand.
const stampMark = "/stamp-"

// locate finds what is seen of signatures, by the pages' own lists of
// annotations: what a widget says about its page is not what is drawn.
func (d *Document) locate(sigs []*Signature) error {
	pages, err := d.Pages()
	if err != nil {
		return err
	}
	of, named := map[Ref]*Signature{}, map[string]*Signature{}
	for _, s := range sigs {
		s.Hidden = true
		if s.ref != (Ref{}) {
			of[s.ref] = s
		}
		for _, kid := range d.array(d.dict(s.ref).Get("Kids")) {
			if ref, ok := kid.(Ref); ok && len(of) < maxFields {
				of[ref] = s
			}
		}
		if named[s.Field] == nil {
			named[s.Field] = s
		}
	}
	left := maxFields
	for i, p := range pages {
		for _, a := range d.array(p.dict.Get("Annots")) {
			ref, ok := a.(Ref)
			if !ok || left == 0 {
				continue
			}
			note := d.dict(ref)
			s := of[ref]
			if s == nil && note.Get("Subtype") == Name("Stamp") {
				s = named[d.stampOf(note)]
			}
			if s != nil {
				left--
				d.show(s, ref, note, i+1, p)
			}
		}
	}
	return nil
}

// stampOf is the field that a stamp annotation belongs to, "" for none.
func (d *Document) stampOf(note *Dict) string {
	name, ok := d.Resolve(note.Get("NM")).(*String)
	if !ok {
		return ""
	}
	field, _, ok := strings.Cut(Text(name.Value), stampMark)
	if !ok {
		return ""
	}
	return field
}

// show notes one widget or stamp of a signature.
func (d *Document) show(s *Signature, ref Ref, note *Dict, page int, p Page) {
	rect, sized := d.box(note.Get("Rect"))
	flags, _ := d.Resolve(note.Get("F")).(Int)
	s.shown = append(s.shown, ref)
	if s.Page == 0 {
		s.Page = page
	}
	if sized && !rect.meets(p.crop) {
		s.OffPage = true
	}
	if sized && flags&(flagHidden|flagNoView) == 0 && note.Get("AP") != nil {
		s.Hidden = false
		s.Places = append(s.Places, Place{page, p.Shown(rect)})
	}
}
