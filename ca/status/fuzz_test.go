package status_test

import (
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// FuzzAnswer: whatever comes in, one well-formed response goes out, of a status
// that RFC 6960 has; and it is signed only when it answers.
func FuzzAnswer(f *testing.F) {
	h := statustest.New(f, catest.New())
	s, a := h.Service(), h.Authorities[profile.ECDSAIssuing]
	id := withSM3(a.Cert, big.NewInt(4711))
	f.Add(requestOf(nil, id))
	f.Add(requestOf([]extension{nonce(16)}, id, id))
	f.Add(requestOf([]extension{{OID: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}, id))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		out := s.Answer(bg, der)
		switch got := statusOf(t, out); got {
		case 0:
			openResponse(t, out, a.Cert)
		case 1, 6:
			if len(out) != 5 {
				t.Errorf("refusal of %d bytes", len(out))
			}
		default:
			t.Errorf("status %d", got)
		}
	})
}
