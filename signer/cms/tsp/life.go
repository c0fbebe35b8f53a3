package tsp

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
)

// End is why a token stops proving its time.
type End string

// Ends of a token.
const (
	EndCertificate End = "certificate" // the service's certificate runs out
	EndChain       End = "chain"       // one above it does
	EndKey         End = "key"         // a key that is too weak by then
	EndDigest      End = "digest"      // a certificate's signature with a digest that is broken
)

// Life is until when a token proves its time. What must be proved longer is
// stamped again before Until.
type Life struct {
	Until  time.Time
	End    End
	Detail string // whose certificate, which algorithm
}

// Ends that have a date. SM2 with SM3, the curves of 256 bits and more and
// SHA-2 have none so far.
var (
	// 80 bits of security: no signature after 2013 (NIST SP 800-131A).
	endWeak = time.Date(2013, 12, 31, 23, 59, 59, 0, time.UTC)
	// 112 bits: until 2030 (NIST SP 800-57 part 1, table 4).
	endMiddling = time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC)
)

// longestChain bounds the walk to the root.
const longestChain = 8

// GoodUntil is the earliest end among the service's certificate, those above it
// and their algorithms. Authorities are taken from the token and from further;
// one that is in neither cannot be counted. It verifies nothing but the links of
// the chain: call it for a token that holds.
func (t *Token) GoodUntil(further ...[]byte) (Life, error) {
	cert, err := smx509.ParseCertificate(t.CertDER)
	if err != nil {
		return Life{}, fmt.Errorf("%w: the token carries no certificate that reads", ErrUsage)
	}
	var known []*smx509.Certificate
	for _, der := range append(append([][]byte{}, t.Certs...), further...) {
		if c, err := smx509.ParseCertificate(der); err == nil {
			known = append(known, c)
		}
	}
	path := []*smx509.Certificate{cert}
	for up := issuer(cert, known); up != nil && len(path) < longestChain; up = issuer(up, known) {
		path = append(path, up)
	}
	return LifeOf(path), nil
}

// LifeOf is GoodUntil for a token whose chain is known: from the service's
// certificate to the anchor. An empty one proves nothing.
func LifeOf(path []*smx509.Certificate) Life {
	var first Life
	for i, c := range path {
		if i == 0 {
			first = Life{c.NotAfter, EndCertificate, text.Name(c.Subject)}
		}
		first = earlier(first, Life{c.NotAfter, EndChain, text.Name(c.Subject)})
		first = earlier(earlier(first, endOfKey(c)), endOfSignature(c))
	}
	return first
}

// earlier keeps what comes first; one without a date is no end.
func earlier(a, b Life) Life {
	if b.Until.IsZero() || !b.Until.Before(a.Until) {
		return a
	}
	return b
}

// issuer finds who signed a certificate; a root has nobody above it.
func issuer(c *smx509.Certificate, known []*smx509.Certificate) *smx509.Certificate {
	for _, up := range known {
		if !up.Equal(c) && string(up.RawSubject) == string(c.RawIssuer) && c.CheckSignatureFrom(up) == nil {
			return up
		}
	}
	return nil
}

func endOfKey(c *smx509.Certificate) Life {
	bits := 0
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits = k.N.BitLen(); bits < 2048 {
			return Life{endWeak, EndKey, fmt.Sprintf("RSA %d", bits)}
		}
		if bits < 3072 {
			return Life{endMiddling, EndKey, fmt.Sprintf("RSA %d", bits)}
		}
	case *ecdsa.PublicKey:
		if bits = k.Curve.Params().BitSize; bits < 256 {
			return Life{endMiddling, EndKey, "EC " + k.Curve.Params().Name}
		}
	}
	return Life{}
}

// endOfSignature: a broken digest under a certificate lets somebody else have
// one like it. A root is trusted as it is, not for its signature on itself.
func endOfSignature(c *smx509.Certificate) Life {
	if string(c.RawIssuer) == string(c.RawSubject) {
		return Life{}
	}
	switch c.SignatureAlgorithm {
	case smx509.MD2WithRSA, smx509.MD5WithRSA, smx509.SHA1WithRSA, smx509.ECDSAWithSHA1:
		return Life{endWeak, EndDigest, c.SignatureAlgorithm.String()}
	}
	return Life{}
}
