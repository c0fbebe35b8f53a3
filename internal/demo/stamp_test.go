package demo

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// What the house seals, OFD or PDF, carries a time-stamp of its own service, and
// whoever has the anchors sees a trusted time (GB/T 38540-2020, 7.3; GM/T
// 0112-2021, 7.7).
func TestSealsCarryATrustedTime(t *testing.T) {
	d := demo(t)
	trust, err := verify.ReadTrust(filepath.Join(d.dir, "out", "anchors"))
	ok(t, err)
	sample, err := os.ReadFile(filepath.Join(d.dir, d.Manifest.Samples.Sealed))
	ok(t, err)
	w := *d.walk
	w.tell = teller{out: &told{}, words: w.cfg.Words}
	letter, err := w.useSeal(bg, w.agencies[provider], pdftest.Letter(pdftest.Options{}), "letter.pdf")
	ok(t, err)
	for name, doc := range map[string][]byte{"the sample": sample, "a PDF": letter} {
		rep, err := verify.Document(bg, doc, verify.Options{Trust: trust})
		ok(t, err)
		if rep.Verdict != verify.Valid || rep.Signatures[0].TrustedTime == "" {
			t.Errorf("%s: %s, trusted time %q", name, rep.Verdict, rep.Signatures[0].TrustedTime)
		}
		if slices.ContainsFunc(rep.Warnings, func(w verify.Warning) bool { return w.Code == verify.WarnClaimedTime }) {
			t.Errorf("%s: the time is said to be a claim", name)
		}
	}
}
