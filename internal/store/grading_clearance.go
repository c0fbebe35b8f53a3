package store

import (
	"context"

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

func (r clearanceRow) clearance() grading.Clearance {
	return grading.Clearance{
		System: r.System, Kind: grading.ClearanceKind(r.Kind), Number: r.Number, Passed: r.Passed, On: r.On.V, By: r.By, Report: r.Report,
		RecordedBy: r.RecordedBy, RecordedAt: utc(r.RecordedAt),
	}
}

// AddClearance implements grading.ClearanceStore.
func (g *Grading) AddClearance(ctx context.Context, c grading.Clearance, ev ledger.Event) (ledger.Receipt, error) {
	return g.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &clearanceRow{
			System: c.System, Kind: string(c.Kind), Number: c.Number, Passed: c.Passed, On: nested[workday.Date]{c.On}, By: c.By, Report: c.Report,
			RecordedBy: c.RecordedBy, RecordedAt: at(c.RecordedAt),
		}, grading.ErrExists, grading.ErrNotFound, "clearance of", c.System)
	})
}

// Clearances implements grading.ClearanceStore.
func (g *Grading) Clearances(ctx context.Context, system string) ([]grading.Clearance, error) {
	return list(ctx, g.s.r, clearanceRow.clearance, "recorded_at, kind", "system = ?", system)
}
