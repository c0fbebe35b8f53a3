package authority

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Posts that look after the succession.
const (
	roleSystem = "system_admin"
	roleRA     = "ra_officer"
)

// Limits of a change.
const (
	maxText  = 300
	maxAhead = 400 * 24 * time.Hour
)

// Order asks for a change.
type Order struct {
	NewRoots bool
	// Roots are the new ones of a house with offline roots, SM2 first; its caller
	// verified the ceremony that made them. Nil where the house makes its own.
	Roots    []*smx509.Certificate
	SwitchAt time.Time // zero: as soon as it is approved
	Reason   string
}

// Prepare makes keys, records the certificates of the next generation and, where
// the roots are online, has them signed. It waits for a second person then.
func (s *Service) Prepare(ctx context.Context, actor ledger.Actor, o Order) (Generation, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if err := s.may(ctx, actor); err != nil {
		return Generation{}, none, err
	}
	now := s.now()
	if o.SwitchAt.IsZero() {
		o.SwitchAt = now
	}
	if !line(o.Reason) || o.SwitchAt.Before(now) || o.SwitchAt.After(now.Add(maxAhead)) {
		return Generation{}, none, fmt.Errorf("%w: a reason, and a moment within %d days", ErrInvalid, int(maxAhead.Hours()/24))
	}
	set, err := s.Set(ctx)
	if err != nil {
		return Generation{}, none, err
	}
	first, err := s.cfg.Register.Generations(ctx)
	if err != nil {
		return Generation{}, none, fmt.Errorf("authority: read register: %w", err)
	}
	if slices.ContainsFunc(first, func(g Generation) bool { return g.State.Open() }) {
		return Generation{}, none, ErrBusy
	}
	last := s.cfg.Founding
	if len(first) > 0 {
		last = first[len(first)-1]
	}
	g := Generation{Number: last.Number + 1, NewRoots: o.NewRoots, SwitchAt: o.SwitchAt.UTC().Truncate(time.Second), Reason: o.Reason, AskedBy: actor.ID, AskedAt: now, State: Recorded}
	if err := s.draft(ctx, set, &g, o.Roots); err != nil {
		return Generation{}, none, err
	}
	add := []Generation{g}
	if len(first) == 0 { // the house was founded before there was a register
		founding := s.cfg.Founding
		founding.CurrentAt = founding.AskedAt
		add = []Generation{founding, g}
	}
	rc, err := s.cfg.Register.AddGenerations(ctx, add, s.event("prepared", actor, g, map[string]string{"reason": g.Reason}))
	if err != nil {
		return Generation{}, none, err
	}
	if s.offline(g) {
		return g, rc, nil
	}
	g, err = s.sign(ctx, actor, g, s.online, "")
	return g, rc, err
}

// Settle lets the second person's signed answer take effect.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, number int) (Generation, ledger.Receipt, error) {
	g, err := s.Generation(ctx, number)
	if err != nil {
		return Generation{}, ledger.Receipt{}, err
	}
	if g.State != Prepared {
		return Generation{}, ledger.Receipt{}, fmt.Errorf("%w: %d is %s", ErrState, number, g.State)
	}
	answer, err := s.cfg.Approver.Answer(ctx, g)
	if err != nil {
		return Generation{}, ledger.Receipt{}, err
	}
	g.State, g.Approval, g.SettledAt = Refused, answer.ID, s.now()
	kind := "refused"
	if answer.Yes {
		g.State, kind = Approved, "approved"
	}
	rc, err := s.cfg.Register.MoveGeneration(ctx, g, Prepared, s.event(kind, actor, g, map[string]string{"approval": answer.ID}))
	if err != nil {
		return Generation{}, rc, err
	}
	return g, rc, s.revokeGivenUp(ctx, g)
}

// Withdraw gives up a change that has not taken place; its certificates are
// revoked.
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, number int, reason string) (Generation, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Generation{}, ledger.Receipt{}, err
	}
	if !line(reason) {
		return Generation{}, ledger.Receipt{}, fmt.Errorf("%w: a reason is needed", ErrInvalid)
	}
	g, err := s.Generation(ctx, number)
	if err != nil {
		return Generation{}, ledger.Receipt{}, err
	}
	from := g.State
	if !from.Open() {
		return Generation{}, ledger.Receipt{}, fmt.Errorf("%w: %d is %s", ErrState, number, from)
	}
	g.State, g.EndedBy, g.EndReason, g.SettledAt = Withdrawn, actor.ID, reason, s.now()
	rc, err := s.cfg.Register.MoveGeneration(ctx, g, from, s.event("withdrawn", actor, g, map[string]string{"reason": reason}))
	if err != nil {
		return Generation{}, rc, err
	}
	return g, rc, s.revokeGivenUp(ctx, g)
}

// Switch makes the approved generation current when its moment has come, and
// reports whether it did. This node has to have the new keys; any number of
// nodes may ask, one wins.
func (s *Service) Switch(ctx context.Context, actor ledger.Actor) (bool, error) {
	all, err := s.cfg.Register.Generations(ctx)
	if err != nil {
		return false, fmt.Errorf("authority: read register: %w", err)
	}
	for _, g := range all {
		if g.State != Approved || s.now().Before(g.SwitchAt) {
			continue
		}
		for _, m := range g.Members {
			if m.Kind != Issuing {
				continue
			}
			if _, err := s.cfg.Keys.Signer(ctx, m.Key); err != nil {
				return false, fmt.Errorf("authority: generation %d: key %s: %w", g.Number, m.Key, err)
			}
		}
		g.State, g.CurrentAt = Current, s.now()
		if _, err := s.cfg.Register.MoveGeneration(ctx, g, Approved, s.event("switched", actor, g, map[string]string{"approval": g.Approval})); err != nil {
			return false, err
		}
		_, err := s.Set(ctx)
		return true, err
	}
	return false, nil
}

// Generation is one of them.
func (s *Service) Generation(ctx context.Context, number int) (Generation, error) {
	all, err := s.Generations(ctx)
	if err != nil {
		return Generation{}, err
	}
	for _, g := range all {
		if g.Number == number {
			return g, nil
		}
	}
	return Generation{}, fmt.Errorf("%w: %d", ErrNotFound, number)
}

// Generations are all, by number; before the first change that of the founding.
func (s *Service) Generations(ctx context.Context) ([]Generation, error) {
	all, err := s.cfg.Register.Generations(ctx)
	if err != nil {
		return nil, fmt.Errorf("authority: read register: %w", err)
	}
	if len(all) == 0 {
		all = []Generation{s.cfg.Founding}
	}
	return all, nil
}

func (s *Service) may(ctx context.Context, actor ledger.Actor) error {
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, s.cfg.House, roleSystem, roleRA)
	if err == nil && (!yes || actor.Kind != "person") {
		err = ErrForbidden
	}
	return err
}

func (s *Service) event(kind string, actor ledger.Actor, g Generation, details map[string]string) ledger.Event {
	d := map[string]string{"generation": fmt.Sprint(g.Number), "new_roots": fmt.Sprint(g.NewRoots), "switch_at": g.SwitchAt.UTC().Format(time.RFC3339)}
	for k, v := range details {
		d[k] = v
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.generation." + kind, Class: ledger.ClassCertificate, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "ca_generation", ID: fmt.Sprint(g.Number)}, Outcome: ledger.Success, Payload: g.Digest(), Details: d,
	}
}

// line is text of people that reads as it was written.
func line(s string) bool { return s != "" && len(s) <= maxText && text.Plain(s) == s }
