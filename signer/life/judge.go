package life

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Codes of an ImportError.
const (
	ImportAnchors       = "anchors"       // the operator keeps no anchor of an accredited service
	ImportSeal          = "seal"          // it does not read, or is of a layout, number or name that cannot be used
	ImportMaker         = "maker"         // the maker's signature does not verify
	ImportCertificate   = "certificate"   // it does not read, is not for signing, or the seal does not list it
	ImportUnit          = "unit"          // the certificate names another unit
	ImportPeriod        = "period"        // of the seal, of a certificate, or of the service's accreditation
	ImportChain         = "chain"         // to no anchor of an accredited service
	ImportAccreditation = "accreditation" // the anchor has no licence that is in force
	ImportKey           = "key"           // the key in custody is not the certificate's
)

// ImportError says why a seal cannot be imported. It is an ErrImport.
type ImportError struct {
	Code string
	Err  error
}

func (e *ImportError) Error() string { return fmt.Sprintf("%v: %v", ErrImport, e.Err) }

// Unwrap makes it an ErrImport, too.
func (e *ImportError) Unwrap() []error { return []error{ErrImport, e.Err} }

func noImport(code, format string, args ...any) error {
	return &ImportError{code, fmt.Errorf(format, args...)}
}

// foreignID is a seal number as other makers write it.
var foreignID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// judge checks the seal and its certificates, and finds the licence of the service
// behind the signer's.
func (s *Service) judge(spec ImportSpec, anchors []Anchor, now time.Time) (*seal.Seal, signer.Accreditation, error) {
	bad := func(code, format string, args ...any) (*seal.Seal, signer.Accreditation, error) {
		return nil, signer.Accreditation{}, noImport(code, format, args...)
	}
	if len(anchors) == 0 {
		return bad(ImportAnchors, "no anchor of an accredited service is installed")
	}
	got, err := seal.ParseSeal(spec.SealDER)
	if err != nil {
		return bad(ImportSeal, "%w", err)
	}
	if err := got.VerifyMaker(); err != nil {
		return bad(ImportMaker, "the maker's signature: %w", err)
	}
	cert, err := smx509.ParseCertificate(spec.CertDER)
	if err != nil {
		return bad(ImportCertificate, "the certificate does not read: %w", err)
	}
	switch {
	case got.Layout != seal.LayoutV4 && got.Layout != seal.LayoutV1:
		return bad(ImportSeal, "a seal of layout %s cannot be used here", got.Layout)
	case !foreignID.MatchString(got.ID) || !words(got.Name):
		return bad(ImportSeal, "number or name of the seal")
	case !got.Lists(spec.CertDER):
		return bad(ImportCertificate, "the seal does not list the certificate")
	case !got.ActiveAt(now):
		return bad(ImportPeriod, "the seal is outside its period %s to %s", got.ValidFrom.Format(time.RFC3339), got.ValidUntil.Format(time.RFC3339))
	case !names(cert, spec.Unit):
		return bad(ImportUnit, "the certificate does not name the unit %s", spec.Unit)
	case cert.IsCA || cert.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) == 0:
		return bad(ImportCertificate, "the certificate is not for signing")
	}
	maker, err := smx509.ParseCertificate(got.MakerCertDER)
	if err != nil {
		return bad(ImportMaker, "the maker's certificate does not read: %w", err)
	}
	var paths [][]*smx509.Certificate
	for _, c := range []struct {
		who  string
		cert *smx509.Certificate
		at   time.Time
	}{{"seal maker", maker, got.Created}, {"signer", cert, now}} {
		if paths, err = chains(c.cert, anchors, spec.Chain, c.at); err != nil {
			code := ImportChain
			if c.at.Before(c.cert.NotBefore) || c.at.After(c.cert.NotAfter) {
				code = ImportPeriod
			}
			return bad(code, "certificate of the %s: %w", c.who, err)
		}
	}
	licence, found := licenceOf(paths, anchors, now) // of the signer's: the last
	if !found {
		return bad(ImportAccreditation, "no licence in force is listed for the service")
	}
	return got, licence, nil
}

// anchors are those of the configuration and those that count now. One that
// cannot be asked about is none: the import is refused.
func (s *Service) anchors(ctx context.Context) ([]Anchor, error) {
	if s.cfg.Registered == nil {
		return s.cfg.Accredited, nil
	}
	more, err := s.cfg.Registered(ctx)
	if err != nil {
		return nil, fmt.Errorf("life: anchors of accredited services: %w", err)
	}
	return slices.Concat(s.cfg.Accredited, more), nil
}

// listed reports whether the licence still stands beside an anchor.
func listed(anchors []Anchor, a signer.Accreditation) bool {
	return slices.ContainsFunc(anchors, func(n Anchor) bool {
		return slices.ContainsFunc(n.Licences, func(l signer.Accreditation) bool { return l.Service == a.Service && l.Licence == a.Licence })
	})
}

// licenceOf is what is listed for an anchor of one of these chains, in force now.
func licenceOf(chains [][]*smx509.Certificate, anchors []Anchor, now time.Time) (signer.Accreditation, bool) {
	for _, cert := range slices.Concat(chains...) {
		for _, a := range anchors {
			if !bytes.Equal(a.DER, cert.Raw) {
				continue
			}
			for _, l := range a.Licences {
				if !now.Before(l.ValidFrom) && now.Before(l.ValidUntil) {
					return l, true
				}
			}
		}
	}
	return signer.Accreditation{}, false
}

// names reports whether the certificate carries the unit's code, in its subject
// or in an extension: real services write it in either.
func names(cert *smx509.Certificate, unit string) bool {
	if bytes.Contains(cert.RawSubject, []byte(unit)) {
		return true
	}
	for _, x := range cert.Extensions {
		if bytes.Contains(x.Value, []byte(unit)) {
			return true
		}
	}
	return false
}

// chains lead a certificate to an anchor for accredited services.
func chains(cert *smx509.Certificate, anchors []Anchor, between [][]byte, at time.Time) ([][]*smx509.Certificate, error) {
	roots, mid := smx509.NewCertPool(), smx509.NewCertPool()
	for _, a := range anchors {
		c, err := smx509.ParseCertificate(a.DER)
		if err != nil {
			return nil, fmt.Errorf("an anchor for accredited services does not read: %w", err)
		}
		roots.AddCert(c)
	}
	for _, der := range between {
		c, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("an authority between does not read: %w", err)
		}
		mid.AddCert(c)
	}
	return cert.Verify(smx509.VerifyOptions{Roots: roots, Intermediates: mid, CurrentTime: at, KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny}})
}

// holdsKey proves that the key in custody is the certificate's, and returns the
// class of the custody.
func (s *Service) holdsKey(ctx context.Context, keyID string, certDER []byte) (string, error) {
	key, err := s.cfg.Keys.Signer(ctx, keyID)
	if err != nil {
		return "", fmt.Errorf("life: key of the seal: %w", err)
	}
	pub, err := seal.PublicKey(certDER)
	if err != nil {
		return "", noImport(ImportCertificate, "key of the certificate: %w", err)
	}
	if held, ok := key.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(held) {
		return "", noImport(ImportKey, "the key in custody is not the certificate's")
	}
	class, err := s.cfg.Keys.Class(ctx, keyID)
	if err != nil {
		return "", fmt.Errorf("life: custody of the seal's key: %w", err)
	}
	return class, nil
}
