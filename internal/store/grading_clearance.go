package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

var _ grading.ClearanceStore = (*Grading)(nil)

type clearanceRow struct {
	bun.BaseModel `bun:"table:grading_clearance"`

	System     string               `bun:"system,pk"`
	Kind       string               `bun:"kind,pk"`
	Number     string               `bun:"number"`
	Passed     bool                 `bun:"passed"`
	On         nested[workday.Date] `bun:"done_on"`
	By         string               `bun:"done_by"`
	Report     string               `bun:"report"`
	RecordedBy string               `bun:"recorded_by"`
	RecordedAt bun.NullTime         `bun:"recorded_at,pk"`
}

type withdrawnClearanceRow struct {
	bun.BaseModel `bun:"table:grading_clearance_withdrawn"`

	System      string       `bun:"system,pk"`
	Kind        string       `bun:"kind,pk"`
	RecordedAt  bun.NullTime `bun:"recorded_at,pk"`
	WithdrawnBy string       `bun:"withdrawn_by"`
	WithdrawnAt bun.NullTime `bun:"withdrawn_at"`
	Why         string       `bun:"why"`
}

func (r clearanceRow) clearance() grading.Clearance {
	return grading.Clearance{
		System: r.System, Kind: grading.ClearanceKind(r.Kind), Number: r.Number, Passed: r.Passed, On: r.On.V, By: r.By, Report: r.Report,
		RecordedBy: r.RecordedBy, RecordedAt: utc(r.RecordedAt),
	}
}

// AddClearance implements grading.ClearanceStore.
func (g *Grading) AddClearance(ctx context.Context, c grading.Clearance, ev ledger.Event) (ledger.Receipt, error) {
	return g.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &clearanceRow{
			System: c.System, Kind: string(c.Kind), Number: c.Number, Passed: c.Passed, On: nested[workday.Date]{c.On}, By: c.By, Report: c.Report,
			RecordedBy: c.RecordedBy, RecordedAt: at(c.RecordedAt),
		}, grading.ErrExists, grading.ErrNotFound, "clearance of", c.System)
	}, fact{factClearances, c.System})
}

// WithdrawClearance implements grading.ClearanceStore.
func (g *Grading) WithdrawClearance(ctx context.Context, c grading.Clearance, ev ledger.Event) (ledger.Receipt, error) {
	return g.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &withdrawnClearanceRow{
			System: c.System, Kind: string(c.Kind), RecordedAt: at(c.RecordedAt), WithdrawnBy: c.WithdrawnBy, WithdrawnAt: at(c.WithdrawnAt), Why: c.Why,
		}, grading.ErrExists, grading.ErrNotFound, "withdrawal of a clearance of", c.System)
	}, fact{factClearances, c.System})
}

// Clearances implements grading.ClearanceStore. Withdrawals are read second: none
// is missed of a record that was read.
func (g *Grading) Clearances(ctx context.Context, system string) ([]grading.Clearance, error) {
	all, err := list(ctx, g.s.r, clearanceRow.clearance, "recorded_at, kind", "system = ?", system)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	gone, err := list(ctx, g.s.r, func(r withdrawnClearanceRow) withdrawnClearanceRow { return r }, "recorded_at", "system = ?", system)
	if err != nil {
		return nil, err
	}
	for _, w := range gone {
		i := slices.IndexFunc(all, func(c grading.Clearance) bool {
			return string(c.Kind) == w.Kind && c.RecordedAt.Equal(utc(w.RecordedAt))
		})
		if i >= 0 { // else it was recorded since
			all[i].WithdrawnBy, all[i].WithdrawnAt, all[i].Why = w.WithdrawnBy, utc(w.WithdrawnAt), w.Why
		}
	}
	return all, nil
}
