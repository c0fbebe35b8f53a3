package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Suspend stops a grant at once: a security officer of the house, or the unit's own
// administrator, who asks that way for its end. The leader's signature makes it
// final or lifts it.
func (s *Service) Suspend(ctx context.Context, id, reason string, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	fail := func(err error) (Grant, ledger.Receipt, error) { return Grant{}, ledger.Receipt{}, err }
	g, err := s.cfg.Store.Grant(ctx, id)
	if err != nil {
		return fail(err)
	}
	err = s.holds(ctx, actor, s.cfg.House, identity.RoleSecurityOfficer)
	if errors.Is(err, ErrForbidden) {
		err = s.holds(ctx, actor, g.Unit, identity.RoleAgencySysadmin)
	}
	switch {
	case err != nil:
		return fail(err)
	case !plain(reason):
		return fail(fmt.Errorf("%w: a reason is needed", ErrInvalid))
	case g.State != InForce:
		return fail(fmt.Errorf("%w: %s", ErrState, g.State))
	}
	g.State, g.Suspensions, g.Suspension = Suspended, g.Suspensions+1, Suspension{actor.ID, reason, s.now()}
	ev := s.event("authz.grant.suspended", g, g.Suspension.At, actor)
	ev.Details["reason"] = reason
	rc, err := s.cfg.Store.MoveGrant(ctx, g, InForce, ev)
	return g, rc, err
}

// SettleSuspension lets the leader's answer take effect: yes ends the grant, no
// lifts the stop.
func (s *Service) SettleSuspension(ctx context.Context, id string, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	fail := func(err error) (Grant, ledger.Receipt, error) { return Grant{}, ledger.Receipt{}, err }
	g, err := s.cfg.Store.Grant(ctx, id)
	if err != nil {
		return fail(err)
	}
	if g.State != Suspended {
		return fail(fmt.Errorf("%w: %s", ErrState, g.State))
	}
	want, err := g.SuspensionSubject()
	if err != nil {
		return fail(err)
	}
	a, yes, err := s.answer(ctx, want)
	if err == nil && !yes && a.Approver == g.Person {
		err = fmt.Errorf("%w: by the holder", ErrNotSigned)
	}
	if err != nil {
		return fail(err)
	}
	kind, now := "authz.grant.lifted", s.now()
	g.State = InForce
	if yes {
		kind, g.State, g.EndedBy, g.EndReason, g.EndedAt = "authz.grant.ended", Ended, a.Approver, g.Suspension.Reason, now
	}
	ev := s.event(kind, g, now, actor)
	ev.Details["approval"], ev.Details["approver"] = a.ID, a.Approver
	rc, err := s.cfg.Store.MoveGrant(ctx, g, Suspended, ev)
	return g, rc, err
}

// EndAll ends what a leaver has and withdraws what was proposed for him. The
// decision point ignores a leaver's grants from the moment of leaving; this brings
// the register in line the same day.
func (s *Service) EndAll(ctx context.Context, actor ledger.Actor, person string) error {
	all, err := s.cfg.Store.GrantsFor(ctx, person, s.now())
	if err != nil {
		return fmt.Errorf("grants of %s: %w", person, err)
	}
	var failed []error
	for _, g := range all {
		to, kind := Ended, "authz.grant.ended"
		if g.State == Proposed {
			to, kind = Withdrawn, "authz.grant.withdrawn"
		}
		from := g.State
		g.State, g.EndedBy, g.EndReason, g.EndedAt = to, actor.ID, "离职 holder left", s.now()
		ev := s.event(kind, g, g.EndedAt, actor)
		ev.Details["reason"] = "holder left"
		_, err := s.cfg.Store.MoveGrant(ctx, g, from, ev)
		failed = append(failed, err)
	}
	return errors.Join(append(failed, s.endDelegations(ctx, actor, person))...)
}

// reviewDue is the end of the working day after the one on which an emergency began.
func (s *Service) reviewDue(began time.Time) (time.Time, error) {
	due, err := s.cfg.Calendar.AddWorkdays(workday.Of(began), 1)
	if err != nil {
		return time.Time{}, err
	}
	return (due.Day + 1).Start().UTC(), nil
}

// SettleReview records the leader's signed answer about an emergency: whether it
// was justified.
func (s *Service) SettleReview(ctx context.Context, id string, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	fail := func(err error) (Grant, ledger.Receipt, error) { return Grant{}, ledger.Receipt{}, err }
	g, err := s.reviewed(ctx, id)
	if err != nil {
		return fail(err)
	}
	want, err := g.ReviewSubject()
	if err != nil {
		return fail(err)
	}
	a, yes, err := s.answer(ctx, want)
	if err == nil && a.Approver == g.Person {
		err = fmt.Errorf("%w: by the holder", ErrNotSigned)
	}
	if err != nil {
		return fail(err)
	}
	g.Review.Approval, g.Review.Found, g.Review.At = a.ID, yes, s.now()
	ev := s.event("authz.grant.reviewed", g, g.Review.At, actor)
	ev.Details["approval"], ev.Details["justified"] = a.ID, fmt.Sprint(yes)
	rc, err := s.cfg.Store.ReviewGrant(ctx, g, ev)
	return g, rc, err
}

// Audit records what an auditor of the house found about an emergency.
func (s *Service) Audit(ctx context.Context, id, note string, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	fail := func(err error) (Grant, ledger.Receipt, error) { return Grant{}, ledger.Receipt{}, err }
	if err := s.holds(ctx, actor, s.cfg.House, identity.RoleAuditor); err != nil {
		return fail(err)
	}
	g, err := s.reviewed(ctx, id)
	if err != nil {
		return fail(err)
	}
	if !plain(note) {
		return fail(fmt.Errorf("%w: a note is needed", ErrInvalid))
	}
	g.Review.Auditor, g.Review.Note, g.Review.AuditAt = actor.ID, note, s.now()
	ev := s.event("authz.grant.audited", g, g.Review.AuditAt, actor)
	ev.Details["note"] = note
	rc, err := s.cfg.Store.ReviewGrant(ctx, g, ev)
	return g, rc, err
}

// reviewed is an emergency that took effect, whatever became of it.
func (s *Service) reviewed(ctx context.Context, id string) (Grant, error) {
	g, err := s.cfg.Store.Grant(ctx, id)
	if err == nil && g.Review.Due.IsZero() {
		err = fmt.Errorf("%w: not an emergency that took effect", ErrState)
	}
	return g, err
}
