package pdftest

import (
	"bytes"
	"fmt"
)

// Objects writes a file of these bodies, numbered from 1; the first one is the
// catalog. It is for files that no sane writer makes.
func Objects(bodies ...string) []byte {
	f := &file{at: map[int]int{}}
	f.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, body := range bodies {
		f.object(i+1, body)
	}
	start := f.Len()
	fmt.Fprintf(f, "xref\n0 %d\n0000000000 65535 f\r\n", len(bodies)+1)
	for i := range bodies {
		fmt.Fprintf(f, "%010d 00000 n\r\n", f.at[i+1])
	}
	fmt.Fprintf(f, "trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(bodies)+1, start)
	return f.Bytes()
}

// StreamOf is the body of a stream.
func StreamOf(dict, data string) string { return streamBody(dict, []byte(data)) }

// Sheet is a file of one page, A4 unless attributes say otherwise, with this
// content; more bodies follow as objects from 5 on.
func Sheet(attributes, content string, more ...string) []byte {
	return Objects(append([]string{
		"<</Type /Catalog /Pages 2 0 R>>",
		"<</Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 595 842]>>",
		"<</Type /Page /Parent 2 0 R /Contents 4 0 R " + attributes + ">>",
		StreamOf("", content),
	}, more...)...)
}

// Revise appends a revision with these objects, each "n 0 obj … endobj", as any
// editor does; "n free" frees one.
func Revise(doc []byte, objects ...string) []byte {
	out, table := bytes.Clone(doc), ""
	for _, o := range objects {
		var num int
		if _, err := fmt.Sscanf(o, "%d", &num); err != nil {
			panic(err)
		}
		if o == fmt.Sprint(num, " free") {
			table += fmt.Sprintf("%d 1\n0000000000 00001 f\r\n", num)
			continue
		}
		table += fmt.Sprintf("%d 1\n%010d 00000 n\r\n", num, len(out))
		out = append(out, o...)
		out = append(out, '\n')
	}
	return Section(out, table, lastStart(doc))
}

// Section appends a cross-reference table of these entries, behind the one at
// prev. What the trailers before it named, this one names too.
func Section(doc []byte, entries string, prev int) []byte {
	const info = "/Info 4 0 R"
	more := ""
	if bytes.Contains(doc, []byte(info)) {
		more = info
	}
	return fmt.Appendf(bytes.Clone(doc), "xref\n%strailer\n<</Size 200 /Root 1 0 R %s /Prev %d>>\nstartxref\n%d\n%%%%EOF\n", entries, more, prev, len(doc))
}

// lastStart is the newest cross-reference section.
func lastStart(doc []byte) (at int) {
	i := bytes.LastIndex(doc, []byte("startxref\n"))
	if _, err := fmt.Sscanf(string(doc[i:]), "startxref\n%d", &at); err != nil {
		panic(err)
	}
	return at
}
