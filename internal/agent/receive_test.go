package agent

import (
	"bytes"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

var document = []byte("样例：加盖电子印章的通知")

// 电子签名法 art. 10-11: what was fetched over mTLS is opened and confirmed by a
// signature over transfer and document.
func TestFetchAndConfirm(t *testing.T) {
	h := newHouse(t)
	a, _ := enrolled(t, h)
	h.envelope = h.sealed(h.exchange, header(document), document, a.encs[0].cert.Raw)
	d, err := a.Fetch(t.Context(), "t-1")
	if err != nil || !bytes.Equal(d.Document, document) || d.Header.Name != "通知.ofd" || h.peers == 0 {
		t.Fatalf("%+v, %v, %d peer certificates", d.Header, err, h.peers)
	}
	got, err := a.Confirm(t.Context(), d)
	if err != nil || got.State != "received" || !sm2.VerifyASN1WithSM2(h.enrolled, nil, wire.ReceiptPayload("t-1", d.Header.Document), h.receipt) {
		t.Errorf("%+v, %v", got, err)
	}
	in, err := a.Inbox(t.Context())
	if err != nil || len(in) != 1 {
		t.Errorf("inbox %v, %v", in, err)
	}
	if ans, err := a.Evaluate(t.Context(), map[string]string{"q": "1"}); err != nil || string(ans) != "{\"decision\":true}" || string(h.question) != `{"q":"1"}` {
		t.Errorf("answer %s to %s, %v", ans, h.question, err)
	}
	if got, err := a.Send(t.Context(), wire.SendRequest{}); err != nil || got.ID != "t-2" {
		t.Errorf("sent %+v, %v", got, err)
	}
}

func TestFetch_Refuses(t *testing.T) {
	h, other := newHouse(t), newHouse(t)
	a, _ := enrolled(t, h)
	enc := a.encs[0].cert.Raw
	change := func(f func(*wire.Header)) wire.Header {
		hd := header(document)
		f(&hd)
		return hd
	}
	code := "11110102MB0000000X"
	// Signers that the same authority certified, and that are not the exchange.
	system := h.sm2(&h.sm2Mid, unitName("civil-b"), smx509.KeyUsageDigitalSignature, []string{"b.internal"}, nil)
	person := h.sm2(&h.sm2Mid, unitName("经办人"), smx509.KeyUsageDigitalSignature, nil, nil)
	hosted := h.sm2(&h.sm2Mid, pkix.Name{CommonName: "x"}, smx509.KeyUsageDigitalSignature, []string{"x.internal"}, nil)
	seal := h.sm2(&h.sm2Mid, pkix.Name{CommonName: "11010200000001", Organization: []string{code + "样例局"}}, smx509.KeyUsageDigitalSignature, nil, nil)
	encipher := h.sm2(&h.sm2Mid, pkix.Name{CommonName: "x"}, smx509.KeyUsageKeyEncipherment, nil, nil)
	good := h.sealed(h.exchange, header(document), document, enc)
	for name, envelope := range map[string][]byte{
		"signed by another house":       h.sealed(other.exchange, header(document), document, enc),
		"signed by another system":      h.sealed(system, header(document), document, enc),
		"signed by a person":            h.sealed(person, header(document), document, enc),
		"signed by a seal":              h.sealed(seal, header(document), document, enc),
		"signed by a host":              h.sealed(hosted, header(document), document, enc),
		"signed by the authority":       h.sealed(h.sm2Mid, header(document), document, enc),
		"signed by an encryption key":   h.sealed(encipher, header(document), document, enc),
		"for another transfer":          h.sealed(h.exchange, change(func(x *wire.Header) { x.Transfer = "t-9" }), document, enc),
		"for another system":            h.sealed(h.exchange, change(func(x *wire.Header) { x.System = "civil-b" }), document, enc),
		"without a label":               h.sealed(h.exchange, change(func(x *wire.Header) { x.Label.Level = 0 }), document, enc),
		"another document":              h.sealed(h.exchange, header([]byte("other")), document, enc),
		"encrypted to somebody else":    h.sealed(h.exchange, header(document), document, h.sm2(&h.sm2Mid, unitName("civil-b"), smx509.KeyUsageKeyEncipherment, nil, nil).der),
		"cut short":                     good[:len(good)-1],
		"no envelope":                   []byte("hello"),
		"nothing":                       nil,
		"the last byte changed":         append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1),
		"a byte in the middle changed":  append(append(bytes.Clone(good[:900]), good[900]^1), good[901:]...),
		"larger than any envelope":      make([]byte, maxEnvelope+1),
		"another envelope in its place": h.sealed(h.exchange, change(func(x *wire.Header) { x.Transfer, x.Document = "t-8", sm3Hex(nil) }), document, enc),
	} {
		h.envelope = envelope
		d, err := a.Fetch(t.Context(), "t-1")
		if d.Document != nil || !errors.Is(err, ErrEnvelope) && !errors.Is(err, ErrServer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.envelope = good
	if _, err := a.Fetch(t.Context(), "../../anchors"); err == nil {
		t.Error("an id that is a path reached another resource")
	}
}
