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
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// People is what this room reads of the register.
type People interface {
	identity.PostReader
	Agency(ctx context.Context, id identity.USCC) (identity.Agency, error)
	System(ctx context.Context, id string) (identity.System, error)
}

// Answers finds what was signed, and verifies it anew: *approval.Service.
type Answers interface {
	// Verified returns approval.ErrNotFound when there is no answer, and
	// approval.ErrRefused beside a verified no.
	Verified(ctx context.Context, kind approval.Kind, subjectID, digest string) (approval.Approval, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Store    Store
	People   People
	Answers  Answers
	House    identity.USCC // whose security officers suspend and sign emergencies, whose auditors review them
	Calendar *workday.Calendar
	Now      func() time.Time
	NewID    func() string // UUIDv7
}

// Service is the way of a grant. It is safe for concurrent use.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.People == nil || c.Answers == nil || c.House == "" || c.Calendar == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("grant: every field of the configuration is required")
	}
	return &Service{c}, nil
}

// Propose asks for a grant. Of g it reads what stands before Requester; the unit is
// the actor's, an agency administrator or clerk of it. A grant that begins before
// now begins now, and so does an emergency.
func (s *Service) Propose(ctx context.Context, g Grant, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	fail := func(err error) (Grant, ledger.Receipt, error) { return Grant{}, ledger.Receipt{}, err }
	if err := s.holds(ctx, actor, identity.USCC(actor.Unit), identity.RoleAgencySysadmin, identity.RoleClerk); err != nil {
		return fail(err)
	}
	now := s.now()
	g = Grant{
		ID: s.cfg.NewID(), Unit: identity.USCC(actor.Unit), Person: g.Person, Role: g.Role, Need: g.Need,
		Actions: list(g.Actions), Purposes: list(g.Purposes), Resources: list(g.Resources), Providers: list(g.Providers), Systems: list(g.Systems),
		Level: g.Level, From: g.From.UTC().Truncate(time.Millisecond), Until: g.Until.UTC().Truncate(time.Millisecond),
		Emergency: g.Emergency, Replaces: g.Replaces, Requester: actor.ID, AskedAt: now, State: Proposed,
	}
	if g.From.Before(now) || g.Emergency {
		g.From = now
	}
	var err error
	if g.Digest, err = digest(g.Terms()); err != nil {
		return fail(err)
	}
	if err := s.may(ctx, g); err != nil {
		return fail(err)
	}
	if err := s.within(ctx, g); err != nil {
		return fail(err)
	}
	rc, err := s.cfg.Store.AddGrant(ctx, g, s.event("authz.grant.proposed", g, now, actor))
	if err != nil {
		return fail(err)
	}
	return g, rc, nil
}

// may checks the person: of the unit, in the post, and no administrator at any
// time of the grant.
func (s *Service) may(ctx context.Context, g Grant) error {
	p, err := s.cfg.People.Person(ctx, g.Person)
	if errors.Is(err, identity.ErrNotFound) || err == nil && (p.Agency != g.Unit || !p.LeftAt.IsZero()) {
		return fmt.Errorf("%w: not a person of the unit", ErrPost)
	}
	if err != nil {
		return fmt.Errorf("person %.80q: %w", g.Person, err)
	}
	posts, err := s.cfg.People.PostsOf(ctx, g.Person)
	if err != nil {
		return fmt.Errorf("posts of %s: %w", g.Person, err)
	}
	now, has := s.now(), false
	for _, post := range posts {
		if slices.Contains(administrators(), post.Role) && post.From.Before(g.Until) && (post.Until.IsZero() || post.Until.After(now)) {
			return fmt.Errorf("%w: %s", ErrAdministrator, post.Role)
		}
		has = has || post.Agency == g.Unit && post.Role == g.Role && post.HeldAt(now)
	}
	if !has {
		return fmt.Errorf("%w: %s", ErrPost, g.Role)
	}
	return nil
}

