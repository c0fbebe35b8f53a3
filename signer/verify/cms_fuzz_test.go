package verify

import (
	"bytes"
	"context"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// FuzzCMSFile: foreign messages never panic, detached or not, and the words of a
// report keep the laws of design §9.
func FuzzCMSFile(f *testing.F) {
	w := newWorld(f)
	content := []byte("content")
	service := w.issue(&w.root, stamping)
	for _, by := range []agent{w.gm(), w.ec(nil)} {
		for _, detached := range []bool{true, false} {
			f.Add(w.file(by, content, detached, nil))
			f.Add(w.file(by, content, detached, func(s *signeddata.Spec) { s.Stamp = w.stamping(service, signed) }))
		}
	}
	trust := NewTrust(w.root.cert.Raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, opt := range []Options{{Trust: trust}, {Trust: trust, Content: bytes.NewReader(content), ContentSize: int64(len(content))}} {
			rep, err := Document(context.Background(), data, opt)
			if err != nil {
				continue
			}
			if rep.Verdict == Valid && (rep.Integrity != Intact || len(rep.Signatures) == 0) || rep.Integrity == Altered && rep.Verdict != Invalid {
				t.Fatal(dump(rep))
			}
			for _, s := range rep.Signatures {
				if rep.Verdict == Valid && s.Verdict != Valid {
					t.Fatal("valid with a signature that is not", dump(rep))
				}
			}
		}
	})
}
