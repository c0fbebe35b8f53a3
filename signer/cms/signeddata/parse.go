package signeddata

import (
	"bytes"
	encasn1 "encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Message is a SignedData as one of its signers made it, not verified yet.
type Message struct {
	GM        bool                     // framed by GB/T 35275
	Type      encasn1.ObjectIdentifier // of the content
	Content   []byte                   // set by Parse only; nil when detached
	CertDER   []byte                   // of the signer; nil when the message does not carry it
	Certs     [][]byte                 // all that it carries
	Time      time.Time                // claimed; zero when absent
	Digest    Digest
	Direct    bool   // no signed attributes: the content itself is signed
	Value     []byte // the signature value
	TimeStamp []byte // token over Value in the unsigned attributes; nil when absent

	attrs     []byte // content of [0], as stored
	signature encasn1.ObjectIdentifier
	issuer    []byte
	serial    *big.Int
	keyID     []byte // signers may be named by key instead
	claimed   []byte // messageDigest
	bound     []byte // signing-certificate-v2: digest of the certificate
	boundBy   Digest
}

const maxCerts = 32

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }

// Parse reads a message in memory, as PDF signatures and time-stamp tokens are:
// DER, one signer, signed attributes.
func Parse(der []byte) (*Message, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(der), MaxSize)
	}
	f, err := openFile(bytes.NewReader(der), int64(len(der)), false)
	if err != nil {
		return nil, err
	}
	switch len(f.Signers) {
	case 0:
		return nil, malformed("no signer")
	case 1:
	default:
		return nil, fmt.Errorf("%w: more than one signer", ErrUnsupported)
	}
	m := f.Signers[0].Message
	if err := f.Signers[0].Err; err != nil {
		return nil, err
	}
	if m.Direct {
		return nil, fmt.Errorf("%w: no signed attributes", ErrUnsupported)
	}
	if f.Carried {
		m.Content = append([]byte{}, der[f.content.from:f.content.to]...)
	}
	return m, nil
}

// findCertificate looks for the signer's certificate among those carried.
func (m *Message) findCertificate() {
	for _, c := range m.Certs {
		if m.names(c) {
			m.CertDER = c
			return
		}
	}
}

func (m *Message) readSigner(in cryptobyte.String) error {
	var version int
	var name, digest, alg, attrs, value, extra cryptobyte.String
	var signedAttrs, unsigned bool
	var digestOID encasn1.ObjectIdentifier
	m.serial = new(big.Int)
	if !in.ReadASN1Integer(&version) {
		return malformed("SignerInfo")
	}
	if key := (cryptobyte.String)(nil); in.PeekASN1Tag(asn1.Tag(0).ContextSpecific()) {
		if !in.ReadASN1(&key, asn1.Tag(0).ContextSpecific()) || key.Empty() {
			return malformed("SignerInfo")
		}
		m.keyID = key
	} else {
		var issuer cryptobyte.String
		if !in.ReadASN1(&name, asn1.SEQUENCE) || !name.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
			!name.ReadASN1Integer(m.serial) || !name.Empty() {
			return malformed("SignerInfo")
		}
		m.issuer = issuer
	}
	if !in.ReadASN1(&digest, asn1.SEQUENCE) || !digest.ReadASN1ObjectIdentifier(&digestOID) ||
		!in.ReadOptionalASN1(&attrs, &signedAttrs, tag0) ||
		!in.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&m.signature) ||
		!in.ReadASN1(&value, asn1.OCTET_STRING) || !in.ReadOptionalASN1(&extra, &unsigned, tag1) || !in.Empty() {
		return malformed("SignerInfo")
	}
	// Nothing signs these fields, so nothing but the expected may stand there.
	want := 1
	if m.keyID != nil {
		want = 3
	}
	if version != want {
		return malformed("version of SignerInfo")
	}
	if !plain(digest) || !plain(alg) {
		return fmt.Errorf("%w: parameters of an algorithm", ErrUnsupported)
	}
	m.attrs, m.Value, m.Direct = attrs, value, !signedAttrs
	var err error
	if m.Digest, err = DigestOf(digestOID); err != nil {
		return err
	}
	if m.Direct && !m.Type.Equal(oidData()) && !m.Type.Equal(oidGMData) {
		return malformed("content of another type needs signed attributes") // RFC 5652, 5.3
	}
	if !m.Direct {
		if err := m.readAttributes(attrs); err != nil {
			return err
		}
	}
	return m.readUnsigned(extra)
}

