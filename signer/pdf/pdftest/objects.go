package pdftest

import "fmt"

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
