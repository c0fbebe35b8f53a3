package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// delegationRow holds what was proposed, and signed, as one body that never changes.
type delegationRow struct {
	bun.BaseModel `bun:"table:authz_delegation"`

	ID      string                   `bun:"id,pk"`
	Unit    string                   `bun:"unit"`
	Body    nested[grant.Delegation] `bun:"body"`
	AskedAt bun.NullTime             `bun:"asked_at"`
	settledRow
}

func (r delegationRow) delegation() grant.Delegation {
	d := r.Body.V
	d.State, d.Approval, d.SettledAt = grant.State(r.State), r.Approval, utc(r.SettledAt)
	d.EndedBy, d.EndReason, d.EndedAt = r.EndedBy, r.EndReason, utc(r.EndedAt)
	return d
}

// AddDelegation implements grant.Store.
func (s *Grants) AddDelegation(ctx context.Context, d grant.Delegation, ev ledger.Event) (ledger.Receipt, error) {
	if d.State != grant.Proposed {
		return ledger.Receipt{}, fmt.Errorf("%w: %q starts as %q", grant.ErrState, d.ID, d.State)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &delegationRow{
			ID: d.ID, Unit: string(d.Unit), Body: nested[grant.Delegation]{d}, AskedAt: at(d.AskedAt), settledRow: settledRow{State: string(d.State)},
		}, grant.ErrExists, grant.ErrNotFound, "delegation", d.ID)
	})
}

// MoveDelegation implements grant.Store. What a deputy signed rests on it, so that
// the facts change with it.
func (s *Grants) MoveDelegation(ctx context.Context, d grant.Delegation, from grant.State, ev ledger.Event) (ledger.Receipt, error) {
	if d.State == grant.Suspended || !grant.Moves(from, d.State) {
		return ledger.Receipt{}, fmt.Errorf("%w: no way from %q to %q", grant.ErrState, from, d.State)
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := settledRow{string(d.State), d.Approval, at(d.SettledAt), d.EndedBy, d.EndReason, at(d.EndedAt)}.move(ctx, tx, "authz_delegation", d.ID, string(from))
		if err != nil {
			return fmt.Errorf("moving delegation %q: %w", d.ID, err)
		}
		return guarded[delegationRow](ctx, tx, n, "delegation", d.ID, string(from), grant.ErrNotFound, grant.ErrState)
	}, fact{factPerson, d.Deputy})
}

// Delegation implements grant.Store.
func (s *Grants) Delegation(ctx context.Context, id string) (grant.Delegation, error) {
	r, err := one[delegationRow](ctx, s.s.r, "id = ?", id)
	return r.delegation(), found(err, grant.ErrNotFound, "delegation", id)
}

// DelegationsOf implements grant.Store.
func (s *Grants) DelegationsOf(ctx context.Context, unit identity.USCC) ([]grant.Delegation, error) {
	return list(ctx, s.s.r, delegationRow.delegation, "asked_at DESC, id DESC", "? = '' OR unit = ?", string(unit), string(unit))
}
