package pdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

func letters() map[string][]byte {
	out := map[string][]byte{}
	for name, style := range map[string]pdftest.Style{"table": pdftest.Table, "stream": pdftest.Stream, "hybrid": pdftest.Hybrid} {
		out[name] = pdftest.Letter(pdftest.Options{Style: style})
		out[name+" with form"] = pdftest.Letter(pdftest.Options{Style: style, Form: true, Pages: 3})
		out[name+" without line end"] = pdftest.Letter(pdftest.Options{Style: style, NoEOL: true})
		out[name+" rotated"] = pdftest.Letter(pdftest.Options{Style: style, Rotate: 90})
	}
	return out
}

// drawn is one picture for all tests: drawing is the slowest part of one.
var drawn = sync.OnceValues(func() ([]byte, error) { return picture.Draw(picture.Spec{Unit: "样例区数据局"}) })

// value looks like DER of 4 bytes.
var value = []byte{0x30, 2, 5, 0}

func seal(t testing.TB, doc []byte, change func(*pdf.Request)) []byte {
	t.Helper()
	r := pdf.Request{Reserve: 64, Time: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Name: "样例区数据局"}
	if change != nil {
		change(&r)
	}
	p, err := pdf.Prepare(doc, r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Finish(value)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB, doc []byte) (*pdf.Document, []*pdf.Signature) {
	t.Helper()
	d, err := pdf.OpenBytes(doc)
	if err != nil {
		t.Fatal(err)
	}
	sigs, err := d.Signatures()
	if err != nil {
		t.Fatal(err)
	}
	return d, sigs
}

// A signature added to any style of file covers all of it but its own value, and
// the file before it stays byte for byte (ISO 32000-1, 7.5.6 and 12.8.1).
func TestUpdateISO32000(t *testing.T) {
	for name, doc := range letters() {
		t.Run(name, func(t *testing.T) {
			png, err := drawn()
			if err != nil {
				t.Fatal(err)
			}
			out := seal(t, doc, func(r *pdf.Request) { r.Picture, r.X, r.Y, r.W, r.H = png, 120, 200, 42, 42 })
			if !bytes.HasPrefix(out, doc) {
				t.Fatal("the file before the seal changed")
			}
			d, sigs := open(t, out)
			if len(sigs) != 1 || len(d.Faults) > 0 {
				t.Fatalf("%d signatures, faults %v", len(sigs), d.Faults)
			}
			s := sigs[0]
			if s.Fault != "" || s.End() != int64(len(out)) || !bytes.Equal(s.Value, value) || s.Hidden || s.OffPage || s.Page == 0 {
				t.Errorf("signature %+v", s)
			}
			var covered bytes.Buffer
			if err := d.Digest(s, &covered); err != nil {
				t.Fatal(err)
			}
			if covered.Len() != len(out)-2*64-2 {
				t.Errorf("%d of %d bytes covered", covered.Len(), len(out))
			}
			if rest, err := d.Scan(sigs); err != nil || len(rest.Signatures)+len(rest.Shadows) > 0 {
				t.Errorf("remains %+v, %v", rest, err)
			}
			check(t, out)
		})
	}
}

// check asks qpdf, where it is installed, whether it sees a sound file too.
func check(t *testing.T, doc []byte) {
	t.Helper()
	tool, err := exec.LookPath("qpdf")
	if err != nil {
		return
	}
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(tool, "--check", file).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %v\n%s", err, b)
	}
}

// A second signature changes nothing that the first one covers, and is told from
// an edit.
func TestLaterRevisions(t *testing.T) {
	for name, doc := range letters() {
		first := seal(t, doc, nil)
		second := seal(t, first, nil)
		d, sigs := open(t, second)
		if len(sigs) != 2 || sigs[0].Field == sigs[1].Field {
			t.Fatalf("%s: %d signatures", name, len(sigs))
		}
		old, err := d.Revision(sigs[0])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := d.Changes(old); len(got) > 0 {
			t.Errorf("%s: signing again counts as %v", name, got)
		}
		for how, edit := range map[string]string{
			"page":       "6 0 obj\n<</Type /Page /Parent 2 0 R>>\nendobj\n",
			"catalog":    "1 0 obj\n<</Type /Catalog /Pages 2 0 R /OpenAction [6 0 R /Fit]>>\nendobj\n",
			"content":    "7 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj\n",
			"page tree":  "2 0 obj\n<</Type /Pages /Count 0 /Kids []>>\nendobj\n",
			"annotation": "6 0 obj\n<</Type /Page /Parent 2 0 R /Contents 7 0 R /Annots [3 0 R]>>\nendobj\n",
		} {
			changed := pdftest.Revise(second, edit)
			d, sigs := open(t, changed)
			if len(sigs) == 0 { // the catalog lost its form
				if rest, err := d.Scan(sigs); err != nil || len(rest.Signatures) != 2 {
					t.Errorf("%s, %s: remains %+v, %v", name, how, rest, err)
				}
				continue
			}
			old, err := d.Revision(sigs[0])
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Changes(old)) == 0 {
				t.Errorf("%s: a changed %s is not seen", name, how)
			}
		}
	}
}

