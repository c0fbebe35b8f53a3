package life

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
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
	Filing        string // number under which the picture is filed
	Authorisation signer.Authorisation
}

// maxChain bounds what comes with a certificate.
const maxChain = 8

// Import puts a seal of an accredited service on the register (国令716 art. 9;
// 商用密码管理条例 art. 30) and asks the leader of the owning unit, who signs what
// it is: with the leader's yes (Settle) it is taken on as made. It refuses unless
// every claim holds now: the key in custody is the certificate's, the seal lists
// the certificate, the maker's signature verifies, both certificates lead to an
// anchor that the operator keeps for accredited services, that anchor has a
// licence there, and all periods hold.
// A seal that the leader refused may be imported again. An imported seal never
// counts as drawn here, and what its custody cannot prove stays unproven:
// CustodyClass says what it is.
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
	if err := spec.validate(); err != nil {
		return fail(err)
	}
	if lists(spec.Authorisation, actor.ID) {
		return fail(fmt.Errorf("%w: who imports a seal is never its user", ErrSeparation))
	}
	if err := s.sound(ctx, spec.KeyID); err != nil {
		return fail(err)
	}
	anchors, err := s.anchors(ctx)
	if err != nil {
		return fail(err)
	}
	got, licence, err := s.judge(spec, anchors, now)
	if err != nil {
		return fail(err)
	}
	class, err := s.holdsKey(ctx, spec.KeyID, spec.CertDER)
	if err != nil {
		return fail(err)
	}
	spec.Authorisation.Since = time.Time{} // set by the answer
	e := signer.Seal{
		ID: got.ID, Unit: spec.Unit, Name: got.Name, DER: spec.SealDER, CertDER: spec.CertDER, KeyID: spec.KeyID,
		ValidFrom: got.ValidFrom, ValidUntil: got.ValidUntil, CreatedAt: now,
		Life: signer.Life{
			Kind: spec.Kind, Purpose: spec.Purpose, Picture: signer.Digest(got.Picture.Data), PictureFiling: spec.Filing,
			Maker: actor.ID, CustodyClass: class, Accreditation: &licence, Authorisation: spec.Authorisation,
		},
	}
	if e.State, e.Revision, err = s.refusedBefore(ctx, e); err != nil {
		return fail(err)
	}
	if e.Ask, err = ask(e, signer.Ask{Kind: signer.AskImport, Requester: actor.ID, Reason: spec.Purpose, At: now}); err != nil {
		return fail(err)
	}
	return s.record(ctx, e, change{rule: rule, actor: actor, at: now, reason: spec.Purpose, ref: licence.Licence, payload: e.Ask.Digest, details: map[string]string{
		"seal_sm3": signer.Digest(spec.SealDER), "certificate_sm3": signer.Digest(spec.CertDER), "custody": class,
		"service": licence.Service, "filing": spec.Filing,
	}})
}

// refusedBefore is where the number stands: nowhere, or with the same seal of the
// same unit, which its leader refused as it was imported.
func (s *Service) refusedBefore(ctx context.Context, e signer.Seal) (signer.SealState, int64, error) {
	had, err := s.cfg.Register.Seal(ctx, e.ID)
	switch {
	case errors.Is(err, signer.ErrNotFound):
		return "", 0, nil
	case err != nil:
		return "", 0, fmt.Errorf("life: seal %s: %w", e.ID, err)
	case had.State != signer.SealRefused || had.Accreditation == nil || had.Unit != e.Unit || had.Name != e.Name:
		return "", 0, fmt.Errorf("%w: seal %s", signer.ErrExists, e.ID)
	}
	return had.State, had.Revision, nil
}

// adoptable says whether what was true of an imported seal still is, as far as
// time changes it: keys are reported, and periods end, while a leader thinks.
func (s *Service) adoptable(ctx context.Context, e signer.Seal, now time.Time) error {
	if err := s.sound(ctx, e.KeyID); err != nil {
		return err
	}
	cert, err := smx509.ParseCertificate(e.CertDER)
	if err != nil {
		return noImport(ImportCertificate, "the certificate does not read: %w", err)
	}
	a := e.Accreditation
	if now.Before(e.ValidFrom) || now.After(e.ValidUntil) || now.Before(cert.NotBefore) || now.After(cert.NotAfter) || now.Before(a.ValidFrom) || !now.Before(a.ValidUntil) {
		return noImport(ImportPeriod, "the seal, its certificate or the service's accreditation does not hold any more")
	}
	anchors, err := s.anchors(ctx)
	if err != nil {
		return err
	}
	if !listed(anchors, *a) {
		return noImport(ImportAccreditation, "the service's anchor was withdrawn")
	}
	_, err = s.holdsKey(ctx, e.KeyID, e.CertDER)
	return err
}

func (p ImportSpec) validate() error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", signer.ErrInvalid, why) }
	switch {
	case p.Unit == "" || p.KeyID == "" || !words(p.Purpose):
		return bad("owner, key and purpose are needed")
	case p.Kind != KindStatutory && p.Kind != KindInternal && p.Kind != KindBranch && p.Kind != KindSpecial && p.Kind != KindPersonal:
		return bad("kind of seal")
	case !number(p.Filing):
		return ErrFiling
	case len(p.Chain) > maxChain:
		return bad("too many certificates between")
	}
	return p.Authorisation.Validate()
}
