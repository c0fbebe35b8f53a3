package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// The exit codes of design §9 hold for PDF as for OFD.
func TestSignThenVerifyPDF(t *testing.T) {
	dir := desk(t)
	letter := pdftest.Letter(pdftest.Options{Style: pdftest.Stream, Pages: 2})
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("letter.pdf", letter)
	sign := func(in, out string, more ...string) (int, string) {
		args := []string{"sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", out}
		code, text, errs := call(t, dir, append(append(args, more...), in)...)
		return code, text + errs
	}
	for _, c := range [][]string{
		{"letter.pdf", "once.pdf"}, {"once.pdf", "twice.pdf", "--page", "1", "--x", "20", "--y", "30"},
		{"letter.pdf", "named.pdf", "--pdf-filter", "Gomain.GMPkiLite", "--pdf-subfilter", "GM.SM2"},
	} {
		if code, text := sign(c[0], c[1], c[2:]...); code != exitOK {
			t.Fatalf("%v: exit %d %s", c, code, text)
		}
		if code, text, errs := call(t, dir, "verify", "--trust", "trust", c[1]); code != exitOK {
			t.Errorf("%v: verify exits %d\n%s%s", c, code, text, errs)
		}
	}
	sealed, err := os.ReadFile(filepath.Join(dir, "twice.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	write("changed.pdf", bytes.Replace(sealed, []byte("(Letter, page 1)"), []byte("(Lottery page 1)"), 1))
	write("more.pdf", append(bytes.Clone(sealed), "\nmore"...))
	for name, want := range map[string]struct {
		code      int
		integrity verify.Integrity
	}{
		"letter.pdf": {exitUnsigned, verify.Unsigned}, "changed.pdf": {exitInvalid, verify.Altered}, "more.pdf": {exitIndeterminate, verify.Partial},
	} {
		code, text, errs := call(t, dir, "verify", "--json", "--trust", "trust", name)
		var rep verify.Report
		if err := json.Unmarshal([]byte(text), &rep); err != nil || code != want.code || rep.Integrity != want.integrity || rep.Format != "pdf" {
			t.Errorf("%s: exit %d %v\n%s%s", name, code, err, text, errs)
		}
	}
	if code, text, _ := call(t, dir, "verify", "once.pdf"); code != exitIndeterminate || !strings.Contains(text, "Seal1") || strings.Contains(text, "verify.") {
		t.Errorf("no anchors: exit %d\n%s", code, text)
	}
	for name, c := range map[string][]string{
		"whole": {"letter.pdf", "no.pdf", "--whole"}, "no such page": {"letter.pdf", "no.pdf", "--page", "3"},
		"off the page": {"letter.pdf", "no.pdf", "--x", "300", "--y", "10"}, "altered": {"changed.pdf", "no.pdf"},
	} {
		code, text := sign(c[0], c[1], c[2:]...)
		if code != exitUsage || !strings.Contains(text, "提示 / hint: ") {
			t.Errorf("%s: exit %d %s", name, code, text)
		}
		if _, err := os.Stat(filepath.Join(dir, "no.pdf")); err == nil {
			t.Errorf("%s: a file is left", name)
		}
	}
}
