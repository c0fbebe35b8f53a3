package crl_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
)

// tbs is the to-be-signed list, opened far enough to be spoiled.
type tbs struct {
	Version    int `asn1:"optional"`
	Signature  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	This, Next time.Time        `asn1:"optional"`
	Revoked    asn1.RawValue    `asn1:"optional"`
	Extensions []pkix.Extension `asn1:"explicit,tag:0,optional"`
}

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func authority(isSM2 bool) (*smx509.Certificate, crypto.Signer) {
	var key crypto.Signer = must(sm2.GenerateKey(rand.Reader))
	if !isSM2 {
		key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	t := &smx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "根"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(40, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCRLSign | smx509.KeyUsageCertSign, SubjectKeyId: []byte{1, 2, 3},
	}
	return must(smx509.ParseCertificate(must(smx509.CreateCertificate(rand.Reader, t, t, key.Public(), key)))), key
}

// sample is what a case changes: the template before, or the encoding after.
type sample struct {
	list   *smx509.RevocationList
	tbs    func(*tbs)
	issuer *smx509.Certificate
}

func ext(last int, critical bool, value any) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, last}, Critical: critical, Value: must(asn1.Marshal(value))}
}

// point is a DistributionPoint with an address.
type point struct {
	Name struct {
		Full struct {
			URI string `asn1:"tag:6"`
		} `asn1:"tag:0"`
	} `asn1:"tag:0"`
}

func at(uri string) point {
	var p point
	p.Name.Full.URI = uri
	return p
}

func input(t *testing.T, issuer *smx509.Certificate, key crypto.Signer, spoil func(*sample)) crl.Input {
	t.Helper()
	s := &sample{issuer: issuer, list: &smx509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: now, NextUpdate: now.Add(time.Hour),
		RevokedCertificateEntries: []smx509.RevocationListEntry{
			{SerialNumber: big.NewInt(10), RevocationTime: now.Add(-time.Hour), ReasonCode: 1}, {SerialNumber: big.NewInt(11), RevocationTime: now},
		},
	}}
	if spoil != nil {
		spoil(s)
	}
	der := must(smx509.CreateRevocationList(rand.Reader, s.list, issuer, key))
	if s.tbs != nil {
		var outer struct {
			TBS       asn1.RawValue
			Algorithm pkix.AlgorithmIdentifier
			Signature asn1.BitString
		}
		must(asn1.Unmarshal(der, &outer))
		var body tbs
		must(asn1.Unmarshal(outer.TBS.FullBytes, &body))
		s.tbs(&body)
		outer.TBS = asn1.RawValue{FullBytes: must(asn1.Marshal(body))}
		der = must(asn1.Marshal(outer))
	}
	view, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return crl.Input{View: view, Issuer: s.issuer}
}

func outcome(in crl.Input, id string) lint.Outcome {
	for _, r := range crl.New().Run(in) {
		if r.ID == id {
			return r.Result
		}
	}
	return "no such lint"
}

func extra(e ...pkix.Extension) func(*sample) {
	return func(s *sample) { s.list.ExtraExtensions = append(s.list.ExtraExtensions, e...) }
}

func structure(change func(*tbs)) func(*sample) { return func(s *sample) { s.tbs = change } }

func first(change func(*smx509.RevocationListEntry)) func(*sample) {
	return func(s *sample) { change(&s.list.RevokedCertificateEntries[0]) }
}

func drop(last int) func(*sample) {
	return structure(func(b *tbs) {
		b.Extensions = slices.DeleteFunc(b.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, last}) })
	})
}

