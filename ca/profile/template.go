package profile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Subject is who a certificate speaks of. It has no field for a personal
// number: such a number may not stand in a certificate.
type Subject struct {
	CommonName   string // host, esID, name of a person or of an authority
	Organization string // name of the unit, without its code
	USCC         string // placed as the profile says; ignored where it has none
}

// Fields is everything that differs between two certificates of one profile.
type Fields struct {
	Serial   *big.Int
	Subject  Subject
	Public   *ecdsa.PublicKey
	Hosts    []string
	Issuer   *smx509.Certificate // nil for a self-signed profile
	Now      time.Time
	Validity time.Duration // 0: the profile's; never longer than it
	NotAfter time.Time     // zero: none; the certificate ends no later, whatever its validity
}

// Outcomes that callers branch on.
var (
	// ErrKey: the key does not fit the profile's algorithm.
	ErrKey = errors.New("profile: key does not fit")
	// ErrFields: a field is missing, or does not belong into this profile.
	ErrFields = errors.New("profile: fields do not fit")
)

// Backdate covers clocks that run behind; it never reaches before the issuer.
const Backdate = 5 * time.Minute

// OrganizationIdentifier is the X.520 attribute that holds the code of a unit.
func OrganizationIdentifier() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 97} }

// OCSPNoCheck is id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1).
func OCSPNoCheck() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
}

// TestUnit is the organizational unit of every test certificate: whoever looks at
// one reads what it is.
const TestUnit = "测试证书 TEST ONLY"

// Template makes the template of a certificate. Validity is cut to the
// issuer's period, so that no leaf outlives what it hangs on. The site was
// validated when the caller started.
func (p Profile) Template(site Site, f Fields) (*smx509.Certificate, error) {
	if err := p.checkFields(f); err != nil {
		return nil, err
	}
	id, err := KeyID(f.Public)
	if err != nil {
		return nil, err
	}
	policies, err := site.policies(p.Test)
	if err != nil {
		return nil, err
	}
	t := &smx509.Certificate{
		SerialNumber:          f.Serial,
		Subject:               p.name(f.Subject),
		KeyUsage:              p.KeyUsage,
		ExtKeyUsage:           slices.Clone(p.ExtKeyUsage),
		BasicConstraintsValid: true,
		IsCA:                  p.CA,
		MaxPathLen:            -1,
		SubjectKeyId:          id,
		DNSNames:              slices.Clone(f.Hosts),
		ExtraExtensions:       []pkix.Extension{policies},
		SignatureAlgorithm:    p.signature(),
	}
	if p.CriticalPurpose() {
		t.ExtraExtensions = append(t.ExtraExtensions, criticalStamping())
	}
	if p.CA {
		t.MaxPathLen, t.MaxPathLenZero = p.PathLen, p.PathLen == 0
	}
	t.NotBefore, t.NotAfter = p.period(f)
	if p.NoCheck {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: OCSPNoCheck(), Value: asn1.NullBytes})
	}
	if !p.SelfSigned {
		issuer := IssuerID(f.Issuer.RawSubject, f.Issuer.RawSubjectPublicKeyInfo)
		t.AuthorityKeyId = f.Issuer.SubjectKeyId // also under its own name, where the library would leave it out
		t.CRLDistributionPoints = []string{site.CRLAddress(issuer, Shard(f.Serial, site.Shards), false)}
		t.IssuingCertificateURL = fill(site.Issuers, issuer)
		t.OCSPServer = fill(site.OCSP, issuer)
	} else {
		t.AuthorityKeyId = id
	}
	return t, nil
}

// criticalStamping is the extended key usage of a time-stamp service; templates
// make only extensions that are not critical.
func criticalStamping() pkix.Extension {
	return pkix.Extension{
		Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
		Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}, // SEQUENCE{id-kp-timeStamping}
	}
}

