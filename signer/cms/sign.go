package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	encasn1 "encoding/asn1"
	"fmt"
	"sort"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Tags of this format.
var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// SignDetached signs content without carrying it (GB/T 35275 SignedData, form
// b). at becomes the signingTime attribute; it is a claim, not a time-stamp.
func SignDetached(content []byte, at time.Time, signer crypto.Signer, certDER []byte) ([]byte, error) {
	return sign(content, true, at, signer, certDER)
}

// SignContent signs content that the message carries, without attributes
// (GB/T 35275 SignedData, form a of the OFD signatures: the content is a
// digest). Content that reads as signed attributes is refused.
func SignContent(content []byte, signer crypto.Signer, certDER []byte) ([]byte, error) {
	if len(content) == 0 {
		return nil, ErrEmpty
	}
	if looksLikeAttributes(content) || len(content) > maxHeader {
		return nil, fmt.Errorf("%w: content of %d bytes without attributes", ErrUnsupported, len(content))
	}
	cert, pub, err := parseCertificate(certDER)
	if err != nil {
		return nil, err
	}
	if key, ok := signer.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(key) {
		return nil, fmt.Errorf("%w: the key is not the certificate's", ErrCertificate)
	}
	value, err := signer.Sign(rand.Reader, content, sm2.DefaultSM2SignerOpts)
	if err != nil {
		return nil, fmt.Errorf("cms: sign: %w", err)
	}
	der, err := message(content, false, nil, value, cert)
	if err != nil {
		return nil, err
	}
	if _, err := verify(der, nil, false); err != nil {
		return nil, fmt.Errorf("cms: verifying what was signed: %w", err)
	}
	return der, nil
}

// sign writes a SignedData and verifies what it wrote. A zero time leaves the
// signingTime attribute out.
func sign(content []byte, detached bool, at time.Time, signer crypto.Signer, certDER []byte) ([]byte, error) {
	if len(content) == 0 {
		return nil, ErrEmpty
	}
	if len(content) > MaxSize {
		return nil, fmt.Errorf("%w: content of %d bytes, at most %d", ErrFormat, len(content), MaxSize)
	}
	cert, pub, err := parseCertificate(certDER)
	if err != nil {
		return nil, err
	}
	if key, ok := signer.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(key) {
		return nil, fmt.Errorf("%w: the key is not the certificate's", ErrCertificate)
	}
	attrs, err := signedAttributes(content, at)
	if err != nil {
		return nil, err
	}
	// What is signed are the attributes as a SET (0x31), not with the [0] that
	// they carry inside the message.
	var set cryptobyte.Builder
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
	signed, err := set.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cms: attributes: %w", err)
	}
	value, err := signer.Sign(rand.Reader, signed, sm2.DefaultSM2SignerOpts)
	if err != nil {
		return nil, fmt.Errorf("cms: sign: %w", err)
	}
	der, err := message(content, detached, attrs, value, cert)
	if err != nil {
		return nil, err
	}
	detachedContent := content
	if !detached {
		detachedContent = nil
	}
	if _, err := verify(der, detachedContent, true); err != nil {
		return nil, fmt.Errorf("cms: verifying what was signed: %w", err)
	}
	return der, nil
}

// signedAttributes are contentType, messageDigest and signingTime in DER order.
func signedAttributes(content []byte, at time.Time) ([]byte, error) {
	sum := sm3.Sum(content)
	attrs := [][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }),
		attribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) }),
	}
	if !at.IsZero() {
		at = at.UTC().Truncate(time.Second)
		if at.Year() < 1950 || at.Year() > 2049 {
			return nil, fmt.Errorf("%w: signing time %d out of UTCTime", ErrUnsupported, at.Year())
		}
		attrs = append(attrs, attribute(oidSigningTime, func(b *cryptobyte.Builder) { b.AddASN1UTCTime(at) }))
	}
	for _, a := range attrs {
		if a == nil {
			return nil, fmt.Errorf("cms: attributes: %w", ErrFormat)
		}
	}
	sort.Slice(attrs, func(i, j int) bool { return bytes.Compare(attrs[i], attrs[j]) < 0 })
	return bytes.Join(attrs, nil), nil
}

// attribute is DER of SEQUENCE{type, SET{value}}; nil when it cannot be written.
func attribute(kind encasn1.ObjectIdentifier, value cryptobyte.BuilderContinuation) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(asn1.SET, value)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	return der
}

// message frames a signature as ContentInfo{SignedData}.
func message(content []byte, detached bool, attrs, value []byte, cert *smx509.Certificate) ([]byte, error) {
	algorithm := func(b *cryptobyte.Builder, oid encasn1.ObjectIdentifier) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1NULL()
		})
	}
	out := cryptobyte.NewBuilder(make([]byte, 0, len(content)+len(cert.Raw)+1024))
	out.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { algorithm(b, oidSM3) })
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData)
					if !detached {
						b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
					}
				})
				b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(cert.Raw) })
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1Int64(1)
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddBytes(cert.RawIssuer)
							b.AddASN1BigInt(cert.SerialNumber)
						})
						algorithm(b, oidSM3)
						if len(attrs) > 0 {
							b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
						}
						algorithm(b, oidSM2Sign)
						b.AddASN1OctetString(value)
					})
				})
			})
		})
	})
	der, err := out.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cms: encode: %w", err)
	}
	return der, nil
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
