package cms

import (
	"bytes"
	"crypto/ecdsa"
	encasn1 "encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Signed is a verified SignedData. The chain of CertDER is not judged yet.
type Signed struct {
	Content     []byte // nil when detached
	CertDER     []byte // of the signer
	SigningTime time.Time
}

// VerifyDetached checks a detached signature over content.
func VerifyDetached(der, content []byte) (Signed, error) {
	if len(content) == 0 {
		return Signed{}, ErrEmpty
	}
	return verify(der, content, false)
}

// maxCerts bounds the certificates of one message.
const maxCerts = 16

// signerInfo is the one signer of a message.
type signerInfo struct {
	issuer []byte
	serial *big.Int
	attrs  cryptobyte.String // content of [0] as stored
	signed bool              // attributes are present
	value  []byte
}

// verify checks a message; detached is its content when it carries none.
// needAttributes refuses the form without signed attributes.
func verify(der, detached []byte, needAttributes bool) (Signed, error) {
	kind, body, err := contentInfo(der)
	if err != nil {
		return Signed{}, err
	}
	if !kind.Equal(oidSignedData) {
		return Signed{}, fmt.Errorf("%w: content type %v", ErrUnsupported, kind)
	}
	content, certs, info, err := signedData(body)
	if err != nil {
		return Signed{}, err
	}
	out := Signed{Content: content}
	switch {
	case content == nil && detached == nil:
		return Signed{}, fmt.Errorf("%w: the message carries no content", ErrFormat)
	case content == nil:
		content = detached
	case detached != nil && !bytes.Equal(content, detached):
		return Signed{}, fmt.Errorf("%w: the content carried is another", ErrSignature)
	}
	cert, pub, err := info.certificate(certs)
	if err != nil {
		return Signed{}, err
	}
	m := Message{Value: info.value}
	switch {
	case info.signed:
		a, err := info.readAttributes()
		if err != nil {
			return Signed{}, err
		}
		m.Digest, out.SigningTime = a.digest, a.at
		if m.Attributes, err = info.set(); err != nil {
			return Signed{}, err
		}
	case needAttributes:
		return Signed{}, fmt.Errorf("%w: no signed attributes", ErrUnsupported)
	}
	if err := m.Verify(pub, content); err != nil {
		return Signed{}, err
	}
	out.CertDER = cert.Raw
	return out, nil
}

// looksLikeAttributes reports whether content reads as SET{SEQUENCE{OID, …}…}.
func looksLikeAttributes(content []byte) bool {
	in := cryptobyte.String(content)
	var set, attr cryptobyte.String
	return in.ReadASN1(&set, asn1.SET) && in.Empty() && set.ReadASN1(&attr, asn1.SEQUENCE) &&
		attr.PeekASN1Tag(asn1.OBJECT_IDENTIFIER)
}

// contentInfo opens SEQUENCE{type, [0] content}, DER, no rest.
func contentInfo(der []byte) (kind encasn1.ObjectIdentifier, body cryptobyte.String, err error) {
	if len(der) > MaxSize+1<<20 {
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(der), MaxSize)
	}
	in := cryptobyte.String(der)
	var seq, inner cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1ObjectIdentifier(&kind) ||
		!seq.ReadASN1(&inner, tag0) || !seq.Empty() || !inner.ReadASN1(&body, asn1.SEQUENCE) || !inner.Empty() {
		return nil, nil, fmt.Errorf("%w: no ContentInfo", ErrFormat)
	}
	return kind, body, nil
}

// signedData takes SignedData apart.
func signedData(in cryptobyte.String) (content []byte, certs cryptobyte.String, info signerInfo, err error) {
	bad := func(what string) ([]byte, cryptobyte.String, signerInfo, error) {
		return nil, nil, signerInfo{}, fmt.Errorf("%w: SignedData: %s", ErrFormat, what)
	}
	var version int
	var digests, ci, explicit, crls, signers, one cryptobyte.String
	var kind encasn1.ObjectIdentifier
	var carried, hasCerts, hasCRLs bool
	if !in.ReadASN1Integer(&version) || !in.ReadASN1(&digests, asn1.SET) || !in.ReadASN1(&ci, asn1.SEQUENCE) {
		return bad("head")
	}
	if !ci.ReadASN1ObjectIdentifier(&kind) || !ci.ReadOptionalASN1(&explicit, &carried, tag0) || !ci.Empty() {
		return bad("contentInfo")
	}
	if !kind.Equal(oidData) && !kind.Equal(oidPKCS7Data) {
		return nil, nil, signerInfo{}, fmt.Errorf("%w: inner content type %v", ErrUnsupported, kind)
	}
	if carried {
		var octets cryptobyte.String
		if !explicit.ReadASN1(&octets, asn1.OCTET_STRING) || !explicit.Empty() || len(octets) == 0 {
			return bad("content")
		}
		content = octets
	}
	if !in.ReadOptionalASN1(&certs, &hasCerts, tag0) || !in.ReadOptionalASN1(&crls, &hasCRLs, tag1) ||
		!in.ReadASN1(&signers, asn1.SET) || !in.Empty() {
		return bad("certificates or signers")
	}
	if !signers.ReadASN1(&one, asn1.SEQUENCE) {
		return bad("no signer")
	}
	if !signers.Empty() {
		return nil, nil, signerInfo{}, fmt.Errorf("%w: more than one signer", ErrUnsupported)
	}
	info, err = readSigner(one)
	return content, certs, info, err
}

func readSigner(in cryptobyte.String) (signerInfo, error) {
	s := signerInfo{serial: new(big.Int)}
	var version int
	var name, digest, alg, rest cryptobyte.String
	var issuer cryptobyte.String
	var digestOID, algOID encasn1.ObjectIdentifier
	var unsigned bool
	var value cryptobyte.String
	ok := in.ReadASN1Integer(&version) && in.ReadASN1(&name, asn1.SEQUENCE) &&
		name.ReadASN1Element(&issuer, asn1.SEQUENCE) && name.ReadASN1Integer(s.serial) && name.Empty() &&
		in.ReadASN1(&digest, asn1.SEQUENCE) && digest.ReadASN1ObjectIdentifier(&digestOID) &&
		in.ReadOptionalASN1(&s.attrs, &s.signed, tag0) &&
		in.ReadASN1(&alg, asn1.SEQUENCE) && alg.ReadASN1ObjectIdentifier(&algOID) &&
		in.ReadASN1(&value, asn1.OCTET_STRING) && in.ReadOptionalASN1(&rest, &unsigned, tag1) && in.Empty()
	if !ok {
		return signerInfo{}, fmt.Errorf("%w: SignerInfo", ErrFormat)
	}
	if !digestOID.Equal(oidSM3) || !algOID.Equal(oidSM2Sign) && !algOID.Equal(oidSM2WithSM3) {
		return signerInfo{}, fmt.Errorf("%w: algorithms %v, %v", ErrUnsupported, digestOID, algOID)
	}
	s.issuer, s.value = issuer, value
	return s, nil
}

// certificate finds the signer's certificate among those carried.
func (s signerInfo) certificate(certs cryptobyte.String) (*smx509.Certificate, *ecdsa.PublicKey, error) {
	der, err := s.find(certs)
	if err != nil {
		return nil, nil, err
	}
	if der != nil {
		return parseCertificate(der)
	}
	return nil, nil, fmt.Errorf("%w: the signer's certificate is not in the message", ErrCertificate)
}
