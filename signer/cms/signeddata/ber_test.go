package signeddata_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// BER of streaming writers (X.690, 8.1.3.6 and 8.7): indefinite lengths around the
// content, which stands in pieces. All else stays DER.
func TestOpenBERX690(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1000)
	der := around(t, false, content)
	tail := der[bytes.Index(der, content)+len(content):]
	var certs, rest cryptobyte.String = nil, tail
	if !rest.ReadASN1(&certs, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		t.Fatal("no certificates")
	}
	pieces := func(n int) []byte {
		var out []byte
		for rest := content; len(rest) > 0; {
			k := min(n, len(rest))
			out = append(out, tlv(4, rest[:k])...)
			rest = rest[k:]
		}
		return out
	}
	indefinite := func(tag byte, body ...[]byte) []byte {
		return append(append([]byte{tag, 0x80}, bytes.Join(body, nil)...), 0, 0)
	}
	oid := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	data := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}
	version := append([]byte{2, 1, 1}, tlv(0x31, tlv(0x30, []byte{6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}))...)
	build := func(inner []byte) []byte {
		return indefinite(0x30, oid, indefinite(0xa0, indefinite(0x30, version, indefinite(0x30, data, inner), tail)))
	}
	for name, msg := range map[string][]byte{
		"as OpenSSL":     build(indefinite(0xa0, indefinite(0x24, pieces(4096)))),
		"small pieces":   build(indefinite(0xa0, indefinite(0x24, pieces(1)))),
		"empty pieces":   build(indefinite(0xa0, indefinite(0x24, tlv(4, nil), pieces(777), tlv(4, nil)))),
		"definite whole": build(indefinite(0xa0, tlv(0x24, pieces(1000)))),
		"one string":     build(tlv(0xa0, tlv(4, content))),
		"certificates": indefinite(0x30, oid, indefinite(0xa0, indefinite(0x30, version, indefinite(0x30, data, tlv(0xa0, tlv(4, content))),
			indefinite(0xa0, certs), tail[len(tail)-len(rest):]))),
	} {
		if got := judged(t, msg, nil); len(got) != 1 || got[0] != nil {
			t.Errorf("%s: %v", name, got)
		}
		if _, err := signeddata.Parse(msg); !errors.Is(err, signeddata.ErrFormat) {
			t.Errorf("%s in memory: %v", name, err)
		}
		f, err := openBytes(msg)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(f.Content()); err != nil || !bytes.Equal(b, content) {
			t.Errorf("%s: content: %v", name, err)
		}
		for _, kind := range []string{"CMS", "PKCS7"} {
			text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: msg})
			if got := judged(t, text, nil); len(got) != 1 || got[0] != nil {
				t.Errorf("%s in PEM: %v", name, got)
			}
		}
	}
	for name, msg := range map[string][]byte{
		"nested pieces":    build(indefinite(0xa0, indefinite(0x24, indefinite(0x24, pieces(100))))),
		"other tag":        build(indefinite(0xa0, indefinite(0x24, tlv(3, content)))),
		"no end":           indefinite(0x30, oid, indefinite(0xa0, indefinite(0x30, version, indefinite(0x30, data))[:20])),
		"bytes behind":     append(bytes.Clone(der), 0),
		"cut":              der[:len(der)-1],
		"empty":            {},
		"one byte":         {0x30},
		"primitive open":   build(indefinite(0xa0, append([]byte{4, 0x80}, content...))),
		"long length":      append([]byte{0x30, 0x88, 1}, der...),
		"padded length":    append([]byte{0x30, 0x84, 0, 0, byte((len(der) - 4) >> 8), byte(len(der) - 4)}, der[4:]...),
		"PEM and more":     append(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der}), "more"...),
		"PEM of a key":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"lies of its size": append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, der[4:]...),
	} {
		if f, err := openBytes(msg); !errors.Is(err, signeddata.ErrFormat) {
			t.Errorf("%s: %+v %v", name, f, err)
		}
	}
	// A content that is a structure of its own (RFC 2315, 7) is not malformed.
	other := append(bytes.Clone(data[:10]), 9)
	signedStructure := indefinite(0x30, oid, indefinite(0xa0, indefinite(0x30, version, indefinite(0x30, other, tlv(0xa0, tlv(0x30, content))), tail)))
	if _, err := openBytes(signedStructure); !errors.Is(err, signeddata.ErrUnsupported) {
		t.Errorf("structure: %v", err)
	}
}

func tlv(tag byte, body []byte) []byte {
	out := []byte{tag}
	switch n := len(body); {
	case n < 128:
		out = append(out, byte(n))
	case n < 256:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	if len(body) > 65535 {
		panic("tlv")
	}
	return append(out, body...)
}