// within checks the scope: duties and systems of the unit, and a grant to be
// replaced that is the same person's and in force.
func (s *Service) within(ctx context.Context, g Grant) error {
	a, err := s.cfg.People.Agency(ctx, g.Unit)
	if err != nil {
		return fmt.Errorf("unit %s: %w", g.Unit, err)
	}
	for _, p := range g.Purposes {
		if !slices.Contains(a.Duties, p) {
			return fmt.Errorf("%w: %q is no duty (职能) of the unit", ErrInvalid, p)
		}
	}
	for _, id := range g.Systems {
		sys, err := s.cfg.People.System(ctx, id)
		if errors.Is(err, identity.ErrNotFound) || err == nil && sys.Agency != g.Unit {
			return fmt.Errorf("%w: %q is no system of the unit", ErrInvalid, id)
		}
		if err != nil {
			return fmt.Errorf("system %.80q: %w", id, err)
		}
	}
	if g.Replaces == "" {
		return nil
	}
	old, err := s.cfg.Store.Grant(ctx, g.Replaces)
	if err == nil && (old.Unit != g.Unit || old.Person != g.Person || g.Emergency) {
		err = ErrNotFound
	}
	if err == nil && old.State != InForce {
		err = fmt.Errorf("%w: what is replaced is %s", ErrState, old.State)
	}
	return err
}

// Settle lets the signed answer take effect.
func (s *Service) Settle(ctx context.Context, id string, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	g, err := s.cfg.Store.Grant(ctx, id)
	if err != nil {
		return Grant{}, ledger.Receipt{}, err
	}
	if g.State != Proposed {
		return Grant{}, ledger.Receipt{}, fmt.Errorf("%w: %s", ErrState, g.State)
	}
	a, yes, err := s.answered(ctx, g)
	if err != nil {
		return Grant{}, ledger.Receipt{}, err
	}
	kind := "authz.grant.refused"
	g.State, g.Approval, g.SettledAt = Refused, a.ID, s.now()
	if yes {
		if !g.SettledAt.Before(g.Until) {
			return Grant{}, ledger.Receipt{}, fmt.Errorf("%w: over before it was signed", ErrState)
		}
		if err := s.may(ctx, g); err != nil { // who left or changed posts meanwhile
			return Grant{}, ledger.Receipt{}, err
		}
		g.State, kind = InForce, "authz.grant.signed"
		if g.Emergency {
			if g.Review.Due, err = s.reviewDue(g.SettledAt); err != nil {
				return Grant{}, ledger.Receipt{}, err
			}
		}
	}
	ev := s.event(kind, g, g.SettledAt, actor)
	ev.Details["approval"], ev.Details["approver"] = a.ID, a.Approver
	rc, err := s.cfg.Store.MoveGrant(ctx, g, Proposed, ev)
	return g, rc, err
}

// answered is the verified answer to exactly these terms. Nobody signs a grant to
// himself: a no is nobody's advantage.
func (s *Service) answered(ctx context.Context, g Grant) (approval.Approval, bool, error) {
	sum, err := digest(g.Terms())
	if err != nil || sum != g.Digest {
		return approval.Approval{}, false, fmt.Errorf("%w: the terms were changed", ErrNotSigned)
	}
	a, yes, err := s.answer(ctx, g.Subject(s.cfg.House))
	if err == nil && yes && a.Approver == g.Person {
		err = fmt.Errorf("%w: by the holder", ErrNotSigned)
	}
	return a, yes, err
}

// answer is the verified answer to a question.
func (s *Service) answer(ctx context.Context, want approval.Subject) (a approval.Approval, yes bool, err error) {
	a, err = s.cfg.Answers.Verified(ctx, want.Kind, want.ID, want.Digest)
	yes = err == nil
	if errors.Is(err, approval.ErrRefused) {
		err = nil
	}
	if err == nil && a.Subject != want {
		err = errors.New("the answer is about something else")
	}
	if err == nil {
		return a, yes, nil
	}
	for _, unsigned := range []error{
		approval.ErrNotFound, approval.ErrSignature, approval.ErrNotAllowed, approval.ErrSelf, approval.ErrReason, approval.ErrInvalid,
	} {
		if errors.Is(err, unsigned) || a.ID != "" {
			return approval.Approval{}, false, fmt.Errorf("%w: %w", ErrNotSigned, err)
		}
	}
	return approval.Approval{}, false, err
}

