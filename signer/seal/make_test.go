package seal_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

var (
	start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	end   = start.AddDate(1, 0, 0)
)

// holder is a self-signed SM2 certificate and its key.
type holder struct {
	key  *sm2.PrivateKey
	cert []byte
}

func newHolder(t testing.TB, change func(*smx509.Certificate)) holder {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "41010012345678", Organization: []string{"样例区大数据管理局"}},
		NotBefore:    start.AddDate(0, -1, 0),
		NotAfter:     end.AddDate(0, 1, 0),
		KeyUsage:     smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	if change != nil {
		change(c)
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return holder{key, der}
}

// drawn is one picture for all tests.
var drawn = sync.OnceValues(func() ([]byte, error) {
	return picture.Draw(picture.Spec{Unit: "样例区大数据管理局"})
})

func newSpec(t testing.TB, signers ...holder) seal.Spec {
	t.Helper()
	png, err := drawn()
	if err != nil {
		t.Fatal(err)
	}
	s := seal.Spec{
		ID: "41010012345678", Vendor: "yinxin", Type: 1, Name: "样例区大数据管理局（样章）",
		Created: start, ValidFrom: start, ValidUntil: end,
		Picture: seal.Picture{Type: "PNG", Data: png, Width: 42, Height: 42},
	}
	for _, h := range signers {
		s.Certs = append(s.Certs, h.cert)
	}
	return s
}

func make1(t testing.TB, spec seal.Spec, maker holder) []byte {
	t.Helper()
	der, err := seal.Make(spec, maker.key, maker.cert)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// GB/T 38540, 6.1 and 7.1: what is written is what is read, without a warning.
func TestMakeAndSignRoundTrip(t *testing.T) {
	maker, signer := newHolder(t, nil), newHolder(t, nil)
	spec := newSpec(t, signer)
	der := make1(t, spec, maker)
	e, err := seal.ParseSeal(der)
	if err != nil {
		t.Fatal(err)
	}
	if e.Layout != seal.LayoutV4 || e.Version != 4 || e.ID != spec.ID || e.Name != spec.Name || e.Vendor != "yinxin" ||
		e.Type != 1 || e.CertListType != 1 || !e.Created.Equal(start) || !e.ValidFrom.Equal(start) || !e.ValidUntil.Equal(end) ||
		!bytes.Equal(e.Picture.Data, spec.Picture.Data) || e.Picture.Width != 42 || len(e.Warnings) != 0 {
		t.Errorf("%+v", e.Warnings)
	}
	if !e.Lists(signer.cert) || e.Lists(maker.cert) {
		t.Error("certificate list")
	}
	hash := sm3.Sum([]byte("<Signature/>"))
	at := start.Add(time.Hour + 123*time.Millisecond)
	signed, err := seal.Sign(seal.SignSpec{SealDER: der, CertDER: signer.cert, Time: at, DataHash: hash[:],
		Property: "/Doc_0/Signs/Sign_0/Signature.xml"}, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.ParseSignature(signed)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Verify(), s.Seal.VerifyMaker()); err != nil {
		t.Error(err)
	}
	if !s.Time.Equal(at.Truncate(time.Second)) || !bytes.Equal(s.DataHash, hash[:]) || len(s.Warnings) != 0 ||
		s.Property != "/Doc_0/Signs/Sign_0/Signature.xml" || !bytes.Equal(s.Seal.Raw, der) {
		t.Errorf("%v %v", s.Time, s.Warnings)
	}
	if !s.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}) {
		t.Errorf("algorithm %v", s.Algorithm)
	}
	// Strict DER readers can take it apart.
	var raw asn1.RawValue
	if rest, err := asn1.Unmarshal(signed, &raw); err != nil || len(rest) != 0 {
		t.Error(err)
	}
}

