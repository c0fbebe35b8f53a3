package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// settledRow is what became of an entry that one person proposed and a second
// answers: the same columns in every register of that life.
type settledRow struct {
	State     string       `bun:"state"`
	Approval  string       `bun:"approval"`
	SettledAt bun.NullTime `bun:"settled_at"`
	EndedBy   string       `bun:"ended_by"`
	EndReason string       `bun:"end_reason"`
	EndedAt   bun.NullTime `bun:"ended_at"`
}

// move writes it to an entry that is still in state from, and says how many that were.
func (r settledRow) move(ctx context.Context, tx bun.Tx, table, id, from string) (int64, error) {
	return changed(ctx, tx, "UPDATE ? SET state = ?, approval = ?, settled_at = ?, ended_by = ?, end_reason = ?, ended_at = ? WHERE id = ? AND state = ?",
		bun.Ident(table), r.State, r.Approval, r.SettledAt, r.EndedBy, r.EndReason, r.EndedAt, id, from)
}

// guarded says why an update moved nothing: the entry is missing, or in another state.
func guarded[R any](ctx context.Context, tx bun.Tx, n int64, what, id, from string, missing, state error) error {
	if n == 1 {
		return nil
	}
	if _, err := one[R](ctx, tx, "id = ?", id); err != nil {
		return found(err, missing, what, id)
	}
	return fmt.Errorf("%w: %s %q is not %s, or moved since", state, what, id, from)
}
