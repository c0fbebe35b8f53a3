package app

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/desk"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

// SealOrder asks for a drawn (样章) seal of a unit. Production seals come with
// the certificate of an accredited service: ImportSeal.
type SealOrder struct {
	ID            string // esID: division code + 8 digits
	Unit          identity.USCC
	Name          string
	Kind          string               // life.KindStatutory …; empty: that
	Purpose       string               // what it is for; empty: its name says it
	Inscription   string               // below the star, may be empty
	Authorisation signer.Authorisation // how far it may be used; zero: no bound but approvals
}

// sealPrefix starts the custody ids of seals' keys; keyMaker is none of them.
const sealPrefix = desk.PrefixSeal

// sealNumber is a division code and eight digits.
var sealNumber = regexp.MustCompile(`^[0-9]{14}$`)

func sealKey(id string) string { return sealPrefix + id }

// picture draws the seal of an order; the same order gives the same bytes.
func (h *House) picture(ctx context.Context, o SealOrder) (seal.Picture, error) {
	a, err := h.rooms.Identity.Agency(ctx, o.Unit)
	if err != nil {
		return seal.Picture{}, err
	}
	img, err := picture.Draw(picture.Spec{Unit: a.Name, Purpose: o.Inscription})
	if err != nil {
		return seal.Picture{}, err
	}
	return seal.Picture{Type: "PNG", Data: img, Width: picture.DefaultDiameter, Height: picture.DefaultDiameter}, nil
}

// ApplySeal records an application for a drawn seal (制章申请) and returns what
// the leader of the unit signs. actor is a person of that unit.
func (h *House) ApplySeal(ctx context.Context, actor ledger.Actor, o SealOrder) (approval.Subject, ledger.Receipt, error) {
	img, err := h.picture(ctx, o)
	if err != nil {
		return approval.Subject{}, ledger.Receipt{}, err
	}
	now := h.now()
	a := life.Application{
		ID: o.ID, Unit: string(o.Unit), Name: o.Name, Kind: o.Kind, Purpose: o.Purpose, Picture: signer.Digest(img.Data), Drawn: true,
		ValidFrom: now.AddDate(0, 0, -1), ValidUntil: now.AddDate(desk.SealYears, 0, 0), Authorisation: o.Authorisation,
	}
	if a.Kind == "" {
		a.Kind = life.KindStatutory
	}
	if a.Purpose == "" {
		a.Purpose = o.Name
	}
	e, receipt, err := h.Life.Apply(ctx, actor, a)
	if err != nil {
		return approval.Subject{}, ledger.Receipt{}, err
	}
	return h.SealSubject(e), receipt, nil
}

// SealSubject is what the leader of a seal's unit approves: the open question
// about the seal. The zero Subject when there is none.
func (*House) SealSubject(e signer.Seal) approval.Subject {
	if e.Ask == nil {
		return approval.Subject{}
	}
	return askSubject(e.Unit, *e.Ask)
}

func askSubject(unit string, a signer.Ask) approval.Subject {
	return approval.Subject{Kind: approval.KindSeal, ID: a.ID, Digest: a.Digest, Unit: identity.USCC(unit), Requester: a.Requester}
}

// PrepareSeal makes the seal's key in custody and returns what an RA officer
// approves: the certificate that binds the key to the unit, at the request of who
// applied for the seal.
func (h *House) PrepareSeal(ctx context.Context, o SealOrder) (approval.Subject, error) {
	if !sealNumber.MatchString(o.ID) {
		return approval.Subject{}, fmt.Errorf("%w: seal number %.40q is not 14 digits", ErrConfig, o.ID)
	}
	rec, err := h.custody.dir.Create(ctx, keys.Spec{ID: sealKey(o.ID), Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: string(o.Unit)})
	if errors.Is(err, keys.ErrExists) { // asked before; never another unit's key
		rec, err = h.custody.dir.Record(ctx, sealKey(o.ID))
	}
	if err != nil {
		return approval.Subject{}, fmt.Errorf("app: key of seal: %w", err)
	}
	if rec.Owner != string(o.Unit) {
		return approval.Subject{}, fmt.Errorf("%w: number %s belongs to another unit", signer.ErrExists, o.ID)
	}
	e, err := h.rooms.Seals.Seal(ctx, o.ID)
	if err != nil && !errors.Is(err, signer.ErrNotFound) { // without an application nobody may answer
		return approval.Subject{}, err
	}
	return h.sealOrder(ctx, o, e.Applicant)
}

// sealOrder is the subject about the certificate of a seal whose key is made.
func (h *House) sealOrder(ctx context.Context, o SealOrder, requester string) (approval.Subject, error) {
	spec, err := h.sealSpec(ctx, o)
	if err != nil {
		return approval.Subject{}, err
	}
	sum, err := ca.SpecDigest(spec)
	if err != nil {
		return approval.Subject{}, err
	}
	return approval.Subject{Kind: approval.KindCertificate, ID: spec.ID, Digest: sum, Unit: identity.USCC(h.cfg.USCC), Requester: requester}, nil
}

