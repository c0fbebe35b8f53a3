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
)

// Grading is the graded-protection registry.
type Grading struct{ acts }

var _ grading.Registry = (*Grading)(nil)

type gradingRow struct {
	bun.BaseModel `bun:"table:grading_record"`

	System       string       `bun:"system,pk"`
	Version      int64        `bun:"version,pk"`
	S            int64        `bun:"grade_s"`
	A            int64        `bun:"grade_a"`
	Reason       string       `bun:"reason"`
	State        string       `bun:"state"`
	BuildingUnit string       `bun:"building_unit"`
	Filing       string       `bun:"filing"`
	DecidedOn    bun.NullTime `bun:"decided_on"`
	AssessedOn   bun.NullTime `bun:"assessed_on"`
	ValidUntil   bun.NullTime `bun:"valid_until"`
	Sample       bool         `bun:"sample"`
	GraceUntil   bun.NullTime `bun:"grace_until,scanonly"` // of grading_grace
}

// graceRow stands beside a record: few have one.
type graceRow struct {
	bun.BaseModel `bun:"table:grading_grace"`

	System  string       `bun:"system,pk"`
	Version int64        `bun:"version,pk"`
	Until   bun.NullTime `bun:"grace_until"`
}

func (r gradingRow) record() grading.Record {
	return grading.Record{
		System: r.System, Version: int(r.Version), Grade: level.Grade{S: uint8(r.S), A: uint8(r.A)}, Reason: r.Reason,
		State: grading.State(r.State), BuildingUnit: identity.USCC(r.BuildingUnit), Filing: r.Filing,
		DecidedOn: utc(r.DecidedOn), AssessedOn: utc(r.AssessedOn), ValidUntil: utc(r.ValidUntil), Sample: r.Sample,
		GraceUntil: utc(r.GraceUntil),
	}
}

// AddGrading implements grading.Registry. History is append-only: versions grow.
func (g *Grading) AddGrading(ctx context.Context, r grading.Record, ev ledger.Event) (ledger.Receipt, error) {
	if !r.Grade.Valid() {
		return ledger.Receipt{}, fmt.Errorf("%w: grade %s of %q", grading.ErrInvalid, r.Grade, r.System)
	}
	return g.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		filed, err := tx.NewSelect().Model((*objectRow)(nil)).Where("id = ?", r.System).Exists(ctx)
		if err != nil {
			return fmt.Errorf("looking for a dossier of %q: %w", r.System, err)
		}
		if filed {
			return fmt.Errorf("%w: %q", grading.ErrProcedure, r.System)
		}
		last, err := lastVersion(ctx, tx, r.System)
		if err != nil {
			return err
		}
		if int64(r.Version) <= last {
			return fmt.Errorf("%w: version %d of %q is not after %d", grading.ErrInvalid, r.Version, r.System, last)
		}
		return appendRecord(ctx, tx, r)
	}, fact{factGrading, r.System})
}

func lastVersion(ctx context.Context, tx bun.Tx, system string) (last int64, err error) {
	err = tx.NewRaw("SELECT COALESCE(MAX(version), 0) FROM grading_record WHERE system = ?", system).Scan(ctx, &last)
	if err != nil {
		return 0, fmt.Errorf("reading the versions of %q: %w", system, err)
	}
	return last, nil
}

// appendRecord holds the line of 西政办发〔2014〕14号 art. 30: no grade in force
// below what the system holds or serves, nor below what is on its way from, to or
// through it.
func appendRecord(ctx context.Context, tx bun.Tx, r grading.Record) error {
	above, err := one[holdingRow](ctx, tx,
		"system = ? AND ended_at IS NULL AND (label_s > ? OR label_a > ?)", r.System, r.Grade.S, r.Grade.A)
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s does not carry holding %q (%s)",
			grading.ErrBelowHoldings, r.Grade, above.ID, above.label())
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("reading the holdings of %q: %w", r.System, err)
	}
	args := append(transitArgs(r.System), r.Grade.S, r.Grade.A)
	way, err := one[transferRow](ctx, tx, inTransit+" AND (label_s > ? OR label_a > ?)", args...)
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s does not carry transfer %q (%s)", grading.ErrBelowHoldings, r.Grade, way.ID, way.label())
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("reading the transfers of %q: %w", r.System, err)
	}
	own, err := one[resourceRow](ctx, tx, served+" AND (label_s > ? OR label_a > ?)", r.System, r.Grade.S, r.Grade.A)
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s does not carry %q (%s), which it serves", grading.ErrBelowHoldings, r.Grade, own.ID, own.label())
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("reading what %q serves: %w", r.System, err)
	}
	if !r.GraceUntil.IsZero() {
		grace := &graceRow{System: r.System, Version: int64(r.Version), Until: at(r.GraceUntil)}
		if err := insert(ctx, tx, grace, grading.ErrInvalid, grading.ErrNotFound, "grace of", r.System); err != nil {
			return err
		}
	}
	return insert(ctx, tx, &gradingRow{
		System: r.System, Version: int64(r.Version), S: int64(r.Grade.S), A: int64(r.Grade.A), Reason: r.Reason,
		State: string(r.State), BuildingUnit: string(r.BuildingUnit), Filing: r.Filing, DecidedOn: at(r.DecidedOn),
		AssessedOn: at(r.AssessedOn), ValidUntil: at(r.ValidUntil), Sample: r.Sample,
	}, grading.ErrInvalid, grading.ErrNotFound, "grading of", r.System)
}

// Grading implements grading.Registry.
func (g *Grading) Grading(ctx context.Context, system string) (grading.Record, error) {
	r, err := inForce(ctx, g.s.r, system)
	return r.record(), found(err, grading.ErrNotFound, "grading of", system)
}

// inForce is the newest version that is not a draft or a proposal.
func inForce(ctx context.Context, db bun.IDB, system string) (gradingRow, error) {
	var row gradingRow
	err := db.NewSelect().Model(&row).ModelTableExpr("grading_record AS r").
		ColumnExpr("r.system, r.version, r.grade_s, r.grade_a, r.reason, r.state, r.building_unit, r.filing, r.decided_on, r.assessed_on, r.valid_until, r.sample, g.grace_until").
		Join("LEFT JOIN grading_grace AS g ON g.system = r.system AND g.version = r.version").
		Where("r.system = ? AND r.state NOT IN (?, ?)", system, string(grading.StateDraft), string(grading.StateProposed)).
		OrderExpr("r.version DESC").Limit(1).Scan(ctx)
	return row, err
}
