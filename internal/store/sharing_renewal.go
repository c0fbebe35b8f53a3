package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// RenewCopies implements sharing.ApplicationStore. A copy whose end was that of the old
// agreement ends with the new one; an earlier end of its own stays, and so does that of a
// merged copy, which is under the terms of others, too.
func (s *Sharing) RenewCopies(ctx context.Context, old, next sharing.Agreement, ev ledger.Event) (ledger.Receipt, error) {
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		copies, err := list(ctx, tx, func(r holdingRow) string { return r.ID }, "id", "id IN (SELECT holding FROM sharing_lineage WHERE agreement = ?) AND ended_at IS NULL", old.ID)
		if err != nil || len(copies) == 0 {
			return err
		}
		kept := bun.List(copies)
		for _, q := range []struct {
			statement string
			args      []any
		}{
			{`UPDATE sharing_holding SET held_until = ? WHERE id IN (?) AND held_until = ?
				AND NOT EXISTS (SELECT 1 FROM sharing_lineage AS l WHERE l.holding = sharing_holding.id AND l.agreement <> ?)`,
				[]any{at(next.NotAfter), kept, at(old.NotAfter), old.ID}},
			{"UPDATE sharing_holding SET agreement = ? WHERE id IN (?) AND agreement = ?", []any{next.ID, kept, old.ID}},
			{"UPDATE sharing_lineage SET agreement = ? WHERE holding IN (?) AND agreement = ?", []any{next.ID, kept, old.ID}},
		} {
			if _, err := tx.ExecContext(ctx, q.statement, q.args...); err != nil {
				return fmt.Errorf("renewing the copies under %q: %w", old.ID, err)
			}
		}
		touched := make([]fact, len(copies))
		for i, id := range copies {
			touched[i] = fact{factHolding, id}
		}
		if err := note(ctx, tx, touched); err != nil {
			return err
		}
		return noteStandings(ctx, tx, "id IN (?)", kept)
	})
}
