package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

var _ ca.Unfinished = (*CA)(nil)

// Pending implements ca.Unfinished. Halves of a pair have one time of creation:
// when the limit parts them, the last one waits for the next call.
func (c *CA) Pending(ctx context.Context, before time.Time, limit int) ([]ca.Certificate, error) {
	var rows []certificateRow
	err := c.s.r.NewSelect().Model(&rows).Where("state = 'pending' AND created_at < ? AND kind <> ?", at(before), string(ca.KindCA)).
		OrderExpr("created_at, pair, serial").Limit(int64(limit) + 1).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing pending certificates: %w", err)
	}
	if len(rows) > limit {
		next := rows[limit]
		rows = rows[:limit]
		if last := len(rows) - 1; next.Pair != "" && rows[last].Pair == next.Pair {
			rows = rows[:last]
		}
	}
	out := make([]ca.Certificate, len(rows))
	for i, r := range rows {
		out[i] = r.certificate()
	}
	return out, nil
}

// Abandon implements ca.Unfinished.
func (c *CA) Abandon(ctx context.Context, certs []ca.Certificate, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		for _, k := range certs {
			if err := changing(ctx, tx, k.Issuer, k.Serial); err != nil {
				return err
			}
			n, err := changed(ctx, tx, `UPDATE ca_certificate SET state = ?, reason = ?, revoked_at = ?
				WHERE issuer = ? AND serial = ? AND state = ? AND kind <> ?`,
				string(ca.StateRevoked), ca.ReasonUnspecified, at(when), k.Issuer, k.Serial, string(ca.StatePending), string(ca.KindCA))
			if err != nil {
				return fmt.Errorf("abandoning certificate %q: %w", k.Serial, err)
			}
			if n != 1 {
				return fmt.Errorf("%w: certificate %q is not pending", ca.ErrState, k.Serial)
			}
			// The key stays in escrow, marked: see kmc.Keys.Escrowed.
			_, err = changed(ctx, tx, `INSERT INTO ca_abandoned_key (pair, abandoned_at) SELECT pair, ? FROM ca_escrowed_key AS k
				WHERE pair = ? AND NOT EXISTS (SELECT 1 FROM ca_abandoned_key AS a WHERE a.pair = k.pair)`, at(when), k.Pair)
			if err != nil {
				return fmt.Errorf("marking the key of pair %q: %w", k.Pair, err)
			}
		}
		return nil
	})
}