func (p Profile) checkFields(f Fields) error {
	switch {
	case f.Serial == nil || f.Serial.Sign() <= 0:
		return fmt.Errorf("%w: serial", ErrFields)
	case f.Subject.CommonName == "" || f.Subject.Organization == "":
		return fmt.Errorf("%w: subject needs CN and O", ErrFields)
	case p.USCC != USCCNone && f.Subject.USCC == "":
		return fmt.Errorf("%w: subject needs the code of its unit", ErrFields)
	case p.Hosts != (len(f.Hosts) > 0):
		return fmt.Errorf("%w: host names: profile %s", ErrFields, p.Name)
	case p.SelfSigned != (f.Issuer == nil):
		return fmt.Errorf("%w: issuer", ErrFields)
	case f.Validity < 0 || f.Validity > p.Validity:
		return fmt.Errorf("%w: validity longer than the profile permits", ErrFields)
	case !f.NotAfter.IsZero() && !f.NotAfter.After(f.Now):
		return fmt.Errorf("%w: it would have ended by now", ErrFields)
	case f.Public == nil || f.Public.Curve != p.Curve():
		return fmt.Errorf("%w: profile %s", ErrKey, p.Name)
	}
	return nil
}

// Curve is the one curve of the profile's algorithm.
func (p Profile) Curve() elliptic.Curve {
	if p.Algorithm == SM2 {
		return sm2.P256()
	}
	return elliptic.P256()
}

func (p Profile) signature() smx509.SignatureAlgorithm {
	if p.Algorithm == SM2 {
		return smx509.SM2WithSM3
	}
	return smx509.ECDSAWithSHA256
}

func (p Profile) name(s Subject) pkix.Name {
	n := pkix.Name{Country: []string{"CN"}, Organization: []string{s.Organization}, CommonName: s.CommonName}
	if p.Test {
		n.OrganizationalUnit = []string{TestUnit}
	}
	switch p.USCC {
	case USCCInOrganization:
		n.Organization = []string{s.USCC + s.Organization}
	case USCCIdentifier:
		n.ExtraNames = []pkix.AttributeTypeAndValue{{Type: OrganizationIdentifier(), Value: s.USCC}}
	}
	return n
}

func (p Profile) period(f Fields) (from, until time.Time) {
	length := f.Validity
	if length == 0 {
		length = p.Validity
	}
	now := f.Now.UTC().Truncate(time.Second)
	from = now.Add(-Backdate)
	if f.Issuer != nil && from.Before(f.Issuer.NotBefore) {
		from = f.Issuer.NotBefore
	}
	// Counted from the first second, both ends inclusive (RFC 5280 4.1.2.5).
	until = from.Add(length - time.Second)
	if f.Issuer != nil && until.After(f.Issuer.NotAfter) {
		until = f.Issuer.NotAfter
	}
	if !f.NotAfter.IsZero() && until.After(f.NotAfter) {
		until = f.NotAfter.UTC().Truncate(time.Second)
	}
	return from, until
}

// KeyID is the subject key identifier: the leftmost 160 bits of the hash of the
// public key bits (RFC 7093 2 (1)), SM3 for SM2 keys, SHA-256 for P-256.
func KeyID(pub *ecdsa.PublicKey) ([]byte, error) {
	point, err := point(pub)
	if err != nil {
		return nil, err
	}
	if pub.Curve == sm2.P256() {
		sum := sm3.Sum(point)
		return sum[:20], nil
	}
	sum := sha256.Sum256(point)
	return sum[:20], nil
}

// point is the content of subjectPublicKey. It goes by way of the encoded key,
// which refuses a point off its curve.
func point(pub *ecdsa.PublicKey) ([]byte, error) {
	der, err := smx509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	in := cryptobyte.String(der)
	var spki cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&spki, cbasn1.SEQUENCE) || !spki.SkipASN1(cbasn1.SEQUENCE) || !spki.ReadASN1BitString(&bits) {
		return nil, fmt.Errorf("%w: encoding", ErrKey)
	}
	return bits.RightAlign(), nil
}

// IssuerID names an issuing certificate in the registry and in URLs: SM3 of
// its subject and its key, lower-case hex. A renewed certificate of the same
// name and key keeps its id.
func IssuerID(rawSubject, rawSPKI []byte) string {
	h := sm3.New()
	h.Write(rawSubject)
	h.Write(rawSPKI)
	return hex.EncodeToString(h.Sum(nil))
}
