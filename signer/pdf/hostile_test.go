package pdf_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
)

func packed(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		panic(err) // a buffer does not fail
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// streamed is a file with a cross-reference stream of the given rows.
func streamed(size int, rows []byte, body string) []byte {
	var f bytes.Buffer
	f.WriteString("%PDF-1.7\n" + body)
	at := f.Len()
	data := packed(rows)
	fmt.Fprintf(&f, "1 0 obj\n<</Type /XRef /Size %d /W [1 3 1] /Root 2 0 R /Filter /FlateDecode /Length %d>>\nstream\n", size, len(data))
	f.Write(data)
	fmt.Fprintf(&f, "\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", at)
	return f.Bytes()
}

// Every hostile file is answered within seconds and without filling the memory;
// the figures are printed, the bounds are far above them.
func TestHostile(t *testing.T) {
	letter := pdftest.Letter(pdftest.Options{})
	many := letter
	for range 40 {
		many = seal(t, many, nil)
	}
	million := make([]byte, 5*(1<<20))
	for i := 0; i < len(million); i += 5 {
		million[i], million[i+3] = 1, 9
	}
	wide := "2 0 obj\n<</Type /Catalog /Pages [" + string(bytes.Repeat([]byte("1 "), 5<<18)) + "]>>\nendobj\n"
	rows := make([]byte, 5*3)
	rows[10], rows[13] = 1, 9
	for name, doc := range map[string][]byte{
		"a million entries":       streamed(1<<20, million, ""),
		"a bomb":                  streamed(3, make([]byte, 60<<20), ""),
		"too many values":         streamed(3, rows, wide),
		"forty seals":             many,
		"deep dictionaries":       bytes.Replace(letter, []byte("/Root 1 0 R"), append(bytes.Repeat([]byte("/A <<"), 1<<20), "/Root 1 0 R"...), 1),
		"an endless string":       bytes.Replace(letter, []byte("/Root 1 0 R"), append([]byte("/Root 1 0 R /S ("), make([]byte, 8<<20)...), 1),
		"comments without an end": append([]byte("%PDF-1.7\n%"), bytes.Repeat([]byte("%"), 8<<20)...),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		d, err := pdf.OpenBytes(doc)
		n := 0
		if err == nil {
			var sigs []*pdf.Signature
			if sigs, err = d.Signatures(); err == nil {
				n = len(sigs)
				for _, s := range sigs {
					if old, revErr := d.Revision(s); revErr != nil || len(d.Changes(old)) > 0 {
						t.Errorf("%s: a seal is broken: %v", name, revErr)
					}
				}
			}
		}
		runtime.ReadMemStats(&after)
		took, used := time.Since(start), (after.TotalAlloc-before.TotalAlloc)>>20
		t.Logf("%s: %d kB, %v, %d MB allocated in all, %d signatures, %v", name, len(doc)>>10, took, used, n, err)
		if (name == "forty seals") != (err == nil && n == 40) {
			t.Errorf("%s: %d signatures, %v", name, n, err)
		}
	}
}
