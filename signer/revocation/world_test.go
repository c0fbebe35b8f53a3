package revocation_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/revocation"
)

var (
	bg  = context.Background()
	now = time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC)
)

func clock() time.Time { return now }

type authority struct {
	t    testing.TB
	key  crypto.Signer
	cert *smx509.Certificate
	gm   bool
	next int64
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newAuthority(t testing.TB, gm bool, change func(*smx509.Certificate)) *authority {
	t.Helper()
	a := &authority{t: t, gm: gm, next: 100}
	var err error
	if gm {
		a.key, err = sm2.GenerateKey(rand.Reader)
	} else {
		a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	must(t, err)
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority"}, NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign, SubjectKeyId: []byte{1, 2, 3, 4},
	}
	if change != nil {
		change(c)
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, a.key.Public(), a.key)
	must(t, err)
	a.cert, err = smx509.ParseCertificate(der)
	must(t, err)
	return a
}

// issue makes a certificate of a holder that ends in a year.
func (a *authority) issue(change func(*smx509.Certificate)) *smx509.Certificate {
	a.t.Helper()
	a.next++
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: "Holder"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(c)
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, a.cert, a.key.Public(), a.key)
	must(a.t, err)
	got, err := smx509.ParseCertificate(der)
	must(a.t, err)
	return got
}

// gone is one entry of a list.
type gone struct {
	cert   *smx509.Certificate
	at     time.Time
	reason int
	more   []pkix.Extension
}

// list signs a list that is current for a week.
func (a *authority) list(at time.Time, number int64, extra []pkix.Extension, entries ...gone) []byte {
	a.t.Helper()
	l := &smx509.RevocationList{Number: big.NewInt(number), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 7), ExtraExtensions: extra}
	for _, g := range entries {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, smx509.RevocationListEntry{SerialNumber: g.cert.SerialNumber, RevocationTime: g.at, ReasonCode: g.reason, ExtraExtensions: g.more})
	}
	der, err := smx509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	must(a.t, err)
	return der
}

// set holds items with the authority's certificate beside them.
func (a *authority) set(items ...[]byte) *revocation.Set {
	a.t.Helper()
	s := revocation.New(clock)
	s.AddIssuers(a.cert.Raw)
	for _, i := range items {
		must(a.t, s.Add(i))
	}
	return s
}

func extension(last int, value ...byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, last}, Critical: true, Value: value}
}

// deltaOf names the base of a delta list.
func deltaOf(base byte) []pkix.Extension { return []pkix.Extension{extension(27, 2, 1, base)} }

// expect compares an answer: zero at is "not revoked".
func expect(t *testing.T, s *revocation.Set, c *smx509.Certificate, by, at time.Time, known bool) {
	t.Helper()
	got, k, err := s.RevokedBy(bg, c.Raw, by)
	if err != nil || k != known || !got.Equal(at) {
		t.Errorf("%v %v %v, want %v %v", got, k, err, at, known)
	}
}
