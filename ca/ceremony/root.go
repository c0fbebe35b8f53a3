package ceremony

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// RootSpec is what both roots are made of. Every field is required.
type RootSpec struct {
	Organization string // O, and the head of CN
	CPS          string // where the practice rules stand (电子签名法 art. 19)
	SM2, ECDSA   crypto.Signer
	Now          time.Time
	Rand         io.Reader
}

// MakeRoots makes both roots: drafted, linted, signed by themselves. SM2 first.
// Nothing is recorded by anybody yet: the ceremony's record is its first record,
// and the house records both before anything hangs on them.
func MakeRoots(s RootSpec) ([]Root, error) {
	if s.Organization == "" || s.SM2 == nil || s.ECDSA == nil || s.Rand == nil {
		return nil, errors.New("ceremony: roots need an organization, two keys and randomness")
	}
	// A root names neither a list nor a responder nor an issuer; the addresses
	// only complete the form.
	site := profile.Site{CPS: s.CPS, CRL: s.CPS + "/{issuer}.crl", Issuers: s.CPS + "/{issuer}.cer"}
	if err := site.Validate(); err != nil {
		return nil, err
	}
	linter := lint.New()
	var out []Root
	for _, t := range []struct {
		profile profile.Name
		signer  crypto.Signer
		suffix  string
	}{{profile.SM2Root, s.SM2, " SM2 根 CA"}, {profile.ECDSARoot, s.ECDSA, " ECDSA 根 CA"}} {
		p, err := profile.Get(t.profile)
		if err != nil {
			return nil, err
		}
		public, ok := t.signer.Public().(*ecdsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("ceremony: key of %s is no elliptic curve key", t.profile)
		}
		serial, err := ca.NewSerial(s.Rand)
		if err != nil {
			return nil, err
		}
		d, err := ca.NewDraft(p, site, profile.Fields{
			Serial: serial, Public: public, Now: s.Now,
			Subject: profile.Subject{CommonName: s.Organization + t.suffix, Organization: s.Organization},
		})
		if err != nil {
			return nil, fmt.Errorf("ceremony: draft %s: %w", t.profile, err)
		}
		if err := d.Lint(linter, nil); err != nil {
			return nil, err
		}
		der, err := d.Sign(s.Rand, t.signer)
		if err != nil {
			return nil, err
		}
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("ceremony: read root: %w", err)
		}
		out = append(out, Root{Certificate: cert, Signer: t.signer})
	}
	return out, nil
}
