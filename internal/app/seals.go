package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

// SealOrder asks for a drawn (样章) seal of a unit. Production seals come with
// an uploaded picture and its filing number.
type SealOrder struct {
	ID      string // esID: division code + 8 digits
	Unit    identity.USCC
	Name    string
	Purpose string // below the star, may be empty
}

func sealKey(id string) string { return "seal-" + id }

// PrepareSeal makes the seal's key in custody and returns what an RA officer
// approves: the certificate that binds the key to the unit.
func (h *House) PrepareSeal(ctx context.Context, o SealOrder, requester string) (approval.Subject, error) {
	_, err := h.custody.dir.Create(ctx, keys.Spec{ID: sealKey(o.ID), Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: string(o.Unit)})
	if err != nil && !errors.Is(err, keys.ErrExists) {
		return approval.Subject{}, fmt.Errorf("app: key of seal: %w", err)
	}
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

// MakeSeal issues the approved certificate, draws the picture and has the seal
// maker sign the seal. actor is the seal administrator who asked (制章).
func (h *House) MakeSeal(ctx context.Context, actor ledger.Actor, o SealOrder) (signer.Seal, ledger.Receipt, error) {
	spec, err := h.sealSpec(ctx, o)
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, err
	}
	crt, err := h.CA.IssueSM2(ctx, actor, spec)
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, fmt.Errorf("app: certificate of seal: %w", err)
	}
	img, err := picture.Draw(picture.Spec{Unit: spec.Subject.Organization, Purpose: o.Purpose})
	if err != nil {
		return signer.Seal{}, ledger.Receipt{}, err
	}
	return h.Signer.MakeSeal(ctx, actor, signer.SealSpec{
		ID: o.ID, Unit: string(o.Unit), Name: o.Name, CertDER: crt.Certificate.DER, KeyID: sealKey(o.ID),
		ValidFrom: crt.Certificate.NotBefore, ValidUntil: crt.Certificate.NotAfter, Drawn: true,
		Picture: seal.Picture{Type: "PNG", Data: img, Width: picture.DefaultDiameter, Height: picture.DefaultDiameter},
	}, signer.Maker{KeyID: keyMaker, CertDER: h.anchors.maker})
}
