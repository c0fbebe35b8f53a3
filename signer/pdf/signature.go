package pdf

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"
)

// What is wrong with the range of a signature.
const (
	RangeMalformed = "byterange.malformed" // not four numbers, outside the file, overlapping
	RangeContents  = "byterange.contents"  // the value does not lie in the gap, or is no plain hexadecimal string
	RangePadding   = "byterange.padding"   // more behind the value than zeros
	RangeGap       = "byterange.gap"       // leaves out more than the value
)

// Signature is a filled signature field (12.7.4.5, 12.8.1).
type Signature struct {
	Field     string // full name
	Filter    Name
	SubFilter Name
	Claimed   string // M, as stored
	Range     [4]int64
	Fault     string // Range…; "" when the range is well formed and the gap is exactly the value
	Value     []byte // DER in Contents, without its padding
	Page      int    // from 1, of its first widget; 0 when it has none on a page
	Hidden    bool   // flags or empty rectangles keep all of it from being seen
	OffPage   bool   // a widget or stamp lies outside its page
	Places    []Place
	Permits   int // what a certification or the lock of the field permits later (12.8.2.2): 1 nothing, 2 forms, 3 notes; 0: it does not say

	ref      Ref   // of the field
	shown    []Ref // its widgets and stamps
	contents *String
}

// End is where the revision ends that the signature covers.
func (s *Signature) End() int64 { return s.Range[2] + s.Range[3] }

// Digest writes the covered bytes to h.
func (d *Document) Digest(s *Signature, h io.Writer) error {
	for _, part := range [][2]int64{{s.Range[0], s.Range[1]}, {s.Range[2], s.Range[3]}} {
		if _, err := io.Copy(h, io.NewSectionReader(d.s.r, part[0], part[1])); err != nil {
			return fmt.Errorf("reading document: %w", err)
		}
	}
	return nil
}

// Signatures lists the filled signature fields in the order of the form.
func (d *Document) Signatures() ([]*Signature, error) {
	form := d.dict(d.catalog().Get("AcroForm"))
	if form == nil {
		return nil, nil
	}
	w := fieldWalk{d: d, seen: map[Ref]bool{}}
	for _, f := range d.array(form.Get("Fields")) {
		if err := w.field(f, "", nil, 0); err != nil {
			return nil, err
		}
	}
	if len(w.found) > 0 {
		if err := d.locate(w.found); err != nil {
			return nil, err
		}
	}
	return w.found, nil
}

type fieldWalk struct {
	d     *Document
	seen  map[Ref]bool
	found []*Signature
}

// field walks one field; kind is the inherited FT.
func (w *fieldWalk) field(o Object, prefix string, kind Object, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nesting of form fields", ErrLimit)
	}
	ref, isRef := o.(Ref)
	if isRef && w.seen[ref] {
		return nil
	}
	if w.seen[ref] = true; len(w.seen) > maxFields {
		return fmt.Errorf("%w: more than %d form fields", ErrLimit, maxFields)
	}
	f := w.d.dict(o)
	if f == nil {
		return nil
	}
	if ft := w.d.Resolve(f.Get("FT")); ft != nil {
		kind = ft
	}
	name := prefix
	if t, ok := w.d.Resolve(f.Get("T")).(*String); ok {
		if name != "" {
			name += "."
		}
		name += Text(t.Value)
	}
	if kind == Name("Sig") {
		if v := w.d.dict(f.Get("V")); v != nil {
			if len(f.Twice) > 0 || len(v.Twice) > 0 {
				w.d.fault("signature " + name + " with a key twice")
			}
			s := &Signature{Field: name, ref: ref}
			s.read(w.d, v)
			s.permits(w.d, f, v)
			if w.found = append(w.found, s); len(w.found) > maxSigned {
				return fmt.Errorf("%w: more than %d signatures", ErrLimit, maxSigned)
			}
			return nil
		}
	}
	for _, kid := range w.d.array(f.Get("Kids")) {
		if err := w.field(kid, name, kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// read takes a signature dictionary. ByteRange and Contents must stand in it
// directly: the gap is a place of the file.
func (s *Signature) read(d *Document, v *Dict) {
	s.Filter, _ = d.Resolve(v.Get("Filter")).(Name)
	s.SubFilter, _ = d.Resolve(v.Get("SubFilter")).(Name)
	if m, ok := d.Resolve(v.Get("M")).(*String); ok {
		s.Claimed = Text(m.Value)
	}
	s.Fault = s.readRange(d, v)
}

func (s *Signature) readRange(d *Document, v *Dict) string {
	a, _ := v.Get("ByteRange").(Array)
	if len(a) != 4 {
		return RangeMalformed
	}
	for i := range a {
		n, ok := a[i].(Int)
		if !ok || n < 0 || int64(n) > d.size {
			return RangeMalformed
		}
		s.Range[i] = int64(n)
	}
	r := s.Range
	if r[0]+r[1] > r[2] || r[2]+r[3] > d.size { // no overflow: each is at most the size
		s.Range = [4]int64{}
		return RangeMalformed
	}
	c, ok := v.Get("Contents").(*String)
	if !ok || c.Start < 0 || !c.Hex || !c.Strict || len(c.Value) == 0 {
		return RangeContents
	}
	s.contents = c
	if c.Start < r[0]+r[1] || c.End > r[2] {
		return RangeContents
	}
	var err error
	if s.Value, err = trim(c.Value); err != nil {
		return RangePadding
	}
	if r[0] != 0 || c.Start != r[1] || c.End != r[2] {
		return RangeGap
	}
	return ""
}

var errPadding = errors.New("pdf: more than zeros behind the value")

// trim cuts the zeros behind a DER value. The gap is the one place that nothing
// protects, so nothing else may stand there.
func trim(b []byte) ([]byte, error) {
	n := 2
	if len(b) < 2 {
		return nil, errPadding
	}
	if k := int(b[1] & 0x7f); b[1] < 0x80 {
		n += int(b[1])
	} else {
		if k == 0 || k > 4 || len(b) < 2+k {
			return nil, errPadding
		}
		length := 0
		for _, c := range b[2 : 2+k] {
			length = length<<8 | int(c)
		}
		n += k + length
	}
	if n > len(b) {
		return nil, errPadding
	}
	for _, c := range b[n:] {
		if c != 0 {
			return nil, errPadding
		}
	}
	return b[:n], nil
}

// Time reads the claimed time of the dictionary (7.9.4).
func (s *Signature) Time() (time.Time, bool) {
	v := strings.TrimSuffix(strings.ReplaceAll(strings.TrimPrefix(s.Claimed, "D:"), "'", ""), "\x00")
	for _, form := range []string{"20060102150405Z", "20060102150405-0700", "20060102150405Z0000"} {
		if t, err := time.Parse(form, v); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// Text reads a text string (7.9.2): UTF-16 or UTF-8 with a mark, else Latin-1,
// which is close enough to PDFDocEncoding to name a field.
func Text(b []byte) string {
	switch {
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		u := make([]uint16, 0, len(b)/2)
		for i := 2; i+1 < len(b); i += 2 {
			u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(u))
	case len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf:
		return strings.ToValidUTF8(string(b[3:]), "\ufffd")
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// encodeText is the reverse: UTF-16 with a mark, or ASCII.
func encodeText(s string) *String {
	ascii := true
	for _, r := range s {
		ascii = ascii && r >= ' ' && r < 0x7f
	}
	if ascii {
		return &String{Value: []byte(s)}
	}
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return &String{Value: b}
}
