package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/authority"
)

// Generations keeps the succession of the house's own authorities.
type Generations struct {
	acts
	standings *gather[struct{}, []authority.Standing]
}

func newGenerations(a acts) *Generations {
	c := &Generations{acts: a}
	c.standings = newGather(c.readStandings)
	return c
}

var _ authority.Register = (*Generations)(nil)

// generationRow holds what was prepared, and signed by a second person, as one
// body that never changes. Slot is "open" or "current", and NULL for all others:
// its index lets one generation be each.
type generationRow struct {
	bun.BaseModel `bun:"table:ca_generation"`

	Number    int                          `bun:"number,pk"`
	Slot      sql.NullString               `bun:"slot"`
	Body      nested[authority.Generation] `bun:"body"`
	Signed    nested[[][]byte]             `bun:"signed"` // DER of the members, in their order
	State     string                       `bun:"state"`
	Approval  string                       `bun:"approval"`
	SettledAt bun.NullTime                 `bun:"settled_at"`
	CurrentAt bun.NullTime                 `bun:"current_at"`
	RetiredAt bun.NullTime                 `bun:"retired_at"`
	EndedBy   string                       `bun:"ended_by"`
	EndReason string                       `bun:"end_reason"`
}

func slotOf(s authority.State) sql.NullString {
	switch {
	case s.Open():
		return optional("open")
	case s == authority.Current:
		return optional("current")
	}
	return sql.NullString{}
}

func generationOf(g authority.Generation) *generationRow {
	r := &generationRow{
		Number: g.Number, Slot: slotOf(g.State), Body: nested[authority.Generation]{g}, State: string(g.State), Approval: g.Approval,
		SettledAt: at(g.SettledAt), CurrentAt: at(g.CurrentAt), RetiredAt: at(g.RetiredAt), EndedBy: g.EndedBy, EndReason: g.EndReason,
	}
	r.Signed.V = make([][]byte, len(g.Members))
	for i, m := range g.Members {
		r.Signed.V[i] = m.DER
	}
	return r
}

func (r generationRow) generation() authority.Generation {
	g := r.Body.V
	g.State, g.Approval, g.SettledAt = authority.State(r.State), r.Approval, utc(r.SettledAt)
	g.CurrentAt, g.RetiredAt, g.EndedBy, g.EndReason = utc(r.CurrentAt), utc(r.RetiredAt), r.EndedBy, r.EndReason
	for i := range g.Members {
		if i < len(r.Signed.V) && len(r.Signed.V[i]) > 0 {
			g.Members[i].DER = r.Signed.V[i]
		}
	}
	return g
}

// AddGenerations implements authority.Register. Of two at once the indexes refuse
// one.
func (c *Generations) AddGenerations(ctx context.Context, all []authority.Generation, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		for _, g := range all {
			if err := insert(ctx, tx, generationOf(g), authority.ErrBusy, authority.ErrNotFound, "generation", strconv.Itoa(g.Number)); err != nil {
				return err
			}
		}
		return nil
	})
}

// MoveGeneration implements authority.Register.
func (c *Generations) MoveGeneration(ctx context.Context, g authority.Generation, from authority.State, ev ledger.Event) (ledger.Receipt, error) {
	r := generationOf(g)
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if g.State == authority.Current { // makes room for it; undone when the next statement changes nothing
			if _, err := changed(ctx, tx, `UPDATE ca_generation SET state = ?, slot = NULL, retired_at = ? WHERE state = ? AND number < ?`,
				string(authority.Retired), r.CurrentAt, string(authority.Current), g.Number); err != nil {
				return fmt.Errorf("retiring the generation before %d: %w", g.Number, err)
			}
		}
		n, err := changed(ctx, tx, `UPDATE ca_generation SET state = ?, slot = ?, signed = ?, approval = ?, settled_at = ?, current_at = ?, ended_by = ?, end_reason = ?
			WHERE number = ? AND state = ?`,
			r.State, r.Slot, r.Signed, r.Approval, r.SettledAt, r.CurrentAt, r.EndedBy, r.EndReason, r.Number, string(from))
		if err != nil {
			return fmt.Errorf("moving generation %d: %w", g.Number, err)
		}
		if n == 1 {
			return nil
		}
		if _, err := one[generationRow](ctx, tx, "number = ?", g.Number); err != nil {
			return found(err, authority.ErrNotFound, "generation", strconv.Itoa(g.Number))
		}
		return fmt.Errorf("%w: generation %d is not %s", authority.ErrState, g.Number, from)
	})
}

// Generations implements authority.Register.
func (c *Generations) Generations(ctx context.Context) ([]authority.Generation, error) {
	return list(ctx, c.s.r, generationRow.generation, "number", "number > ?", 0)
}

// Standings implements authority.Register. Every issue asks: those at one time ask
// together, and on SQLite nobody waits for the one writer. What was committed
// before the question is in the answer.
func (c *Generations) Standings(ctx context.Context) ([]authority.Standing, error) {
	all, _, err := c.standings.get(ctx, struct{}{})
	return all, err
}

func (c *Generations) readStandings(ctx context.Context, _ []struct{}) (map[struct{}][]authority.Standing, error) {
	var rows []generationRow
	if err := c.s.r.NewSelect().Model(&rows).Column("number", "state").OrderExpr("number").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading generations: %w", err)
	}
	out := make([]authority.Standing, len(rows))
	for i, r := range rows {
		out[i] = authority.Standing{Number: r.Number, State: authority.State(r.State)}
	}
	return map[struct{}][]authority.Standing{{}: out}, nil
}
