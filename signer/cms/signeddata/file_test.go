package signeddata_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// around makes an enveloping message the streaming way.
func around(t testing.TB, gm bool, content []byte) []byte {
	t.Helper()
	key, cert := signer(t, gm)
	d, err := signeddata.DigestFor(cert)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, err := signeddata.Around(signeddata.Spec{Digest: d.Of(content), Time: now, CertDER: cert}, int64(len(content)), key)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Join([][]byte{head, content, tail}, nil)
}

func openBytes(b []byte) (*signeddata.File, error) {
	return signeddata.Open(bytes.NewReader(b), int64(len(b)))
}

// judged is what each signer of a file comes to over its content.
func judged(t testing.TB, b, content []byte) []error {
	t.Helper()
	f, err := openBytes(b)
	if err != nil {
		return []error{err}
	}
	var r io.Reader = bytes.NewReader(content)
	if f.Carried {
		r = f.Content()
	}
	sums, size, err := f.Sum(r)
	if err != nil {
		return []error{err}
	}
	if f.Carried && size != f.Size {
		t.Errorf("%d bytes of content, %d announced", size, f.Size)
	}
	var out []error
	for i, s := range f.Signers {
		if s.Err != nil {
			out = append(out, s.Err)
			continue
		}
		out = append(out, s.Verify(sums[i]))
	}
	return out
}

// The streaming writer writes what the one in memory does: lengths are right at
// every border of their form (X.690, 10.1), and the empty file is one too.
func TestAroundEqualsSignX690(t *testing.T) {
	for _, gm := range []bool{true, false} {
		for _, size := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20} {
			content := bytes.Repeat([]byte("印"), size)[:size]
			msg := around(t, gm, content)
			m, err := signeddata.Parse(msg)
			if err != nil || !bytes.Equal(m.Content, content) || m.Content == nil || m.VerifyContent() != nil {
				t.Fatalf("GM %v, %d bytes: %v", gm, size, err)
			}
			if got := judged(t, msg, nil); len(got) != 1 || got[0] != nil {
				t.Errorf("GM %v, %d bytes: %v", gm, size, got)
			}
			head := msg[:min(64, len(msg))]
			if !signeddata.Recognise(head) {
				t.Errorf("not recognised: %x", head)
			}
		}
	}
	if signeddata.Recognise([]byte("PK\x03\x04")) || signeddata.Recognise([]byte{0x30}) || signeddata.Recognise([]byte{0x30, 0x87, 1, 2}) || signeddata.Recognise(nil) {
		t.Error("anything is recognised")
	}
}

