package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Waiting implements console.Certificates: persons who have set a PIN, and seals
// whose application is approved.
func (d desk) Waiting(ctx context.Context, p console.Person) (out []console.Order, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return nil, err
	}
	persons, err := d.h.rooms.Identity.Uncertified(ctx)
	if err != nil {
		return nil, fmt.Errorf("app: persons without a certificate: %w", err)
	}
	for _, q := range persons {
		s, err := d.h.PersonOrder(ctx, q.ID)
		if errors.Is(err, keys.ErrNotFound) { // has not come yet
			continue
		}
		if err != nil {
			return nil, err
		}
		o := console.Order{Name: q.Name, Unit: string(q.Agency), Number: q.ID}
		if o.Posts, err = d.posts(ctx, q.ID); err != nil {
			return nil, err
		}
		if out, err = d.waits(ctx, out, o, s); err != nil {
			return nil, err
		}
	}
	seals, err := d.h.Life.Seals(ctx, lifeQuery("", signer.SealApproved))
	if err != nil {
		return nil, err
	}
	for _, e := range seals {
		s, err := d.sealOrder(ctx, e)
		if err != nil {
			return nil, err
		}
		if out, err = d.waits(ctx, out, console.Order{Seal: true, Name: e.Name, Unit: e.Unit, Number: e.ID}, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// waits adds an order that was not answered.
func (d desk) waits(ctx context.Context, out []console.Order, o console.Order, s approval.Subject) ([]console.Order, error) {
	switch a, err := d.h.rooms.Approvals.ApprovalOf(ctx, s.Kind, s.ID); {
	case err == nil && (o.Seal || !a.Approved):
		return out, nil // a person's that is approved and not issued is answered once more
	case err != nil && !errors.Is(err, approval.ErrNotFound):
		return out, err
	}
	o.ID, o.Digest = s.ID, s.Digest
	a, err := d.h.rooms.Identity.Agency(ctx, identity.USCC(o.Unit))
	if err != nil {
		return out, err
	}
	o.Unit = a.Name
	rec, err := d.h.custody.dir.Record(ctx, s.ID)
	if err != nil {
		return out, err
	}
	o.Key = rec.SPKISM3
	return append(out, o), nil
}

// sealOrder is what is approved for a seal. The key is there since the leader's
// answer; it is made now when that failed.
func (d desk) sealOrder(ctx context.Context, e signer.Seal) (approval.Subject, error) {
	return d.h.PrepareSeal(ctx, SealOrder{ID: e.ID, Unit: identity.USCC(e.Unit)}, e.Applicant)
}

// Certify implements console.Certificates.
func (d desk) Certify(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	if number, ok := strings.CutPrefix(id, sealPrefix); ok {
		e, err := d.h.Life.Seal(ctx, number)
		if err != nil {
			return err
		}
		if e.State != signer.SealApproved {
			return console.ErrAnswered
		}
		s, err := d.sealOrder(ctx, e)
		if err != nil {
			return err
		}
		if s.Digest != a.Digest {
			return life.ErrConflict
		}
		return d.sign(ctx, p, s, a, func() error { return nil })
	}
	person := strings.TrimPrefix(id, personKey(""))
	q, err := d.h.rooms.Identity.Person(ctx, person)
	if err != nil {
		return err
	}
	if len(q.CertDER) > 0 {
		return console.ErrAnswered
	}
	s, err := d.h.PersonOrder(ctx, person)
	if errors.Is(err, keys.ErrNotFound) {
		return identity.ErrNotFound
	}
	if err != nil {
		return err
	}
	if s.Digest != a.Digest {
		return life.ErrConflict
	}
	return d.sign(ctx, p, s, a, func() error {
		_, err := d.h.CertifyPerson(context.WithoutCancel(ctx), d.h.service(), person)
		if errors.Is(err, ca.ErrNotApproved) && !a.Yes {
			return nil
		}
		return err
	})
}
