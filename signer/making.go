package signer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// SealSpec is a seal to be made (制章).
type SealSpec struct {
	ID         string // esID, 14 digits
	Unit       string // unified social credit code of the owner
	Vendor     string // vendor id; empty: yinxin
	Type       int    // property.type; 0: 1, an organisation
	Name       string
	CertDER    []byte // signer certificate of the unit
	KeyID      string // its key in custody
	ValidFrom  time.Time
	ValidUntil time.Time
	Picture    seal.Picture
	Drawn      bool   // drawn by us: carries 样章
	Filing     string // filing number (备案号) of an uploaded picture
}

// Maker is the seal maker's key and certificate: a role and a key of its own,
// never the unit's (电子印章管理办法).
type Maker struct {
	KeyID   string
	CertDER []byte
}

// ErrFiling: a production picture without its filing number.
var ErrFiling = errors.New("signer: filing number of the seal picture missing")

// MakeSeal lints a seal, records what will be signed, signs, and registers it
// (design §2 law 4). The seal leaves this method only with its record.
func (s *Service) MakeSeal(ctx context.Context, actor ledger.Actor, spec SealSpec, maker Maker) (Seal, ledger.Receipt, error) {
	fail := func(err error) (Seal, ledger.Receipt, error) { return Seal{}, ledger.Receipt{}, err }
	if !spec.Drawn && spec.Filing == "" {
		return fail(ErrFiling)
	}
	if spec.Unit == "" || spec.KeyID == "" || maker.KeyID == spec.KeyID {
		return fail(errors.New("signer: a seal needs an owner, a key, and a maker with another key"))
	}
	if _, err := s.cfg.Register.Seal(ctx, spec.ID); err == nil {
		return fail(fmt.Errorf("%w: seal %s", ErrExists, spec.ID))
	} else if !errors.Is(err, ErrNotFound) {
		return fail(fmt.Errorf("signer: looking for seal %s: %w", spec.ID, err))
	}
	if spec.Vendor == "" {
		spec.Vendor = "yinxin"
	}
	if spec.Type == 0 {
		spec.Type = 1
	}
	key, err := s.cfg.Keys.Signer(ctx, maker.KeyID)
	if err != nil {
		return fail(fmt.Errorf("signer: key of the seal maker: %w", err))
	}
	now := s.now()
	making, err := seal.PrepareMaking(seal.Spec{
		ID: spec.ID, Vendor: spec.Vendor, Type: spec.Type, Name: spec.Name, Certs: [][]byte{spec.CertDER},
		Created: now, ValidFrom: spec.ValidFrom, ValidUntil: spec.ValidUntil, Picture: spec.Picture,
	}, key.Public(), maker.CertDER)
	if err != nil {
		return fail(err)
	}
	details := map[string]string{"unit": spec.Unit, "picture_sm3": Digest(spec.Picture.Data), "certificate_sm3": Digest(spec.CertDER)}
	if spec.Drawn {
		details["picture"] = "drawn"
	} else {
		details["filing"] = spec.Filing
	}
	if _, err := s.cfg.Recorder.Record(ctx, s.event("signer.seal.making", now, actor, sealObject(spec.ID), Digest(making.TBS()), maps.Clone(details))); err != nil {
		return fail(fmt.Errorf("signer: record before signing: %w", err))
	}
	der, err := making.Sign(key)
	if err != nil {
		return fail(err)
	}
	made := Seal{
		ID: spec.ID, Unit: spec.Unit, Name: spec.Name, DER: der, CertDER: spec.CertDER, KeyID: spec.KeyID,
		State: SealActive, ValidFrom: spec.ValidFrom.UTC().Truncate(time.Second),
		ValidUntil: spec.ValidUntil.UTC().Truncate(time.Second), Drawn: spec.Drawn, CreatedAt: now,
	}
	receipt, err := s.cfg.Register.AddSeal(ctx, made, s.event("signer.seal.made", now, actor, sealObject(made.ID), Digest(der), details))
	if err != nil {
		return fail(fmt.Errorf("signer: register seal: %w", err))
	}
	return made, receipt, nil
}

// Withdraw suspends or cancels a seal, at once. The way back is not here: it
// needs a second signature (design §2 law 8).
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, sealID string, to SealState, reason string) (ledger.Receipt, error) {
	kind := map[SealState]string{SealSuspended: "signer.seal.suspended", SealCancelled: "signer.seal.cancelled"}[to]
	if kind == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: a seal is not withdrawn to %q", ErrSealState, to)
	}
	e, err := s.cfg.Register.Seal(ctx, sealID)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("signer: seal %s: %w", sealID, err)
	}
	if e.State == SealCancelled || e.State == to {
		return ledger.Receipt{}, fmt.Errorf("%w: it is %s", ErrSealState, e.State)
	}
	details := map[string]string{"unit": e.Unit, "from": string(e.State), "reason": reason}
	receipt, err := s.cfg.Register.SetSealState(ctx, sealID, to, s.event(kind, s.now(), actor, sealObject(sealID), Digest(e.DER), details))
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("signer: withdraw seal: %w", err)
	}
	return receipt, nil
}
