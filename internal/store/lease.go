package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

type leaseRow struct {
	bun.BaseModel `bun:"table:house_lease"`

	Name    string `bun:"name"`
	Holder  string `bun:"holder"`
	UntilUS int64  `bun:"until_us"`
}

// TakeLease says until when somebody works under a name. It keeps nobody out:
// the newest holder counts. A lease is a word between processes, not an act.
func (s *Store) TakeLease(ctx context.Context, name, holder string, until time.Time) error {
	err := retried(ctx, func() error {
		n, err := changed(ctx, s.w, "UPDATE house_lease SET holder = ?, until_us = ? WHERE name = ?", holder, until.UnixMicro(), name)
		if err != nil || n > 0 {
			return err
		}
		if _, err = s.w.NewInsert().Model(&leaseRow{Name: name, Holder: holder, UntilUS: until.UnixMicro()}).Exec(ctx); isDuplicate(err) {
			return nil // another was first in this moment, and holds it
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("taking the lease %q: %w", name, err)
	}
	return nil
}

// DropLease ends the lease of a holder; another's stays.
func (s *Store) DropLease(ctx context.Context, name, holder string) error {
	if _, err := changed(ctx, s.w, "DELETE FROM house_lease WHERE name = ? AND holder = ?", name, holder); err != nil {
		return fmt.Errorf("ending the lease %q: %w", name, err)
	}
	return nil
}

// Leased says whether somebody holds a lease at a moment, and until when.
func (s *Store) Leased(ctx context.Context, name string, now time.Time) (time.Time, bool, error) {
	rows, err := list(ctx, s.r, func(r leaseRow) int64 { return r.UntilUS }, "name", "name = ?", name)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading the lease %q: %w", name, err)
	}
	if len(rows) == 0 || rows[0] <= now.UnixMicro() {
		return time.Time{}, false, nil
	}
	return time.UnixMicro(rows[0]).UTC(), true, nil
}
