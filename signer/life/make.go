package life

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// MakeSpec is what the maker adds to an approved application.
type MakeSpec struct {
	ID         string // of the application
	Vendor     string // vendor id; empty: yinxin
	Type       int    // property.type; 0: 1, an organisation
	CertDER    []byte // signer certificate of the unit
	KeyID      string // its key in custody
	ValidFrom  time.Time
	ValidUntil time.Time
	Picture    seal.Picture
}

// Maker is the seal maker's key and certificate: a role and a key of its own,
// never the unit's (电子印章管理办法 art. 12).
type Maker struct {
	KeyID   string
	CertDER []byte
}

// Ready says whether a seal may be made now by this person: the application is
// approved and the leader's signature verifies again. What costs (a certificate)
// is made after it.
func (s *Service) Ready(ctx context.Context, actor ledger.Actor, sealID string) (signer.Seal, error) {
	e, _, err := s.ready(ctx, actor, sealID)
	return e, err
}

func (s *Service) ready(ctx context.Context, actor ledger.Actor, sealID string) (signer.Seal, change, error) {
	fail := func(err error) (signer.Seal, change, error) { return signer.Seal{}, change{}, err }
	e, c, err := s.begin(ctx, ActMake, actor, sealID)
	if err != nil {
		return fail(err)
	}
	switch {
	case slices.Contains([]string{e.Applicant, e.Approver}, actor.ID):
		return fail(fmt.Errorf("%w: who applies or approves does not make the seal", ErrSeparation))
	case lists(e.Authorisation, actor.ID):
		return fail(fmt.Errorf("%w: the maker of a seal is never its user", ErrSeparation))
	}
	if err := s.approved(ctx, e); err != nil {
		return fail(err)
	}
	return e, c, nil
}

// Make makes an approved seal: it lints, records what will be signed, has the
// maker sign, and registers the seal as made (design §2 law 4). The seal leaves
// this method only with its record.
func (s *Service) Make(ctx context.Context, actor ledger.Actor, spec MakeSpec, maker Maker) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	e, c, err := s.ready(ctx, actor, spec.ID)
	if err != nil {
		return fail(err)
	}
	from, until := whole(spec.ValidFrom), whole(spec.ValidUntil)
	switch {
	case spec.KeyID == "" || maker.KeyID == "" || maker.KeyID == spec.KeyID:
		return fail(fmt.Errorf("%w: a seal needs a key, and a maker with another key", signer.ErrInvalid))
	case signer.Digest(spec.Picture.Data) != e.Picture:
		return fail(fmt.Errorf("%w: seal %s", ErrPicture, e.ID))
	case from.Before(e.ValidFrom) || until.After(e.ValidUntil):
		return fail(fmt.Errorf("%w: seal %s", ErrPeriod, e.ID))
	}
	if err := s.sound(ctx, spec.KeyID); err != nil {
		return fail(err)
	}
	if spec.Vendor == "" {
		spec.Vendor = "yinxin"
	}
	if spec.Type == 0 {
		spec.Type = 1
	}
	key, err := s.cfg.Keys.Signer(ctx, maker.KeyID)
	if err != nil {
		return fail(fmt.Errorf("life: key of the seal maker: %w", err))
	}
	if e.CustodyClass, err = s.cfg.Keys.Class(ctx, spec.KeyID); err != nil {
		return fail(fmt.Errorf("life: custody of the seal's key: %w", err))
	}
	making, err := seal.PrepareMaking(seal.Spec{
		ID: e.ID, Vendor: spec.Vendor, Type: spec.Type, Name: e.Name, Certs: [][]byte{spec.CertDER},
		Created: c.at, ValidFrom: from, ValidUntil: until, Picture: spec.Picture,
	}, key.Public(), maker.CertDER)
	if err != nil {
		return fail(err)
	}
	c.ref = e.Approval
	c.details = map[string]string{"picture_sm3": e.Picture, "certificate_sm3": signer.Digest(spec.CertDER), "custody": e.CustodyClass}
	if e.Drawn {
		c.details["picture"] = "drawn"
	} else {
		c.details["picture_filing"] = e.PictureFiling
	}
	before := s.event(c, e)
	before.Type, before.Payload, before.Details = "signer.seal.making", signer.Digest(making.TBS()), maps.Clone(before.Details)
	if _, err := s.cfg.Recorder.Record(ctx, before); err != nil {
		return fail(fmt.Errorf("life: record before signing: %w", err))
	}
	der, err := making.Sign(key)
	if err != nil {
		return fail(err)
	}
	e.DER, e.CertDER, e.KeyID, e.ValidFrom, e.ValidUntil, e.Maker, e.Ask = der, spec.CertDER, spec.KeyID, from, until, actor.ID, nil
	return s.record(ctx, e, c)
}
