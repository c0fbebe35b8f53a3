package life

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"fmt"
	"regexp"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/seal"
)

// foreignID is a seal number as other makers write it.
var foreignID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// judge checks the seal and its certificates.
func (s *Service) judge(spec ImportSpec, now time.Time) (*seal.Seal, error) {
	bad := func(format string, args ...any) (*seal.Seal, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrImport}, args...)...)
	}
	if len(s.cfg.Accredited) == 0 {
		return bad("no anchor of an accredited service is installed")
	}
	got, err := seal.ParseSeal(spec.SealDER)
	if err != nil {
		return bad("%w", err)
	}
	if err := got.VerifyMaker(); err != nil {
		return bad("the maker's signature: %w", err)
	}
	cert, err := smx509.ParseCertificate(spec.CertDER)
	if err != nil {
		return bad("the certificate does not read: %w", err)
	}
	switch {
	case got.Layout != seal.LayoutV4 && got.Layout != seal.LayoutV1:
		return bad("a seal of layout %s cannot be used here", got.Layout)
	case !foreignID.MatchString(got.ID) || !words(got.Name):
		return bad("number or name of the seal")
	case !got.Lists(spec.CertDER):
		return bad("the seal does not list the certificate")
	case !got.ActiveAt(now):
		return bad("the seal is outside its period %s to %s", got.ValidFrom.Format(time.RFC3339), got.ValidUntil.Format(time.RFC3339))
	case !names(cert, spec.Unit):
		return bad("the certificate does not name the unit %s", spec.Unit)
	case cert.IsCA || cert.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) == 0:
		return bad("the certificate is not for signing")
	}
	maker, err := smx509.ParseCertificate(got.MakerCertDER)
	if err != nil {
		return bad("the maker's certificate does not read: %w", err)
	}
	for _, c := range []struct {
		who  string
		cert *smx509.Certificate
		at   time.Time
	}{{"signer", cert, now}, {"seal maker", maker, got.Created}} {
		if err := s.chain(c.cert, spec.Chain, c.at); err != nil {
			return bad("certificate of the %s: %w", c.who, err)
		}
	}
	return got, nil
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

// chain leads a certificate to an anchor for accredited services.
func (s *Service) chain(cert *smx509.Certificate, between [][]byte, at time.Time) error {
	roots, mid := smx509.NewCertPool(), smx509.NewCertPool()
	for _, der := range s.cfg.Accredited {
		c, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("an anchor for accredited services does not read: %w", err)
		}
		roots.AddCert(c)
	}
	for _, der := range between {
		c, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("an authority between does not read: %w", err)
		}
		mid.AddCert(c)
	}
	_, err := cert.Verify(smx509.VerifyOptions{Roots: roots, Intermediates: mid, CurrentTime: at, KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny}})
	return err
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
		return "", fmt.Errorf("%w: key of the certificate: %w", ErrImport, err)
	}
	if held, ok := key.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(held) {
		return "", fmt.Errorf("%w: the key in custody is not the certificate's", ErrImport)
	}
	class, err := s.cfg.Keys.Class(ctx, keyID)
	if err != nil {
		return "", fmt.Errorf("life: custody of the seal's key: %w", err)
	}
	return class, nil
}