func TestMakeLints(t *testing.T) {
	maker, signer, other := newHolder(t, nil), newHolder(t, nil), newHolder(t, nil)
	short := newHolder(t, func(c *smx509.Certificate) { c.NotAfter = end.AddDate(0, -1, 0) })
	authority := newHolder(t, func(c *smx509.Certificate) { c.KeyUsage |= smx509.KeyUsageCertSign })
	encryption := newHolder(t, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment })
	for _, tc := range []struct {
		name  string
		edit  func(*seal.Spec)
		maker holder
		key   crypto.Signer
		says  string
	}{
		{"esID", func(s *seal.Spec) { s.ID = "4101001234567x" }, maker, maker.key, "14 digits"},
		{"vendor", func(s *seal.Spec) { s.Vendor = "印信" }, maker, maker.key, "vendor"},
		{"name", func(s *seal.Spec) { s.Name = " " }, maker, maker.key, "name"},
		{"no certificates", func(s *seal.Spec) { s.Certs = nil }, maker, maker.key, "0 entries"},
		{"period reversed", func(s *seal.Spec) { s.ValidFrom, s.ValidUntil = s.ValidUntil, s.ValidFrom }, maker, maker.key, "ends before"},
		{"period beyond the signer's certificate", func(s *seal.Spec) { s.Certs = [][]byte{short.cert} }, maker, maker.key, "signer 1 certificate"},
		{"period beyond the maker's certificate", func(*seal.Spec) {}, short, short.key, "maker certificate"},
		{"made before the maker's certificate", func(s *seal.Spec) { s.Created = start.AddDate(-1, 0, 0) }, maker, maker.key, "making"},
		{"key of another", func(*seal.Spec) {}, maker, other.key, "maker key"},
		{"leaf with keyCertSign", func(s *seal.Spec) { s.Certs = [][]byte{authority.cert} }, maker, maker.key, "authority"},
		{"encryption certificate", func(s *seal.Spec) { s.Certs = [][]byte{encryption.cert} }, maker, maker.key, "not for signing"},
		{"broken certificate", func(s *seal.Spec) { s.Certs = [][]byte{{1}} }, maker, maker.key, "does not parse"},
		{"picture is no PNG", func(s *seal.Spec) { s.Picture.Data = []byte("GIF89a") }, maker, maker.key, "PNG"},
		{"picture too large on paper", func(s *seal.Spec) { s.Picture.Width = 90 }, maker, maker.key, "90"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := newSpec(t, signer)
			tc.edit(&spec)
			der, err := seal.Make(spec, tc.key, tc.maker.cert)
			if !errors.Is(err, seal.ErrLint) || der != nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestSignLints(t *testing.T) {
	maker, signer, other := newHolder(t, nil), newHolder(t, nil), newHolder(t, nil)
	der := make1(t, newSpec(t, signer), maker)
	tampered := bytes.Clone(der)
	tampered[200] ^= 1
	for _, tc := range []struct {
		name string
		edit func(*seal.SignSpec)
		key  crypto.Signer
		want error
		says string
	}{
		{"signer not in the list", func(s *seal.SignSpec) { s.CertDER = other.cert }, other.key, seal.ErrLint, "list"},
		{"key of another", func(*seal.SignSpec) {}, other.key, seal.ErrLint, "signer key"},
		{"before the seal's period", func(s *seal.SignSpec) { s.Time = start.Add(-time.Second) }, signer.key, seal.ErrLint, "period"},
		{"after the seal's period", func(s *seal.SignSpec) { s.Time = end.Add(time.Second) }, signer.key, seal.ErrLint, "period"},
		{"digest", func(s *seal.SignSpec) { s.DataHash = s.DataHash[1:] }, signer.key, seal.ErrLint, "31 bytes"},
		{"relative path", func(s *seal.SignSpec) { s.Property = "Signature.xml" }, signer.key, seal.ErrLint, "path"},
		{"tampered seal", func(s *seal.SignSpec) { s.SealDER = tampered }, signer.key, seal.ErrSignature, ""},
		{"no seal", func(s *seal.SignSpec) { s.SealDER = nil }, signer.key, seal.ErrFormat, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := seal.SignSpec{SealDER: der, CertDER: signer.cert, Time: start, DataHash: make([]byte, 32), Property: "/a/Signature.xml"}
			tc.edit(&spec)
			out, err := seal.Sign(spec, tc.key)
			if !errors.Is(err, tc.want) || out != nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := seal.Sign(seal.SignSpec{SealDER: read(t, "esl/user_v5.esl")}, signer.key); !errors.Is(err, seal.ErrUnsupported) {
		t.Errorf("a V5 seal: %v", err)
	}
}

// A signer whose key does not do what it says is noticed before anything leaves.
func TestSignVerifiesWhatItMade(t *testing.T) {
	maker, signer := newHolder(t, nil), newHolder(t, nil)
	der := make1(t, newSpec(t, signer), maker)
	_, err := seal.Sign(seal.SignSpec{SealDER: der, CertDER: signer.cert, Time: start, DataHash: make([]byte, 32), Property: "/a"},
		liar{signer.key, maker.key})
	if !errors.Is(err, seal.ErrSignature) {
		t.Errorf("%v", err)
	}
}

type liar struct{ shown, used crypto.Signer }

func (l liar) Public() crypto.PublicKey { return l.shown.Public() }

func (l liar) Sign(r io.Reader, b []byte, o crypto.SignerOpts) ([]byte, error) {
	return l.used.Sign(r, b, o)
}

// Law: no single-byte change of a signature leaves both signatures valid and
// the same fields, and none makes the reader panic.
func TestEveryChangeIsNoticed(t *testing.T) {
	maker, signer := newHolder(t, nil), newHolder(t, nil)
	der := make1(t, newSpec(t, signer), maker)
	signed, err := seal.Sign(seal.SignSpec{SealDER: der, CertDER: signer.cert, Time: start, DataHash: make([]byte, 32), Property: "/a"}, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	good, err := seal.ParseSignature(signed)
	if err != nil {
		t.Fatal(err)
	}
	rnd := mrand.New(mrand.NewPCG(1, 2))
	verified := 0
	for range 3000 {
		b := bytes.Clone(signed)
		i := rnd.IntN(len(b))
		if rnd.IntN(2) == 0 { // half of the changes near structure: the ends of the file
			i = (len(b) - 1 - rnd.IntN(700))
		}
		b[i] ^= byte(1 + rnd.IntN(255))
		s, err := seal.ParseSignature(b)
		if err != nil {
			continue
		}
		if s.Verify() == nil && s.Seal.VerifyMaker() == nil {
			verified++
			// Only the envelope around what is signed may differ: the
			// certificate outside its key, which chain building judges.
			if !bytes.Equal(s.TBS, good.TBS) && len(s.Warnings)+len(s.Seal.Warnings) == 0 {
				t.Fatalf("change of byte %d is not noticed", i)
			}
		}
	}
	t.Logf("%d of 3000 changed files still verify: changes in the signer's certificate only", verified)
}

func BenchmarkSign(b *testing.B) {
	maker, signer := newHolder(b, nil), newHolder(b, nil)
	spec := seal.SignSpec{SealDER: make1(b, newSpec(b, signer), maker), CertDER: signer.cert, Time: start, DataHash: make([]byte, 32), Property: "/a"}
	for b.Loop() {
		if _, err := seal.Sign(spec, signer.key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSignature(b *testing.B) {
	maker, signer := newHolder(b, nil), newHolder(b, nil)
	der, err := seal.Sign(seal.SignSpec{SealDER: make1(b, newSpec(b, signer), maker), CertDER: signer.cert, Time: start,
		DataHash: make([]byte, 32), Property: "/a"}, signer.key)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := seal.ParseSignature(der); err != nil {
			b.Fatal(err)
		}
	}
}

// GM/T 0031-2014, 6.1 and 6.2: V1 is written on request, read back without a
// warning, and the maker signs the certificate and the algorithm too.
func TestMakeAndSignV1(t *testing.T) {
	maker, signer := newHolder(t, nil), newHolder(t, nil)
	spec := newSpec(t, signer)
	spec.Layout = seal.LayoutV1
	der := make1(t, spec, maker)
	e, err := seal.ParseSeal(der)
	if err != nil {
		t.Fatal(err)
	}
	if e.Layout != seal.LayoutV1 || e.Version != 1 || !e.ValidUntil.Equal(end) || !e.Lists(signer.cert) || len(e.Warnings) != 0 {
		t.Errorf("%s %d %v %v", e.Layout, e.Version, e.ValidUntil, e.Warnings)
	}
	hash := sm3.Sum([]byte("<Signature/>"))
	use := seal.SignSpec{SealDER: der, CertDER: signer.cert, Time: start.Add(time.Hour), DataHash: hash[:],
		Property: "/Doc_0/Signs/Sign_0/Signature.xml", Layout: seal.LayoutV1}
	signed, err := seal.Sign(use, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.ParseSignature(signed)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Verify(), s.Seal.VerifyMaker()); err != nil || s.Layout != seal.LayoutV1 || len(s.Warnings) != 0 || !s.Time.Equal(use.Time) {
		t.Errorf("%v %s %v %v", err, s.Layout, s.Warnings, s.Time)
	}
	// A byte of the maker's certificate is signed in this layout.
	at := bytes.LastIndex(der, maker.cert) + len(maker.cert) - 1
	der[at] ^= 1
	if e, err := seal.ParseSeal(der); err != nil || !errors.Is(e.VerifyMaker(), seal.ErrSignature) {
		t.Errorf("a changed maker certificate: %v", err)
	}
	for name, edit := range map[string]func(*seal.Spec){
		"layout that is not written": func(s *seal.Spec) { s.Layout = seal.LayoutV5 },
		"date out of UTCTime":        func(s *seal.Spec) { s.Created = time.Date(1949, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		bad := spec
		edit(&bad)
		if _, err := seal.Make(bad, maker.key, maker.cert); !errors.Is(err, seal.ErrLint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A certificate that signs without a seal is held to the same rules.
func TestLintSigner(t *testing.T) {
	good, other := newHolder(t, nil), newHolder(t, nil)
	authority := newHolder(t, func(c *smx509.Certificate) { c.KeyUsage |= smx509.KeyUsageCertSign })
	at := start.Add(time.Hour)
	if err := seal.LintSigner(good.cert, good.key.Public(), at); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"key of another": seal.LintSigner(good.cert, other.key.Public(), at), "authority": seal.LintSigner(authority.cert, authority.key.Public(), at),
		"too late": seal.LintSigner(good.cert, good.key.Public(), end.AddDate(20, 0, 0)), "no certificate": seal.LintSigner(nil, good.key.Public(), at),
	} {
		if !errors.Is(err, seal.ErrLint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
