package cms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/subtle"
	encasn1 "encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// Message is a SignedData with one signer taken apart and not verified: for
// callers who must name each fault of a foreign message, and who judge
// certificates more leniently than this room. Byte slices alias the input.
type Message struct {
	Content     []byte    // nil when detached
	CertDER     []byte    // of the signer; nil when the message does not carry it
	Certs       [][]byte  // every certificate that it carries
	SigningTime time.Time // zero when the attribute is missing
	Digest      []byte    // attribute messageDigest; nil without attributes
	Value       []byte    // DER SEQUENCE{r,s}
	RawValue    bool      // it was stored as 64 bytes r‖s
	// Attributes are what was signed in form (b): the signed attributes as a SET,
	// in the order stored. Real signers exist whose SET is not sorted, and sorting
	// it would break their signatures. nil in form (a): the content was signed.
	Attributes []byte
}

// Parse takes a SignedData apart (GB/T 35275, 8). It says nothing about the
// signature. Other algorithms than SM2 with SM3 and a second signer are
// ErrUnsupported.
func Parse(der []byte) (*Message, error) {
	kind, body, err := contentInfo(der)
	if err != nil {
		return nil, err
	}
	if !kind.Equal(oidSignedData) {
		return nil, fmt.Errorf("%w: content type %v", ErrUnsupported, kind)
	}
	content, certs, info, err := signedData(body)
	if err != nil {
		return nil, err
	}
	m := &Message{Content: content}
	m.Value, m.RawValue = signeddata.SM2Value(info.value)
	if m.CertDER, err = info.find(certs); err != nil {
		return nil, err
	}
	for !certs.Empty() {
		var el cryptobyte.String
		certs.ReadASN1Element(&el, asn1.SEQUENCE) // find went over all of them
		m.Certs = append(m.Certs, el)
	}
	if info.signed {
		a, err := info.readAttributes()
		if err != nil {
			return nil, err
		}
		m.Digest, m.SigningTime = a.digest, a.at
		if m.Attributes, err = info.set(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Signed is what the value must fit when content is what was signed: the
// attributes, or else the content itself. It refuses a content that is not the one of the attributes, and one that
// reads as attributes, which would let a signature over attributes pass for one
// over content.
func (m *Message) Signed(content []byte) ([]byte, error) {
	if m.Attributes == nil {
		if len(content) == 0 {
			return nil, ErrEmpty
		}
		if looksLikeAttributes(content) {
			return nil, fmt.Errorf("%w: content that reads as signed attributes", ErrUnsupported)
		}
		return content, nil
	}
	if sum := sm3.Sum(content); subtle.ConstantTimeCompare(m.Digest, sum[:]) != 1 {
		return nil, fmt.Errorf("%w: message digest", ErrSignature)
	}
	return m.Attributes, nil
}

// Verify checks the signature over content with the signer's key.
func (m *Message) Verify(pub *ecdsa.PublicKey, content []byte) error {
	signed, err := m.Signed(content)
	if err != nil {
		return err
	}
	if !sm2.VerifyASN1WithSM2(pub, nil, signed, m.Value) {
		return ErrSignature
	}
	return nil
}

// find returns the signer's certificate among those carried, nil when it is not
// there. It reads issuer and serial number only: certificates of real
// authorities exist that strict parsers refuse for an unrelated field.
func (s signerInfo) find(certs cryptobyte.String) (found []byte, err error) {
	for n := 0; !certs.Empty(); n++ {
		var el cryptobyte.String
		if n == maxCerts || !certs.ReadASN1Element(&el, asn1.SEQUENCE) {
			return nil, fmt.Errorf("%w: certificates", ErrFormat)
		}
		var cert, tbs, issuer cryptobyte.String
		serial := new(big.Int)
		in := el
		if in.ReadASN1(&cert, asn1.SEQUENCE) && cert.ReadASN1(&tbs, asn1.SEQUENCE) && tbs.SkipOptionalASN1(tag0) &&
			tbs.ReadASN1Integer(serial) && tbs.SkipASN1(asn1.SEQUENCE) && tbs.ReadASN1Element(&issuer, asn1.SEQUENCE) &&
			bytes.Equal(issuer, s.issuer) && serial.Cmp(s.serial) == 0 && found == nil {
			found = el
		}
	}
	return found, nil
}

// set is the attributes as they are signed: a SET (0x31) instead of the [0]
// that they carry inside the message.
func (s signerInfo) set() ([]byte, error) {
	var set cryptobyte.Builder
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(s.attrs) })
	out, err := set.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: attributes", ErrFormat)
	}
	return out, nil
}

// attributes are the signed attributes that are read; the others are signed all
// the same.
type attributes struct {
	digest []byte
	at     time.Time
}

// readAttributes reads contentType, messageDigest and signingTime; the first two
// must stand exactly once.
func (s signerInfo) readAttributes() (a attributes, err error) {
	var kinds, digests, times int
	for in := s.attrs; !in.Empty(); {
		var attr, set cryptobyte.String
		var kind encasn1.ObjectIdentifier
		if !in.ReadASN1(&attr, asn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier(&kind) || !attr.ReadASN1(&set, asn1.SET) || !attr.Empty() {
			return a, fmt.Errorf("%w: signed attributes", ErrFormat)
		}
		ok := true
		switch {
		case kind.Equal(oidContentType):
			var v encasn1.ObjectIdentifier
			kinds++
			ok = set.ReadASN1ObjectIdentifier(&v) && set.Empty() && (v.Equal(oidData) || v.Equal(oidPKCS7Data))
		case kind.Equal(oidMessageDigest):
			var v cryptobyte.String
			digests++
			ok = set.ReadASN1(&v, asn1.OCTET_STRING) && set.Empty()
			a.digest = v
		case kind.Equal(oidSigningTime):
			times++
			if set.PeekASN1Tag(asn1.UTCTime) {
				ok = set.ReadASN1UTCTime(&a.at) && set.Empty()
			} else {
				ok = set.ReadASN1GeneralizedTime(&a.at) && set.Empty()
			}
		}
		if !ok {
			return a, fmt.Errorf("%w: attribute %v", ErrFormat, kind)
		}
	}
	if kinds != 1 || digests != 1 || times > 1 {
		return a, fmt.Errorf("%w: contentType and messageDigest must stand once", ErrFormat)
	}
	a.at = a.at.UTC()
	return a, nil
}
