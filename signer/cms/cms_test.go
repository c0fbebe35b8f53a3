package cms_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
)

type holder struct {
	key  *sm2.PrivateKey
	cert []byte
}

func newHolder(t testing.TB, serial int64, usage smx509.KeyUsage) holder {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "样例"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: usage,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return holder{key, der}
}

const (
	signing    = smx509.KeyUsageDigitalSignature
	encryption = smx509.KeyUsageKeyEncipherment
)

// Exactly one recipient opens it.
func TestOnlyTheRecipientDecrypts(t *testing.T) {
	holders := make([]holder, 4)
	for i := range holders {
		holders[i] = newHolder(t, int64(100+i), encryption)
	}
	content := []byte("公文内容")
	for i, to := range holders {
		der, err := cms.Encrypt(content, to.cert)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(der, content) {
			t.Fatal("content stands in clear")
		}
		for j, h := range holders {
			got, err := cms.Decrypt(der, h.cert, h.key)
			if i == j && (err != nil || !bytes.Equal(got, content)) {
				t.Errorf("recipient cannot open: %v", err)
			}
			if i != j && (!errors.Is(err, cms.ErrRecipient) || got != nil) {
				t.Errorf("%d opens what is for %d: %v", j, i, err)
			}
			if i != j { // the right certificate does not help without its key
				if got, err := cms.Decrypt(der, to.cert, h.key); !errors.Is(err, cms.ErrDecrypt) || got != nil {
					t.Errorf("%d opens with its own key: %v", j, err)
				}
			}
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	signer := newHolder(t, 1, signing)
	if _, err := cms.Encrypt([]byte("x"), signer.cert); !errors.Is(err, cms.ErrCertificate) {
		t.Errorf("signing certificate: %v", err)
	}
	if _, err := cms.Encrypt([]byte("x"), []byte("x")); !errors.Is(err, cms.ErrCertificate) {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := cms.Encrypt(nil, newHolder(t, 2, encryption).cert); !errors.Is(err, cms.ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
}

// Content encryption without authentication is refused, and so are two recipients.
func TestDecryptRefusesOtherForms(t *testing.T) {
	a, b := newHolder(t, 1, encryption), newHolder(t, 2, encryption)
	certA, _ := smx509.ParseCertificate(a.cert)
	certB, _ := smx509.ParseCertificate(b.cert)
	cbc, err := pkcs7.EncryptSM(pkcs.SM4CBC, []byte("x"), []*smx509.Certificate{certA})
	if err != nil {
		t.Fatal(err)
	}
	two, err := pkcs7.EncryptSM(pkcs.SM4GCM, []byte("x"), []*smx509.Certificate{certA, certB})
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"SM4-CBC": cbc, "two recipients": two} {
		if got, err := cms.Decrypt(der, a.cert, a.key); !errors.Is(err, cms.ErrUnsupported) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDetachedRoundTripAndInterop(t *testing.T) {
	h := newHolder(t, 7, signing)
	content := []byte("<Signature/>")
	at := time.Now().Add(-time.Minute)
	der, err := cms.SignDetached(content, at, h.key, h.cert)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cms.VerifyDetached(der, content)
	if err != nil || !bytes.Equal(s.CertDER, h.cert) || !s.SigningTime.Equal(at.Truncate(time.Second)) || s.Content != nil {
		t.Fatalf("%v %v", s.SigningTime, err)
	}
	// An independent reader agrees.
	p7, err := pkcs7.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	p7.Content = content
	if err := p7.Verify(); err != nil {
		t.Errorf("the library refuses ours: %v", err)
	}
	// And we agree with an independent writer, with and without attributes.
	cert, _ := smx509.ParseCertificate(h.cert)
	for _, attributes := range []bool{true, false} {
		sd, err := pkcs7.NewSMSignedData(content)
		if err != nil {
			t.Fatal(err)
		}
		if attributes {
			err = sd.AddSigner(cert, h.key, pkcs7.SignerInfoConfig{})
		} else {
			err = sd.SignWithoutAttr(cert, h.key, pkcs7.SignerInfoConfig{})
		}
		if err != nil {
			t.Fatal(err)
		}
		sd.Detach()
		theirs, err := sd.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cms.VerifyDetached(theirs, content); err != nil {
			t.Errorf("attributes %t: %v", attributes, err)
		}
	}
}

// GB/T 35275 form (a), as ofdrw writes it: the content is SM3(Signature.xml).
func TestVerifyCorpusFormA(t *testing.T) {
	z, err := zip.OpenReader(filepath.Join(ofdtest.Corpus(t), "made", "sign35275_continue.ofd"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	part := func(name string) []byte {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sum := sm3.Sum(part("Doc_0/Signs/Sign_0/Signature.xml"))
	value := part("Doc_0/Signs/Sign_0/SignedValue.dat")
	if _, err := cms.VerifyDetached(value, sum[:]); err != nil {
		t.Error(err)
	}
	sum[0] ^= 1
	if _, err := cms.VerifyDetached(value, sum[:]); !errors.Is(err, cms.ErrSignature) {
		t.Errorf("another digest: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	h, other := newHolder(t, 1, signing), newHolder(t, 2, signing)
	for _, tc := range []struct {
		name    string
		content []byte
		with    holder
		cert    []byte
		want    error
	}{
		{"empty", nil, h, h.cert, cms.ErrEmpty},
		{"key of another", []byte("x"), other, h.cert, cms.ErrCertificate},
		{"no certificate", []byte("x"), h, []byte("x"), cms.ErrCertificate},
	} {
		if der, err := cms.SignDetached(tc.content, time.Time{}, tc.with.key, tc.cert); !errors.Is(err, tc.want) || der != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// A signature over attributes is not one over content that has their bytes.
func TestAttributesAreNotContent(t *testing.T) {
	h := newHolder(t, 1, signing)
	cert, _ := smx509.ParseCertificate(h.cert)
	set := []byte{0x31, 0x06, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03}
	sd, err := pkcs7.NewSMSignedData(set)
	if err != nil {
		t.Fatal(err)
	}
	if err := sd.SignWithoutAttr(cert, h.key, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cms.VerifyDetached(der, set); !errors.Is(err, cms.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

// A digest that stands twice could mean either.
func TestAttributesStandOnce(t *testing.T) {
	h := newHolder(t, 1, signing)
	cert, _ := smx509.ParseCertificate(h.cert)
	content := []byte("content")
	sum := sm3.Sum(content)
	sd, err := pkcs7.NewSMSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	again := pkcs7.SignerInfoConfig{ExtraSignedAttributes: []pkcs7.Attribute{{Type: pkcs7.OIDAttributeMessageDigest, Value: sum[:]}}}
	if err := sd.AddSigner(cert, h.key, again); err != nil {
		t.Fatal(err)
	}
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cms.VerifyDetached(der, content); !errors.Is(err, cms.ErrFormat) {
		t.Errorf("%v", err)
	}
}

func TestSignedEnvelope(t *testing.T) {
	sender, receiver := newHolder(t, 1, signing), newHolder(t, 2, encryption)
	inner, err := cms.Encrypt([]byte("公文"), receiver.cert)
	if err != nil {
		t.Fatal(err)
	}
	der, err := cms.SignEnvelope([]byte(`{"transfer":"1"}`), inner, sender.key, sender.cert)
	if err != nil {
		t.Fatal(err)
	}
	header, envelope, who, err := cms.OpenEnvelope(der)
	if err != nil || string(header) != `{"transfer":"1"}` || !bytes.Equal(envelope, inner) || !bytes.Equal(who, sender.cert) {
		t.Fatalf("%s %v", header, err)
	}
	if _, err := cms.SignEnvelope(nil, inner, sender.key, sender.cert); !errors.Is(err, cms.ErrEmpty) {
		t.Errorf("no header: %v", err)
	}
	if _, err := cms.SignEnvelope(make([]byte, 1<<17), inner, sender.key, sender.cert); !errors.Is(err, cms.ErrFormat) {
		t.Errorf("header too large: %v", err)
	}
	// A detached signature, or one over something else, is no envelope.
	detached, _ := cms.SignDetached([]byte("x"), time.Time{}, sender.key, sender.cert)
	if _, _, _, err := cms.OpenEnvelope(detached); !errors.Is(err, cms.ErrFormat) {
		t.Errorf("detached: %v", err)
	}
	if _, _, _, err := cms.OpenEnvelope(inner); !errors.Is(err, cms.ErrUnsupported) {
		t.Errorf("unsigned envelope: %v", err)
	}
}

// Law: no change of one byte, and no truncation, opens as something else; every
// error has a sentinel; nothing panics.
func TestEveryChangeIsNoticed(t *testing.T) {
	sender, receiver := newHolder(t, 1, signing), newHolder(t, 2, encryption)
	content := []byte("公文内容：样例")
	inner, err := cms.Encrypt(content, receiver.cert)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := cms.SignEnvelope([]byte("header"), inner, sender.key, sender.cert)
	if err != nil {
		t.Fatal(err)
	}
	known := func(err error) bool {
		for _, s := range []error{cms.ErrFormat, cms.ErrUnsupported, cms.ErrSignature, cms.ErrRecipient, cms.ErrDecrypt, cms.ErrCertificate} {
			if errors.Is(err, s) {
				return true
			}
		}
		return false
	}
	rnd := mrand.New(mrand.NewPCG(3, 4))
	change := func(b []byte) []byte {
		b = bytes.Clone(b)
		if rnd.IntN(4) == 0 {
			return b[:rnd.IntN(len(b))]
		}
		b[rnd.IntN(len(b))] ^= byte(1 + rnd.IntN(255))
		return b
	}
	for range 2000 {
		if got, err := cms.Decrypt(change(inner), receiver.cert, receiver.key); err == nil {
			if !bytes.Equal(got, content) {
				t.Fatalf("a changed envelope opens as %q", got)
			}
		} else if !known(err) {
			t.Fatalf("no sentinel: %v", err)
		}
		h, e, _, err := cms.OpenEnvelope(change(outer))
		switch {
		case err != nil && !known(err):
			t.Fatalf("no sentinel: %v", err)
		case err == nil && (string(h) != "header" || !bytes.Equal(e, inner)):
			t.Fatal("a changed envelope verifies with other parts")
		}
	}
}

func FuzzParse(f *testing.F) {
	h, r := newHolder(f, 1, signing), newHolder(f, 2, encryption)
	inner, err := cms.Encrypt([]byte("x"), r.cert)
	if err != nil {
		f.Fatal(err)
	}
	outer, err := cms.SignEnvelope([]byte("h"), inner, h.key, h.cert)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(inner)
	f.Add(outer)
	f.Add([]byte{0x30, 0x82, 0x01})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = cms.Decrypt(b, r.cert, r.key)
		_, _, _, _ = cms.OpenEnvelope(b)
		_, _ = cms.VerifyDetached(b, []byte("x"))
	})
}

func BenchmarkSignDetached4K(b *testing.B) {
	h := newHolder(b, 1, signing)
	content := make([]byte, 4<<10)
	for b.Loop() {
		if _, err := cms.SignDetached(content, time.Time{}, h.key, h.cert); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	// In production the keys are in custody and come in as crypto.Signer and
	// crypto.Decrypter.
	t := &testing.T{}
	sender, receiver := newHolder(t, 1, signing), newHolder(t, 2, encryption)

	envelope, err := cms.Encrypt([]byte("document"), receiver.cert)
	if err != nil {
		panic(err)
	}
	message, err := cms.SignEnvelope([]byte("transfer 1"), envelope, sender.key, sender.cert)
	if err != nil {
		panic(err)
	}
	header, envelope, _, err := cms.OpenEnvelope(message)
	if err != nil {
		panic(err)
	}
	document, err := cms.Decrypt(envelope, receiver.cert, receiver.key)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %s\n", header, document)
	// Output: transfer 1: document
}
