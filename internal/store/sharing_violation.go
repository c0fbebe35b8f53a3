package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

var _ sharing.ViolationStore = (*Sharing)(nil)

type violationRow struct {
	bun.BaseModel `bun:"table:sharing_violation"`

	ID         string                    `bun:"id,pk"`
	Unit       string                    `bun:"unit"`
	Provider   string                    `bun:"provider"`
	Resource   string                    `bun:"resource"`
	Recorder   string                    `bun:"recorder"`
	State      string                    `bun:"state"`
	Body       nested[sharing.Violation] `bun:"body"`
	RecordedAt bun.NullTime              `bun:"recorded_at"`
}

func (r violationRow) violation() sharing.Violation { return r.Body.V }

// AddViolation implements sharing.ViolationStore. What it suspends is suspended from
// this commit on.
func (s *Sharing) AddViolation(ctx context.Context, v sharing.Violation, ev ledger.Event) (ledger.Receipt, error) {
	if v.State != sharing.ViolationRecorded {
		return ledger.Receipt{}, fmt.Errorf("%w: %q starts as %q", sharing.ErrViolation, v.ID, v.State)
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &violationRow{
			ID: v.ID, Unit: string(v.Unit), Provider: string(v.Provider), Resource: v.Resource, Recorder: string(v.By), State: string(v.State),
			Body: nested[sharing.Violation]{v}, RecordedAt: at(v.RecordedAt),
		}, sharing.ErrExists, sharing.ErrNotFound, "violation", v.ID)
	}, fact{factViolations, string(v.Unit)})
}

// MoveViolation implements sharing.ViolationStore: recorded → asked → settled or
// recorded again.
func (s *Sharing) MoveViolation(ctx context.Context, v sharing.Violation, from sharing.ViolationState, ev ledger.Event) (ledger.Receipt, error) {
	switch [2]sharing.ViolationState{from, v.State} {
	case [2]sharing.ViolationState{sharing.ViolationRecorded, sharing.ViolationAsked}, [2]sharing.ViolationState{sharing.ViolationAsked, sharing.ViolationSettled},
		[2]sharing.ViolationState{sharing.ViolationAsked, sharing.ViolationRecorded}:
	default:
		return ledger.Receipt{}, fmt.Errorf("%w: no way from %q to %q", sharing.ErrViolation, from, v.State)
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE sharing_violation SET state = ?, body = ? WHERE id = ? AND state = ?",
			string(v.State), nested[sharing.Violation]{v}, v.ID, string(from))
		if err != nil || n == 1 {
			return err
		}
		now, err := one[violationRow](ctx, tx, "id = ?", v.ID)
		if err != nil {
			return found(err, sharing.ErrNotFound, "violation", v.ID)
		}
		return fmt.Errorf("%w: %q is %s, not %s", sharing.ErrViolation, v.ID, now.State, from)
	}, fact{factViolations, string(v.Unit)})
}

// EscalateViolation implements sharing.ViolationStore. It suspends and resumes nothing.
func (s *Sharing) EscalateViolation(ctx context.Context, id string, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		row, err := one[violationRow](ctx, tx, "id = ?", id)
		if err != nil {
			return found(err, sharing.ErrNotFound, "violation", id)
		}
		v, err := row.violation().Escalated(when)
		if err != nil {
			return fmt.Errorf("%w: %q", err, id)
		}
		n, err := changed(ctx, tx, "UPDATE sharing_violation SET body = ? WHERE id = ? AND state = ?", nested[sharing.Violation]{v}, id, row.State)
		if err == nil && n != 1 {
			err = fmt.Errorf("%w: %q is no longer %s", sharing.ErrViolation, id, row.State)
		}
		return err
	})
}

// Violation implements sharing.ViolationStore.
func (s *Sharing) Violation(ctx context.Context, id string) (sharing.Violation, error) {
	r, err := one[violationRow](ctx, s.s.r, "id = ?", id)
	return r.violation(), found(err, sharing.ErrNotFound, "violation", id)
}

// Violations implements sharing.ViolationStore.
func (s *Sharing) Violations(ctx context.Context, unit identity.USCC) ([]sharing.Violation, error) {
	return list(ctx, s.s.r, violationRow.violation, "recorded_at DESC, id DESC", "? = '' OR unit = ? OR recorder = ?", string(unit), string(unit), string(unit))
}
