package verify

import (
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// certificate is what the checks need of one. Certificates of real authorities
// exist that strict parsers refuse (GBK in an e-mail address): for those only the
// fields in front are read, and full is nil.
type certificate struct {
	der       []byte
	full      *smx509.Certificate
	subject   string
	notBefore time.Time
	notAfter  time.Time
}

var errCertificate = errors.New("verify: certificate malformed")

func readCertificate(der []byte) (*certificate, error) {
	if c, err := smx509.ParseCertificate(der); err == nil {
		subject := text.Name(c.Subject)
		if oldText(c.RawSubject) {
			subject = subjectOf(c.RawSubject)
		}
		return &certificate{der, c, subject, c.NotBefore, c.NotAfter}, nil
	}
	var raw struct {
		TBS struct {
			Version  int `asn1:"optional,explicit,default:0,tag:0"`
			Serial   *big.Int
			SigAlg   asn1.RawValue
			Issuer   asn1.RawValue
			Validity struct{ NotBefore, NotAfter time.Time }
			Subject  asn1.RawValue
		}
		Alg   asn1.RawValue
		Value asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &raw); err != nil || len(rest) > 0 {
		return nil, errCertificate
	}
	return &certificate{
		der: der, subject: subjectOf(raw.TBS.Subject.FullBytes),
		notBefore: raw.TBS.Validity.NotBefore, notAfter: raw.TBS.Validity.NotAfter,
	}, nil
}

// subjectOf reads a name whose strings may be of any encoding. Of a name that
// parsers read otherwise only what tells persons and units apart is kept.
func subjectOf(der []byte) string {
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &sets); err != nil {
		return ""
	}
	var name pkix.RDNSequence
	for _, set := range sets {
		var attr struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.Unmarshal(set.Bytes, &attr); err != nil || len(attr.Type) != 4 || !attr.Type[:3].Equal(asn1.ObjectIdentifier{2, 5, 4}) {
			continue
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: attr.Type, Value: foreignText(attr.Value)}})
	}
	return text.Sequence(name)
}

// oldText reports whether a name has text of a type without a known encoding:
// producers put GBK there, and parsers show it as Latin letters.
func oldText(der []byte) bool {
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &sets); err != nil {
		return false
	}
	for _, set := range sets {
		var attr struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.Unmarshal(set.Bytes, &attr); err == nil && attr.Value.Tag == asn1.TagT61String {
			return true
		}
	}
	return false
}

// foreignText reads a string whose tag and bytes need not agree: real
// certificates hold GBK in a type that is ASCII only.
func foreignText(v asn1.RawValue) string {
	switch {
	case v.Tag == asn1.TagBMPString && len(v.Bytes)%2 == 0:
		if s, err := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Bytes(v.Bytes); err == nil {
			return string(s)
		}
	case !utf8.Valid(v.Bytes):
		if s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(v.Bytes); err == nil {
			return string(s)
		}
	}
	return strings.ToValidUTF8(string(v.Bytes), "\ufffd")
}

func (c *certificate) validAt(t time.Time) bool {
	return !t.Before(c.notBefore) && !t.After(c.notAfter)
}

// signs reports whether the key usage permits signing documents.
func (c *certificate) signs() bool {
	const want = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	return c.full.KeyUsage&want != 0
}

// chains returns the way from the certificate to an anchor at time t, and the
// signatures on it; carried are authorities that the signature brought with it.
// A nil path is none.
func (c *certificate) chains(trust *Trust, t time.Time, carried ...[]byte) (path [][]byte, links []proof) {
	if trust.pinned(c.der) {
		return [][]byte{c.der}, nil
	}
	certs := trust.Path(c.der, t, carried...)
	for i, link := range certs {
		path = append(path, link.Raw)
		if i == 0 {
			continue
		}
		if key, ok := link.PublicKey.(*ecdsa.PublicKey); ok && key.Curve == sm2.P256() {
			child := certs[i-1]
			p := seal.Proof{Key: key, Message: child.RawTBSCertificate, Value: child.Signature}
			links = append(links, proof{Proof: p, who: text.Name(child.Subject), holds: true})
		}
	}
	return path, links
}
