package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/anchor"
)

// Anchors keeps the trust anchors of others.
type Anchors struct{ acts }

var _ anchor.Register = (*Anchors)(nil)

// anchorRow holds what was proposed, and signed, as one body that never changes.
type anchorRow struct {
	bun.BaseModel `bun:"table:ca_anchor"`

	ID      string                `bun:"id,pk"`
	SM3     string                `bun:"sm3"`
	Body    nested[anchor.Anchor] `bun:"body"`
	AskedAt bun.NullTime          `bun:"asked_at"`
	settledRow
}

func (r anchorRow) anchor() anchor.Anchor {
	a := r.Body.V
	a.State, a.Approval, a.SettledAt = anchor.State(r.State), r.Approval, utc(r.SettledAt)
	a.EndedBy, a.EndReason, a.EndedAt = r.EndedBy, r.EndReason, utc(r.EndedAt)
	return a
}

// AddAnchor implements anchor.Register. Of two proposals of one certificate at
// once the index of open entries refuses one.
func (c *Anchors) AddAnchor(ctx context.Context, a anchor.Anchor, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &anchorRow{
			ID: a.ID, SM3: a.SM3(), Body: nested[anchor.Anchor]{a}, AskedAt: at(a.AskedAt), settledRow: settledRow{State: string(anchor.Proposed)},
		}, anchor.ErrExists, anchor.ErrNotFound, "trust anchor", a.ID)
	})
}

// MoveAnchor implements anchor.Register.
func (c *Anchors) MoveAnchor(ctx context.Context, a anchor.Anchor, from anchor.State, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := settledRow{string(a.State), a.Approval, at(a.SettledAt), a.EndedBy, a.EndReason, at(a.EndedAt)}.move(ctx, tx, "ca_anchor", a.ID, string(from))
		if err != nil {
			return fmt.Errorf("moving trust anchor %q: %w", a.ID, err)
		}
		return guarded[anchorRow](ctx, tx, n, "trust anchor", a.ID, string(from), anchor.ErrNotFound, anchor.ErrState)
	})
}

// Anchor implements anchor.Register.
func (c *Anchors) Anchor(ctx context.Context, id string) (anchor.Anchor, error) {
	r, err := one[anchorRow](ctx, c.s.r, "id = ?", id)
	return r.anchor(), found(err, anchor.ErrNotFound, "trust anchor", id)
}

// Anchors implements anchor.Register.
func (c *Anchors) Anchors(ctx context.Context, states ...anchor.State) ([]anchor.Anchor, error) {
	if len(states) == 0 {
		states = []anchor.State{anchor.Proposed, anchor.InForce, anchor.Refused, anchor.Withdrawn}
	}
	return list(ctx, c.s.r, anchorRow.anchor, "asked_at, id", "state IN (?)", bun.List(states))
}
