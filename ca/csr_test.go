package ca_test

import (
	"crypto/rand"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca"
)

func TestCSRChecks(t *testing.T) {
	key := sm2Key(t)
	good := csr(t, key, host)
	if got, err := ca.ParseCSR(good); err != nil || !key.PublicKey.Equal(got.PublicKey) {
		t.Fatal(err)
	}
	p256, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{}, p256Key(t))
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, good...)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		der  []byte
		says string
	}{
		"flipped signature byte":         {flipped, "signature"},
		"P-256 key":                      {p256, "SM2 curve"},
		"explicit parameters (RFC 5480)": {explicitCSR(t, key), "not named"},
		"bytes behind it":                {append(append([]byte{}, good...), 0), ""},
		"cut off":                        {good[:len(good)-9], ""},
		"empty":                          {nil, "size"},
		"larger than a request can be":   {make([]byte, 17<<10), "size"},
		"PEM instead of DER":             {[]byte("-----BEGIN CERTIFICATE REQUEST-----\n"), ""},
		"key of another, own signature":  {stolen(t, good, sm2Key(t)), "signature"},
	} {
		if _, err := ca.ParseCSR(c.der); !errors.Is(err, ca.ErrCSR) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func FuzzParseCSR(f *testing.F) {
	good := csr(f, sm2Key(f), host)
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte{0x30, 0x82, 1})
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := ca.ParseCSR(der)
		if err == nil {
			if got.CheckSignature() != nil {
				t.Error("accepted without a signature that verifies")
			}
		} else if !errors.Is(err, ca.ErrCSR) {
			t.Errorf("err = %v", err)
		}
	})
}

// explicitCSR writes the SM2 curve out in numbers; the signature is right.
func explicitCSR(t testing.TB, key *sm2.PrivateKey) []byte {
	params := sm2.P256().Params()
	a := new(big.Int).Sub(params.P, big.NewInt(3))
	octets := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }
	point := func(x, y *big.Int) []byte { return append(append([]byte{4}, octets(x)...), octets(y)...) }
	return signedCSR(t, key, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // algorithm
			b.AddASN1ObjectIdentifier([]int{1, 2, 840, 10045, 2, 1})
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier([]int{1, 2, 840, 10045, 1, 1})
					b.AddASN1BigInt(params.P)
				})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(octets(a))
					b.AddASN1OctetString(octets(params.B))
				})
				b.AddASN1OctetString(point(params.Gx, params.Gy))
				b.AddASN1BigInt(params.N)
				b.AddASN1Int64(1)
			})
		})
		b.AddASN1BitString(point(key.X, key.Y))
	})
}

func signedCSR(t testing.TB, key *sm2.PrivateKey, spki func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var info cryptobyte.Builder
	info.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
		b.AddASN1(cbasn1.SEQUENCE, spki)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(*cryptobyte.Builder) {})
	})
	return wrapCSR(t, key, info.BytesOrPanic())
}

func wrapCSR(t testing.TB, key *sm2.PrivateKey, info []byte) []byte {
	t.Helper()
	signature, err := key.SignWithSM2(rand.Reader, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(info)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier([]int{1, 2, 156, 10197, 1, 501}) })
		b.AddASN1BitString(signature)
	})
	return b.BytesOrPanic()
}

// stolen is somebody's request, signed by another key.
func stolen(t *testing.T, der []byte, key *sm2.PrivateKey) []byte {
	t.Helper()
	in := cryptobyte.String(der)
	var outer, info cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Element(&info, cbasn1.SEQUENCE) {
		t.Fatal("not a request")
	}
	return wrapCSR(t, key, info)
}
