package verify

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// FuzzDocument: foreign bytes never panic, and the words of a report keep the
// laws of design §9 whatever the document is.
func FuzzDocument(f *testing.F) {
	w := newWorld(f)
	f.Add(w.put(w.notice(), false))
	f.Add(w.notice())
	sealed := w.sealPDF(pdftest.Letter(pdftest.Options{}), nil, nil)
	f.Add(sealed)
	f.Add(w.signPDF(sealed, w.signerEC()))
	// The corpus, when it is there, gives the shapes of other producers.
	if corpus := ofdtest.Find(f); corpus != "" {
		files, err := filepath.Glob(filepath.Join(corpus, "*", "*.ofd"))
		w.must(err)
		for _, name := range files {
			b, err := os.ReadFile(name)
			w.must(err)
			f.Add(b)
		}
	}
	trust := NewTrust(w.root.cert.Raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		rep, err := Document(context.Background(), data, Options{Trust: trust, Limits: ofd.Limits{EntrySize: 1 << 20, XMLSize: 1 << 20}})
		if err != nil {
			return
		}
		laws(t, rep)
	})
}

// laws are those that hold for every report.
func laws(t *testing.T, rep Report) {
	t.Helper()
	if rep.Verdict == Valid && rep.Integrity != Intact {
		t.Fatal("valid without being intact", dump(rep))
	}
	if rep.Integrity == Altered && rep.Verdict != Invalid {
		t.Fatal("altered and not invalid", dump(rep))
	}
	for _, s := range rep.Signatures {
		if rep.Verdict == Valid && s.Verdict != Valid {
			t.Fatal("valid with a signature that is not", dump(rep))
		}
		for _, c := range s.Checks {
			if s.Verdict == Valid && c.Result == Fail {
				t.Fatal("valid with a failed check", dump(rep))
			}
		}
	}
}

// FuzzEntry puts other bytes into one file of a sealed package, with a right
// checksum: the fuzzer gets behind the container, and the law is that of
// TestMutants.
func FuzzEntry(f *testing.F) {
	w := newWorld(f)
	base := w.entries(w.put(w.put(w.notice(), false), false), nil, message{})
	files := unzip(f, base)
	for i := range files {
		f.Add(uint8(i), files[i].body)
	}
	f.Add(uint8(5), message{w: w}.value([]byte("x")))
	f.Fuzz(func(t *testing.T, at uint8, body []byte) {
		w := *w
		w.tb = t
		changed := append([]zfile{}, files...)
		i := int(at) % len(files)
		changed[i].body = body
		mutant := rezip(t, changed)
		rep, err := w.try(mutant)
		if err != nil {
			return
		}
		laws(t, rep)
		if rep.Verdict == Valid && !bytes.Equal(body, files[i].body) {
			if _, bad := unmeaning(t, &w, base, mutant, true); bad != "" {
				t.Fatal("still valid, but "+bad, dump(rep))
			}
		}
	})
}

// FuzzCertificate: both readers of certificates, the strict and the lenient one,
// end without a panic, and agree about what both can read.
func FuzzCertificate(f *testing.F) {
	w := newWorld(f)
	f.Add(w.signer.cert.Raw)
	f.Add(w.root.cert.Raw)
	f.Add(gbkCert(w))
	f.Add(gbkName(w, 20))
	f.Add(w.signerEC().cert)
	trust := NewTrust(w.root.cert.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := readCertificate(der)
		if err != nil {
			return
		}
		if !utf8.ValidString(c.subject) {
			t.Fatalf("subject %q", c.subject)
		}
		if path, _ := c.chains(trust, signed); path != nil && c.full == nil {
			t.Fatal("a certificate that does not parse has a chain")
		}
		key, err := seal.PublicKey(der)
		if err == nil && c.full != nil && !key.Equal(c.full.PublicKey) {
			t.Fatal("two keys of one certificate")
		}
	})
}

// FuzzSeal: a seal by itself.
func FuzzSeal(f *testing.F) {
	w := newWorld(f)
	f.Add(w.seal)
	e, _ := newVendor(w).asV1().build(nil)
	f.Add(e)
	f.Fuzz(func(t *testing.T, der []byte) {
		rep, err := Seal(context.Background(), der, Options{Trust: NewTrust(w.root.cert.Raw), Now: w.clock})
		if err != nil {
			return
		}
		laws(t, rep)
		if rep.Verdict == Valid && !bytes.Equal(der, w.seal) && !bytes.Equal(der, e) {
			was, err := seal.ParseSeal(der)
			w.must(err)
			if len(was.Warnings) == 0 {
				t.Fatal("another seal is valid", dump(rep))
			}
		}
	})
}
