package signeddata

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"

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

// Verify checks the digest of the content (by m.Digest), the signing certificate
// and the signature value over the attributes as they are stored.
func (m *Message) Verify(digest []byte) error {
	if subtle.ConstantTimeCompare(digest, m.claimed) != 1 {
		return fmt.Errorf("%w: message digest", ErrSignature)
	}
	return m.VerifyValue()
}

// VerifyValue checks all but the digest of the content.
func (m *Message) VerifyValue() error {
	if m.CertDER == nil || !m.names(m.CertDER) {
		return fmt.Errorf("%w: the signer's certificate is not in the message", ErrCertificate)
	}
	if m.bound != nil && subtle.ConstantTimeCompare(m.boundBy.Of(m.CertDER), m.bound) != 1 {
		return fmt.Errorf("%w: signed with another certificate", ErrSignature)
	}
	cert, err := smx509.ParseCertificate(m.CertDER)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrCertificate, err)
	}
	var set cryptobyte.Builder
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(m.attrs) })
	signed, err := set.Bytes()
	if err != nil {
		return malformed("attributes")
	}
	switch pub := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return m.verifyEC(pub, signed)
	case *rsa.PublicKey:
		return m.verifyRSA(pub, signed)
	}
	return fmt.Errorf("%w: kind of key", ErrUnsupported)
}

func (m *Message) verifyEC(pub *ecdsa.PublicKey, signed []byte) error {
	var ok bool
	if pub.Curve == sm2.P256() {
		if m.Digest.Hash != 0 || !m.signature.Equal(oidSM2Sign) && !m.signature.Equal(oidSM2WithSM3) {
			return fmt.Errorf("%w: SM2 with %v, %v", ErrUnsupported, m.Digest.OID, m.signature)
		}
		ok = sm2.VerifyASN1WithSM2(pub, nil, signed, m.Value)
	} else {
		by := oidECDSASHA256
		switch {
		case m.Digest.OID.Equal(oidSHA384):
			by = oidECDSASHA384
		case m.Digest.OID.Equal(oidSHA512):
			by = oidECDSASHA512
		}
		if m.Digest.Hash == 0 || !m.signature.Equal(by) {
			return fmt.Errorf("%w: ECDSA with %v, %v", ErrUnsupported, m.Digest.OID, m.signature)
		}
		ok = ecdsa.VerifyASN1(pub, m.Digest.Of(signed), m.Value)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

func (m *Message) verifyRSA(pub *rsa.PublicKey, signed []byte) error {
	by := oidRSASHA256
	switch {
	case m.Digest.OID.Equal(oidSHA384):
		by = oidRSASHA384
	case m.Digest.OID.Equal(oidSHA512):
		by = oidRSASHA512
	}
	if m.Digest.Hash == 0 || !m.signature.Equal(oidRSA) && !m.signature.Equal(by) || pub.N.BitLen() < 2048 {
		return fmt.Errorf("%w: RSA of %d bits with %v, %v", ErrUnsupported, pub.N.BitLen(), m.Digest.OID, m.signature)
	}
	if err := rsa.VerifyPKCS1v15(pub, m.Digest.Hash, m.Digest.Of(signed), m.Value); err != nil {
		return ErrSignature
	}
	return nil
}
