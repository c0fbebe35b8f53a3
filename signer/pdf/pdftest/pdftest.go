// Package pdftest writes small PDF files for tests, one for each way in which a
// file can keep its cross-references.
package pdftest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// Style is how a file keeps its cross-references.
type Style int

// Styles.
const (
	Table  Style = iota // a table and a trailer
	Stream              // object streams and a cross-reference stream with a predictor
	Hybrid              // a table, and a stream for the objects in an object stream
)

// Options of a letter. Zero values: one A4 page, not rotated, a table.
type Options struct {
	Style  Style
	Pages  int
	Rotate int
	Form   bool // has a form and lists of annotations as objects of their own
	NoEOL  bool // ends without a line end
	Extra  string
}

type file struct {
	bytes.Buffer
	at map[int]int
}

func (f *file) object(num int, body string) {
	f.at[num] = f.Len()
	fmt.Fprintf(f, "%d 0 obj\n%s\nendobj\n", num, body)
}

func pack(b []byte) []byte {
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

func streamBody(dict string, data []byte) string {
	return fmt.Sprintf("<<%s /Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

// Letter writes a letter.
func Letter(o Options) []byte {
	if o.Pages == 0 {
		o.Pages = 1
	}
	f := &file{at: map[int]int{}}
	f.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	// 1 catalog, 2 pages, 3 font, 4 info, then 3 numbers a page: page, content,
	// annotations; 5 is the form.
	var kids []string
	plain := map[int]string{}
	for i := range o.Pages {
		n := 6 + 3*i
		kids = append(kids, fmt.Sprintf("%d 0 R", n))
		annots := ""
		if o.Form {
			annots = fmt.Sprintf(" /Annots %d 0 R", n+2)
			plain[n+2] = "[]"
		}
		plain[n] = fmt.Sprintf("<</Type /Page /Parent 2 0 R /Contents %d 0 R%s>>", n+1, annots)
		text := fmt.Sprintf("BT /F1 24 Tf 72 700 Td (Letter, page %d) Tj ET", i+1)
		f.object(n+1, streamBody("", []byte(text)))
	}
	form := ""
	if o.Form {
		form = " /AcroForm 5 0 R"
		plain[5] = "<</Fields [] /DA (/Helv 0 Tf 0 g)>>"
	}
	plain[1] = "<</Type /Catalog /Pages 2 0 R" + form + o.Extra + ">>"
	plain[2] = fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s] /MediaBox [0 0 595 842] /Rotate %d /Resources <</Font <</F1 3 0 R>>>>>>",
		o.Pages, strings.Join(kids, " "), o.Rotate)
	plain[3] = "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"
	plain[4] = "<</Title (Letter \\(test\\)) /Producer <7465737400>>>"
	size := 6 + 3*o.Pages
	switch o.Style {
	case Table:
		f.writeAll(plain, size)
		f.table(size, "")
	case Stream:
		where := f.objectStream(plain, size)
		f.xrefStream(size+1, where, size)
	case Hybrid:
		info := map[int]string{4: plain[4]}
		delete(plain, 4)
		f.writeAll(plain, size)
		where := f.objectStream(info, size)
		rows := f.Len()
		f.sections(where, size, size+2)
		f.table(size+2, fmt.Sprintf(" /XRefStm %d", rows))
	}
	out := f.Bytes()
	if o.NoEOL {
		out = bytes.TrimRight(out, "\n")
	}
	return out
}

func (f *file) writeAll(plain map[int]string, size int) {
	for n := range size {
		if body, ok := plain[n]; ok {
			f.object(n, body)
		}
	}
}

func (f *file) table(size int, extra string) {
	start := f.Len()
	fmt.Fprintf(f, "xref\n0 %d\n", size)
	for n := range size {
		if at, ok := f.at[n]; ok {
			fmt.Fprintf(f, "%010d 00000 n\r\n", at)
		} else {
			f.WriteString("0000000000 65535 f\r\n")
		}
	}
	fmt.Fprintf(f, "trailer\n<</Size %d /Root 1 0 R /Info 4 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]%s>>\n", size, extra)
	fmt.Fprintf(f, "startxref\n%d\n%%%%EOF\n", start)
}

// objectStream writes objects into the stream with number num.
func (f *file) objectStream(plain map[int]string, num int) map[int]int {
	var head, body strings.Builder
	where := map[int]int{}
	for n := range num {
		if text, ok := plain[n]; ok {
			where[n] = len(where)
			fmt.Fprintf(&head, "%d %d ", n, body.Len())
			body.WriteString(text + "\n")
		}
	}
	data := pack([]byte(head.String() + body.String()))
	f.object(num, streamBody(fmt.Sprintf("/Type /ObjStm /N %d /First %d /Filter /FlateDecode", len(where), head.Len()), data))
	return where
}

func (f *file) rows(where map[int]int, pack, size int) []byte {
	var out, above []byte
	above = make([]byte, 6)
	for n := range size {
		row := make([]byte, 6)
		if i, ok := where[n]; ok {
			row = []byte{2, 0, byte(pack >> 8), byte(pack), byte(i >> 8), byte(i)}
		} else if at, ok := f.at[n]; ok {
			row = []byte{1, byte(at >> 16), byte(at >> 8), byte(at), 0, 0}
		}
		out = append(out, 2) // PNG "up"
		for i := range row {
			out = append(out, row[i]-above[i])
		}
		above = row
	}
	return out
}

func (f *file) sections(where map[int]int, pack1, size int) {
	f.at[size-1] = f.Len()
	data := pack(f.rows(where, pack1, size))
	f.object(size-1, streamBody(fmt.Sprintf("/Type /XRef /Size %d /W [1 3 2] /Root 1 0 R /Info 4 0 R /Filter /FlateDecode /DecodeParms <</Predictor 12 /Columns 6>>", size), data))
}

func (f *file) xrefStream(num int, where map[int]int, pack1 int) {
	start := f.Len()
	f.sections(where, pack1, num+1)
	fmt.Fprintf(f, "startxref\n%d\n%%%%EOF\n", start)
}
