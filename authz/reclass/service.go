package reclass

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Catalogue finds a resource: sharing.Reader does.
type Catalogue interface {
	Resource(ctx context.Context, id string) (sharing.Resource, error)
}

// Answers finds what was signed, and verifies it anew: *approval.Service.
type Answers interface {
	Verified(ctx context.Context, kind approval.Kind, subjectID, digest string) (approval.Approval, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Store     Store
	Catalogue Catalogue
	People    identity.PostReader
	Answers   Answers
	Now       func() time.Time
	NewID     func() string // UUIDv7
}

// Service is the way of an act. It is safe for concurrent use.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Catalogue == nil || c.People == nil || c.Answers == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("reclass: every field of the configuration is required")
	}
	return &Service{c}, nil
}

// Propose asks for another label. Of a it reads Resource, To, Ground, Review and
// Due; the actor is an administrator or clerk of the provider. What only raises
// takes effect with it.
func (s *Service) Propose(ctx context.Context, a Act, actor ledger.Actor) (Act, ledger.Receipt, error) {
	fail := func(err error) (Act, ledger.Receipt, error) { return Act{}, ledger.Receipt{}, err }
	r, err := s.cfg.Catalogue.Resource(ctx, a.Resource)
	if errors.Is(err, sharing.ErrNotFound) {
		err = fmt.Errorf("%w: resource %.80q", ErrNotFound, a.Resource)
	}
	if err == nil {
		err = s.holds(ctx, actor, r.Provider, identity.RoleAgencySysadmin, identity.RoleClerk)
	}
	if err != nil {
		return fail(err)
	}
	now := s.now()
	a = Act{
		ID: s.cfg.NewID(), Resource: r.ID, Provider: r.Provider, From: r.Label, To: a.To, Ground: a.Ground, Review: a.Review,
		Due: a.Due.UTC().Truncate(time.Millisecond), Requester: actor.ID, AskedAt: now, State: Proposed,
	}
	if a.Digest, err = a.digest(); err != nil {
		return fail(err)
	}
	if !a.Due.After(now) {
		return fail(fmt.Errorf("%w: the day is over", ErrInvalid))
	}
	if a.Review != "" && !a.Raises() && a.Review == r.SecrecyReview {
		return fail(fmt.Errorf("%w: the review is the one that gave the present label", ErrGround))
	}
	kind := "authz.label.lowering_proposed"
	if a.Raises() {
		a.State, kind = Raised, "authz.label.raised"
	}
	rc, err := s.cfg.Store.AddAct(ctx, a, s.event(kind, a, now, actor))
	if err != nil {
		return fail(err)
	}
	return a, rc, nil
}

// Settle lets the leader's signed answer take effect: it lowers the label, or
// confirms or disputes one that was raised.
func (s *Service) Settle(ctx context.Context, id string, actor ledger.Actor) (Act, ledger.Receipt, error) {
	fail := func(err error) (Act, ledger.Receipt, error) { return Act{}, ledger.Receipt{}, err }
	a, err := s.cfg.Store.Act(ctx, id)
	if err != nil {
		return fail(err)
	}
	from := a.State
	if from != Proposed && from != Raised {
		return fail(fmt.Errorf("%w: %s", ErrState, from))
	}
	approved, yes, err := s.answered(ctx, a)
	if err != nil {
		return fail(err)
	}
	a.Approval, a.SettledAt = approved.ID, s.now()
	kind := ""
	switch {
	case from == Proposed && yes:
		a.State, kind = InForce, "authz.label.lowered"
	case from == Proposed:
		a.State, kind = Refused, "authz.label.lowering_refused"
	case yes:
		a.State, kind = InForce, "authz.label.confirmed"
	default:
		a.State, kind = Disputed, "authz.label.disputed"
	}
	ev := s.event(kind, a, a.SettledAt, actor)
	ev.Details["approval"], ev.Details["approver"] = approved.ID, approved.Approver
	rc, err := s.cfg.Store.MoveAct(ctx, a, from, ev)
	if err != nil {
		return fail(err)
	}
	return a, rc, nil
}

// answered is the verified answer to exactly these terms.
func (s *Service) answered(ctx context.Context, a Act) (approval.Approval, bool, error) {
	sum, err := a.digest()
	if err != nil || sum != a.Digest {
		return approval.Approval{}, false, fmt.Errorf("%w: the terms were changed", ErrNotSigned)
	}
	want := a.Subject()
	got, err := s.cfg.Answers.Verified(ctx, want.Kind, want.ID, want.Digest)
	switch {
	case (err == nil || errors.Is(err, approval.ErrRefused)) && got.Subject == want:
		return got, err == nil, nil
	case err == nil, errors.Is(err, approval.ErrNotFound), errors.Is(err, approval.ErrRefused), errors.Is(err, approval.ErrSignature),
		errors.Is(err, approval.ErrNotAllowed), errors.Is(err, approval.ErrSelf), errors.Is(err, approval.ErrReason), errors.Is(err, approval.ErrInvalid):
		return approval.Approval{}, false, errors.Join(ErrNotSigned, err)
	}
	return approval.Approval{}, false, err
}

