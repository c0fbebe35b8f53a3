package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Enqueue commits outbox rows without a row of a room, as the ledger's suite
// needs them.
func (s *Store) Enqueue(ctx context.Context, pending ...ledger.Pending) error {
	return s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, p := range pending {
			if err := s.enqueue(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// Exec runs a statement behind the store's back, to break things.
func (s *Store) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.w.ExecContext(ctx, query, args...)
	return err
}

// CountRows says how many rows a table has.
func (s *Store) CountRows(ctx context.Context, table string) (int64, error) {
	return s.w.NewSelect().Table(table).Count(ctx)
}
