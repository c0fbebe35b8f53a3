package verify

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// TestCMSMutants flips regions of detached and enveloping messages of both
// tracks, with a time-stamp in half of them: 400 in a normal run, 12,000 with
// YINXIN_SOAK=1. A mutant that is still valid and intact says and signs the same
// by the same; nothing but this list may differ, which nothing signs and nobody
// reads (RFC 5652, 5.1 and 5.3): the version and the digest algorithms of
// SignedData (they announce what stands again with each signer), absent and NULL
// parameters of an algorithm, certificates that no chain needed, and an unsigned
// attribute: a time-stamp that is lost leaves a claimed time, and says so. The
// token inside has the same list.
func TestCMSMutants(t *testing.T) {
	n := 400
	if os.Getenv("YINXIN_SOAK") != "" {
		n = 12_000
	}
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	content := bytes.Repeat([]byte("内容"), 100)
	type base struct {
		data, content []byte
		trust         *Trust
		trusted       string
	}
	var bases []base
	for _, by := range []agent{w.gm(), w.ec(nil)} {
		for _, detached := range []bool{true, false} {
			for _, stamped := range []bool{true, false} {
				b := base{trust: NewTrust(by.chain, w.root.cert.Raw)}
				b.data = w.file(by, content, detached, func(s *signeddata.Spec) {
					if stamped {
						s.Stamp = w.stamping(service, signed.Add(time.Minute))
					}
				})
				if detached {
					b.content = content
				}
				rep, err := judgeFile(b.data, b.content, b.trust)
				if err != nil || rep.Verdict != Valid {
					t.Fatalf("%v\n%s", err, dump(rep))
				}
				b.trusted = rep.Signatures[0].TrustedTime
				bases = append(bases, b)
			}
		}
	}
	r := rand.New(rand.NewPCG(35275, 5652))
	refused, harmless := 0, 0
	for i := range n {
		b := bases[i%len(bases)]
		mutant := bytes.Clone(b.data)
		at, k := region(r, mutant)
		if bytes.Equal(mutant, b.data) {
			continue
		}
		rep, err := judgeFile(mutant, b.content, b.trust)
		if err != nil || rep.Verdict != Valid {
			if err == nil && rep.Integrity == Unsigned {
				t.Errorf("bytes %d+%d: the signature is lost", at, k)
			}
			refused++
			continue
		}
		harmless++
		bad := sameMessage(b.data, mutant)
		if s := rep.Signatures[0]; s.TrustedTime != b.trusted && !(s.TrustedTime == "" && warned(rep, WarnClaimedTime)) {
			bad = "the trusted time"
		}
		if bad != "" {
			t.Errorf("bytes %d+%d: still valid, but %s differs\n%s", at, k, bad, dump(rep))
		}
	}
	t.Logf("%d refused, %d without meaning", refused, harmless)
	if refused < n*8/10 {
		t.Errorf("only %d of %d mutants were refused", refused, n)
	}
}

// sameMessage says what differs between two messages with one signer.
func sameMessage(a, b []byte) string {
	x, err := signeddata.Open(bytes.NewReader(a), int64(len(a)))
	y, err2 := signeddata.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil || err2 != nil || len(y.Signers) != 1 {
		return "the number of signers"
	}
	m, n := x.Signers[0], y.Signers[0]
	as, err := m.SignedAttributes()
	bs, err2 := n.SignedAttributes()
	ac, err3 := io.ReadAll(x.Content())
	bc, err4 := io.ReadAll(y.Content())
	switch {
	case errors.Join(err, err2, err3, err4) != nil, x.GM != y.GM, x.Carried != y.Carried, !x.Type.Equal(y.Type):
		return "the frame"
	case !bytes.Equal(ac, bc):
		return "the content"
	case !bytes.Equal(as, bs):
		return "what is signed"
	case !bytes.Equal(m.CertDER, n.CertDER), !bytes.Equal(m.Value, n.Value):
		return "the signer"
	}
	return ""
}