// plain: no parameters, or NULL.
func plain(params cryptobyte.String) bool {
	var null cryptobyte.String
	return params.Empty() || params.ReadASN1(&null, asn1.NULL) && null.Empty() && params.Empty()
}

// each walks SEQUENCE{type, SET{values}}; an attribute that is read stands once
// and has one value.
func each(in cryptobyte.String, read func(kind encasn1.ObjectIdentifier, set cryptobyte.String) bool) error {
	seen := map[string]bool{}
	for !in.Empty() {
		var attr, set cryptobyte.String
		var kind encasn1.ObjectIdentifier
		if !in.ReadASN1(&attr, asn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier(&kind) || !attr.ReadASN1(&set, asn1.SET) || !attr.Empty() {
			return malformed("attributes")
		}
		if id := kind.String(); seen[id] || len(seen) > 64 {
			return malformed("attribute " + id + " twice")
		}
		seen[kind.String()] = true
		if !read(kind, set) {
			return malformed("attribute " + kind.String())
		}
	}
	return nil
}

func (m *Message) readAttributes(in cryptobyte.String) error {
	var kind encasn1.ObjectIdentifier
	err := each(in, func(id encasn1.ObjectIdentifier, set cryptobyte.String) bool {
		switch {
		case id.Equal(oidContentType):
			return set.ReadASN1ObjectIdentifier(&kind) && set.Empty()
		case id.Equal(oidMessageDigest):
			var v cryptobyte.String
			ok := set.ReadASN1(&v, asn1.OCTET_STRING) && set.Empty()
			m.claimed = v
			return ok
		case id.Equal(oidSigningTime):
			if set.PeekASN1Tag(asn1.UTCTime) {
				return set.ReadASN1UTCTime(&m.Time) && set.Empty()
			}
			return set.ReadASN1GeneralizedTime(&m.Time) && set.Empty()
		case id.Equal(oidSigningCertV2):
			return m.readBound(set)
		}
		return true
	})
	if err != nil {
		return err
	}
	if kind == nil || m.claimed == nil || !kind.Equal(m.Type) {
		return malformed("contentType and messageDigest must stand once")
	}
	m.Time = m.Time.UTC()
	return nil
}

// readBound takes the first certificate of SigningCertificateV2, the signer's.
func (m *Message) readBound(set cryptobyte.String) bool {
	var seq, list, one, alg, sum cryptobyte.String
	oid := oidSHA256
	if !set.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&list, asn1.SEQUENCE) || !list.ReadASN1(&one, asn1.SEQUENCE) {
		return false
	}
	if one.PeekASN1Tag(asn1.SEQUENCE) && (!one.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid)) {
		return false
	}
	if !one.ReadASN1(&sum, asn1.OCTET_STRING) {
		return false
	}
	d, err := DigestOf(oid)
	m.bound, m.boundBy = sum, d
	return err == nil
}

func (m *Message) readUnsigned(in cryptobyte.String) error {
	return each(in, func(id encasn1.ObjectIdentifier, set cryptobyte.String) bool {
		if id.Equal(oidTimeStamp) {
			var tag asn1.Tag
			var token cryptobyte.String
			ok := set.ReadAnyASN1Element(&token, &tag) && set.Empty()
			m.TimeStamp = token
			return ok
		}
		return true
	})
}

// names reports whether the signer named itself by this certificate.
func (m *Message) names(der []byte) bool {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return false
	}
	if m.keyID != nil {
		return bytes.Equal(cert.SubjectKeyId, m.keyID)
	}
	return bytes.Equal(cert.RawIssuer, m.issuer) && cert.SerialNumber.Cmp(m.serial) == 0
}
