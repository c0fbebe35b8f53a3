package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Waiting implements console.Certificates: persons who have set a PIN, and seals
// whose application is approved.
func (d *Service) Waiting(ctx context.Context, p console.Person) (out []console.Order, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return nil, err
	}
	persons, err := d.cfg.People.Uncertified(ctx)
	if err != nil {
		return nil, fmt.Errorf("desk: persons without a certificate: %w", err)
	}
	for _, q := range persons {
		s, err := d.cfg.Persons.Order(ctx, q.ID)
		if errors.Is(err, ErrNoKey) { // has not come yet
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
	seals, err := d.cfg.Life.Seals(ctx, lifeQuery("", signer.SealApproved))
	if err != nil {
		return nil, err
	}
	for _, e := range seals {
		s, err := d.cfg.Workshop.Order(ctx, e)
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
func (d *Service) waits(ctx context.Context, out []console.Order, o console.Order, s approval.Subject) ([]console.Order, error) {
	switch a, err := d.cfg.Approvals.ApprovalOf(ctx, s.Kind, s.ID); {
	case err == nil && (o.Seal || !a.Approved):
		return out, nil // a person's that is approved and not issued is answered once more
	case err != nil && !errors.Is(err, approval.ErrNotFound):
		return out, err
	}
	o.ID, o.Digest = s.ID, s.Digest
	a, err := d.cfg.People.Agency(ctx, identity.USCC(o.Unit))
	if err != nil {
		return out, err
	}
	o.Unit = a.Name
	if o.Key, err = d.cfg.Persons.Key(ctx, s.ID); err != nil {
		return out, err
	}
	return append(out, o), nil
}

// Certify implements console.Certificates.
func (d *Service) Certify(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	if number, ok := strings.CutPrefix(id, PrefixSeal); ok {
		e, err := d.cfg.Life.Seal(ctx, number)
		if err != nil {
			return err
		}
		if e.State != signer.SealApproved {
			return console.ErrAnswered
		}
		s, err := d.cfg.Workshop.Order(ctx, e)
		if err != nil {
			return err
		}
		if s.Digest != a.Digest {
			return life.ErrConflict
		}
		return d.sign(ctx, p, s, a, func() error { return nil })
	}
	person := strings.TrimPrefix(id, PrefixPerson)
	q, err := d.cfg.People.Person(ctx, person)
	if err != nil {
		return err
	}
	if len(q.CertDER) > 0 {
		return console.ErrAnswered
	}
	s, err := d.cfg.Persons.Order(ctx, person)
	if errors.Is(err, ErrNoKey) {
		return identity.ErrNotFound
	}
	if err != nil {
		return err
	}
	if s.Digest != a.Digest {
		return life.ErrConflict
	}
	return d.sign(ctx, p, s, a, func() error {
		err := d.cfg.Persons.Certify(context.WithoutCancel(ctx), person)
		if errors.Is(err, ca.ErrNotApproved) && !a.Yes {
			return nil
		}
		return err
	})
}