// gmsm reads what is written with SM2, and what it writes is read: detached,
// enveloping, with and without signed attributes, by two signers, with the
// signature algorithm of GM/T 0010 and the one that GmSSL writes (GB/T 35275, 8).
func TestGMSMBothWaysGBT35275(t *testing.T) {
	content := []byte("任意文件")
	p7, err := pkcs7.Parse(around(t, true, content))
	if err != nil || p7.Verify() != nil || !bytes.Equal(p7.Content, content) {
		t.Errorf("gmsm refuses: %v", err)
	}
	other := pkcs7.NewSMSignedData
	for name, c := range map[string]struct {
		bare, detach, two, gmssl bool
	}{
		"enveloping": {}, "detached": {detach: true}, "without attributes": {bare: true}, "detached without attributes": {bare: true, detach: true},
		"two signers": {two: true}, "GmSSL": {gmssl: true},
	} {
		sd, err := other(content)
		if err != nil {
			t.Fatal(err)
		}
		if c.gmssl {
			sd.SetEncryptionAlgorithm([]int{1, 2, 156, 10197, 1, 501})
		}
		for range map[bool]int{false: 1, true: 2}[c.two] {
			key, der := signer(t, true)
			cert, err := smx509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if c.bare {
				err = sd.SignWithoutAttr(cert, key, pkcs7.SignerInfoConfig{})
			} else {
				err = sd.AddSigner(cert, key, pkcs7.SignerInfoConfig{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if c.detach {
			sd.Detach()
		}
		msg, err := sd.Finish()
		if err != nil {
			t.Fatal(err)
		}
		got := judged(t, msg, content)
		if len(got) != map[bool]int{false: 1, true: 2}[c.two] {
			t.Errorf("%s: %v", name, got)
		}
		for _, err := range got {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if c.detach {
			if got := judged(t, msg, []byte("别的文件")); !errors.Is(got[0], signeddata.ErrSignature) {
				t.Errorf("%s, other content: %v", name, got)
			}
		}
	}
}

// rawKey signs as one vendor does: r‖s in 64 bytes.
type rawKey struct{ crypto.Signer }

func (k rawKey) Sign(r io.Reader, b []byte, o crypto.SignerOpts) ([]byte, error) {
	der, err := k.Signer.Sign(r, b, o)
	if err != nil {
		return nil, err
	}
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	v.R.FillBytes(out[:32])
	v.S.FillBytes(out[32:])
	return out, nil
}

// A value of 64 bytes r‖s is read and never written (GB/T 35276 wants DER).
func TestRawValueIsReadGBT35276(t *testing.T) {
	key, der := signer(t, true)
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := pkcs7.NewSMSignedData([]byte("x"))
	if err == nil {
		err = sd.AddSigner(cert, rawKey{key}, pkcs7.SignerInfoConfig{})
	}
	if err != nil {
		t.Fatal(err)
	}
	msg, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if got := judged(t, msg, nil); len(got) != 1 || got[0] != nil {
		t.Errorf("%v", got)
	}
	f, err := openBytes(msg)
	if err != nil || len(f.Signers[0].Value) != 64 {
		t.Errorf("the value is not raw: %v", err)
	}
	if _, err := signeddata.Sign(signeddata.Spec{Content: []byte("x"), CertDER: der, Time: now}, rawKey{key}); !errors.Is(err, signeddata.ErrSignature) {
		t.Errorf("written: %v", err)
	}
}

// A signature over attributes is none over a content that reads like them
// (RFC 5652, 5.4; GB/T 35275, 8.1), whatever the size of the content says.
func TestAttributesAreNoContentRFC5652(t *testing.T) {
	key, der := signer(t, true)
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := signeddata.Sign(signeddata.Spec{Content: []byte("x"), CertDER: der, Time: now}, key)
	if err != nil {
		t.Fatal(err)
	}
	m, err := signeddata.Parse(msg)
	if err != nil {
		t.Fatal(err)
	}
	set, err := m.SignedAttributes()
	if err != nil {
		t.Fatal(err)
	}
	sd, err := pkcs7.NewSMSignedData(set)
	if err == nil {
		err = sd.SignWithoutAttr(cert, key, pkcs7.SignerInfoConfig{})
	}
	if err != nil {
		t.Fatal(err)
	}
	forged, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if got := judged(t, forged, nil); !errors.Is(got[0], signeddata.ErrUnsupported) {
		t.Errorf("%v", got)
	}
	if _, err := signeddata.Sign(signeddata.Spec{Content: set, CertDER: der, Direct: true}, key); !errors.Is(err, signeddata.ErrUnsupported) {
		t.Errorf("signed: %v", err)
	}
}

// A signer of an algorithm that is not read stands beside one that is judged.
func TestSignersApartRFC5652(t *testing.T) {
	key, der := signer(t, true)
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := pkcs7.NewSMSignedData([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sd.AddSigner(cert, key, pkcs7.SignerInfoConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	msg, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	sm3 := []byte{6, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11}
	at := bytes.LastIndex(msg, sm3)
	msg[at+9] ^= 0x40
	got := judged(t, msg, nil)
	if len(got) != 2 || got[0] != nil == (got[1] != nil) || !errors.Is(errors.Join(got...), signeddata.ErrUnsupported) {
		t.Errorf("%v", got)
	}
	if _, err := signeddata.Parse(msg); !errors.Is(err, signeddata.ErrUnsupported) {
		t.Errorf("in memory: %v", err)
	}
}

func TestAroundRefuses(t *testing.T) {
	key, cert := signer(t, true)
	digest := make([]byte, 32)
	for name, spec := range map[string]signeddata.Spec{
		"content": {Content: []byte("x"), CertDER: cert}, "direct": {Direct: true, CertDER: cert},
	} {
		if _, _, err := signeddata.Around(spec, 1, key); !errors.Is(err, signeddata.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := signeddata.Around(signeddata.Spec{Digest: digest, CertDER: cert}, -1, key); !errors.Is(err, signeddata.ErrFormat) {
		t.Errorf("no size: %v", err)
	}
	// A key that signs something else is found before anything leaves the room.
	if _, _, err := signeddata.Around(signeddata.Spec{Digest: digest, CertDER: cert}, 1, liar{key}); !errors.Is(err, signeddata.ErrSignature) {
		t.Errorf("lying key: %v", err)
	}
}

type liar struct{ crypto.Signer }

func (l liar) Sign(r io.Reader, b []byte, o crypto.SignerOpts) ([]byte, error) {
	return l.Signer.Sign(r, append(bytes.Clone(b), 1), o)
}

func FuzzOpen(f *testing.F) {
	content := []byte("content")
	for _, gm := range []bool{true, false} {
		msg, _, _ := sign(f, gm, content)
		f.Add(msg)
		f.Add(around(f, gm, content))
	}
	f.Add([]byte("-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n"))
	f.Add([]byte{0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 0x80, 0x30, 0x80, 2, 1, 1, 0x31, 0, 0x30, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := openBytes(b)
		if err != nil {
			return
		}
		var r io.Reader = strings.NewReader("content")
		if file.Carried {
			r = file.Content()
		}
		sums, size, err := file.Sum(r)
		if err != nil || file.Carried && size != file.Size {
			t.Fatalf("%d bytes, %d announced: %v", size, file.Size, err)
		}
		for i, s := range file.Signers {
			if s.Err == nil {
				_ = s.Verify(sums[i]) // must not panic
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	key, cert := signer(b, true)
	digest := make([]byte, 32)
	b.Run("raw SM2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := key.Sign(rand.Reader, digest, sm2.DefaultSM2SignerOpts); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("detached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := signeddata.Sign(signeddata.Spec{Digest: digest, Time: now, CertDER: cert}, key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
