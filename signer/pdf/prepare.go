package pdf

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// Names of signature formats. Those of SES seals stand in no text that we have
// read: the pair that is written is the one of GM/T 0112-2021 as other software
// knows it, and every known one is accepted (reference §7).
const (
	FilterSeal    Name = "GM.PKILite"
	SubFilterSeal Name = "GM.sm2seal"

	FilterCMS      Name = "Adobe.PPKLite"
	SubFilterCAdES Name = "ETSI.CAdES.detached"
	SubFilterPKCS7 Name = "adbe.pkcs7.detached"
)

// SealSubFilters are the known names of SES seals.
func SealSubFilters() []Name { return []Name{SubFilterSeal, "GM.SM2"} }

// SealFilters are the known handlers of SES seals.
func SealFilters() []Name { return []Name{FilterSeal, "Gomain.GMPkiLite"} }

// Request is a signature to be added. Zero values: an invisible one, with the
// names of a seal, the next free field name.
type Request struct {
	Filter, SubFilter Name
	Field             string  // full name of the new field; empty: Seal1, Seal2 …
	Picture           []byte  // PNG, JPEG or GIF; nil: invisible
	Page              int     // from 1; 0: the last one
	X, Y, W, H        float64 // millimetres from the upper left corner of the page as shown
	Clip              *Rect   // the part of the picture that shows; nil: all of it
	Also              []Stamp // further stamps of the same picture
	Name              string  // of the seal or the signer
	Time              time.Time
	Reserve           int    // bytes kept for the value
	Info              []Info // added to the document information
}

// Pending is a file with everything of a new signature but its value.
type Pending struct {
	doc   []byte
	added []byte // what follows doc
	gap   [2]int // of the value's token, in added
	field string
}

// maxReserve bounds the place of one value.
const maxReserve = 16 << 20

// Prepare adds an empty signature to a file. The file itself is not touched: all
// is appended, so that earlier signatures keep what they cover.
func Prepare(doc []byte, r Request) (*Pending, error) {
	d, err := OpenBytes(doc)
	if err != nil {
		return nil, err
	}
	if r.Filter == "" {
		r.Filter = FilterSeal
	}
	if r.SubFilter == "" {
		r.SubFilter = SubFilterSeal
	}
	if r.Reserve < 1 || r.Reserve > maxReserve {
		return nil, fmt.Errorf("%w: %d bytes for the value", ErrLimit, r.Reserve)
	}
	if err := d.open(); err != nil {
		return nil, err
	}
	pages, err := d.Pages()
	if err != nil {
		return nil, err
	}
	stamps := append([]Stamp{{r.Page, r.X, r.Y, r.W, r.H, r.Clip}}, r.Also...)
	if len(stamps) > maxFields {
		return nil, fmt.Errorf("%w: %d stamps", ErrLimit, len(stamps))
	}
	for i := range stamps {
		st := &stamps[i]
		if st.Page == 0 {
			st.Page = len(pages)
		}
		if st.Page < 1 || st.Page > len(pages) {
			return nil, fmt.Errorf("%w: no page %d of %d", ErrFormat, st.Page, len(pages))
		}
		if st.Clip == nil {
			st.Clip = &Rect{W: st.W, H: st.H}
		}
	}
	p := &Pending{doc: doc}
	if p.field, err = d.freeField(r.Field, pages); err != nil {
		return nil, err
	}
	u := newUpdate(d)
	if err := p.write(u, pages, stamps, r); err != nil {
		return nil, err
	}
	if len(d.Faults) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrFormat, d.Faults[0])
	}
	p.added = u.out.Bytes()
	p.fillRange()
	return p, nil
}

// freeField finds a name for the field that no field has, and no stamp that
// somebody put there to be taken for one of this signature.
func (d *Document) freeField(want string, pages []Page) (string, error) {
	form := d.dict(d.catalog().Get("AcroForm"))
	used := map[string]bool{}
	for _, p := range pages {
		for _, a := range d.array(p.dict.Get("Annots")) {
			used[d.stampOf(d.dict(a))] = true
		}
	}
	for _, f := range d.array(form.Get("Fields")) {
		if t, ok := d.Resolve(d.dict(f).Get("T")).(*String); ok {
			used[Text(t.Value)] = true
		}
	}
	if want != "" {
		if used[want] || len(want) > 100 || bytes.ContainsRune([]byte(want), '.') {
			return "", fmt.Errorf("%w: field name %q", ErrUnsupported, want)
		}
		return want, nil
	}
	for n := 1; ; n++ {
		if name := fmt.Sprintf("Seal%d", n); !used[name] {
			return name, nil
		}
	}
}

// Placeholders of ByteRange: numbers of ten digits at most, filled with spaces.
const rangeField = "0          "

// writeValue writes the signature dictionary with an empty value.
func (p *Pending) writeValue(u *update, ref Ref, r Request) {
	u.begin(ref)
	u.out.WriteString("<</Type /Sig\n/Filter ")
	write(&u.out, r.Filter)
	u.out.WriteString("\n/SubFilter ")
	write(&u.out, r.SubFilter)
	if r.Name != "" {
		u.out.WriteString("\n/Name ")
		write(&u.out, encodeText(r.Name))
	}
	if !r.Time.IsZero() {
		u.out.WriteString("\n/M ")
		u.out.WriteString(r.Time.UTC().Format("(D:20060102150405Z)"))
	}
	u.out.WriteString("\n/ByteRange [0 " + rangeField + rangeField + rangeField + "]\n/Contents ")
	p.gap[0] = u.out.Len()
	u.out.WriteByte('<')
	u.out.Write(bytes.Repeat([]byte{'0'}, 2*r.Reserve))
	u.out.WriteByte('>')
	p.gap[1] = u.out.Len()
	u.out.WriteString(">>\nendobj\n")
}

// fillRange writes the real ByteRange over its placeholder.
func (p *Pending) fillRange() {
	b := p.bounds()
	at := bytes.LastIndex(p.added[:p.gap[0]], []byte("/ByteRange [0 ")) + len("/ByteRange [0 ")
	for i, n := range []int{b[0], b[1], len(p.doc) + len(p.added) - b[1]} {
		copy(p.added[at+i*len(rangeField):], fmt.Sprintf("%-*d", len(rangeField), n))
	}
}

// bounds are where the gap starts and ends in the file.
func (p *Pending) bounds() [2]int { return [2]int{len(p.doc) + p.gap[0], len(p.doc) + p.gap[1]} }

// Field is the name of the new field.
func (p *Pending) Field() string { return p.field }

// Digest writes the bytes that the signature covers to h.
func (p *Pending) Digest(h io.Writer) error {
	for _, part := range [][]byte{p.doc, p.added[:p.gap[0]], p.added[p.gap[1]:]} {
		if _, err := h.Write(part); err != nil {
			return fmt.Errorf("pdf: digest: %w", err)
		}
	}
	return nil
}

// Finish returns the file with the value in its place.
func (p *Pending) Finish(value []byte) ([]byte, error) {
	if room := (p.gap[1] - p.gap[0] - 2) / 2; len(value) == 0 || len(value) > room {
		return nil, fmt.Errorf("%w: value of %d bytes, place for %d", ErrLimit, len(value), room)
	}
	out := make([]byte, 0, len(p.doc)+len(p.added))
	out = append(append(out, p.doc...), p.added...)
	const digits = "0123456789abcdef"
	at := p.bounds()[0] + 1
	for _, c := range value {
		out[at], out[at+1] = digits[c>>4], digits[c&15]
		at += 2
	}
	return out, nil
}
