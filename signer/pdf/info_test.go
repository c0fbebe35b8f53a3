package pdf_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
)

// The document information takes an entry in the update that the seal covers,
// keeps what stood there, and is closed once a seal covers it (ISO 32000-1,
// 14.3.3).
func TestInfoISO32000(t *testing.T) {
	entry := pdf.Info{Key: "YinxinCitations", Value: "来源 (a) <b> \\ 𠀀"}
	docs := letters()
	docs["no info"] = bytes.Replace(pdftest.Letter(pdftest.Options{}), []byte(" /Info 4 0 R"), []byte("            "), 1)
	docs["info is nothing"] = bytes.Replace(pdftest.Letter(pdftest.Options{}), []byte(" /Info 4 0 R"), []byte(" /Info 5 0 R"), 1)
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			out := seal(t, doc, func(r *pdf.Request) { r.Info = []pdf.Info{entry} })
			d, sigs := open(t, out)
			got, err := d.Info(entry.Key)
			if err != nil || got != entry.Value || len(d.Faults) > 0 || !bytes.HasPrefix(out, doc) {
				t.Fatalf("%q, %v, faults %v", got, err, d.Faults)
			}
			before, err := pdf.OpenBytes(doc)
			if err != nil {
				t.Fatal(err)
			}
			title, err := before.Info("Title")
			if kept, err2 := d.Info("Title"); err != nil || err2 != nil || kept != title {
				t.Errorf("title %q, was %q, %v %v", kept, title, err, err2)
			}
			if rest, err := d.Scan(sigs); err != nil || len(rest.Signatures)+len(rest.Shadows) > 0 {
				t.Errorf("remains %+v, %v", rest, err)
			}
			check(t, out)
			if shown := pdfinfo(t, out); shown != "" && !strings.Contains(shown, entry.Value) {
				t.Errorf("poppler shows %s", shown)
			}
			// A further seal is fine, a further entry is not.
			if _, err := pdf.Prepare(out, pdf.Request{Reserve: 64, Info: []pdf.Info{{Key: "X", Value: "y"}}}); !errors.Is(err, pdf.ErrInfo) {
				t.Errorf("an entry after a seal: %v", err)
			}
			twice, both := open(t, seal(t, out, nil))
			old, err := twice.Revision(both[0])
			if err != nil || len(twice.Changes(old)) > 0 {
				t.Errorf("changes %v, %v", twice.Changes(old), err)
			}
		})
	}
	doc := pdftest.Letter(pdftest.Options{})
	for name, add := range map[string][]pdf.Info{"taken": {{Key: "Title", Value: "x"}}, "twice": {entry, entry}, "no name": {{Value: "x"}}} {
		if _, err := pdf.Prepare(doc, pdf.Request{Reserve: 64, Info: add}); !errors.Is(err, pdf.ErrInfo) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What readers could show in two ways is not read, and not written again.
	for _, to := range []string{"/Title (a) /Title (bcde)", "/Title [(Letter (test))]"} {
		odd := bytes.Replace(doc, []byte("/Title (Letter \\(test\\))"), []byte(to), 1)
		if len(odd) != len(doc) || bytes.Equal(odd, doc) {
			t.Fatalf("%s: %d bytes instead of %d", to, len(odd), len(doc))
		}
		d, err := pdf.OpenBytes(odd)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := d.Info("Title"); !errors.Is(err, pdf.ErrFormat) {
			t.Errorf("%s: %q, %v", to, v, err)
		}
	}
}

// pdfinfo is what poppler shows of the document information, "" without it.
func pdfinfo(t *testing.T, doc []byte) string {
	t.Helper()
	tool, err := exec.LookPath("pdfinfo")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pdfinfo is missing: deploy/testing/install-servers.sh")
		}
		return ""
	}
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command(tool, "-enc", "UTF-8", "-custom", file).CombinedOutput()
	if err != nil {
		t.Errorf("pdfinfo: %v\n%s", err, b)
	}
	return string(b)
}
