package pdf

import (
	"fmt"
	"slices"
)

// Stamp is one more place of the picture; the fields are those of a Request.
type Stamp struct {
	Page       int
	X, Y, W, H float64
	Clip       *Rect
}

// write adds the objects: value, appearances, widget, stamps, pages, form.
func (p *Pending) write(u *update, pages []Page, stamps []Stamp, r Request) error {
	sig := u.alloc()
	var pic Ref
	if r.Picture == nil {
		stamps = stamps[:1] // an invisible signature has one empty widget
	} else {
		var err error
		if pic, err = u.picture(r.Picture); err != nil {
			return err
		}
	}
	widget := u.alloc()
	added := make([][]Ref, len(pages))
	for i, st := range stamps {
		page := pages[st.Page-1]
		f, ref := &Dict{}, widget
		f.set("Type", Name("Annot"))
		if i == 0 {
			f.set("Subtype", Name("Widget"))
			f.set("FT", Name("Sig"))
			f.set("T", encodeText(p.field))
			f.set("V", sig)
			f.set("F", Int(4|128)) // printed; locked
		} else {
			ref = u.alloc()
			f.set("Subtype", Name("Stamp"))
			f.set("NM", encodeText(fmt.Sprint(p.field, stampMark, i+1)))
			f.set("Contents", encodeText(r.Name))
			f.set("F", Int(4|64|128|512)) // printed; read only; locked with its contents
		}
		f.set("P", page.ref)
		f.set("Rect", Box{}.array())
		if r.Picture != nil {
			f.set("Rect", page.place(st.X+st.Clip.X, st.Y+st.Clip.Y, st.Clip.W, st.Clip.H).array())
			look := &Dict{}
			look.set("N", st.look(u, pic, page))
			f.set("AP", look)
		}
		u.put(ref, f)
		added[st.Page-1] = append(added[st.Page-1], ref)
	}
	p.writeValue(u, sig, r)
	for i, refs := range added {
		if len(refs) > 0 {
			u.annotate(pages[i], refs)
		}
	}
	u.enter(widget)
	if err := u.describe(r.Info); err != nil {
		return err
	}
	u.finish()
	return nil
}

// look writes the appearance of a stamp in the units of its page.
func (st Stamp) look(u *update, pic Ref, page Page) Ref {
	w, h, c := st.W/page.unit, st.H/page.unit, st.Clip
	x, y := c.X/page.unit, c.Y/page.unit
	return u.appearance(pic, w, h, Box{x, h - y - c.H/page.unit, x + c.W/page.unit, h - y}, page.rotate)
}

// annotate puts widgets and stamps on their page.
func (u *update) annotate(page Page, notes []Ref) {
	old := page.dict.Get("Annots")
	list := slices.Clone(u.d.array(old))
	for _, n := range notes {
		list = append(list, n)
	}
	ref, ok := old.(Ref)
	// A list that two pages share grows for the first one only: the other gets a
	// list of its own.
	if _, shared := u.at[ref]; ok && !shared && u.d.array(old) != nil {
		u.put(ref, list)
		return
	}
	u.put(page.ref, page.dict.with("Annots", list))
}

// enter puts the field into the form, and makes one where there is none.
func (u *update) enter(widget Ref) {
	root := u.d.catalog()
	old := root.Get("AcroForm")
	form := u.d.dict(old)
	if form == nil {
		form = &Dict{}
	}
	list := append(slices.Clone(u.d.array(form.Get("Fields"))), widget)
	flags, _ := u.d.Resolve(form.Get("SigFlags")).(Int)
	form = form.with("Fields", list).with("SigFlags", flags|3) // signed; append only
	if ref, ok := old.(Ref); ok && u.d.dict(old) != nil {
		u.put(ref, form)
		return
	}
	u.put(u.d.Trailer.Get("Root").(Ref), root.with("AcroForm", form))
}