func TestRangeFaults(t *testing.T) {
	out := seal(t, pdftest.Letter(pdftest.Options{}), nil)
	i := bytes.Index(out, []byte("/ByteRange [")) + len("/ByteRange [")
	j := i + bytes.IndexByte(out[i:], ']')
	_, sigs := open(t, out)
	r := sigs[0].Range
	with := func(text string) []byte {
		b := bytes.Clone(out)
		copy(b[i:j], text+strings.Repeat(" ", j-i-len(text)))
		return b
	}
	for name, c := range map[string]struct {
		doc  []byte
		want string
	}{
		"as written":       {out, ""},
		"three numbers":    {with("0 1 2"), pdf.RangeMalformed},
		"negative":         {with(fmt.Sprintf("0 -1 %d %d", r[2], r[3])), pdf.RangeMalformed},
		"overlap":          {with(fmt.Sprintf("0 %d %d %d", r[2]+1, r[2], r[3])), pdf.RangeMalformed},
		"huge":             {with("0 1 9223372036854775807 1"), pdf.RangeMalformed},
		"two huge":         {with("0 1 2 9223372036854775807"), pdf.RangeMalformed},
		"not numbers":      {with("0 1.5 2 3"), pdf.RangeMalformed},
		"past the end":     {with(fmt.Sprintf("0 %d %d %d", r[1], r[2], r[3]+1)), pdf.RangeMalformed},
		"not from 0":       {with(fmt.Sprintf("1 %d %d %d", r[1]-1, r[2], r[3])), pdf.RangeGap},
		"wider gap":        {with(fmt.Sprintf("0 %d %d %d", r[1]-1, r[2], r[3])), pdf.RangeGap},
		"wider behind":     {with(fmt.Sprintf("0 %d %d %d", r[1], r[2]+1, r[3]-1)), pdf.RangeGap},
		"value is covered": {with(fmt.Sprintf("0 %d %d %d", r[1]+1, r[2], r[3])), pdf.RangeContents},
		"no gap":           {with(fmt.Sprintf("0 %d %d %d", r[1], r[1], r[3])), pdf.RangeContents},
		"padding":          {replaced(out, r[2]-4, '1'), pdf.RangePadding},
		"white space":      {replaced(out, r[2]-4, ' '), pdf.RangeContents},
	} {
		_, sigs := open(t, c.doc)
		if len(sigs) != 1 || sigs[0].Fault != c.want {
			t.Errorf("%s: %q, want %q", name, sigs[0].Fault, c.want)
		}
	}
}

func replaced(b []byte, at int64, c byte) []byte {
	b = bytes.Clone(b)
	b[at] = c
	return b
}

