package tlcp_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/tlcp"
)

const (
	signing    = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	encrypting = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
)

// pki is a root and an issuing authority of the SM2 track, and who they certify.
type pki struct {
	t             testing.TB
	root, issuing *smx509.Certificate
	key           *sm2.PrivateKey // of issuing
	serial        int64
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newPKI(t testing.TB) *pki {
	rootKey := must(sm2.GenerateKey(rand.Reader))
	p := &pki{t: t, key: must(sm2.GenerateKey(rand.Reader))}
	ca := func(cn string) *smx509.Certificate {
		p.serial++
		return &smx509.Certificate{
			SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign, SignatureAlgorithm: smx509.SM2WithSM3,
		}
	}
	r := ca("root")
	p.root = must(smx509.ParseCertificate(must(smx509.CreateCertificate(rand.Reader, r, r, &rootKey.PublicKey, rootKey))))
	p.issuing = must(smx509.ParseCertificate(must(smx509.CreateCertificate(rand.Reader, ca("issuing"), p.root, &p.key.PublicKey, rootKey))))
	return p
}

func (p *pki) trust() tlcp.Trust {
	return tlcp.Trust{Roots: []*smx509.Certificate{p.root}, Issuing: []*smx509.Certificate{p.issuing}}
}

// leaf is one certificate; change may spoil it.
func (p *pki) leaf(pub crypto.PublicKey, usage smx509.KeyUsage, cn string, change func(*smx509.Certificate)) *smx509.Certificate {
	p.serial++
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: usage, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, SignatureAlgorithm: smx509.SM2WithSM3,
	}
	if change != nil {
		change(c)
	}
	return must(smx509.ParseCertificate(must(smx509.CreateCertificate(rand.Reader, c, p.issuing, pub, p.key))))
}

// pair is a system's.
func (p *pki) pair(cn string, change func(*smx509.Certificate)) tlcp.Pair {
	s, e := must(sm2.GenerateKey(rand.Reader)), must(sm2.GenerateKey(rand.Reader))
	return tlcp.Pair{Sign: p.leaf(&s.PublicKey, signing, cn, change), Enc: p.leaf(&e.PublicKey, encrypting, cn, change), SignKey: s, EncKey: e}
}

// server is the house's pair.
func (p *pki) server() tlcp.Pair {
	pair := p.pair("house", nil)
	pair.Sign = p.leaf(pair.SignKey.Public(), signing, "house", serverAuth)
	return pair
}

func serverAuth(c *smx509.Certificate) {
	c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageServerAuth}
}

func expired(c *smx509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func p256() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func always(p tlcp.Pair) func(context.Context) (tlcp.Pair, error) {
	return func(context.Context) (tlcp.Pair, error) { return p, nil }
}
