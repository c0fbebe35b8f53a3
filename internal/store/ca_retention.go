package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

// Retention keeps what two persons said about purges, and legal holds; what is
// purged stands in the tables of the certificate registry.
type Retention struct{ acts }

var _ retention.Store = (*Retention)(nil)

// retentionRow holds what was asked, and signed, as one body that never changes.
type retentionRow struct {
	bun.BaseModel `bun:"table:ca_retention"`

	ID        string                `bun:"id,pk"`
	Kind      string                `bun:"kind"`
	Body      nested[retention.Act] `bun:"body"`
	AskedAt   bun.NullTime          `bun:"asked_at"`
	State     string                `bun:"state"`
	Approval  string                `bun:"approval"`
	SettledAt bun.NullTime          `bun:"settled_at"`
}

func (r retentionRow) told() retention.Act {
	a := r.Body.V
	a.State, a.Approval, a.SettledAt = retention.State(r.State), r.Approval, utc(r.SettledAt)
	return a
}

type holdRow struct {
	bun.BaseModel `bun:"table:ca_legal_hold"`

	ID       string                 `bun:"id,pk"`
	Body     nested[retention.Hold] `bun:"body"`
	PlacedAt bun.NullTime           `bun:"placed_at"`
	LiftedAt bun.NullTime           `bun:"lifted_at"`
}

func (r holdRow) hold() retention.Hold {
	h := r.Body.V
	h.LiftedAt = utc(r.LiftedAt)
	return h
}

type purgedRow struct {
	bun.BaseModel `bun:"table:ca_purged"`

	Class string `bun:"class,pk"`
	ID    string `bun:"id,pk"`
	Purge string `bun:"purge"`
	SM3   string `bun:"body_sm3"`
}

// purgedBody is the digest of what was purged; empty: it was not.
func purgedBody(ctx context.Context, db bun.IDB, class retention.Class, id string) (string, error) {
	row, err := one[purgedRow](ctx, db, "class = ? AND id = ?", string(class), id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("reading what was purged of %q: %w", id, err)
	}
	return row.SM3, nil
}

// AddAct implements retention.Store. Of two proposals at once the index of open
// ones refuses one.
func (c *Retention) AddAct(ctx context.Context, a retention.Act, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &retentionRow{
			ID: a.ID, Kind: string(a.Kind), Body: nested[retention.Act]{a}, AskedAt: at(a.AskedAt), State: string(retention.Proposed),
		}, retention.ErrOpen, retention.ErrNotFound, "retention act", a.ID)
	})
}

// SettleAct implements retention.Store. What is purged is what was asked for, as
// the row has it, and not what the caller brings.
func (c *Retention) SettleAct(ctx context.Context, a retention.Act, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE ca_retention SET state = ?, approval = ?, settled_at = ? WHERE id = ? AND state = ?",
			string(a.State), a.Approval, at(a.SettledAt), a.ID, string(retention.Proposed))
		if err != nil {
			return fmt.Errorf("settling retention act %q: %w", a.ID, err)
		}
		row, err := one[retentionRow](ctx, tx, "id = ?", a.ID)
		switch {
		case err != nil:
			return found(err, retention.ErrNotFound, "retention act", a.ID)
		case n != 1:
			return fmt.Errorf("%w: retention act %q was settled", retention.ErrState, a.ID)
		case a.State != retention.Done:
			return nil
		}
		asked := row.told()
		if asked.Kind == retention.Lift {
			n, err := changed(ctx, tx, "UPDATE ca_legal_hold SET lifted_at = ? WHERE id = ? AND lifted_at IS NULL", at(a.SettledAt), asked.Hold)
			if err == nil && n != 1 {
				err = fmt.Errorf("%w: hold %q", retention.ErrState, asked.Hold)
			}
			return err
		}
		return purgeAll(ctx, tx, asked)
	})
}

// Act implements retention.Store.
func (c *Retention) Act(ctx context.Context, id string) (retention.Act, error) {
	r, err := one[retentionRow](ctx, c.s.r, "id = ?", id)
	return r.told(), found(err, retention.ErrNotFound, "retention act", id)
}

// Acts implements retention.Store.
func (c *Retention) Acts(ctx context.Context) ([]retention.Act, error) {
	return list(ctx, c.s.r, retentionRow.told, "asked_at, id", "1 = 1")
}

// AddHold implements retention.Store.
func (c *Retention) AddHold(ctx context.Context, h retention.Hold, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &holdRow{ID: h.ID, Body: nested[retention.Hold]{h}, PlacedAt: at(h.PlacedAt)}, retention.ErrState, retention.ErrNotFound, "legal hold", h.ID)
	})
}

// Holds implements retention.Store.
func (c *Retention) Holds(ctx context.Context) ([]retention.Hold, error) {
	return list(ctx, c.s.r, holdRow.hold, "placed_at, id", "1 = 1")
}

// Recovering implements retention.Store.
func (c *Retention) Recovering(ctx context.Context, i retention.Item, when time.Time) (bool, error) {
	return recovering(ctx, c.s.r, i, when)
}
