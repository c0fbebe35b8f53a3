package signeddata

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"
	encasn1 "encoding/asn1"
	"fmt"
	"hash"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// VerifyContent is Verify of an embedded content.
func (m *Message) VerifyContent() error {
	if m.Content == nil {
		return fmt.Errorf("%w: no content", ErrFormat)
	}
	return m.Verify(m.Digest.Of(m.Content))
}

// Hash is what the content goes through to give the sum for Verify: the digest of
// the message, or with Direct and SM2 the digest that begins with the key (ZA,
// GB/T 32918.2, 5.5).
func (m *Message) Hash() (hash.Hash, error) {
	if !m.Direct {
		return m.Digest.New(), nil
	}
	pub, err := m.publicKey()
	if err != nil {
		return nil, err
	}
	if key, ok := pub.(*ecdsa.PublicKey); ok && key.Curve == sm2.P256() {
		h, err := sm2.NewHash(key)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrCertificate, err)
		}
		return h, nil
	}
	return m.Digest.New(), nil
}

// Verify checks the sum of the content (by Hash), the signing certificate and the
// signature value over the attributes as they are stored, or over the content.
func (m *Message) Verify(sum []byte) error {
	if m.Direct {
		if sum == nil {
			return fmt.Errorf("%w: content that reads as signed attributes", ErrUnsupported)
		}
		return m.verifySum(sum)
	}
	if err := m.VerifyDigest(sum); err != nil {
		return err
	}
	return m.VerifyValue()
}

// VerifyDigest checks the digest of the content and nothing else: VerifyValue is
// the other half. There is none to check with Direct.
func (m *Message) VerifyDigest(sum []byte) error {
	if m.Direct || subtle.ConstantTimeCompare(sum, m.claimed) != 1 {
		return fmt.Errorf("%w: message digest", ErrSignature)
	}
	return nil
}

// VerifyValue checks all but the digest of the content. It has no answer to a
// Direct signature, whose value is over the content.
func (m *Message) VerifyValue() error {
	if m.Direct {
		return fmt.Errorf("%w: no signed attributes", ErrUnsupported)
	}
	pub, err := m.publicKey()
	if err != nil {
		return err
	}
	signed, err := m.SignedAttributes()
	if err != nil {
		return err
	}
	if key, ok := pub.(*ecdsa.PublicKey); ok && key.Curve == sm2.P256() {
		sum, err := sm2.CalculateSM2Hash(key, signed, nil)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrCertificate, err)
		}
		return m.verifySum(sum)
	}
	return m.verifySum(m.Digest.Of(signed))
}

// SignedAttributes are what the value signs: a SET, in the order stored; nil
// with Direct.
func (m *Message) SignedAttributes() ([]byte, error) {
	if m.Direct {
		return nil, nil
	}
	var set cryptobyte.Builder
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(m.attrs) })
	signed, err := set.Bytes()
	if err != nil {
		return nil, malformed("attributes")
	}
	return signed, nil
}

// Bound reports whether the signer's certificate is named among what is signed
// (signing-certificate-v2, RFC 5035), as CAdES wants it.
func (m *Message) Bound() bool { return m.bound != nil }

// publicKey is the key of the signer's certificate, which must be the one that
// the signer named and bound.
func (m *Message) publicKey() (any, error) {
	if m.CertDER == nil || !m.names(m.CertDER) {
		return nil, fmt.Errorf("%w: the signer's certificate is not in the message", ErrCertificate)
	}
	if m.bound != nil && subtle.ConstantTimeCompare(m.boundBy.Of(m.CertDER), m.bound) != 1 {
		return nil, fmt.Errorf("%w: signed with another certificate", ErrSignature)
	}
	cert, err := smx509.ParseCertificate(m.CertDER)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCertificate, err)
	}
	return cert.PublicKey, nil
}

// verifySum checks the value over a digest; that of SM2 has the key in it.
func (m *Message) verifySum(sum []byte) error {
	pub, err := m.publicKey()
	if err != nil {
		return err
	}
	ok := false
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == sm2.P256() {
			if m.Digest.Hash != 0 || !m.signature.Equal(oidSM2Sign) && !m.signature.Equal(oidSM2WithSM3) {
				return fmt.Errorf("%w: SM2 with %v, %v", ErrUnsupported, m.Digest.OID, m.signature)
			}
			value, _ := SM2Value(m.Value)
			ok = sm2.VerifyASN1(key, sum, value)
			break
		}
		if m.Digest.Hash == 0 || !m.signature.Equal(m.paired(oidECDSASHA256, oidECDSASHA384, oidECDSASHA512)) {
			return fmt.Errorf("%w: ECDSA with %v, %v", ErrUnsupported, m.Digest.OID, m.signature)
		}
		ok = ecdsa.VerifyASN1(key, sum, m.Value)
	case *rsa.PublicKey:
		by := m.paired(oidRSASHA256, oidRSASHA384, oidRSASHA512)
		if m.Digest.Hash == 0 || !m.signature.Equal(oidRSA) && !m.signature.Equal(by) || key.N.BitLen() < 2048 {
			return fmt.Errorf("%w: RSA of %d bits with %v, %v", ErrUnsupported, key.N.BitLen(), m.Digest.OID, m.signature)
		}
		ok = rsa.VerifyPKCS1v15(key, m.Digest.Hash, sum, m.Value) == nil
	default:
		return fmt.Errorf("%w: kind of key", ErrUnsupported)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// paired is the signature algorithm that goes with the digest of the message.
func (m *Message) paired(sha256, sha384, sha512 encasn1.ObjectIdentifier) encasn1.ObjectIdentifier {
	switch {
	case m.Digest.OID.Equal(oidSHA384):
		return sha384
	case m.Digest.OID.Equal(oidSHA512):
		return sha512
	}
	return sha256
}

// SM2Value brings r‖s in 64 bytes, which one vendor stores, to DER, and reports
// that it did. DER of two 29-byte numbers has 64 bytes too and stays as it is.
func SM2Value(value []byte) (der []byte, raw bool) {
	if len(value) != 64 {
		return value, false
	}
	in := cryptobyte.String(value)
	var rs cryptobyte.String
	if in.ReadASN1(&rs, asn1.SEQUENCE) && in.Empty() && rs.SkipASN1(asn1.INTEGER) && rs.SkipASN1(asn1.INTEGER) && rs.Empty() {
		return value, false
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(value[:32]))
		b.AddASN1BigInt(new(big.Int).SetBytes(value[32:]))
	})
	der, err := b.Bytes()
	if err != nil {
		return value, false // a value that fits nothing
	}
	return der, true
}
