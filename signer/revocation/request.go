package revocation

import (
	"crypto/sha256"
	encasn1 "encoding/asn1"
	"fmt"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Request is an OCSPRequest (RFC 6960 4.1.1) about one certificate, without a nonce:
// the answer is kept, and its own times say how fresh it is. The issuer is named by
// the digest of its algorithm: SM3 or SHA-256.
func Request(certDER, issuerDER []byte) ([]byte, error) {
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate: %v", ErrFormat, err)
	}
	issuer, err := smx509.ParseCertificate(issuerDER)
	if err != nil {
		return nil, fmt.Errorf("%w: issuer: %v", ErrFormat, err)
	}
	oid := encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	sum := func(b []byte) []byte { h := sha256.Sum256(b); return h[:] }
	if cert.SignatureAlgorithm == smx509.SM2WithSM3 {
		oid = encasn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}
		sum = func(b []byte) []byte { h := sm3.Sum(b); return h[:] }
	}
	// OCSPRequest → TBSRequest → requestList → Request → CertID
	var b cryptobyte.Builder
	nested(&b, 4, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(sum(issuer.RawSubject))
			b.AddASN1OctetString(sum(keyBits(issuer)))
			b.AddASN1BigInt(cert.SerialNumber)
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("revocation: encode request: %w", err)
	}
	return der, nil
}

// nested writes content inside n sequences.
func nested(b *cryptobyte.Builder, n int, content cryptobyte.BuilderContinuation) {
	if n == 0 {
		content(b)
		return
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { nested(b, n-1, content) })
}