// Withdraw takes back a lowering that waits.
func (s *Service) Withdraw(ctx context.Context, id, reason string, actor ledger.Actor) (Act, ledger.Receipt, error) {
	fail := func(err error) (Act, ledger.Receipt, error) { return Act{}, ledger.Receipt{}, err }
	a, err := s.cfg.Store.Act(ctx, id)
	if err == nil {
		err = s.holds(ctx, actor, a.Provider, identity.RoleAgencySysadmin, identity.RoleClerk)
	}
	switch {
	case err != nil:
		return fail(err)
	case !plain(reason):
		return fail(fmt.Errorf("%w: a reason is needed", ErrInvalid))
	case a.State != Proposed:
		return fail(fmt.Errorf("%w: %s", ErrState, a.State))
	}
	a.State, a.EndedBy, a.EndReason, a.SettledAt = Withdrawn, actor.ID, reason, s.now()
	ev := s.event("authz.label.lowering_withdrawn", a, a.SettledAt, actor)
	ev.Details["reason"] = reason
	rc, err := s.cfg.Store.MoveAct(ctx, a, Proposed, ev)
	if err != nil {
		return fail(err)
	}
	return a, rc, nil
}

// Acknowledge records that a unit did what a notice asks for, with the SM3 of what
// proves it. The actor is an administrator or clerk of the unit, or the system
// itself. A copy to be removed must be destroyed on the register, or its system
// carry the label by now.
func (s *Service) Acknowledge(ctx context.Context, id, evidence, note string, actor ledger.Actor) (Notice, ledger.Receipt, error) {
	fail := func(err error) (Notice, ledger.Receipt, error) { return Notice{}, ledger.Receipt{}, err }
	n, err := s.cfg.Store.Notice(ctx, id)
	if err != nil {
		return fail(err)
	}
	if actor.Kind != "system" || actor.ID != n.System {
		if err := s.holds(ctx, actor, n.Agency, identity.RoleAgencySysadmin, identity.RoleClerk); err != nil {
			return fail(err)
		}
	}
	if raw, err := hex.DecodeString(evidence); err != nil || len(raw) != 32 || hex.EncodeToString(raw) != evidence || !plain(note) {
		return fail(fmt.Errorf("%w: evidence (SM3 in lower-case hex) and a note are needed", ErrInvalid))
	}
	n.DoneAt, n.DoneBy, n.Evidence, n.Note = s.now(), actor.ID, evidence, note
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: "authz.label.followed", Class: ledger.ClassAccess, Time: n.DoneAt, Actor: actor, Object: ledger.Object{Kind: "holding", ID: n.Holding},
		Outcome: ledger.Success, Payload: evidence, Target: n.System, Before: n.Before.String(), After: n.After.String(),
		Details: map[string]string{"act": n.Act, "kind": n.Kind},
	}
	rc, err := s.cfg.Store.Done(ctx, n, ev)
	if err != nil {
		return fail(err)
	}
	return n, rc, nil
}

// Act returns ErrNotFound for an unknown one.
func (s *Service) Act(ctx context.Context, id string) (Act, error) { return s.cfg.Store.Act(ctx, id) }

// Of lists the acts of a provider, newest first; of every one when it is empty.
func (s *Service) Of(ctx context.Context, provider identity.USCC) ([]Act, error) {
	return s.cfg.Store.ActsOf(ctx, provider)
}

// To lists the notices of a unit, and Notices those of an act.
func (s *Service) To(ctx context.Context, unit identity.USCC) ([]Notice, error) {
	return s.cfg.Store.NoticesTo(ctx, unit)
}

// Notices lists what an act asked of those who keep copies.
func (s *Service) Notices(ctx context.Context, act string) ([]Notice, error) {
	return s.cfg.Store.NoticesOf(ctx, act)
}

// On lists the notices about copies on a system, by id.
func (s *Service) On(ctx context.Context, system, after string, limit int) ([]Notice, error) {
	return s.cfg.Store.NoticesOn(ctx, system, after, limit)
}

func (s *Service) holds(ctx context.Context, actor ledger.Actor, unit identity.USCC, roles ...identity.Role) error {
	if actor.Kind != "person" || actor.ID == "" {
		return fmt.Errorf("%w: a person does this", ErrForbidden)
	}
	for _, r := range roles {
		yes, err := identity.HoldsPost(ctx, s.cfg.People, actor.ID, unit, r, s.now())
		if yes || err != nil {
			return err
		}
	}
	return ErrForbidden
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) event(kind string, a Act, at time.Time, actor ledger.Actor) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: at, Actor: actor, Object: ledger.Object{Kind: "resource", ID: a.Resource},
		Outcome: ledger.Success, Payload: a.Digest, Target: a.ID, Before: a.From.String(), After: a.To.String(),
		Details: map[string]string{"provider": string(a.Provider), "requester": a.Requester, "review": a.Review, "state": string(a.State)},
	}
}
