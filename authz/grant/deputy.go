package grant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Delegation (授权委托) lets a named deputy sign grants in a leader's place until a
// day. It does not nest: a deputy signs no delegation, and it falls with the post
// of the leader who signed it.
type Delegation struct {
	ID        string        `json:"id"`
	Unit      identity.USCC `json:"unit"`
	Leader    string        `json:"leader"`
	Deputy    string        `json:"deputy"`
	Reason    string        `json:"reason"`
	From      time.Time     `json:"from"`
	Until     time.Time     `json:"until"` // exclusive
	Requester string        `json:"requester"`
	AskedAt   time.Time     `json:"asked_at"`
	Digest    string        `json:"digest_sm3"`

	State     State     `json:"state"`
	Approval  string    `json:"approval,omitempty"`
	SettledAt time.Time `json:"settled_at,omitzero"`
	EndedBy   string    `json:"ended_by,omitempty"`
	EndReason string    `json:"end_reason,omitempty"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// StateAt is the state with the period in view.
func (d Delegation) StateAt(at time.Time) State {
	if (d.State == InForce || d.State == Proposed) && !at.Before(d.Until) {
		return Expired
	}
	return d.State
}

// stoodAt reports whether it was in force at a moment, also when it ended since.
func (d Delegation) stoodAt(at time.Time) bool {
	return !d.SettledAt.IsZero() && !at.Before(d.SettledAt) && !at.Before(d.From) && at.Before(d.Until) &&
		(d.State == InForce || d.State == Ended && at.Before(d.EndedAt))
}

const delegationDomain = "yinxin/grant-delegation/v1\n"

type delegationTerms struct {
	Deputy string        `json:"deputy"`
	From   string        `json:"from"`
	ID     string        `json:"id"`
	Leader string        `json:"leader"`
	Reason string        `json:"reason"`
	Unit   identity.USCC `json:"unit"`
	Until  string        `json:"until"`
}

// Terms returns the bytes whose SM3 the leader signs.
func (d Delegation) Terms() ([]byte, error) {
	if !idForm.MatchString(d.ID) || !idForm.MatchString(d.Leader) || !idForm.MatchString(d.Deputy) || d.Leader == d.Deputy || !plain(d.Reason) || d.Unit.Validate() != nil {
		return nil, fmt.Errorf("%w: leader, deputy or reason", ErrInvalid)
	}
	if err := period(d.From, d.Until, MaxPeriod); err != nil {
		return nil, err
	}
	return encode(delegationDomain, delegationTerms{
		d.Deputy, d.From.UTC().Format(timeForm), d.ID, d.Leader, d.Reason, d.Unit, d.Until.UTC().Format(timeForm),
	})
}

// Subject is what the leader signs.
func (d Delegation) Subject() approval.Subject {
	return approval.Subject{Kind: approval.KindDelegation, ID: d.ID, Digest: d.Digest, Unit: d.Unit, Requester: d.Requester}
}

// Delegate proposes a deputy for a leader. Of d it reads Leader, Deputy, Reason and
// the period; the actor is an agency administrator or clerk of the unit, and not
// the leader.
func (s *Service) Delegate(ctx context.Context, d Delegation, actor ledger.Actor) (Delegation, ledger.Receipt, error) {
	fail := func(err error) (Delegation, ledger.Receipt, error) { return Delegation{}, ledger.Receipt{}, err }
	unit := identity.USCC(actor.Unit)
	if err := s.holds(ctx, actor, unit, identity.RoleAgencySysadmin, identity.RoleClerk); err != nil {
		return fail(err)
	}
	now := s.now()
	d = Delegation{
		ID: s.cfg.NewID(), Unit: unit, Leader: d.Leader, Deputy: d.Deputy, Reason: d.Reason, From: d.From.UTC().Truncate(time.Millisecond),
		Until: d.Until.UTC().Truncate(time.Millisecond), Requester: actor.ID, AskedAt: now, State: Proposed,
	}
	if d.From.Before(now) {
		d.From = now
	}
	var err error
	if d.Digest, err = digest(d.Terms()); err != nil {
		return fail(err)
	}
	if d.Leader == actor.ID {
		return fail(approval.ErrSelf)
	}
	if err := s.holds(ctx, ledger.Actor{Kind: "person", ID: d.Leader}, unit, identity.RoleUnitLeader); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrPost, err))
	}
	switch fit, err := s.deputisable(ctx, d, now); {
	case err != nil:
		return fail(err)
	case !fit:
		return fail(fmt.Errorf("%w: a deputy is a person of the unit, and no administrator", ErrPost))
	}
	rc, err := s.cfg.Store.AddDelegation(ctx, d, s.delegated("authz.delegation.proposed", d, now, actor))
	if err != nil {
		return fail(err)
	}
	return d, rc, nil
}

// deputisable: a person of the unit who held a post of work there at that time, and
// none that proposes, guards or watches grants.
func (s *Service) deputisable(ctx context.Context, d Delegation, at time.Time) (bool, error) {
	p, err := s.cfg.People.Person(ctx, d.Deputy)
	if errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("person %.80q: %w", d.Deputy, err)
	}
	if p.Agency != d.Unit || !p.LeftAt.IsZero() && !at.Before(p.LeftAt) {
		return false, nil
	}
	posts, err := s.cfg.People.PostsOf(ctx, d.Deputy)
	if err != nil {
		return false, fmt.Errorf("posts of %s: %w", d.Deputy, err)
	}
	works := false
	for _, post := range posts {
		switch {
		case !post.HeldAt(at):
		case slices.Contains(append(administrators(), identity.RoleAgencySysadmin), post.Role):
			return false, nil
		default:
			works = works || post.Agency == d.Unit
		}
	}
	return works, nil
}

// SettleDelegation lets the leader's answer take effect.
func (s *Service) SettleDelegation(ctx context.Context, id string, actor ledger.Actor) (Delegation, ledger.Receipt, error) {
	d, err := s.cfg.Store.Delegation(ctx, id)
	if err == nil && d.State != Proposed {
		err = fmt.Errorf("%w: %s", ErrState, d.State)
	}
	if err != nil {
		return Delegation{}, ledger.Receipt{}, err
	}
	a, yes, err := s.named(ctx, d)
	if err != nil {
		return Delegation{}, ledger.Receipt{}, err
	}
	kind := "authz.delegation.refused"
	d.State, d.Approval, d.SettledAt = Refused, a.ID, s.now()
	if yes {
		d.State, kind = InForce, "authz.delegation.signed"
	}
	ev := s.delegated(kind, d, d.SettledAt, actor)
	ev.Details["approval"] = a.ID
	rc, err := s.cfg.Store.MoveDelegation(ctx, d, Proposed, ev)
	return d, rc, err
}

// named is the verified answer of the very leader.
func (s *Service) named(ctx context.Context, d Delegation) (approval.Approval, bool, error) {
	sum, err := digest(d.Terms())
	if err != nil || sum != d.Digest {
		return approval.Approval{}, false, fmt.Errorf("%w: the terms were changed", ErrNotSigned)
	}
	a, yes, err := s.answer(ctx, d.Subject())
	if err == nil && a.Approver != d.Leader {
		err = fmt.Errorf("%w: another leader answered", ErrNotSigned)
	}
	return a, yes, err
}

// EndDelegation takes back a proposal or ends a delegation now: the leader, a
// security officer of the house, or who proposes in the unit.
func (s *Service) EndDelegation(ctx context.Context, id, reason string, actor ledger.Actor) (Delegation, ledger.Receipt, error) {
	fail := func(err error) (Delegation, ledger.Receipt, error) { return Delegation{}, ledger.Receipt{}, err }
	d, err := s.cfg.Store.Delegation(ctx, id)
	if err != nil {
		return fail(err)
	}
	if err = s.holds(ctx, actor, d.Unit, identity.RoleUnitLeader, identity.RoleAgencySysadmin, identity.RoleClerk); errors.Is(err, ErrForbidden) {
		err = s.holds(ctx, actor, s.cfg.House, identity.RoleSecurityOfficer)
	}
	if err != nil {
		return fail(err)
	}
	if !plain(reason) {
		return fail(fmt.Errorf("%w: a reason is needed", ErrInvalid))
	}
	return s.endDelegation(ctx, d, reason, actor)
}

func (s *Service) endDelegation(ctx context.Context, d Delegation, reason string, actor ledger.Actor) (Delegation, ledger.Receipt, error) {
	from := d.State
	switch from {
	case Proposed:
		d.State = Withdrawn
	case InForce:
		d.State = Ended
	default:
		return Delegation{}, ledger.Receipt{}, fmt.Errorf("%w: %s", ErrState, from)
	}
	d.EndedBy, d.EndReason, d.EndedAt = actor.ID, reason, s.now()
	ev := s.delegated("authz.delegation.ended", d, d.EndedAt, actor)
	ev.Details["reason"] = reason
	rc, err := s.cfg.Store.MoveDelegation(ctx, d, from, ev)
	return d, rc, err
}

// endDelegations ends those that a leaver gave or has.
func (s *Service) endDelegations(ctx context.Context, actor ledger.Actor, person string) error {
	p, err := s.cfg.People.Person(ctx, person)
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("person %s: %w", person, err)
	}
	all, err := s.cfg.Store.DelegationsOf(ctx, p.Agency)
	if err != nil {
		return fmt.Errorf("delegations of %s: %w", p.Agency, err)
	}
	var failed []error
	for _, d := range all {
		if (d.Leader == person || d.Deputy == person) && (d.State == Proposed || d.State == InForce) {
			_, _, err := s.endDelegation(ctx, d, "离职 leader or deputy left", actor)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Delegations lists those of a unit, newest first; of every unit when it is empty.
func (s *Service) Delegations(ctx context.Context, unit identity.USCC) ([]Delegation, error) {
	return s.cfg.Store.DelegationsOf(ctx, unit)
}

// Delegation returns ErrNotFound for an unknown one.
func (s *Service) Delegation(ctx context.Context, id string) (Delegation, error) {
	return s.cfg.Store.Delegation(ctx, id)
}

// Stands is approval.Config.Deputy: a deputy answers questions about grants, by a
// delegation that stood at that time, that its leader signed and still held the
// post for. About delegations there is no deputy.
func (s *Service) Stands(ctx context.Context, q approval.Subject, person string, at time.Time) (bool, error) {
	if q.Kind != approval.KindGrant {
		return false, nil
	}
	all, err := s.cfg.Store.DelegationsOf(ctx, q.Unit)
	if err != nil {
		return false, fmt.Errorf("delegations of %s: %w", q.Unit, err)
	}
	for _, d := range all {
		if d.Deputy != person || d.Unit != q.Unit || !d.stoodAt(at) {
			continue
		}
		leads, err := identity.HoldsPost(ctx, s.cfg.People, d.Leader, d.Unit, identity.RoleUnitLeader, at)
		if err != nil {
			return false, err
		}
		fit, err := s.deputisable(ctx, d, at)
		if err != nil {
			return false, err
		}
		a, yes, err := s.named(ctx, d)
		if err != nil && !errors.Is(err, ErrNotSigned) {
			return false, err
		}
		if err == nil && leads && fit && yes && a.ID == d.Approval {
			return true, nil
		}
	}
	return false, nil
}

func (s *Service) delegated(kind string, d Delegation, at time.Time, actor ledger.Actor) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: at, Actor: actor,
		Object: ledger.Object{Kind: "delegation", ID: d.ID}, Outcome: ledger.Success, Payload: d.Digest, After: string(d.State),
		Details: map[string]string{
			"unit": string(d.Unit), "leader": d.Leader, "deputy": d.Deputy, "until": d.Until.UTC().Format(timeForm),
		},
	}
}
