package rfc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca/lint/rfc"
)

// Nothing that zlint cannot read passes for checked.
func TestWhatCannotBeReadIsAnError(t *testing.T) {
	l := rfc.New()
	for _, raw := range [][]byte{nil, {0x30}, []byte("no DER"), {0x30, 0x80, 0, 0}} {
		if _, err := l.Certificate(raw, false); !errors.Is(err, rfc.ErrRead) {
			t.Errorf("certificate %x: %v", raw, err)
		}
		if _, err := l.List(raw); !errors.Is(err, rfc.ErrRead) {
			t.Errorf("list %x: %v", raw, err)
		}
	}
}

// RFC 5280 4.1.2.6: an authority without a name fails, and the clause is named.
func TestAFailureNamesItsClause(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bare := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, bare, bare, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	found, err := rfc.New().Certificate(der, true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(found, func(f rfc.Finding) bool {
		return f.Outcome == rfc.Failure && f.ID != "" && f.Clause != "" && f.Detail != ""
	}) {
		t.Error("an authority without a name and a key usage passed")
	}
}
