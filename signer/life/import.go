package life

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// ImportSpec is a seal that was made elsewhere with a certificate of an
// accredited service, and the key in custody that belongs to it.
type ImportSpec struct {
	Unit          string
	Kind          string
	Purpose       string
	SealDER       []byte
	CertDER       []byte   // signer certificate
	Chain         [][]byte // authorities between it, or the maker's, and an anchor
	KeyID         string
	Accreditation signer.Accreditation
	Filing        string // number under which the picture is filed
	Authorisation signer.Authorisation
}

// foreignID is a seal number as other makers write it.
var foreignID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// maxChain bounds what comes with a certificate.
const maxChain = 8

// Import registers a seal of an accredited service (国令716 art. 9; 商用密码管理条例
// art. 30). It refuses unless every claim holds now: the key in custody is the
// certificate's, the seal lists the certificate, the maker's signature verifies,
// both certificates lead to an anchor that the operator keeps for accredited
// services, and all periods hold. An imported seal never counts as drawn here,
// and what its custody cannot prove stays unproven: CustodyClass says what it is.
func (s *Service) Import(ctx context.Context, actor ledger.Actor, spec ImportSpec) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	rule, err := ruleOf(ActImport, signer.Seal{})
	if err != nil {
		return fail(err)
	}
	if err := s.may(ctx, rule, actor, spec.Unit); err != nil {
		return fail(err)
	}
	now := s.now()
	if err := spec.validate(now); err != nil {
		return fail(err)
	}
	if lists(spec.Authorisation, actor.ID) {
		return fail(fmt.Errorf("%w: who imports a seal is never its user", ErrSeparation))
	}
	if err := s.sound(ctx, spec.KeyID); err != nil {
		return fail(err)
	}
	got, err := s.judge(spec, now)
	if err != nil {
		return fail(err)
	}
	class, err := s.holdsKey(ctx, spec)
	if err != nil {
		return fail(err)
	}
	spec.Authorisation.Since = now
	e := signer.Seal{
		ID: got.ID, Unit: spec.Unit, Name: got.Name, DER: spec.SealDER, CertDER: spec.CertDER, KeyID: spec.KeyID,
		ValidFrom: got.ValidFrom, ValidUntil: got.ValidUntil, CreatedAt: now,
		Life: signer.Life{
			Kind: spec.Kind, Purpose: spec.Purpose, Picture: signer.Digest(got.Picture.Data), PictureFiling: spec.Filing,
			Maker: actor.ID, CustodyClass: class, Accreditation: &spec.Accreditation, Authorisation: spec.Authorisation,
		},
	}
	return s.record(ctx, e, change{rule: rule, actor: actor, at: now, ref: spec.Accreditation.Licence, details: map[string]string{
		"certificate_sm3": signer.Digest(spec.CertDER), "custody": class, "service": spec.Accreditation.Service, "filing": spec.Filing,
	}})
}

func (p ImportSpec) validate(now time.Time) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", signer.ErrInvalid, why) }
	a := p.Accreditation
	page, err := url.Parse(a.URL)
	switch {
	case p.Unit == "" || p.KeyID == "" || !words(p.Purpose):
		return bad("owner, key and purpose are needed")
	case p.Kind != KindStatutory && p.Kind != KindInternal && p.Kind != KindBranch && p.Kind != KindSpecial && p.Kind != KindPersonal:
		return bad("kind of seal")
	case !number(p.Filing):
		return ErrFiling
	case !words(a.Service) || !number(a.Licence) || err != nil || page.Host == "" || page.Scheme != "https" && page.Scheme != "http":
		return bad("the accreditation needs the service, the licence number and its page")
	case now.Before(a.ValidFrom) || !now.Before(a.ValidUntil):
		return fmt.Errorf("%w: the service's accreditation does not hold now", ErrImport)
	case len(p.Chain) > maxChain:
		return bad("too many certificates between")
	}
	return p.Authorisation.Validate()
}

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
func (s *Service) holdsKey(ctx context.Context, spec ImportSpec) (string, error) {
	key, err := s.cfg.Keys.Signer(ctx, spec.KeyID)
	if err != nil {
		return "", fmt.Errorf("life: key of the seal: %w", err)
	}
	pub, err := seal.PublicKey(spec.CertDER)
	if err != nil {
		return "", fmt.Errorf("%w: key of the certificate: %w", ErrImport, err)
	}
	if held, ok := key.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(held) {
		return "", fmt.Errorf("%w: the key in custody is not the certificate's", ErrImport)
	}
	class, err := s.cfg.Keys.Class(ctx, spec.KeyID)
	if err != nil {
		return "", fmt.Errorf("life: custody of the seal's key: %w", err)
	}
	return class, nil
}
