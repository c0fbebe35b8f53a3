package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

// KMC keeps the wrapped keys of the key management centre, and who asked for one
// of them again.
type KMC struct{ acts }

var (
	_ kmc.Keys     = (*KMC)(nil)
	_ kmc.Register = (*KMC)(nil)
)

type poolRow struct {
	bun.BaseModel `bun:"table:kmc_pool"`

	ID        string       `bun:"id,pk"`
	Wrapped   []byte       `bun:"wrapped"`
	KEK       string       `bun:"kek"`
	PublicSM3 string       `bun:"public_sm3"`
	CreatedAt bun.NullTime `bun:"created_at"`
}

func (r poolRow) key() kmc.PooledKey {
	return kmc.PooledKey{ID: r.ID, Wrapped: r.Wrapped, KEK: r.KEK, PublicSM3: r.PublicSM3, CreatedAt: utc(r.CreatedAt)}
}

func (r escrowRow) key() ca.EscrowedKey {
	return ca.EscrowedKey{Pair: r.Pair, Wrapped: r.Wrapped, KEK: r.KEK, PublicSM3: r.PublicSM3, CreatedAt: utc(r.CreatedAt)}
}

// AddPooled implements kmc.Keys.
func (k *KMC) AddPooled(ctx context.Context, keys []kmc.PooledKey, ev ledger.Event) (ledger.Receipt, error) {
	rows := make([]poolRow, len(keys))
	for i, p := range keys {
		rows[i] = poolRow{ID: p.ID, Wrapped: p.Wrapped, KEK: p.KEK, PublicSM3: p.PublicSM3, CreatedAt: at(p.CreatedAt)}
	}
	return k.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return fmt.Errorf("writing %d spare keys: %w", len(rows), err)
		}
		return nil
	})
}

// Pooled implements kmc.Keys.
func (k *KMC) Pooled(ctx context.Context, limit int) ([]kmc.PooledKey, int, error) {
	return page(ctx, k.s.r, poolRow.key, "created_at, id", limit, "1 = 1")
}

// TakePooled implements kmc.Keys. The row count decides which of two takers has
// them: the second waits for the first, and finds less than it saw.
func (k *KMC) TakePooled(ctx context.Context, ids []string, ev ledger.Event) (ledger.Receipt, error) {
	return k.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "DELETE FROM kmc_pool WHERE id IN (?)", bun.List(ids))
		if err != nil {
			return fmt.Errorf("taking %d spare keys: %w", len(ids), err)
		}
		if n != int64(len(ids)) {
			return fmt.Errorf("%w: %d of %d are there", kmc.ErrTaken, n, len(ids))
		}
		return nil
	})
}

// Escrowed implements kmc.Keys.
func (k *KMC) Escrowed(ctx context.Context, pair string) (ca.EscrowedKey, error) {
	r, err := one[escrowRow](ctx, k.s.r, "pair = ? AND kek <> '' AND NOT EXISTS (SELECT 1 FROM ca_abandoned_key AS a WHERE a.pair = escrow_row.pair)", pair)
	return r.key(), found(err, kmc.ErrNotFound, "escrowed key of pair", pair)
}

// Outdated implements kmc.Keys.
func (k *KMC) Outdated(ctx context.Context, kek string, limit int) ([]ca.EscrowedKey, int, error) {
	return page(ctx, k.s.r, escrowRow.key, "pair", limit, "kek <> ? AND kek <> ''", kek) // a purged one has none
}

// Rewrap implements kmc.Keys: each row only as long as it is wrapped as the
// caller saw it.
func (k *KMC) Rewrap(ctx context.Context, keys []kmc.Rewrapped, ev ledger.Event) (ledger.Receipt, error) {
	return k.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		for _, r := range keys {
			n, err := changed(ctx, tx, "UPDATE ca_escrowed_key SET wrapped = ?, kek = ? WHERE pair = ? AND kek = ? AND public_sm3 = ?",
				r.Key.Wrapped, r.Key.KEK, r.Key.Pair, r.Was, r.Key.PublicSM3)
			if err != nil {
				return fmt.Errorf("wrapping the key of pair %q anew: %w", r.Key.Pair, err)
			}
			if n != 1 {
				return fmt.Errorf("%w: pair %q", kmc.ErrTaken, r.Key.Pair)
			}
		}
		return nil
	})
}

// page reads the first rows of an order, and how many there are in all.
func page[R, T any](ctx context.Context, db bun.IDB, to func(R) T, order string, limit int, where string, args ...any) ([]T, int, error) {
	var rows []R
	if err := db.NewSelect().Model(&rows).Where(where, args...).OrderExpr(order).Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, 0, err
	}
	n := len(rows)
	if n == limit { // there may be more
		all, err := db.NewSelect().Model((*R)(nil)).Where(where, args...).Count(ctx)
		if err != nil {
			return nil, 0, err
		}
		n = int(all)
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = to(r)
	}
	return out, n, nil
}