func (h *House) sealSpec(ctx context.Context, o SealOrder) (ca.IssueSpec, error) {
	a, err := h.rooms.Identity.Agency(ctx, o.Unit)
	if err != nil {
		return ca.IssueSpec{}, err
	}
	pub, err := h.custody.public(ctx, sealKey(o.ID))
	if err != nil {
		return ca.IssueSpec{}, err
	}
	return ca.IssueSpec{
		ID: sealKey(o.ID), Kind: ca.KindSeal, Profile: profile.SM2Seal, Public: pub, Agency: string(o.Unit),
		Subject: profile.Subject{CommonName: o.ID, Organization: a.Name, USCC: string(a.USCC)},
	}, nil
}

// MakeSeal makes a seal whose application and certificate are approved (制章): it
// issues the certificate, draws the picture and has the seal maker sign. actor is
// the seal administrator of the unit that runs the house.
func (h *House) MakeSeal(ctx context.Context, actor ledger.Actor, o SealOrder) (signer.Seal, ledger.Receipt, error) {
	img, err := h.picture(ctx, o)
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, err
	}
	return h.makeSeal(ctx, actor, o, img)
}

// makeSeal is MakeSeal with the picture of the application.
func (h *House) makeSeal(ctx context.Context, actor ledger.Actor, o SealOrder, img seal.Picture) (signer.Seal, ledger.Receipt, error) {
	if _, err := h.Life.Ready(ctx, actor, o.ID); err != nil { // before a certificate exists
		return signer.Seal{}, ledger.Receipt{}, err
	}
	spec, err := h.sealSpec(ctx, o)
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, err
	}
	maker, err := h.own.inForce(ctx, keyMaker)
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, err
	}
	crt, err := h.CA.IssueSM2(ctx, actor, spec)
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, fmt.Errorf("app: certificate of seal: %w", err)
	}
	return h.Life.Make(ctx, actor, life.MakeSpec{
		ID: o.ID, CertDER: crt.Certificate.DER, KeyID: sealKey(o.ID), Picture: img,
		ValidFrom: crt.Certificate.NotBefore, ValidUntil: crt.Certificate.NotAfter,
	}, life.Maker{KeyID: keyMaker, CertDER: maker})
}

// AgreementSubject is what the leader of a party approves before its seal goes
// on the terms. requester is the person of that party who will put it there.
func AgreementSubject(a sharing.Agreement, party identity.USCC, requester string) approval.Subject {
	return agreementSubject(a.ID, a.Digest, party, requester)
}

func agreementSubject(id, digest string, party identity.USCC, requester string) approval.Subject {
	return approval.Subject{Kind: approval.KindAgreement, ID: id + "/" + string(party), Digest: digest, Unit: party, Requester: requester}
}

// SealAgreement puts the seal of the actor's unit on drafted terms, once its leader
// has approved exactly these terms at his request (西政办发〔2014〕14号 art. 26). It is
// a use of the seal like every other: admitted, counted and recorded. A unit that
// has named nobody who answers for shared information seals none (art. 13).
func (h *House) SealAgreement(ctx context.Context, actor ledger.Actor, a sharing.Agreement, sealID string) (sharing.PartySeal, error) {
	unit := identity.USCC(actor.Unit)
	named, err := identity.Filled(ctx, h.rooms.Identity, unit, identity.RoleSharingContact, h.now())
	if err != nil {
		return sharing.PartySeal{}, fmt.Errorf("app: contact of %s: %w", unit, err)
	}
	if !named {
		return sharing.PartySeal{}, fmt.Errorf("app: %s: %w", unit, identity.ErrNoContact)
	}
	u, _, err := h.Signer.RequestTerms(ctx, actor, signer.TermsRequest{Seal: sealID, Digest: a.Digest, Title: a.ID})
	if err != nil {
		return sharing.PartySeal{}, err
	}
	if u, _, err = h.Signer.MarkApproved(ctx, actor, u.ID); err != nil {
		return sharing.PartySeal{}, err
	}
	var out sharing.PartySeal
	_, err = h.Signer.SignTerms(ctx, actor, u.ID, func(key crypto.Signer, e signer.Seal, at time.Time) ([]byte, error) {
		var err error
		out, err = sharing.SealTerms(a, key, e.CertDER, identity.USCC(e.Unit), e.ID, at)
		return out.Signature, err
	})
	if err != nil {
		return sharing.PartySeal{}, err
	}
	return out, nil
}

// partySeal says whether a seal on an agreement is the party's own registered,
// active seal with a certificate that was good at the time.
type partySeal struct {
	seals signer.Register
	good  func(certDER []byte, at time.Time) error
}

func (p partySeal) trust(s sharing.PartySeal) error {
	reg, err := p.seals.Seal(context.Background(), s.SealID)
	if err != nil {
		return err
	}
	if reg.Unit != string(s.Party) || reg.State != signer.SealActive || !bytes.Equal(reg.CertDER, s.CertDER) || s.At.Before(reg.ValidFrom) || s.At.After(reg.ValidUntil) {
		return fmt.Errorf("%w: seal %s is not an active seal of %s", signer.ErrSealState, s.SealID, s.Party)
	}
	return p.good(s.CertDER, s.At)
}