// failing has, for each lint, lists that it has to refuse.
func failing() map[string][]func(*sample) {
	const deltaID, idp, fresh = 27, 28, 46
	leaf := &smx509.Certificate{RawSubject: []byte{0x30, 0}, SubjectKeyId: []byte{9}}
	withIssuer := func(change func(*smx509.Certificate)) func(*sample) {
		return func(s *sample) {
			c := *s.issuer
			change(&c)
			s.issuer = &c
		}
	}
	return map[string][]func(*sample){
		"crl.parses":  {structure(func(b *tbs) { b.Version = 0 })},
		"crl.version": {structure(func(b *tbs) { b.Version = 0 }), structure(func(b *tbs) { b.Version = 2 })},
		"crl.algorithm": {
			structure(func(b *tbs) { b.Signature.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11} }),
			withIssuer(func(c *smx509.Certificate) {
				c.PublicKey = &must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey
			}),
		},
		"crl.issuer":          {func(s *sample) { s.issuer = leaf }, structure(func(b *tbs) { b.Issuer = asn1.RawValue{FullBytes: []byte{0x30, 0}} })},
		"crl.issuer_may_sign": {withIssuer(func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCertSign }), withIssuer(func(c *smx509.Certificate) { c.IsCA = false }), withIssuer(func(c *smx509.Certificate) { c.NotAfter = now.Add(-1) })},
		"crl.updates": {
			structure(func(b *tbs) { b.Next = time.Time{} }), func(s *sample) { s.list.NextUpdate = now },
			structure(func(b *tbs) { b.Revoked = asn1.RawValue{FullBytes: early()} }),
		},
		"crl.entries":       {structure(func(b *tbs) { b.Revoked = asn1.RawValue{FullBytes: []byte{0x30, 0}} })},
		"crl.entry_serials": {first(func(e *smx509.RevocationListEntry) { e.SerialNumber = big.NewInt(11) }), first(func(e *smx509.RevocationListEntry) { e.SerialNumber = big.NewInt(-1) }), first(func(e *smx509.RevocationListEntry) { e.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 160) })},
		"crl.entry_times":   {first(func(e *smx509.RevocationListEntry) { e.RevocationTime = now.Add(time.Second) })},
		"crl.entry_reasons": {
			first(func(e *smx509.RevocationListEntry) { e.ReasonCode = 8 }), first(func(e *smx509.RevocationListEntry) { e.ReasonCode = 7 }), first(func(e *smx509.RevocationListEntry) { e.ReasonCode = 11 }),
			first(func(e *smx509.RevocationListEntry) { e.ExtraExtensions = []pkix.Extension{ext(24, true, 1)} }),
			structure(func(b *tbs) { b.Revoked = asn1.RawValue{FullBytes: unspecified()} }),
		},
		"crl.entry_invalidity": {
			first(func(e *smx509.RevocationListEntry) { e.ExtraExtensions = []pkix.Extension{ext(24, false, 1)} }),
			first(func(e *smx509.RevocationListEntry) {
				e.ExtraExtensions = []pkix.Extension{ext(24, false, asn1.RawValue{Tag: asn1.TagUTCTime, Bytes: []byte("260302090000Z")})}
			}),
			first(func(e *smx509.RevocationListEntry) {
				e.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: append([]byte{24, 19}, "20260302090000+0800"...)}}
			}),
			first(func(e *smx509.RevocationListEntry) {
				x := must(crl.InvalidityDate(now))
				e.ExtraExtensions = []pkix.Extension{x, x}
			}),
		},
		"crl.extensions": {extra(ext(99, true, 1)), extra(ext(99, false, 1), ext(99, false, 1))},
		"crl.aki":        {drop(35), func(s *sample) { s.issuer = leaf }},
		"crl.number":     {drop(20), structure(func(b *tbs) { b.Extensions[1].Critical = true }), structure(func(b *tbs) { b.Extensions[1] = ext(20, false, -1) })},
		"crl.delta":      {extra(ext(deltaID, false, 3)), extra(ext(deltaID, true, 7)), extra(ext(deltaID, true, "x")), extra(ext(deltaID, true, -1))},
		"crl.idp":        {extra(ext(idp, false, at("http://a/b.crl"))), extra(ext(idp, true, at("ldap://a"))), extra(ext(idp, true, []int{}))},
		"crl.freshest":   {extra(ext(fresh, false, []point{at("ftp://a")})), extra(ext(fresh, false, []point{})), extra(ext(fresh, false, []point{at("http://a/d.crl")}), ext(deltaID, true, 3))},
	}
}

// early writes a time of 2026 in the form of 2050 and later.
func early() []byte {
	return must(asn1.Marshal([]struct {
		Serial int
		At     time.Time `asn1:"generalized"`
	}{{5, now}}))
}

