package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
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

func (r holdingRow) holding() sharing.Holding {
	return sharing.Holding{
		ID: r.ID, System: r.System, Agency: identity.USCC(r.Agency), Resource: r.Resource, Agreement: r.Agreement,
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
		floor, err := floorOf(ctx, tx, h)
		if err != nil {
			return err
		}
		if !h.Label.Dominates(floor) {
			return fmt.Errorf("%w: holding %q is %s, its sources need %s", sharing.ErrLowered, h.ID, h.Label, floor)
		}
		if err := carried(ctx, tx, h); err != nil {
			return err
		}
		return insert(ctx, tx, &holdingRow{
			ID: h.ID, System: h.System, Agency: string(h.Agency), Resource: h.Resource, Agreement: h.Agreement,
			Sources: nested[[]string]{h.Sources}, labelRow: toLabelRow(h.Label), Payload: h.Payload, Transfer: h.Transfer,
			At: at(h.At), Until: at(h.Until), Ended: at(h.Ended),
		}, sharing.ErrExists, sharing.ErrNotFound, "holding", h.ID)
	}, fact{factHolding, h.ID})
}

// floorOf joins the labels of the resource and of all sources. A source that
// is not registered is an error: its label is unknown.
func floorOf(ctx context.Context, tx bun.Tx, h sharing.Holding) (level.Label, error) {
	resource, err := one[resourceRow](ctx, tx, "id = ?", h.Resource)
	if err != nil {
		return level.Label{}, found(err, sharing.ErrNotFound, "resource", h.Resource)
	}
	labels := []level.Label{resource.label()}
	for _, id := range h.Sources {
		source, err := one[holdingRow](ctx, tx, "id = ?", id)
		if err != nil {
			return level.Label{}, found(err, sharing.ErrNotFound, "source holding", id)
		}
		labels = append(labels, source.label())
	}
	return level.Join(labels...), nil
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
	return r.holding(), found(err, sharing.ErrNotFound, "holding", id)
}

// HoldingsOf implements sharing.Reader. A copy lives until it is destroyed,
// also past the day until which it was granted.
func (s *Sharing) HoldingsOf(ctx context.Context, system string) ([]sharing.Holding, error) {
	return list(ctx, s.s.r, holdingRow.holding, "held_from, id", "system = ? AND ended_at IS NULL", system)
}
