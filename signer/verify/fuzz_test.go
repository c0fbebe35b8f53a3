package verify

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// FuzzDocument: foreign bytes never panic, and the words of a report keep the
// laws of design §9 whatever the document is.
func FuzzDocument(f *testing.F) {
	w := newWorld(f)
	f.Add(w.put(w.notice(), false))
	f.Add(w.notice())
	// The corpus, when it is there, gives the shapes of other producers.
	if files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpus", "ofd", "*", "*.ofd")); err == nil {
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil {
				f.Add(b)
			}
		}
	}
	trust := NewTrust(w.root.cert.Raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		rep, err := Document(context.Background(), data, Options{Trust: trust, Limits: ofd.Limits{EntrySize: 1 << 20, XMLSize: 1 << 20}})
		if err != nil {
			return
		}
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
	})
}
