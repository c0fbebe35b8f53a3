package signer

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// ErrCertificate: a certificate that may not sign, or not with this key or at
// this time.
var ErrCertificate = errors.New("signer: certificate not usable for signing")

// lintSigner checks, before anything is signed, what every receiver will check of
// a certificate without a seal, of either track (RFC 5280, 4.1.2.5 and 4.2.1).
func lintSigner(certDER []byte, pub crypto.PublicKey, at time.Time) error {
	const signs = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrCertificate, err)
	}
	own, ok := cert.PublicKey.(*ecdsa.PublicKey)
	at = at.Truncate(time.Second) // as it is written
	switch {
	case !ok || !own.Equal(pub):
		return fmt.Errorf("%w: the key is not the certificate's", ErrCertificate)
	case cert.IsCA:
		return fmt.Errorf("%w: it belongs to an authority", ErrCertificate)
	case cert.KeyUsage&signs == 0 && (cert.KeyUsage != 0 || own.Curve == sm2.P256()): // GB/T 20518 wants one, RFC 5280 does not
		return fmt.Errorf("%w: its key usage is not signing", ErrCertificate)
	case at.Before(cert.NotBefore) || at.After(cert.NotAfter):
		return fmt.Errorf("%w: %s is outside its period %s to %s", ErrCertificate, at.UTC().Format(time.RFC3339),
			cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}
