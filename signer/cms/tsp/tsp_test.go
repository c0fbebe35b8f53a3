package tsp_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

var now = time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC)

// holder is a key with a certificate.
type holder struct {
	key  crypto.Signer
	cert *smx509.Certificate
}

func newKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if curve == nil {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate until some time; without an issuer it is a root's.
func issue(t testing.TB, name string, key crypto.Signer, until time.Time, by *holder) *holder {
	t.Helper()
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + until.Unix()), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-20, 0, 0), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign,
	}
	if name == "tsa" {
		c.IsCA, c.KeyUsage = false, smx509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{key, cert}
}

func stamp(t testing.TB, by *holder, certs bool, chain ...[]byte) *tsp.Token {
	t.Helper()
	d, err := signeddata.DigestFor(by.cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	der, err := tsp.Sign(tsp.Info{Policy: asn1.ObjectIdentifier{1, 2, 3}, Imprint: tsp.Over(d, []byte("value")), Serial: big.NewInt(7), Time: now}, by.cert.Raw, chain, certs, by.key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tsp.ParseToken(der)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// The earliest end counts: the service's certificate, one above it, a key or a
// digest that is too weak (NIST SP 800-131A, SP 800-57 part 1 table 4).
func TestGoodUntil(t *testing.T) {
	p256 := elliptic.P256()
	for _, curve := range []elliptic.Curve{nil, p256} {
		root := issue(t, "root", newKey(t, curve), now.AddDate(20, 0, 0), nil)
		short := issue(t, "short", newKey(t, curve), now.AddDate(2, 0, 0), root)
		tsa := issue(t, "tsa", newKey(t, curve), now.AddDate(5, 0, 0), short)
		token := stamp(t, tsa, true, short.cert.Raw)
		if life, err := token.GoodUntil(root.cert.Raw); err != nil || life.End != tsp.EndChain || !life.Until.Equal(short.cert.NotAfter) {
			t.Errorf("an authority that ends first: %+v, %v", life, err)
		}
		// One that is not at hand cannot be counted.
		if life, err := stamp(t, tsa, true).GoodUntil(); err != nil || life.End != tsp.EndCertificate || !life.Until.Equal(tsa.cert.NotAfter) {
			t.Errorf("alone: %+v, %v", life, err)
		}
		if life, err := stamp(t, tsa, true).GoodUntil(short.cert.Raw); err != nil || life.End != tsp.EndChain {
			t.Errorf("from further: %+v, %v", life, err)
		}
		if _, err := stamp(t, tsa, false).GoodUntil(); !errors.Is(err, tsp.ErrUsage) {
			t.Errorf("no certificate: %v", err)
		}
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	rsaRoot := issue(t, "rsa root", mustRSA(t, 4096), now.AddDate(20, 0, 0), nil)
	oidSHA256RSA := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11}
	for name, c := range map[string]struct {
		der   []byte
		end   tsp.End
		until int // year
	}{
		"RSA 1024": {issue(t, "tsa", mustRSA(t, 1024), now.AddDate(9, 0, 0), rsaRoot).cert.Raw, tsp.EndKey, 2013},
		"RSA 2048": {issue(t, "tsa", mustRSA(t, 2048), now.AddDate(9, 0, 0), rsaRoot).cert.Raw, tsp.EndKey, 2030},
		"RSA 3072": {issue(t, "tsa", mustRSA(t, 3072), now.AddDate(9, 0, 0), rsaRoot).cert.Raw, tsp.EndCertificate, 2035},
		"SHA-1": {bytes.ReplaceAll(issue(t, "tsa", newKey(t, p256), now.AddDate(9, 0, 0), rsaRoot).cert.Raw, oidSHA256RSA,
			append(oidSHA256RSA[:8:8], 5)), tsp.EndDigest, 2013},
	} {
		token := stamp(t, issue(t, "tsa", newKey(t, p256), now.AddDate(9, 0, 0), nil), true)
		token.CertDER = c.der
		if life, err := token.GoodUntil(rsaRoot.cert.Raw); err != nil || life.End != c.end || life.Until.Year() != c.until {
			t.Errorf("%s: %+v, %v", name, life, err)
		}
	}
}

func mustRSA(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A token without its certificate is judged with the one that signed it, and no
// other of the same name.
func TestAdopt(t *testing.T) {
	tsa := issue(t, "tsa", newKey(t, nil), now.AddDate(5, 0, 0), nil)
	other := issue(t, "tsa", newKey(t, nil), now.AddDate(5, 0, 0), nil)
	token := stamp(t, tsa, false)
	if token.Adopt(other.cert.Raw, []byte("junk")) || token.Verify([]byte("value")) == nil {
		t.Error("verified with another certificate")
	}
	if !token.Adopt(other.cert.Raw, tsa.cert.Raw) || !bytes.Equal(token.CertDER, tsa.cert.Raw) || token.Verify([]byte("value")) != nil {
		t.Error("not verified with its own certificate")
	}
}

// What must be understood and is not makes a token, or a request, not judged
// (RFC 3161, 2.4.1 and 2.4.2); what need not be is passed over.
func TestExtensionsRFC3161(t *testing.T) {
	tsa := issue(t, "tsa", newKey(t, elliptic.P256()), now.AddDate(5, 0, 0), nil)
	type extension struct {
		ID       asn1.ObjectIdentifier
		Critical bool `asn1:"optional"`
		Value    []byte
	}
	type info struct {
		Version    int
		Policy     asn1.ObjectIdentifier
		Imprint    asn1.RawValue
		Serial     int
		Time       time.Time     `asn1:"generalized"`
		Ordering   bool          `asn1:"optional"`
		Nonce      *big.Int      `asn1:"optional"`
		Name       asn1.RawValue `asn1:"optional"`
		Extensions []extension   `asn1:"optional,tag:1"`
		Tail       asn1.RawValue `asn1:"optional"`
	}
	imprint, err := asn1.Marshal(struct {
		Alg struct{ OID asn1.ObjectIdentifier }
		Sum []byte
	}{struct{ OID asn1.ObjectIdentifier }{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}}, make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	some := asn1.ObjectIdentifier{1, 2, 3, 4}
	for name, c := range map[string]struct {
		change func(*info)
		want   error
	}{
		"plain":           {func(*info) {}, nil},
		"ordering, nonce": {func(i *info) { i.Ordering, i.Nonce = true, big.NewInt(7) }, nil},
		"extension":       {func(i *info) { i.Extensions = []extension{{some, false, []byte{1}}} }, nil},
		"critical":        {func(i *info) { i.Extensions = []extension{{some, true, []byte{1}}} }, tsp.ErrUnsupported},
		"tail":            {func(i *info) { i.Tail = asn1.RawValue{FullBytes: []byte{5, 0}} }, tsp.ErrFormat},
	} {
		i := info{Version: 1, Policy: some, Imprint: asn1.RawValue{FullBytes: imprint}, Serial: 5, Time: now}
		c.change(&i)
		content, err := asn1.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		der, err := signeddata.Sign(signeddata.Spec{Type: tsp.OIDInfo(), Content: content, CertDER: tsa.cert.Raw}, tsa.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tsp.ParseToken(der); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	d, err := signeddata.DigestFor(tsa.cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	der, err := tsp.Request{Imprint: tsp.Over(d, nil)}.DER()
	if err != nil {
		t.Fatal(err)
	}
	extended := append(bytes.Clone(der), 0xa0, 0)
	extended[1] += 2
	if _, err := tsp.ParseRequest(extended); !errors.Is(err, tsp.ErrUnsupported) {
		t.Errorf("extension of a request: %v", err)
	}
}

// FuzzRequest: a request that reads can be written, and reads the same again.
func FuzzRequest(f *testing.F) {
	d, err := signeddata.DigestOf(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401})
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range []tsp.Request{
		{Imprint: tsp.Over(d, []byte("x"))},
		{Imprint: tsp.Over(d, []byte("x")), Policy: asn1.ObjectIdentifier{1, 2, 3}, Nonce: big.NewInt(-7), Certs: true},
	} {
		der, err := r.DER()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := tsp.ParseRequest(der)
		if err != nil {
			return
		}
		again, err := r.DER()
		if err != nil {
			t.Fatal(err)
		}
		r2, err := tsp.ParseRequest(again)
		if err != nil || r2.Certs != r.Certs || !r2.Policy.Equal(r.Policy) || (r.Nonce == nil) != (r2.Nonce == nil) || !bytes.Equal(r.Imprint.Value, r2.Imprint.Value) {
			t.Fatalf("%+v became %+v, %v", r, r2, err)
		}
	})
}
