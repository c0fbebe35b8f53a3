package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// ErrPeriod: the certificate, or an authority on its way, is out of its period.
var ErrPeriod = errors.New("peer: the certificate is out of its period")

// A path stays on one track: TLS by ECDSA or RSA, seals and messages by SM2.
type track uint8

const (
	trackNone track = iota
	trackTLS
	trackSM2
)

const minRSA = 2048

// Either of these bits is enough (GM/T 0015 5.2.3).
const (
	signing    = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	encrypting = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
)

func trackOf(c *smx509.Certificate) track {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case sm2.P256():
			return trackSM2
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return trackTLS
		}
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSA {
			return trackTLS
		}
	}
	return trackNone
}

// path is the way from a certificate to an anchor of this domain, and of no other.
// Constraints on names that stand in authorities are kept, the anchor's too. found
// says that the domain stands behind the certificate, also when it is refused.
func (e Entry) path(c *smx509.Certificate, at time.Time, usage ...smx509.ExtKeyUsage) (path []*smx509.Certificate, found bool, err error) {
	refuse := func(cause error, detail string) error {
		return &Refusal{Domain: e.Domain, Subject: text.Name(c.Subject), Detail: detail, Cause: cause}
	}
	t := trackOf(c)
	if t == trackNone {
		return nil, false, refuse(ErrAlgorithm, "")
	}
	roots, between := smx509.NewCertPool(), smx509.NewCertPool()
	for i, der := range append(e.Anchors[:len(e.Anchors):len(e.Anchors)], e.Issuing...) {
		ca, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, false, refuse(ErrAuthority, err.Error())
		}
		switch {
		case trackOf(ca) != t:
		case i < len(e.Anchors):
			roots.AddCert(ca)
		default:
			between.AddCert(ca)
		}
	}
	late := at.Before(c.NotBefore) || at.After(c.NotAfter)
	if late {
		at = c.NotAfter // who stands behind it is known all the same
	}
	chains, err := c.Verify(smx509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: usage})
	if err != nil {
		cause := causeOf(err)
		return nil, cause != ErrAnchor, refuse(cause, "")
	}
	if late {
		return nil, true, refuse(ErrPeriod, "")
	}
	for _, p := range chains {
		if len(p) > 1 && !slices.ContainsFunc(p, func(c *smx509.Certificate) bool { return trackOf(c) != t }) {
			return p, true, nil
		}
	}
	if c.IsCA {
		return nil, true, refuse(ErrUsage, "")
	}
	return nil, true, refuse(ErrAlgorithm, "")
}

// causeOf sorts what the library says of a path.
func causeOf(err error) error {
	var bad smx509.CertificateInvalidError
	if !errors.As(err, &bad) {
		var critical smx509.UnhandledCriticalExtension
		if errors.As(err, &critical) {
			return ErrUsage
		}
		return ErrAnchor
	}
	switch bad.Reason {
	case smx509.Expired:
		return ErrPeriod
	case smx509.IncompatibleUsage:
		return ErrUsage
	case smx509.CANotAuthorizedForThisName, smx509.NameConstraintsWithoutSANs, smx509.UnconstrainedName, smx509.TooManyConstraints:
		return ErrName
	}
	return ErrAuthority
}

// end checks what holds of an end certificate: no authority, for this use by both
// extensions, and with names that the domain may speak for.
func (e Entry) end(c *smx509.Certificate, usage smx509.KeyUsage) error {
	refuse := func(cause error, detail string) error {
		return &Refusal{Domain: e.Domain, Subject: text.Name(c.Subject), Detail: detail, Cause: cause}
	}
	if c.IsCA || c.KeyUsage&usage == 0 {
		return refuse(ErrUsage, "")
	}
	if bad := e.strange(c); bad != "" {
		return refuse(ErrName, bad)
	}
	return nil
}

// strange is the first name of a certificate that the domain may not speak for, ""
// when each is its own and there is one. The entry is a list of what is allowed:
// kinds of names that it cannot list are refused.
func (e Entry) strange(c *smx509.Certificate) string {
	if len(c.IPAddresses) > 0 || len(c.EmailAddresses) > 0 || len(c.URIs) > 0 {
		return "an address"
	}
	named := false
	for _, host := range c.DNSNames {
		if !hostName.MatchString(strings.ToLower(host)) || !e.speaksFor(strings.ToLower(host)) {
			return text.Plain(host)
		}
		named = true
	}
	for _, code := range unitsOf(c) {
		if !slices.Contains(e.Units, code) {
			return text.Plain(code)
		}
		named = true
	}
	if !named {
		return "none"
	}
	return ""
}

// organizationIdentifier is where a subject says its code (GM/T 0015; X.520).
var organizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

// unitsOf are the codes in a subject: its organization identifier, whatever it
// says, and the beginning of its organization, as seal certificates have it.
func unitsOf(c *smx509.Certificate) (out []string) {
	for _, n := range c.Subject.Names {
		v, is := n.Value.(string)
		switch {
		case n.Type.Equal(organizationIdentifier):
			if !is {
				v = "?"
			}
			out = append(out, v)
		case is && n.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 10}) && len(v) >= 18 && utf8.ValidString(v[:18]) && uscc.Valid(v[:18]):
			out = append(out, v[:18])
		}
	}
	return out
}

// half judges a registered SM2 certificate of a system, but for its revocation.
func (e Entry) half(s System, der []byte, usage smx509.KeyUsage, at time.Time) ([]*smx509.Certificate, error) {
	refuse := func(cause error) error { return &Refusal{Domain: e.Domain, Subject: s.ID, Cause: cause} }
	c, err := smx509.ParseCertificate(der)
	switch {
	case err != nil || len(der) > maxCert || len(c.Raw) != len(der):
		return nil, refuse(ErrCertificate)
	case trackOf(c) != trackSM2:
		return nil, refuse(ErrAlgorithm)
	}
	path, _, err := e.path(c, at, smx509.ExtKeyUsageAny)
	if err != nil {
		return nil, err
	}
	if err := e.end(c, usage); err != nil {
		return nil, err
	}
	for _, host := range c.DNSNames {
		if strings.ToLower(host) != s.Host {
			return nil, &Refusal{Domain: e.Domain, Subject: s.ID, Detail: text.Plain(host), Cause: ErrName}
		}
	}
	for _, code := range unitsOf(c) {
		if code != s.Unit {
			return nil, &Refusal{Domain: e.Domain, Subject: s.ID, Detail: text.Plain(code), Cause: ErrName}
		}
	}
	return path, nil
}
