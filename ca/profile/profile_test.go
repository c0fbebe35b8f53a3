package profile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

func TestLeafsNeverCertifyRFC5280(t *testing.T) {
	for _, p := range profile.All() {
		certifies := p.KeyUsage&(smx509.KeyUsageCertSign|smx509.KeyUsageCRLSign) != 0
		if certifies != p.CA {
			t.Errorf("%s: CA %v, key usage %#x", p.Name, p.CA, p.KeyUsage)
		}
	}
}

func TestTheTable(t *testing.T) {
	seen := map[profile.Name]bool{}
	for _, p := range profile.All() {
		if seen[p.Name] || p.Validity <= 0 || p.Clause == "" || p.KeyUsage == 0 || (p.Algorithm != profile.SM2 && p.Algorithm != profile.ECDSA) {
			t.Errorf("%s is twice in the table or not complete", p.Name)
		}
		seen[p.Name] = true
	}
	enc, err := profile.Get(profile.SM2Enc)
	if err != nil {
		t.Fatal(err)
	}
	// GM/T 0015: the halves of a pair share no usage, or an escrowed key could sign.
	sign, err := profile.Get(profile.SM2Sign)
	if err != nil || enc.KeyUsage&sign.KeyUsage != 0 {
		t.Errorf("usages of a pair overlap: %v", err)
	}
	seal, err := profile.Get(profile.SM2Seal)
	if err != nil || seal.Validity != 365*24*time.Hour || seal.USCC != profile.USCCInOrganization {
		t.Errorf("seal profile %+v, %v", seal, err)
	}
	if _, err := profile.Get("sm2-anything"); !errors.Is(err, profile.ErrUnknown) {
		t.Errorf("unknown profile: %v", err)
	}
}

func site() profile.Site {
	return profile.Site{CPS: "http://ca.gov/cps", CRL: "http://ca.gov/{issuer}.crl", Issuers: "http://ca.gov/{issuer}.cer"}
}

func TestSiteRefuses(t *testing.T) {
	if err := site().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*profile.Site){
		"no CPS (电子签名法 art. 19)":  func(s *profile.Site) { s.CPS = "" },
		"relative address":        func(s *profile.Site) { s.CRL = "/crl" },
		"ldap":                    func(s *profile.Site) { s.Issuers = "ldap://ca.gov/x" },
		"responder is no address": func(s *profile.Site) { s.OCSP = "ocsp" },
		"policy is no oid":        func(s *profile.Site) { s.PolicyOID = "1.x" },
	} {
		s := site()
		change(&s)
		if err := s.Validate(); !errors.Is(err, profile.ErrSite) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestListsOfAPartitionedIssuer(t *testing.T) {
	s := site()
	for want, got := range map[string]string{
		"http://ca.gov/ab.crl":             s.CRLAddress("ab", "", false),
		"http://ca.gov/ab-delta.crl":       s.CRLAddress("ab", "", true),
		"http://ca.gov/ab-2of4-delta.crl":  s.CRLAddress("ab", "2of4", true),
		"http://ca.gov/ab-4of4.crl":        s.CRLAddress("ab", profile.Shard(big.NewInt(7), 4), false),
		"http://ca.gov/ab.crl (one shard)": s.CRLAddress("ab", profile.Shard(big.NewInt(7), 1), false) + " (one shard)",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	s.Shards = 4
	p, err := profile.Get(profile.SM2Seal)
	if err != nil {
		t.Fatal(err)
	}
	f := fields(t)
	cert, err := p.Template(s, f)
	if err != nil || !strings.HasSuffix(cert.CRLDistributionPoints[0], "-1of4.crl") {
		t.Errorf("certificate names %v, %v", cert.CRLDistributionPoints, err)
	}
	s.Shards = profile.MaxShards + 1
	if err := s.Validate(); !errors.Is(err, profile.ErrSite) {
		t.Errorf("too many: %v", err)
	}
}

func fields(t *testing.T) profile.Fields {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	return profile.Fields{
		Serial: big.NewInt(1 << 62), Public: &key.PublicKey, Now: now,
		Subject: profile.Subject{CommonName: "印", Organization: "样例区民政局", USCC: "11110102MB1234567M"},
		Issuer:  &smx509.Certificate{NotBefore: now.Add(-time.Minute), NotAfter: now.Add(48 * time.Hour), RawSubject: []byte{1}},
	}
}

func TestTemplateStaysInsideItsIssuer(t *testing.T) {
	p, err := profile.Get(profile.SM2Seal)
	if err != nil {
		t.Fatal(err)
	}
	f := fields(t)
	got, err := p.Template(site(), f)
	if err != nil {
		t.Fatal(err)
	}
	if !got.NotBefore.Equal(f.Issuer.NotBefore) || !got.NotAfter.Equal(f.Issuer.NotAfter) {
		t.Errorf("period %s to %s", got.NotBefore, got.NotAfter)
	}
	id := profile.IssuerID(f.Issuer.RawSubject, f.Issuer.RawSubjectPublicKeyInfo)
	if want := "http://ca.gov/" + id + ".crl"; got.CRLDistributionPoints[0] != want || len(got.OCSPServer) != 0 {
		t.Errorf("CRL at %v, OCSP at %v", got.CRLDistributionPoints, got.OCSPServer)
	}
	if !strings.HasPrefix(got.Subject.Organization[0], f.Subject.USCC) || !bytes.Contains(got.ExtraExtensions[0].Value, []byte("http://ca.gov/cps")) {
		t.Errorf("subject %s", got.Subject)
	}
}

func TestTemplateRefuses(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	off := p256.PublicKey // a point of P-256 is none of the SM2 curve
	off.Curve = sm2.P256()
	for name, c := range map[string]struct {
		change func(*profile.Fields)
		want   error
	}{
		"key of the other track":  {func(f *profile.Fields) { f.Public = &p256.PublicKey }, profile.ErrKey},
		"no key":                  {func(f *profile.Fields) { f.Public = nil }, profile.ErrKey},
		"point off the curve":     {func(f *profile.Fields) { f.Public = &off }, profile.ErrKey},
		"no serial":               {func(f *profile.Fields) { f.Serial = nil }, profile.ErrFields},
		"no name":                 {func(f *profile.Fields) { f.Subject.CommonName = "" }, profile.ErrFields},
		"no code of the unit":     {func(f *profile.Fields) { f.Subject.USCC = "" }, profile.ErrFields},
		"hosts in a seal":         {func(f *profile.Fields) { f.Hosts = []string{"a.gov"} }, profile.ErrFields},
		"longer than the profile": {func(f *profile.Fields) { f.Validity = 366 * 24 * time.Hour }, profile.ErrFields},
		"no issuer":               {func(f *profile.Fields) { f.Issuer = nil }, profile.ErrFields},
	} {
		p, err := profile.Get(profile.SM2Seal)
		if err != nil {
			t.Fatal(err)
		}
		f := fields(t)
		c.change(&f)
		if _, err := p.Template(site(), f); !errors.Is(err, c.want) {
			t.Errorf("%s: err = %v, want %v", name, err, c.want)
		}
	}
}
