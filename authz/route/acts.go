package route

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Limits of an entry.
const (
	maxText    = 300
	maxMethods = 8
	maxFields  = 100
)

// Config of a Service. Every field is required.
type Config struct {
	Register Register
	Approver Approver
	Posts    Posts
	Systems  Systems
	Actions  []string // of the catalogue
	Now      func() time.Time
	NewID    func() string
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu   sync.Mutex
	read time.Time // guarded by mu: when known was read
	// known are the routes in force by system; guarded by mu.
	known map[string][]Route
}

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.Systems == nil || len(cfg.Actions) == 0 || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("route: every field of the configuration is required")
	}
	return &Service{cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// Propose records a route for the leader of the unit to approve. Of r it reads
// System, Prefix, Methods, Type, Resource, Action, Purpose, Fields and Reason.
func (s *Service) Propose(ctx context.Context, actor ledger.Actor, r Route) (Route, ledger.Receipt, error) {
	sys, err := s.cfg.Systems.System(ctx, r.System)
	if errors.Is(err, identity.ErrNotFound) {
		return Route{}, ledger.Receipt{}, fmt.Errorf("%w: system %s is not registered", ErrInvalid, r.System)
	}
	if err != nil {
		return Route{}, ledger.Receipt{}, fmt.Errorf("route: system: %w", err)
	}
	if err := s.may(ctx, actor, sys.Agency, identity.RoleAgencySysadmin); err != nil {
		return Route{}, ledger.Receipt{}, err
	}
	r = Route{
		ID: s.cfg.NewID(), System: sys.ID, Unit: sys.Agency, Prefix: r.Prefix, Methods: slices.Compact(slices.Sorted(slices.Values(r.Methods))), Type: r.Type,
		Resource: r.Resource, Action: r.Action, Purpose: r.Purpose, Fields: slices.Compact(slices.Sorted(slices.Values(r.Fields))), Reason: r.Reason,
		AskedBy: actor.ID, AskedAt: s.now(), State: Proposed,
	}
	if err := s.validate(r); err != nil {
		return Route{}, ledger.Receipt{}, err
	}
	open, err := s.cfg.Register.Routes(ctx, r.Unit, Proposed, InForce)
	if err != nil {
		return Route{}, ledger.Receipt{}, fmt.Errorf("route: read register: %w", err)
	}
	for _, o := range open {
		if o.System == r.System && strings.EqualFold(o.Prefix, r.Prefix) && overlap(o.Methods, r.Methods) {
			return Route{}, ledger.Receipt{}, fmt.Errorf("%w: %s %s", ErrExists, o.System, o.Prefix)
		}
	}
	rc, err := s.cfg.Register.AddRoute(ctx, r, s.event("proposed", actor, r, map[string]string{"reason": r.Reason}))
	return r, rc, err
}

// Settle lets the leader's signed answer take effect: in force or refused.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, id string) (Route, ledger.Receipt, error) {
	r, err := s.cfg.Register.Route(ctx, id)
	if err != nil {
		return Route{}, ledger.Receipt{}, err
	}
	if r.State != Proposed {
		return Route{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, r.State)
	}
	answer, err := s.cfg.Approver.Answer(ctx, r)
	if err != nil {
		return Route{}, ledger.Receipt{}, err
	}
	kind := "refused"
	r.State, r.Approval, r.SettledAt = Refused, answer.ID, s.now()
	if answer.Yes {
		r.State, kind = InForce, "approved"
	}
	rc, err := s.cfg.Register.MoveRoute(ctx, r, Proposed, s.event(kind, actor, r, map[string]string{"approval": answer.ID}))
	s.forget()
	return r, rc, err
}

// Withdraw ends a route, or a proposal, at once: without it the path is denied.
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, id, reason string) (Route, ledger.Receipt, error) {
	r, err := s.cfg.Register.Route(ctx, id)
	if err != nil {
		return Route{}, ledger.Receipt{}, err
	}
	if err := s.may(ctx, actor, r.Unit, identity.RoleAgencySysadmin, identity.RoleUnitLeader); err != nil {
		return Route{}, ledger.Receipt{}, err
	}
	if !line(reason) {
		return Route{}, ledger.Receipt{}, fmt.Errorf("%w: a reason is needed", ErrInvalid)
	}
	if !r.Open() {
		return Route{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, r.State)
	}
	from := r.State
	r.State, r.EndedBy, r.EndReason, r.EndedAt = Withdrawn, actor.ID, reason, s.now()
	rc, err := s.cfg.Register.MoveRoute(ctx, r, from, s.event("withdrawn", actor, r, map[string]string{"reason": reason}))
	s.forget()
	return r, rc, err
}

// Of are the entries of a unit, for its people.
func (s *Service) Of(ctx context.Context, unit identity.USCC) ([]Route, error) {
	return s.cfg.Register.Routes(ctx, unit)
}

// Route is one entry.
func (s *Service) Route(ctx context.Context, id string) (Route, error) {
	return s.cfg.Register.Route(ctx, id)
}

func (s *Service) may(ctx context.Context, actor ledger.Actor, unit identity.USCC, roles ...identity.Role) error {
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, unit, roles...)
	if err == nil && (!yes || actor.Kind != "person") {
		err = ErrForbidden
	}
	return err
}

func (s *Service) validate(r Route) error {
	for _, t := range []string{r.Type, r.Resource, r.Action, r.Reason} {
		if !line(t) {
			return fmt.Errorf("%w: resource, action and reason are needed, one line each", ErrInvalid)
		}
	}
	for _, t := range append([]string{r.Purpose}, r.Fields...) {
		if len(t) > maxText || text.Plain(t) != t {
			return fmt.Errorf("%w: purpose and fields in one line each", ErrInvalid)
		}
	}
	if r.Type == Catalogue && !slices.Contains(s.cfg.Actions, r.Action) {
		return fmt.Errorf("%w: unknown action", ErrInvalid)
	}
	if len(r.Methods) > maxMethods || len(r.Fields) > maxFields || slices.ContainsFunc(r.Methods, func(m string) bool { return !method(m) }) {
		return fmt.Errorf("%w: methods or fields", ErrInvalid)
	}
	plain, err := clean(r.Prefix)
	if err != nil || plain != r.Prefix || strings.ContainsAny(r.Prefix, "?#;") || r.Prefix != "/" && strings.HasSuffix(r.Prefix, "/") {
		return fmt.Errorf("%w: prefix %.80q", ErrInvalid, r.Prefix)
	}
	return nil
}

func (s *Service) event(kind string, actor ledger.Actor, r Route, details map[string]string) ledger.Event {
	d := map[string]string{"prefix": r.Prefix, "methods": strings.Join(r.Methods, " "), "resource": r.Type + "/" + r.Resource, "action": r.Action}
	for k, v := range details {
		d[k] = v
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "authz.route." + kind, Class: ledger.ClassAdmin, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "route", ID: r.ID}, Outcome: ledger.Success, Target: r.System, Payload: r.Digest(), Details: d,
	}
}

// line is text of people that reads as it was written.
func line(s string) bool { return s != "" && len(s) <= maxText && text.Plain(s) == s }

func method(m string) bool {
	return m != "" && len(m) <= 16 && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// overlap: two lists of methods share one; none is every method.
func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}
