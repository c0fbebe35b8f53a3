package profile

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// DefaultPolicyOID stands in the certificates of a house without a registered
// arc of its own: anyPolicy, with the address of its rules beside it (RFC 5280
// 4.2.1.4). An arc made of a UUID needs no registration, but readers that keep
// arcs in 31 bits, ACME clients among them, refuse the whole certificate.
const DefaultPolicyOID = "2.5.29.32.0"

// DefaultTestOID stands in the test certificates of a house without an arc of its
// own: the example arc (2.999, ITU-T X.660), which no relying party accepts by rule.
const DefaultTestOID = "2.999.1"

// Site is what a house puts into every certificate. Each URL may hold the word
// {issuer}, which becomes the id of the issuing certificate.
type Site struct {
	PolicyOID string // dotted; empty: DefaultPolicyOID
	TestOID   string // of test certificates, dotted, never PolicyOID; empty: DefaultTestOID
	CPS       string // where the certification practice rules stand (电子认证业务规则); required
	CRL       string // distribution point, "….crl"; required
	Shards    int    // partitions of the list of each issuer; 0 and 1: the complete list only
	OCSP      string // empty: certificates name no responder
	Issuers   string // where the issuing certificate is fetched; required
}

// MaxShards bounds Site.Shards.
const MaxShards = 256

// ErrSite: a Site that cannot make certificates.
var ErrSite = errors.New("profile: site not complete")

// Validate refuses a missing or relative URL and a policy that is no OID.
func (s Site) Validate() error {
	for name, u := range map[string]string{"cps": s.CPS, "crl": s.CRL, "issuers": s.Issuers, "ocsp": s.OCSP} {
		if u == "" && name == "ocsp" {
			continue
		}
		// Relying parties fetch these before they trust anything: plain http is
		// usual and right (RFC 5280 4.2.1.13), other schemes are not fetched.
		p, err := url.Parse(strings.ReplaceAll(u, "{issuer}", "0"))
		if err != nil || p.Host == "" || (p.Scheme != "http" && p.Scheme != "https") {
			return fmt.Errorf("%w: %s is not an http address", ErrSite, name)
		}
	}
	if s.Shards < 0 || s.Shards > MaxShards {
		return fmt.Errorf("%w: %d partitions of a list, at most %d", ErrSite, s.Shards, MaxShards)
	}
	for _, test := range []bool{false, true} {
		if _, err := smx509.ParseOID(s.policy(test)); err != nil {
			return fmt.Errorf("%w: policy oid: %w", ErrSite, err)
		}
	}
	if s.policy(true) == s.Policy() {
		return fmt.Errorf("%w: test certificates have the policy of the others", ErrSite)
	}
	return nil
}

// policy is Policy, or what test certificates have in its place.
func (s Site) policy(test bool) string {
	switch {
	case !test:
		return s.Policy()
	case s.TestOID == "":
		return DefaultTestOID
	}
	return s.TestOID
}

// Policy is the identifier of the rules of the house, dotted.
func (s Site) Policy() string {
	if s.PolicyOID == "" {
		return DefaultPolicyOID
	}
	return s.PolicyOID
}

// policies is the certificatePolicies extension with its CPS pointer (RFC 5280
// 4.2.1.4, 电子签名法 art. 19). The library writes no qualifiers, and its OID
// type is the only one that holds arcs over 31 bits.
func (s Site) policies(test bool) (pkix.Extension, error) {
	oid, err := smx509.ParseOID(s.policy(test))
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("%w: policy oid: %w", ErrSite, err)
	}
	raw, err := oid.MarshalBinary()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("%w: policy oid: %w", ErrSite, err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(raw) })
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1})
					b.AddASN1(cbasn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s.CPS)) })
				})
			})
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("profile: encode policies: %w", err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Value: der}, nil
}

// CRLAddress is where a list of revoked certificates is fetched: the complete
// list of an issuer (shard ""), or a partition; the full or the delta list.
func (s Site) CRLAddress(issuerID, shard string, delta bool) string {
	address := strings.TrimSuffix(strings.ReplaceAll(s.CRL, "{issuer}", issuerID), ".crl")
	if shard != "" {
		address += "-" + shard
	}
	if delta {
		address += "-delta"
	}
	return address + ".crl"
}

// Shard names the partition that a serial belongs to, or "" when there is none.
// The number of partitions is part of the name: after it was changed, an old
// address grows stale, which relying parties see, and never answers for a
// certificate that stands in another partition now.
func Shard(serial *big.Int, shards int) string {
	if shards <= 1 {
		return ""
	}
	n := new(big.Int).Mod(serial, big.NewInt(int64(shards)))
	return fmt.Sprintf("%dof%d", n.Int64()+1, shards)
}

// fill puts the id of the issuer into a URL template.
func fill(template, issuerID string) []string {
	if template == "" {
		return nil
	}
	return []string{strings.ReplaceAll(template, "{issuer}", issuerID)}
}
