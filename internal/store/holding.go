package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

type holdingRow struct {
	bun.BaseModel `bun:"table:sharing_holding"`

	ID        string           `bun:"id,pk"`
	System    string           `bun:"system"`
	Agency    string           `bun:"agency"`
	Resource  string           `bun:"resource"`
	Agreement string           `bun:"agreement"`
	Sources   nested[[]string] `bun:"sources"`
	labelRow
	Payload  string       `bun:"payload"`
	Transfer string       `bun:"transfer"`
	At       bun.NullTime `bun:"held_from"`
	Until    bun.NullTime `bun:"held_until"`
	Ended    bun.NullTime `bun:"ended_at"`
}

// holding is the row with what is in it; origins may name its own.
func (r holdingRow) holding(origins []sharing.Origin) sharing.Holding {
	own := sharing.Origin{Resource: r.Resource, Agreement: r.Agreement}
	if origins = slices.DeleteFunc(origins, func(o sharing.Origin) bool { return o == own }); len(origins) == 0 {
		origins = nil
	}
	return sharing.Holding{
		Origins: origins,
		ID:      r.ID, System: r.System, Agency: identity.USCC(r.Agency), Resource: r.Resource, Agreement: r.Agreement,
		Sources: r.Sources.V, Label: r.label(), Payload: r.Payload, Transfer: r.Transfer,
		At: utc(r.At), Until: utc(r.Until), Ended: utc(r.Ended),
	}
}

// AddHolding implements sharing.Catalogue. Beside ErrLowered it refuses, with
// grading.ErrBelowHoldings, a copy that the system's grade in force does not
// carry: a re-grading that came first would otherwise be undercut by a copy
// that was decided on before it.
func (s *Sharing) AddHolding(ctx context.Context, h sharing.Holding, ev ledger.Event) (ledger.Receipt, error) {
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		yes, err := current(ctx, tx, h.Facts, append([]string{h.Resource}, h.Sources...)...)
		if err == nil && !yes {
			err = fmt.Errorf("%w: holding %q", sharing.ErrStale, h.ID)
		}
		if err != nil {
			return err
		}
		floor, origins, err := made(ctx, tx, h)
		if err != nil {
			return err
		}
		if !h.Label.Dominates(floor) {
			return fmt.Errorf("%w: holding %q is %s, its sources need %s", sharing.ErrLowered, h.ID, h.Label, floor)
		}
		if err := carried(ctx, tx, h); err != nil {
			return err
		}
		if err := insert(ctx, tx, &holdingRow{
			ID: h.ID, System: h.System, Agency: string(h.Agency), Resource: h.Resource, Agreement: h.Agreement,
			Sources: nested[[]string]{h.Sources}, labelRow: toLabelRow(h.Label), Payload: h.Payload, Transfer: h.Transfer,
			At: at(h.At), Until: at(h.Until), Ended: at(h.Ended),
		}, sharing.ErrExists, sharing.ErrNotFound, "holding", h.ID); err != nil {
			return err
		}
		if err := trace(ctx, tx, h, origins); err != nil {
			return err
		}
		return noteStandings(ctx, tx, "id = ?", h.ID)
	}, fact{factHolding, h.ID})
}

// carried: a system without a grade in force is the decision point's to refuse;
// its first grade must carry what it holds by then.
func carried(ctx context.Context, tx bun.Tx, h sharing.Holding) error {
	g, err := inForce(ctx, tx, h.System)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("reading the grade of %q: %w", h.System, err)
	case h.Ended.IsZero() && !g.record().Grade.Carries(h.Label):
		return fmt.Errorf("%w: %s of %q does not carry %s", grading.ErrBelowHoldings, g.record().Grade, h.System, h.Label)
	}
	return nil
}

// Holding implements sharing.Reader.
func (s *Sharing) Holding(ctx context.Context, id string) (sharing.Holding, error) {
	r, err := one[holdingRow](ctx, s.s.r, "id = ?", id)
	if err != nil {
		return sharing.Holding{}, found(err, sharing.ErrNotFound, "holding", id)
	}
	origins, err := originsOf(ctx, s.s.r, id)
	return r.holding(origins[id]), err
}

// HoldingsOf implements sharing.Reader. A copy lives until it is destroyed,
// also past the day until which it was granted.
func (s *Sharing) HoldingsOf(ctx context.Context, system string) ([]sharing.Holding, error) {
	rows, err := list(ctx, s.s.r, func(r holdingRow) holdingRow { return r }, "held_from, id", "system = ? AND ended_at IS NULL", system)
	if err != nil {
		return nil, err
	}
	var out []sharing.Holding
	for part := range slices.Chunk(rows, 500) { // engines bound the values of one statement
		ids := make([]string, len(part))
		for i, r := range part {
			ids[i] = r.ID
		}
		origins, err := originsOf(ctx, s.s.r, ids...)
		if err != nil {
			return nil, err
		}
		for _, r := range part {
			out = append(out, r.holding(origins[r.ID]))
		}
	}
	return out, nil
}
