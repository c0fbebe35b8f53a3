package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms"
)

// What is written in both forms is taken apart again, and another reader of GB/T
// 35275 accepts it.
func TestParseTellsTheForms(t *testing.T) {
	h := newHolder(t, 7, signing)
	pub := h.key.Public().(*ecdsa.PublicKey)
	at := time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)
	content := []byte("签名描述文件")
	sum := sm3.Sum(content)
	b, err := cms.SignDetached(content, at, h.key, h.cert)
	if err != nil {
		t.Fatal(err)
	}
	a, err := cms.SignContent(sum[:], h.key, h.cert)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cms.Parse(b)
	if err != nil || m.Content != nil || !bytes.Equal(m.CertDER, h.cert) || !m.SigningTime.Equal(at) || !bytes.Equal(m.Digest, sum[:]) || m.Attributes == nil {
		t.Fatalf("form b: %+v %v", m, err)
	}
	if err := m.Verify(pub, content); err != nil {
		t.Error(err)
	}
	if err := m.Verify(pub, append(content, '\n')); !errors.Is(err, cms.ErrSignature) {
		t.Errorf("form b over other content: %v", err)
	}
	m, err = cms.Parse(a)
	if err != nil || !bytes.Equal(m.Content, sum[:]) || m.Digest != nil || m.Attributes != nil || !m.SigningTime.IsZero() || m.RawValue {
		t.Fatalf("form a: %+v %v", m, err)
	}
	if err := m.Verify(pub, m.Content); err != nil {
		t.Error(err)
	}
	p7, err := pkcs7.Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := p7.Verify(); err != nil || !bytes.Equal(p7.Content, sum[:]) {
		t.Errorf("another reader refuses form a: %v", err)
	}
}

// A signature over attributes is never one over content, whoever asks.
func TestSignContentRefuses(t *testing.T) {
	h, other := newHolder(t, 8, signing), newHolder(t, 9, signing)
	attributes := []byte{0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x31, 0x01, 0x00}
	for name, c := range map[string]struct {
		content []byte
		key     crypto.Signer
		want    error
	}{
		"empty": {nil, h.key, cms.ErrEmpty}, "attributes": {attributes, h.key, cms.ErrUnsupported},
		"a whole document": {make([]byte, 1<<20), h.key, cms.ErrUnsupported}, "key of another": {[]byte("x"), other.key, cms.ErrCertificate},
	} {
		if der, err := cms.SignContent(c.content, c.key, h.cert); !errors.Is(err, c.want) || der != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := cms.Message{Value: []byte{1}}
	if _, err := m.Signed(attributes); !errors.Is(err, cms.ErrUnsupported) {
		t.Error(err)
	}
}

// Foreign bytes never panic, and what verifies by the strict reader is read alike
// by the lenient one.
func FuzzParseMessage(f *testing.F) {
	h := newHolder(f, 10, signing)
	content := []byte("content")
	b, err := cms.SignDetached(content, time.Now(), h.key, h.cert)
	if err != nil {
		f.Fatal(err)
	}
	a, err := cms.SignContent(content, h.key, h.cert)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a)
	f.Add(b)
	f.Fuzz(func(t *testing.T, der []byte) {
		m, err := cms.Parse(der)
		strict, strictErr := cms.VerifyDetached(der, content)
		if err != nil {
			if !errors.Is(err, cms.ErrFormat) && !errors.Is(err, cms.ErrUnsupported) {
				t.Errorf("error without sentinel: %v", err)
			}
			if strictErr == nil {
				t.Errorf("verifies but does not parse: %v", err)
			}
			return
		}
		if strictErr == nil && !bytes.Equal(strict.CertDER, m.CertDER) {
			t.Error("two readers, two signers")
		}
	})
}
