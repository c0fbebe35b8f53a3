package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stale"
)

var _ stale.Store = (*CA)(nil)

// NoteUse implements stale.Store. It is a note of a day, not an act: it binds
// nobody and has no event.
func (c *CA) NoteUse(ctx context.Context, system string, day time.Time) error {
	err := retried(ctx, func() error {
		if _, err := c.s.w.NewRaw("INSERT INTO ca_system_use (system) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM ca_system_use WHERE system = ?)", system, system).Exec(ctx); err != nil && !isDuplicate(err) {
			return err
		}
		_, err := c.s.w.NewRaw("UPDATE ca_system_use SET used_on = ? WHERE system = ? AND (used_on IS NULL OR used_on < ?)", at(day), system, at(day)).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting the use of %q: %w", system, err)
	}
	return nil
}

// idleRow is a system with what InForce counts.
type idleRow struct {
	System string       `bun:"system"`
	Agency string       `bun:"agency"`
	Made   bun.NullTime `bun:"made"`
	Used   bun.NullTime `bun:"used_on"`
	Warned bun.NullTime `bun:"warned_at"`
	Lifted bun.NullTime `bun:"lifted"`
}

func (r idleRow) idle() stale.Standing {
	x := stale.Standing{System: r.System, Agency: r.Agency, Active: utc(r.Made), Warned: utc(r.Warned)}
	for _, t := range []time.Time{utc(r.Used), utc(r.Lifted)} {
		if t.After(x.Active) {
			x.Active = t
		}
	}
	return x
}

// InForce implements stale.Store.
func (c *CA) InForce(ctx context.Context, now time.Time) ([]stale.Standing, error) {
	var rows []idleRow
	err := c.s.r.NewRaw(`SELECT c.system, MIN(c.agency) AS agency, MAX(c.created_at) AS made, u.used_on, u.warned_at,
			(SELECT MAX(s.answered_at) FROM ca_suspension s WHERE s.system = c.system AND s.state = ?) AS lifted
		FROM ca_certificate c LEFT JOIN ca_system_use u ON u.system = c.system
		WHERE c.kind IN (?) AND c.state = ? AND c.not_after > ? GROUP BY c.system, u.used_on, u.warned_at ORDER BY c.system`,
		string(ca.SuspensionLifted), bun.List(stale.Kinds()), string(ca.StateGood), at(now)).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading systems in force: %w", err)
	}
	out := make([]stale.Standing, len(rows))
	for i, r := range rows {
		out[i] = r.idle()
	}
	return out, nil
}

// Warn implements stale.Store.
func (c *CA) Warn(ctx context.Context, x stale.Standing, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if _, err := changed(ctx, tx, "INSERT INTO ca_system_use (system) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM ca_system_use WHERE system = ?)", x.System, x.System); err != nil {
			return err
		}
		n, err := changed(ctx, tx, `UPDATE ca_system_use SET warned_at = ? WHERE system = ?
			AND (warned_at IS NULL OR warned_at <= ?) AND (used_on IS NULL OR used_on <= ?)`, at(when), x.System, at(x.Active), at(x.Active))
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: %q", stale.ErrWarned, x.System)
		}
		return err
	})
}