// Signed returns nil when the signature that a grant in force rests on stands now
// as it did then; ErrNotSigned else. Whoever acts on a grant asks this, and never
// the stored state alone.
func (s *Service) Signed(ctx context.Context, g Grant) error {
	if g.State != InForce && g.State != Suspended {
		return fmt.Errorf("%w: %s", ErrNotSigned, g.State)
	}
	a, yes, err := s.answered(ctx, g)
	if err == nil && (!yes || a.ID != g.Approval) {
		err = ErrNotSigned
	}
	return err
}

// Withdraw takes back a proposal; anybody who may propose may do so.
func (s *Service) Withdraw(ctx context.Context, id, reason string, actor ledger.Actor) (Grant, ledger.Receipt, error) {
	return s.end(ctx, id, reason, actor, Proposed, Withdrawn, "authz.grant.withdrawn")
}

func (s *Service) end(ctx context.Context, id, reason string, actor ledger.Actor, from, to State, kind string) (Grant, ledger.Receipt, error) {
	g, err := s.cfg.Store.Grant(ctx, id)
	if err == nil && from == Proposed {
		err = s.holds(ctx, actor, g.Unit, identity.RoleAgencySysadmin, identity.RoleClerk)
	}
	if err != nil {
		return Grant{}, ledger.Receipt{}, err
	}
	if !plain(reason) {
		return Grant{}, ledger.Receipt{}, fmt.Errorf("%w: a reason is needed", ErrInvalid)
	}
	if g.State != from {
		return Grant{}, ledger.Receipt{}, fmt.Errorf("%w: %s", ErrState, g.State)
	}
	g.State, g.EndedBy, g.EndReason, g.EndedAt = to, actor.ID, reason, s.now()
	ev := s.event(kind, g, g.EndedAt, actor)
	ev.Details["reason"] = reason
	rc, err := s.cfg.Store.MoveGrant(ctx, g, from, ev)
	return g, rc, err
}

// holds refuses an actor who holds none of these posts in a unit now.
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

// event names the terms by their digest; the need is text about work and stays with
// the row.
func (s *Service) event(kind string, g Grant, at time.Time, actor ledger.Actor) ledger.Event {
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: at, Actor: actor,
		Object: ledger.Object{Kind: "grant", ID: g.ID}, Outcome: ledger.Success, Payload: g.Digest, Before: g.Replaces, After: string(g.State),
		Details: map[string]string{
			"unit": string(g.Unit), "person": g.Person, "role": string(g.Role), "level": fmt.Sprint(g.Level), "requester": g.Requester,
			"from": g.From.UTC().Format(timeForm), "until": g.Until.UTC().Format(timeForm),
		},
	}
	if g.Emergency {
		ev.Details["emergency"] = "true"
	}
	return ev
}

// Grant returns ErrNotFound for an unknown one.
func (s *Service) Grant(ctx context.Context, id string) (Grant, error) {
	return s.cfg.Store.Grant(ctx, id)
}

// Of lists those of a unit, newest first; of every unit when it is empty.
func (s *Service) Of(ctx context.Context, unit identity.USCC) ([]Grant, error) {
	return s.cfg.Store.GrantsOf(ctx, unit)
}

// Covers reports whether a grant's scope holds a resource and its provider.
func (g Grant) Covers(resource string, provider identity.USCC) bool {
	return len(g.Resources) == 0 && len(g.Providers) == 0 || slices.Contains(g.Resources, resource) || slices.Contains(g.Providers, provider)
}

// Opens reports whether a grant names an act for a purpose on a system.
func (g Grant) Opens(act level.Act, purpose, system string) bool {
	return slices.Contains(g.Actions, act) && slices.Contains(g.Purposes, purpose) && (len(g.Systems) == 0 || slices.Contains(g.Systems, system))
}
