// Package peertest makes the authorities of other domains for tests: a root and an
// authority below it on either track, with end certificates and lists. They are made
// by hand and not by a house, so that tests can make them wrong.
package peertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Authority is one that signs.
type Authority struct {
	Cert *smx509.Certificate
	Key  crypto.Signer
	at   time.Time
}

var serial atomic.Int64

// Key makes one of a track.
func Key(tb testing.TB, gm bool) crypto.Signer {
	tb.Helper()
	var key crypto.Signer
	var err error
	if gm {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Root is a self-signed authority, good at a time; gm: of the SM2 track.
func Root(tb testing.TB, gm bool, at time.Time, change func(*smx509.Certificate)) *Authority {
	tb.Helper()
	a := &Authority{Key: Key(tb, gm), at: at}
	c := template("样例对等域根", at)
	if change != nil {
		change(c)
	}
	a.Cert = sign(tb, c, c, a.Key.Public(), a.Key)
	return a
}

// Below is an authority that a signed.
func (a *Authority) Below(tb testing.TB, change func(*smx509.Certificate)) *Authority {
	tb.Helper()
	_, gm := a.Key.(*sm2.PrivateKey)
	b := &Authority{Key: Key(tb, gm), at: a.at}
	c := template("样例对等域签发", a.at)
	if change != nil {
		change(c)
	}
	b.Cert = sign(tb, c, a.Cert, b.Key.Public(), a.Key)
	return b
}

func template(name string, at time.Time) *smx509.Certificate {
	return &smx509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign,
	}
}

// Leaf is an end certificate for a host and a unit: for TLS on one track, for
// signing on the other.
func (a *Authority) Leaf(tb testing.TB, pub crypto.PublicKey, host, unit string, change func(*smx509.Certificate)) *smx509.Certificate {
	tb.Helper()
	c := &smx509.Certificate{
		Subject: pkix.Name{CommonName: "样例系统"}, NotBefore: a.at.AddDate(0, -1, 0), NotAfter: a.at.AddDate(1, 0, 0), KeyUsage: smx509.KeyUsageDigitalSignature,
	}
	if host != "" {
		c.DNSNames = []string{host}
	}
	if unit != "" {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: unit}}
	}
	if _, gm := a.Key.(*sm2.PrivateKey); !gm {
		c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageClientAuth}
	}
	if change != nil {
		change(c)
	}
	return sign(tb, c, a.Cert, pub, a.Key)
}

func sign(tb testing.TB, c, parent *smx509.Certificate, pub crypto.PublicKey, key crypto.Signer) *smx509.Certificate {
	tb.Helper()
	c.SerialNumber = big.NewInt(serial.Add(1))
	der, err := smx509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := smx509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// List is a list of revoked certificates, made at a time and good for a week.
func (a *Authority) List(tb testing.TB, at time.Time, change func(*smx509.RevocationList), gone ...*smx509.Certificate) []byte {
	tb.Helper()
	l := &smx509.RevocationList{Number: big.NewInt(at.Unix()), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 7)}
	for _, c := range gone {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, smx509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: at})
	}
	if change != nil {
		change(l)
	}
	der, err := smx509.CreateRevocationList(rand.Reader, l, a.Cert, a.Key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}
