package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
)

// 电子签名法 art. 3: an excluded kind of document is denied before anything is read,
// with its clause; nothing is written.
func TestSignExcludedType(t *testing.T) {
	dir := desk(t)
	if err := os.WriteFile(filepath.Join(dir, "letter.pdf"), pdftest.Letter(pdftest.Options{Style: pdftest.Stream, Pages: 1}), 0o600); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]int{"离婚协议": exitInvalid, "gas_stop": exitInvalid, strings.Repeat("长", 30): exitUsage, "通知": exitOK} {
		code, _, errs := call(t, dir, "sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", "out.pdf", "--type", kind, "letter.pdf")
		if code != want {
			t.Errorf("%s: exit %d\n%s", kind, code, errs)
		}
		_, err := os.Stat(filepath.Join(dir, "out.pdf"))
		if (err == nil) != (want == exitOK) {
			t.Errorf("%s: out.pdf: %v", kind, err)
		}
		if want == exitInvalid && (!strings.Contains(errs, "art. 3") || !strings.Contains(errs, "提示 / hint: ")) {
			t.Errorf("%s: %s", kind, errs)
		}
		if want == exitOK {
			if err := os.Remove(filepath.Join(dir, "out.pdf")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
