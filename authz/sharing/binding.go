package sharing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// AskSeal is a clerk's request for the seal of a party on the terms; its leader signs.
func (s *Applications) AskSeal(ctx context.Context, actor ledger.Actor, id, seal string) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.seal_asked", func(a *Application, now time.Time) error {
		unit := identity.USCC(actor.Unit)
		if err := s.holds(ctx, actor, unit, now, identity.RoleClerk); err != nil {
			return err
		}
		if !a.MaySeal(unit, actor.ID) {
			return a.wrong()
		}
		if !idForm.MatchString(seal) {
			return fmt.Errorf("%w: number of a seal", ErrInvalid)
		}
		others := slices.DeleteFunc(slices.Clone(a.SealAsks), func(q SealAsk) bool { return q.Unit == unit })
		a.SealAsks = append(others, SealAsk{unit, seal, actor.ID, now})
		return nil
	})
}

// Seal adds the seal of a party to the terms of an application that was agreed to. The
// third makes it bound: the caller registers the agreement first.
func (s *Applications) Seal(ctx context.Context, actor ledger.Actor, id string, seal PartySeal) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.sealed", func(a *Application, _ time.Time) error {
		if a.State != ApplicationAgreed || a.sealedBy(seal.Party) {
			return a.wrong()
		}
		g, err := a.Agreement()
		if err == nil {
			g, err = AddSeal(g, seal)
		}
		if err != nil {
			return err
		}
		a.Seals = g.Seals
		return nil
	})
}

// Bind records that the agreement with the terms of an application is registered, and
// keeps the copies of the one that it renews.
func (s *Applications) Bind(ctx context.Context, actor ledger.Actor, id string) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.bound", func(a *Application, _ time.Time) error {
		if a.State != ApplicationAgreed {
			return a.wrong()
		}
		g, err := a.Agreement()
		if err != nil {
			return err
		}
		if on, err := s.cfg.Catalogue.Agreement(ctx, g.ID); err != nil || on.Digest != g.Digest {
			return errors.Join(ErrUnsealed, err)
		}
		if err := s.renew(ctx, actor, *a, g); err != nil {
			return err
		}
		a.State = ApplicationBound
		return nil
	})
}

// renew: copies go on under the new agreement, when that one covers what the old one did
// and joins on to it. Otherwise they end as they would have.
func (s *Applications) renew(ctx context.Context, actor ledger.Actor, a Application, next Agreement) error {
	if a.Follows == "" {
		return nil
	}
	old, err := s.cfg.Catalogue.Agreement(ctx, a.Follows)
	if err != nil || !next.continues(old) {
		return err
	}
	ev := s.event("sharing.agreement.renewed", a, actor, s.now())
	ev.Agreement, ev.Details["follows"] = next.ID, old.ID
	_, err = s.cfg.Store.RenewCopies(ctx, old, next, ev)
	return err
}

// continues: no narrower than old, about the same, and without a gap.
func (a Agreement) continues(old Agreement) bool {
	within := func(all, some []string) bool {
		return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
	}
	return a.Resource == old.Resource && a.Consumer == old.Consumer && a.Provider == old.Provider && old.Terminated.IsZero() &&
		!a.NotBefore.After(old.NotAfter) && !a.NotAfter.Before(old.NotAfter) && within(a.Fields, old.Fields) && within(a.Purposes, old.Purposes)
}
