package lint_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

const uscc = "11110102MB1234567M"

// bench makes certificates that are right, and lets a case spoil one thing: the
// template before, or the encoded structure after.
type bench struct {
	t      *testing.T
	key    crypto.Signer
	issuer *smx509.Certificate
}

// tbs is the to-be-signed structure, opened far enough to be spoiled.
type tbs struct {
	Version    int `asn1:"explicit,tag:0,optional"`
	Serial     *big.Int
	Signature  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	SPKI       spki
	IssuerID   asn1.BitString   `asn1:"optional,tag:1"`
	SubjectID  asn1.BitString   `asn1:"optional,tag:2"`
	Extensions []pkix.Extension `asn1:"explicit,tag:3,optional"`
}

type spki struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// sample is what a case changes.
type sample struct {
	template *smx509.Certificate
	profile  *profile.Profile
	hosts    []string
	until    time.Time
	tbs      func(*tbs)
}

func site() profile.Site {
	return profile.Site{CPS: "http://ca.gov/cps", CRL: "http://ca.gov/{issuer}.crl", OCSP: "http://ca.gov/ocsp", Issuers: "http://ca.gov/{issuer}.cer"}
}

func newBench(t *testing.T, algorithm profile.Algorithm) *bench {
	t.Helper()
	b := &bench{t: t, key: newKey(t, algorithm)}
	root := profile.SM2Root
	if algorithm == profile.ECDSA {
		root = profile.ECDSARoot
	}
	p, err := profile.Get(root)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := p.Template(site(), profile.Fields{
		Serial: serial(), Public: b.key.Public().(*ecdsa.PublicKey), Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Subject: profile.Subject{CommonName: "根", Organization: "样例区信息办"},
	})
	if err != nil {
		t.Fatal(err)
	}
	der, err := smx509.CreateCertificate(rand.Reader, tmpl, tmpl, b.key.Public(), b.key)
	if err != nil {
		t.Fatal(err)
	}
	if b.issuer, err = smx509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return b
}

func newKey(t *testing.T, algorithm profile.Algorithm) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if algorithm == profile.SM2 {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial() *big.Int { return new(big.Int).SetBit(big.NewInt(12345), 126, 1) }

// input makes a certificate of a profile and spoils it.
func (b *bench) input(name profile.Name, spoil func(*sample)) lint.Input {
	b.t.Helper()
	p, err := profile.Get(name)
	if err != nil {
		b.t.Fatal(err)
	}
	subject := newKey(b.t, p.Algorithm)
	f := profile.Fields{
		Serial: serial(), Public: subject.Public().(*ecdsa.PublicKey), Issuer: b.issuer, Now: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
		Subject: profile.Subject{CommonName: "a.gov.internal", Organization: "样例区民政局", USCC: uscc},
	}
	if p.Hosts {
		f.Hosts = []string{"a.gov.internal"}
	}
	tmpl, err := p.Template(site(), f)
	if err != nil {
		b.t.Fatal(err)
	}
	s := &sample{template: tmpl, profile: &p, hosts: []string{"a.gov.internal"}}
	if spoil != nil {
		spoil(s)
	}
	der, err := smx509.CreateCertificate(rand.Reader, s.template, b.issuer, subject.Public(), b.key)
	if err != nil {
		b.t.Fatal(err)
	}
	if s.tbs != nil {
		der = rewrite(b.t, der, s.tbs)
	}
	view, err := lint.Parse(der)
	if err != nil {
		b.t.Fatal(err)
	}
	return lint.Input{View: view, Profile: s.profile, Issuer: b.issuer, Hosts: s.hosts, Until: s.until}
}

// rewrite changes the structure; the signature is wrong afterwards, which no
// lint looks at.
func rewrite(t *testing.T, der []byte, change func(*tbs)) []byte {
	t.Helper()
	var outer struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	var body tbs
	if _, err := asn1.Unmarshal(outer.TBS.FullBytes, &body); err != nil {
		t.Fatal(err)
	}
	change(&body)
	raw, err := asn1.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := lint.Assemble(raw, outer.Signature.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func outcome(in lint.Input, id string) lint.Outcome {
	for _, r := range lint.New().Run(in) {
		if r.ID == id {
			return r.Result
		}
	}
	return "no such lint"
}

func TestEveryProfileIsClean(t *testing.T) {
	sm2Bench, ecdsaBench := newBench(t, profile.SM2), newBench(t, profile.ECDSA)
	for _, p := range profile.All() {
		if p.SelfSigned {
			continue
		}
		b := sm2Bench
		if p.Algorithm == profile.ECDSA {
			b = ecdsaBench
		}
		for _, r := range lint.New().Run(b.input(p.Name, nil)) {
			if r.Result == lint.Fail {
				t.Errorf("%s: %s: %s", p.Name, r.ID, r.Detail)
			}
		}
	}
	for _, b := range []*bench{sm2Bench, ecdsaBench} {
		view, err := lint.Parse(b.issuer.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := lint.New().Check(lint.Input{View: view, Issuer: b.issuer}); err != nil {
			t.Errorf("root: %v", err)
		}
	}
}

func TestEveryLintHasIDClauseAndDay(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range lint.All() {
		if l.ID == "" || seen[l.ID] || l.Clause == "" || l.Effective.IsZero() || l.Check == nil {
			t.Errorf("lint %q is twice in the register or not complete", l.ID)
		}
		seen[l.ID] = true
	}
}

func TestALintDoesNotJudgeWhatIsOlder(t *testing.T) {
	b := newBench(t, profile.SM2)
	in := b.input(profile.SM2Seal, func(s *sample) {
		s.template.NotBefore = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		s.template.SerialNumber = big.NewInt(1)
	})
	if got := outcome(in, "serial.size"); got != lint.NA {
		t.Errorf("certificate of 2001: %s", got)
	}
}

func TestUnknownIsNAPerCheckNeverPass(t *testing.T) {
	b := newBench(t, profile.SM2)
	in := b.input(profile.SM2Sign, nil)
	in.Profile, in.Issuer, in.Hosts = nil, nil, nil
	for _, id := range []string{"usage.key", "usage.extended", "validity.issuer", "validity.profile", "subject.uscc", "san.hosts"} {
		if got := outcome(in, id); got != lint.NA {
			t.Errorf("%s: %s", id, got)
		}
	}
}

func TestNotACertificate(t *testing.T) {
	for name, der := range map[string][]byte{"empty": nil, "text": []byte("hello"), "cut": {0x30, 0x82, 1}, "huge": make([]byte, 65<<10)} {
		if _, err := lint.Parse(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := lint.ParseTBS(der); err == nil {
			t.Errorf("%s: accepted as to-be-signed", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	b := newBench(&testing.T{}, profile.SM2)
	f.Add(b.issuer.Raw)
	f.Add(b.issuer.Raw[:100])
	linter := lint.New()
	f.Fuzz(func(_ *testing.T, der []byte) {
		if view, err := lint.Parse(der); err == nil {
			linter.Run(lint.Input{View: view})
		}
	})
}

var loopback = net.IPv4(127, 0, 0, 1)
