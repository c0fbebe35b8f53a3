package cms

import (
	"crypto"
	encasn1 "encoding/asn1"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// maxHeader bounds the header of a signed envelope.
const maxHeader = 64 << 10

// Encrypt makes an EnvelopedData for one recipient: a fresh SM4 key, SM4-GCM
// over content, the key encrypted with SM2 to the recipient's encryption
// certificate. GCM notices every change of the content, but says nothing about
// who wrote it: see SignEnvelope.
func Encrypt(content []byte, recipientDER []byte) ([]byte, error) {
	if len(content) == 0 {
		return nil, ErrEmpty
	}
	if len(content) > MaxSize {
		return nil, fmt.Errorf("%w: content of %d bytes, at most %d", ErrFormat, len(content), MaxSize)
	}
	cert, _, err := parseCertificate(recipientDER)
	if err != nil {
		return nil, err
	}
	// A signing key must never decrypt: the KMC cannot recover it, and its
	// holder may not share it (dual certificates, GM/T 0034).
	const forEncryption = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
	if cert.KeyUsage != 0 && cert.KeyUsage&forEncryption == 0 {
		return nil, fmt.Errorf("%w: not an encryption certificate", ErrCertificate)
	}
	der, err := pkcs7.EncryptSM(pkcs.SM4GCM, content, []*smx509.Certificate{cert})
	if err != nil {
		return nil, fmt.Errorf("cms: encrypt: %w", err)
	}
	if _, err := openEnveloped(der); err != nil {
		return nil, fmt.Errorf("cms: reading back what was encrypted: %w", err)
	}
	return der, nil
}

// Decrypt opens an EnvelopedData with the recipient's encryption certificate
// and key. Every failure of the mathematics is ErrDecrypt, without telling
// which step failed.
func Decrypt(der, certDER []byte, key crypto.Decrypter) (content []byte, err error) {
	cert, _, err := parseCertificate(certDER)
	if err != nil {
		return nil, err
	}
	to, err := openEnveloped(der)
	if err != nil {
		return nil, err
	}
	if string(to.issuer) != string(cert.RawIssuer) || to.serial.Cmp(cert.SerialNumber) != 0 {
		return nil, ErrRecipient
	}
	// The library's BER reader panics on some malformed input; openEnveloped
	// has refused all that is not DER, and this holds what may be left.
	defer func() {
		if recover() != nil {
			content, err = nil, fmt.Errorf("%w: EnvelopedData", ErrFormat)
		}
	}()
	p7, err := pkcs7.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("%w: EnvelopedData: %v", ErrFormat, err)
	}
	content, err = p7.Decrypt(cert, key)
	if err != nil || len(content) == 0 {
		return nil, ErrDecrypt
	}
	return content, nil
}

// recipient is whom an envelope is for.
type recipient struct {
	issuer []byte
	serial *big.Int
}

// openEnveloped reads an EnvelopedData strictly, as DER: exactly one
// recipient, SM4-GCM, nothing left over.
func openEnveloped(der []byte) (recipient, error) {
	kind, in, err := contentInfo(der)
	if err != nil {
		return recipient{}, err
	}
	if !kind.Equal(oidEnvelopedData) {
		return recipient{}, fmt.Errorf("%w: content type %v", ErrUnsupported, kind)
	}
	to := recipient{serial: new(big.Int)}
	var version, itsVersion int
	var all, one, name, issuer, keyAlg, eci, alg, key, content cryptobyte.String
	var contentKind, algOID encasn1.ObjectIdentifier
	ok := in.ReadASN1Integer(&version) && in.ReadASN1(&all, asn1.SET) && in.ReadASN1(&eci, asn1.SEQUENCE) && in.Empty() &&
		all.ReadASN1(&one, asn1.SEQUENCE) &&
		one.ReadASN1Integer(&itsVersion) && one.ReadASN1(&name, asn1.SEQUENCE) &&
		name.ReadASN1Element(&issuer, asn1.SEQUENCE) && name.ReadASN1Integer(to.serial) && name.Empty() &&
		one.ReadASN1(&keyAlg, asn1.SEQUENCE) && one.ReadASN1(&key, asn1.OCTET_STRING) && one.Empty() &&
		eci.ReadASN1ObjectIdentifier(&contentKind) && eci.ReadASN1(&alg, asn1.SEQUENCE) &&
		alg.ReadASN1ObjectIdentifier(&algOID) &&
		eci.ReadASN1(&content, asn1.Tag(0).ContextSpecific()) && eci.Empty() && len(content) > 0
	if !ok {
		return recipient{}, fmt.Errorf("%w: EnvelopedData", ErrFormat)
	}
	if !all.Empty() {
		return recipient{}, fmt.Errorf("%w: more than one recipient", ErrUnsupported)
	}
	if !algOID.Equal(oidSM4GCM) {
		return recipient{}, fmt.Errorf("%w: content encryption %v", ErrUnsupported, algOID)
	}
	to.issuer = issuer
	return to, nil
}

// SignEnvelope binds a header to an envelope with one signature: a SignedData
// over DER SEQUENCE{header OCTET STRING, envelope OCTET STRING}. Without it an
// envelope could be delivered under another transfer, label or decision.
func SignEnvelope(header, envelope []byte, signer crypto.Signer, certDER []byte) ([]byte, error) {
	if len(header) == 0 || len(envelope) == 0 {
		return nil, ErrEmpty
	}
	if len(header) > maxHeader {
		return nil, fmt.Errorf("%w: header of %d bytes, at most %d", ErrFormat, len(header), maxHeader)
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(header)+len(envelope)+32))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1OctetString(header)
		b.AddASN1OctetString(envelope)
	})
	content, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("cms: encode envelope: %w", err)
	}
	if err := signable(content, MaxSize); err != nil {
		return nil, err
	}
	return sign(signeddata.Spec{Content: content}, signer, certDER)
}

// OpenEnvelope verifies a signed envelope and returns its parts and the
// signer's certificate, whose chain the caller judges.
func OpenEnvelope(der []byte) (header, envelope, signerCertDER []byte, err error) {
	s, err := verify(der, nil, true)
	if err != nil {
		return nil, nil, nil, err
	}
	in := cryptobyte.String(s.Content)
	var seq, head, body cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&head, asn1.OCTET_STRING) ||
		!seq.ReadASN1(&body, asn1.OCTET_STRING) || !seq.Empty() || len(head) == 0 || len(head) > maxHeader || len(body) == 0 {
		return nil, nil, nil, fmt.Errorf("%w: not a signed envelope", ErrFormat)
	}
	return head, body, s.CertDER, nil
}