func TestOpenRefuses(t *testing.T) {
	table := string(pdftest.Letter(pdftest.Options{}))
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for name, c := range map[string]struct {
		doc  string
		want error
	}{
		"empty":             {"", pdf.ErrFormat},
		"header only":       {"%PDF-1.7\n%%EOF\n", pdf.ErrFormat},
		"cut":               {table[:len(table)/2], pdf.ErrFormat},
		"encrypted":         {strings.Replace(table, "/Root 1 0 R", "/Root 1 0 R /Encrypt 4 0 R", 1), pdf.ErrEncrypted},
		"circle":            {loop(table), pdf.ErrFormat},
		"a million objects": {strings.Replace(table, "xref\n0 9", "xref\n0 9999999", 1), pdf.ErrFormat},
		"nesting":           {strings.Replace(table, "/Root 1 0 R", "/Root 1 0 R /X "+deep, 1), pdf.ErrLimit},
		"root is missing":   {strings.Replace(table, "/Root 1 0 R", "/Root 8 0 R", 1), pdf.ErrFormat},
		"offsets are off":   {strings.Replace(table, "%PDF-1.7\n", "%PDF-1.7\n%%%%%%%%%%%%\n", 1), pdf.ErrFormat},
	} {
		if _, err := pdf.OpenBytes([]byte(c.doc)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// loop makes the newest section its own predecessor.
func loop(doc string) string {
	var at int
	i := strings.LastIndex(doc, "startxref\n")
	if _, err := fmt.Sscanf(doc[i:], "startxref\n%d", &at); err != nil {
		panic(err)
	}
	return strings.Replace(doc, "/Root 1 0 R", fmt.Sprintf("/Root 1 0 R /Prev %d", at), 1)
}

func TestPrepareRefuses(t *testing.T) {
	xfa := pdftest.Letter(pdftest.Options{Extra: " /AcroForm <</Fields [] /XFA []>>"})
	locked := pdftest.Letter(pdftest.Options{Extra: " /Perms <</DocMDP <</Reference [<</TransformParams <</P 1>>>>]>>>>"})
	plain := pdftest.Letter(pdftest.Options{})
	for name, c := range map[string]struct {
		doc  []byte
		r    pdf.Request
		want error
	}{
		"XFA":           {xfa, pdf.Request{Reserve: 10}, pdf.ErrUnsupported},
		"locked":        {locked, pdf.Request{Reserve: 10}, pdf.ErrLocked},
		"no such page":  {plain, pdf.Request{Reserve: 10, Page: 2}, pdf.ErrFormat},
		"no place":      {plain, pdf.Request{}, pdf.ErrLimit},
		"not a picture": {plain, pdf.Request{Reserve: 10, Picture: []byte("OFD")}, pdf.ErrUnsupported},
		"field taken":   {seal(t, plain, nil), pdf.Request{Reserve: 10, Field: "Seal1"}, pdf.ErrUnsupported},
	} {
		if _, err := pdf.Prepare(c.doc, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	p, err := pdf.Prepare(plain, pdf.Request{Reserve: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(value); !errors.Is(err, pdf.ErrLimit) {
		t.Errorf("value larger than its place: %v", err)
	}
}

// A second body of an object that no cross-reference names is what readers that
// repair would show.
func TestShadows(t *testing.T) {
	doc := pdftest.Letter(pdftest.Options{})
	i := bytes.Index(doc, []byte("xref\n0 "))
	shadow := append(bytes.Clone(doc[:i]), "6 0 obj\n<</Type /Page>>\nendobj\n"...)
	at := len(shadow)
	shadow = append(shadow, doc[i:]...)
	j := bytes.LastIndex(shadow, []byte("startxref\n"))
	shadow = fmt.Appendf(shadow[:j], "startxref\n%d\n%%%%EOF\n", at)
	d, sigs := open(t, shadow)
	if rest, err := d.Scan(sigs); err != nil || len(rest.Shadows) != 1 {
		t.Errorf("remains %+v, %v", rest, err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, doc := range letters() {
		f.Add(doc)
		f.Add(seal(f, doc, nil))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := pdf.OpenBytes(doc)
		if err != nil {
			return
		}
		sigs, err := d.Signatures()
		if err != nil {
			return
		}
		if _, err := d.Scan(sigs); err != nil {
			t.Fatal(err)
		}
		for _, s := range sigs {
			if err := d.Digest(s, &bytes.Buffer{}); err != nil {
				t.Fatal(err)
			}
			if old, err := d.Revision(s); err == nil {
				d.Changes(old)
				d.OnlyEvidence(old)
			}
		}
		// What can be sealed can be read again.
		if p, err := pdf.Prepare(doc, pdf.Request{Reserve: 16}); err == nil {
			out, err := p.Finish(value)
			if err != nil {
				t.Fatal(err)
			}
			if d, err = pdf.OpenBytes(out); err != nil {
				t.Fatal(err)
			}
			got, err := d.Signatures()
			if err != nil || len(got) != len(sigs)+1 {
				t.Fatalf("%d signatures after %d, %v", len(got), len(sigs), err)
			}
		}
	})
}

// A reference to nothing, covered by a seal, becomes something when a later
// revision makes the object: no object of the seal's revision changed, and yet it
// shows something else.
func TestLaterRevisionFillsReference(t *testing.T) {
	first := seal(t, pdftest.Letter(pdftest.Options{Extra: " /OpenAction 90 0 R"}), nil)
	for name, c := range map[string]struct {
		object string
		want   bool
	}{
		"fills it": {"90 0 obj\n<</S /URI>>\nendobj\n", true}, "fills another": {"91 0 obj\n<</S /URI>>\nendobj\n", false},
	} {
		d, sigs := open(t, seal(t, pdftest.Revise(first, c.object), nil))
		old, err := d.Revision(sigs[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Changes(old); len(got) > 0 != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
