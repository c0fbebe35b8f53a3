package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest"
)

// Sealing a PDF at a keyword and over all pages, then drawing it: offline, the
// verdict beside each stamp (issue 3, items 4 and 9).
func TestSignAndPreviewPDF(t *testing.T) {
	pdfviewtest.Warm(t)
	dir := desk(t)
	if err := os.WriteFile(filepath.Join(dir, "letter.pdf"), pdftest.Letter(pdftest.Options{Pages: 2}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string][]string{
		"keyword.pdf": {"--keyword", "page 2"}, "ride.pdf": {"--ride", "right"}, "both.pdf": {"--ride", "left", "--keyword", "Letter"},
	} {
		args := append([]string{"sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", name}, more...)
		if code, out, errs := call(t, dir, append(args, "letter.pdf")...); code != exitOK {
			t.Fatalf("%s: exit %d %s%s", name, code, out, errs)
		}
		if code, out, errs := call(t, dir, "verify", "--trust", "trust", name); code != exitOK {
			t.Errorf("%s: verify exits %d %s%s", name, code, out, errs)
		}
	}
	for trust, class := range map[string]string{"trust": "stamp valid", "": "stamp indeterminate"} {
		args := []string{"preview", "--force", "--page", "2", "--out", "page.svg"}
		if trust != "" {
			args = append(args, "--trust", trust)
		}
		code, text, errs := call(t, dir, append(args, "both.pdf")...)
		b, err := os.ReadFile(filepath.Join(dir, "page.svg"))
		if err != nil || code != exitOK || strings.Count(string(b), `<g class="`+class) != 2 || strings.Contains(text, "preview.") {
			t.Errorf("%s: exit %d %v %s%s", class, code, err, text, errs)
		}
	}
	code, text, errs := call(t, dir, "preview", "--json", "--out", "page.png", "letter.pdf")
	var res previewResult
	if err := json.Unmarshal([]byte(text), &res); err != nil || code != exitOK || res.Pages != 2 || res.Page != 1 || res.Warnings == nil {
		t.Errorf("exit %d %v %s%s", code, err, text, errs)
	}
	b, err := os.ReadFile(filepath.Join(dir, "page.png"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(b)); err != nil {
		t.Error(err)
	}
	for name, args := range map[string][]string{
		"output exists": {"--out", "page.png", "letter.pdf"}, "kind": {"--out", "page.gif", "letter.pdf"}, "page 0": {"--out", "no.svg", "--page", "0", "letter.pdf"},
		"page 3": {"--out", "no.svg", "--page", "3", "letter.pdf"}, "no document": {"--out", "no.svg", "pass.txt"}, "no file": {"--out", "no.svg", "none.pdf"},
	} {
		code, _, errs := call(t, dir, append([]string{"preview"}, args...)...)
		if code != exitUsage || !strings.Contains(errs, "提示 / hint: ") {
			t.Errorf("%s: exit %d %s", name, code, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "no.svg")); err == nil {
			t.Errorf("%s: a file is left", name)
		}
	}
}
