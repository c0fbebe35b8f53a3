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

// ErrNotParty: the person holds no post that may do this about the application.
var ErrNotParty = errors.New("sharing: not the part of this person's unit")

// Object raises an objection to a refusal, or to an answer that is overdue. It goes to
// the next body that coordinates: of X14 art. 26 (2) the task group, of BJ17 art. 17 the
// office of the leading group, then the leading group.
func (s *Applications) Object(ctx context.Context, actor ledger.Actor, id, ground string) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.objected", func(a *Application, now time.Time) error {
		if err := s.holds(ctx, actor, a.Consumer, now, identity.RoleClerk); err != nil {
			return err
		}
		body, may := a.Next(now)
		if !may {
			return a.wrong()
		}
		if ground == "" || !plain(ground) {
			return fmt.Errorf("%w: an objection says why", ErrInvalid)
		}
		a.State = ApplicationObjected
		a.Objections = append(slices.Clone(a.Objections), Objection{Body: body, Ground: ground, By: actor.ID, At: now})
		return nil
	})
}

// Propose writes down the outcome of the coordination, for the signature of the leader.
func (s *Applications) Propose(ctx context.Context, actor ledger.Actor, id string, upheld bool, outcome string) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.outcome_drafted", func(a *Application, now time.Time) error {
		if err := s.holds(ctx, actor, a.Office, now, identity.RoleInformationOffice); err != nil {
			return err
		}
		if a.State != ApplicationObjected {
			return a.wrong()
		}
		if outcome == "" || !plain(outcome) {
			return fmt.Errorf("%w: an outcome says why", ErrInvalid)
		}
		a.Objections = slices.Clone(a.Objections)
		o := &a.Objections[len(a.Objections)-1]
		o.Upheld, o.Outcome, o.Writer = upheld, outcome, actor.ID
		a.State, a.Round = ApplicationProposed, a.Round+1
		return nil
	})
}

// settled: an objection that is upheld makes the terms ready to be sealed; after one
// that is not the refusal stands, and the next body may be asked.
func (a *Application) settled(approval string, yes bool, now time.Time) string {
	a.Objections = slices.Clone(a.Objections)
	o := &a.Objections[len(a.Objections)-1]
	if !yes {
		a.State, o.Upheld, o.Outcome, o.Writer = ApplicationObjected, false, "", ""
		return "sharing.application.outcome_returned"
	}
	o.Approval, o.SignedAt = approval, now
	a.State = ApplicationRefused
	if o.Upheld {
		a.State = ApplicationAgreed
	}
	return "sharing.application.settled"
}

// Acknowledge is the receipt of what stands now, by the consumer and by the office, once
// by each (X14 art. 26 (2)).
func (s *Applications) Acknowledge(ctx context.Context, actor ledger.Actor, id string) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.acknowledged", func(a *Application, now time.Time) error {
		unit, roles := a.Consumer, []identity.Role{identity.RoleClerk, identity.RoleUnitLeader}
		if actor.Unit == string(a.Office) {
			unit, roles = a.Office, []identity.Role{identity.RoleInformationOffice}
		}
		if err := s.holds(ctx, actor, unit, now, roles...); err != nil {
			return err
		}
		if !a.Delivered() || a.Acknowledged(unit) {
			return a.wrong()
		}
		a.Receipts = append(slices.Clone(a.Receipts), Acknowledgement{a.Round, unit, actor.ID, now})
		return nil
	})
}