// unspecified writes the reason that has to be left out.
func unspecified() []byte {
	return must(asn1.Marshal([]pkix.RevokedCertificate{{SerialNumber: big.NewInt(5), RevocationTime: now, Extensions: []pkix.Extension{ext(21, false, asn1.Enumerated(0))}}}))
}

func TestEachLintPassesAGoodAndRefusesABadList(t *testing.T) {
	cases := failing()
	for _, isSM2 := range []bool{true, false} {
		issuer, key := authority(isSM2)
		full := input(t, issuer, key, extra(ext(46, false, []point{at("http://a/b-delta.crl")}), ext(28, true, at("http://a/b.crl"))))
		dated := input(t, issuer, key, first(func(e *smx509.RevocationListEntry) {
			e.ExtraExtensions = []pkix.Extension{must(crl.InvalidityDate(now.AddDate(0, -1, 0)))}
		}))
		if err := crl.New().Check(dated); err != nil {
			t.Errorf("with an invalidity date: %v", err)
		}
		delta := input(t, issuer, key, func(s *sample) {
			s.list.ExtraExtensions = []pkix.Extension{ext(27, true, 3)}
			s.list.RevokedCertificateEntries[0].ReasonCode = 8
		})
		for _, l := range crl.All() {
			if got := outcome(full, l.ID); got != lint.Pass && l.ID != "crl.delta" {
				t.Errorf("%s: good full list: %s", l.ID, got)
			}
			if got := outcome(delta, l.ID); got == lint.Fail || l.ID == "crl.delta" && got != lint.Pass {
				t.Errorf("%s: good delta: %s", l.ID, got)
			}
			if len(cases[l.ID]) == 0 {
				t.Errorf("%s: no failing list", l.ID)
			}
			if l.ID == "crl.algorithm" && !isSM2 {
				continue // its bad issuer is one of P-256
			}
			for n, spoil := range cases[l.ID] {
				if got := outcome(input(t, issuer, key, spoil), l.ID); got != lint.Fail {
					t.Errorf("%s: bad list %d: %s", l.ID, n, got)
				}
			}
		}
	}
	for id := range cases {
		if !slices.ContainsFunc(crl.All(), func(l crl.Lint) bool { return l.ID == id }) {
			t.Errorf("cases for %s, which is no lint", id)
		}
	}
}

func TestUnknownIssuerIsNAAndOldListsAreNotJudged(t *testing.T) {
	issuer, key := authority(true)
	in := input(t, issuer, key, nil)
	in.Issuer = nil
	for _, id := range []string{"crl.issuer", "crl.issuer_may_sign", "crl.aki"} {
		if got := outcome(in, id); got != lint.NA {
			t.Errorf("%s: %s", id, got)
		}
	}
	old := input(t, issuer, key, func(s *sample) { s.list.ThisUpdate = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) })
	if got := outcome(old, "crl.entry_times"); got != lint.NA {
		t.Errorf("list of 2001: %s", got)
	}
	err := crl.New().Check(input(t, issuer, key, extra(ext(99, true, 1))))
	if want := "lint: crl.extensions: critical extension 2.5.29.99"; err == nil || err.Error() != want {
		t.Errorf("refusal %v, want %s", err, want)
	}
}

func TestNotAList(t *testing.T) {
	issuer, _ := authority(true)
	for name, der := range map[string][]byte{"empty": nil, "text": []byte("hello"), "cut": {0x30, 0x82, 1}, "a certificate": issuer.Raw} {
		if _, err := crl.Parse(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := crl.ParseTBS(der); err == nil {
			t.Errorf("%s: accepted as to-be-signed", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	issuer, key := authority(true)
	f.Add(must(smx509.CreateRevocationList(rand.Reader, &smx509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: now, NextUpdate: now.Add(time.Hour),
		RevokedCertificateEntries: []smx509.RevocationListEntry{{SerialNumber: big.NewInt(10), RevocationTime: now, ReasonCode: 1}},
	}, issuer, key)))
	f.Add(issuer.Raw)
	linter := crl.New()
	f.Fuzz(func(_ *testing.T, der []byte) {
		if view, err := crl.Parse(der); err == nil {
			linter.Run(crl.Input{View: view, Issuer: issuer})
		}
	})
}
