package cms

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// Tags of this format.
var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// SignDetached signs content without carrying it (GB/T 35275 SignedData, form
// b). at becomes the signingTime attribute; it is a claim, not a time-stamp.
func SignDetached(content []byte, at time.Time, signer crypto.Signer, certDER []byte) ([]byte, error) {
	if err := signable(content, MaxSize); err != nil {
		return nil, err
	}
	sum := sm3.Sum(content)
	return sign(signeddata.Spec{Digest: sum[:], Time: at}, signer, certDER)
}

// SignContent signs content that the message carries, without attributes
// (GB/T 35275 SignedData, form a of the OFD signatures: the content is a
// digest). Content that reads as signed attributes is refused.
func SignContent(content []byte, signer crypto.Signer, certDER []byte) ([]byte, error) {
	if err := signable(content, maxHeader); err != nil {
		return nil, err
	}
	return sign(signeddata.Spec{Content: content, Direct: true}, signer, certDER)
}

func signable(content []byte, limit int) error {
	switch {
	case len(content) == 0:
		return ErrEmpty
	case len(content) > limit:
		return fmt.Errorf("%w: content of %d bytes, at most %d", ErrUnsupported, len(content), limit)
	}
	return nil
}

// sign writes a SignedData of this room: SM2 only, and no attribute but those
// that readers of OFD know.
func sign(spec signeddata.Spec, signer crypto.Signer, certDER []byte) ([]byte, error) {
	if _, _, err := parseCertificate(certDER); err != nil {
		return nil, err
	}
	spec.CertDER, spec.Unbound = certDER, true
	der, err := signeddata.Sign(spec, signer)
	switch {
	case errors.Is(err, signeddata.ErrCertificate):
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	case errors.Is(err, signeddata.ErrUnsupported):
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.Is(err, signeddata.ErrSignature):
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return der, err
}

// parseCertificate reads a certificate with an SM2 key on the named curve.
func parseCertificate(der []byte) (*smx509.Certificate, *ecdsa.PublicKey, error) {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %v", ErrCertificate, err)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != sm2.P256() {
		return nil, nil, fmt.Errorf("%w: not an SM2 key", ErrCertificate)
	}
	return cert, pub, nil
}
