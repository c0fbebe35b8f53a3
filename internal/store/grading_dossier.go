package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

var _ grading.Dossiers = (*Grading)(nil)

// objectRow is an object as lists and guards look at it. The whole dossier
// stands in a table of its own, so that a scan does not drag it along.
type objectRow struct {
	bun.BaseModel `bun:"table:grading_object"`

	ID         string           `bun:"id,pk"`
	Revision   int64            `bun:"revision"`
	Name       string           `bun:"name"`
	Kind       string           `bun:"kind"`
	Owner      string           `bun:"owner_unit"`
	Building   string           `bun:"building_unit"`
	State      string           `bun:"state"`
	Level      int64            `bun:"level"`
	Grade      string           `bun:"grade"`
	Needs      int64            `bun:"needs"`
	Offers     int64            `bun:"offers"`
	ValidUntil string           `bun:"valid_until"`
	Flags      nested[[]string] `bun:"flags"`
	Flagged    int64            `bun:"flagged"`
}

type dossierRow struct {
	bun.BaseModel `bun:"table:grading_dossier"`

	Object string                  `bun:"object,pk"`
	Body   nested[grading.Dossier] `bun:"body"`
}

type carriedRow struct {
	bun.BaseModel `bun:"table:grading_carried"`

	Object string `bun:"object,pk"`
	Host   string `bun:"host,pk"`
}

type stepRow struct {
	bun.BaseModel `bun:"table:grading_step"`

	Object   string               `bun:"object,pk"`
	Revision int64                `bun:"revision,pk"`
	Body     nested[grading.Step] `bun:"body"`
}

type paperRow struct {
	bun.BaseModel `bun:"table:grading_paper"`

	ID       string                `bun:"id,pk"`
	Object   string                `bun:"object"`
	Revision int64                 `bun:"revision"`
	Body     nested[grading.Paper] `bun:"body"`
}

type claimRow struct {
	bun.BaseModel `bun:"table:grading_claim"`

	Claim  string `bun:"claim,pk"`
	Object string `bun:"object"`
}

func toObjectRow(e grading.Entry) *objectRow {
	d, s := e.Dossier, e.Dossier.Summary()
	row := &objectRow{
		ID: s.ID, Revision: int64(d.Revision), Name: s.Name, Kind: string(s.Kind), Owner: string(s.Owner), Building: string(d.Object.BuildingUnit),
		State: string(s.State), Level: int64(s.Level), Grade: s.Grade, Needs: int64(d.Needs()), Offers: int64(d.Offers()),
		ValidUntil: s.ValidUntil.String(), Flags: nested[[]string]{s.Flags},
	}
	if len(s.Flags) > 0 {
		row.Flagged = 1
	}
	return row
}

// Put implements grading.Dossiers. The facts lock makes entries run one after
// the other, so that hosts and holdings are as they were looked at.
func (g *Grading) Put(ctx context.Context, e grading.Entry, ev ledger.Event) (ledger.Receipt, error) {
	id := e.Dossier.Object.ID
	return g.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := putObject(ctx, tx, e); err != nil {
			return err
		}
		if err := hosts(ctx, tx, e.Dossier); err != nil {
			return err
		}
		for _, c := range e.Unique {
			if err := claim(ctx, tx, id, c); err != nil {
				return err
			}
		}
		if e.Step != nil {
			row := &stepRow{Object: id, Revision: int64(e.Step.Revision), Body: nested[grading.Step]{*e.Step}}
			if err := insert(ctx, tx, row, grading.ErrConflict, grading.ErrNotFound, "step of", id); err != nil {
				return err
			}
		}
		if e.Paper != nil {
			row := &paperRow{ID: e.Paper.ID, Object: id, Revision: int64(e.Dossier.Revision), Body: nested[grading.Paper]{*e.Paper}}
			if err := insert(ctx, tx, row, grading.ErrExists, grading.ErrNotFound, "paper", e.Paper.ID); err != nil {
				return err
			}
		}
		if err := putRecord(ctx, tx, e); err != nil {
			return err
		}
		return putDeadlines(ctx, tx, e)
	}, fact{factGrading, id}, fact{factDossier, id})
}

// putObject: the revision decides which of two acts on one dossier stands.
func putObject(ctx context.Context, tx bun.Tx, e grading.Entry) error {
	row, whole := toObjectRow(e), &dossierRow{Object: e.Dossier.Object.ID, Body: nested[grading.Dossier]{e.Dossier}}
	if row.Revision == 1 {
		if err := insert(ctx, tx, row, grading.ErrExists, grading.ErrNotFound, "graded object", row.ID); err != nil {
			return err
		}
		if err := insert(ctx, tx, whole, grading.ErrExists, grading.ErrNotFound, "dossier of", row.ID); err != nil {
			return err
		}
		for _, h := range e.Dossier.Object.CarriedBy {
			if err := insert(ctx, tx, &carriedRow{Object: row.ID, Host: h}, grading.ErrExists, grading.ErrHost, "host of", row.ID); err != nil {
				return err
			}
		}
		return nil
	}
	res, err := tx.NewUpdate().Model(row).ExcludeColumn("id").Where("id = ? AND revision = ?", row.ID, row.Revision-1).Exec(ctx)
	if err != nil {
		return fmt.Errorf("writing graded object %q: %w", row.ID, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("%w: %q, revision %d", grading.ErrConflict, row.ID, row.Revision), err)
	}
	if _, err := tx.NewUpdate().Model(whole).Column("body").WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("writing the dossier of %q: %w", row.ID, err)
	}
	return nil
}

// hosts is R13 in both directions, and nothing goes while something runs on it.
func hosts(ctx context.Context, tx bun.Tx, d grading.Dossier) error {
	id := d.Object.ID
	var low, high sql.NullInt64
	err := tx.NewRaw("SELECT MIN(o.offers) FROM grading_carried c JOIN grading_object o ON o.id = c.host WHERE c.object = ?", id).Scan(ctx, &low)
	if err != nil {
		return fmt.Errorf("reading the hosts of %q: %w", id, err)
	}
	if low.Valid && low.Int64 < int64(d.Needs()) {
		return fmt.Errorf("%w: %q needs %d, a host offers %d", grading.ErrHost, id, d.Needs(), low.Int64)
	}
	err = tx.NewRaw("SELECT MAX(o.needs) FROM grading_carried c JOIN grading_object o ON o.id = c.object WHERE c.host = ? AND o.state <> ?",
		id, string(grading.StateRetired)).Scan(ctx, &high)
	if err != nil {
		return fmt.Errorf("reading what runs on %q: %w", id, err)
	}
	switch {
	case high.Valid && d.State == grading.StateRetired:
		return fmt.Errorf("%w: something runs on %q", grading.ErrInUse, id)
	case high.Valid && high.Int64 > int64(d.Offers()):
		return fmt.Errorf("%w: %q offers %d, something on it needs %d", grading.ErrHost, id, d.Offers(), high.Int64)
	}
	return nil
}

func claim(ctx context.Context, tx bun.Tx, object string, c grading.Claim) error {
	had, err := one[claimRow](ctx, tx, "claim = ?", c.Key)
	switch {
	case err == nil && c.Again && had.Object == object:
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s by %q", grading.ErrExists, c.Key, had.Object)
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("reading claim %s: %w", c.Key, err)
	}
	return insert(ctx, tx, &claimRow{Claim: c.Key, Object: object}, grading.ErrExists, grading.ErrNotFound, "claim", c.Key)
}

// putRecord appends what the decision point reads, with the next version; a
// retirement is refused while the system still holds something.
func putRecord(ctx context.Context, tx bun.Tx, e grading.Entry) error {
	retired := e.Dossier.State == grading.StateRetired
	if retired {
		held, err := tx.NewSelect().Model((*holdingRow)(nil)).Where("system = ? AND ended_at IS NULL", e.Dossier.Object.ID).Exists(ctx)
		if err != nil {
			return fmt.Errorf("reading the holdings of %q: %w", e.Dossier.Object.ID, err)
		}
		if held {
			return fmt.Errorf("%w: %q holds something", grading.ErrInUse, e.Dossier.Object.ID)
		}
	}
	if e.Record == nil {
		return nil
	}
	r := *e.Record
	last, err := lastVersion(ctx, tx, r.System)
	if err != nil {
		return err
	}
	r.Version = int(last) + 1
	return appendRecord(ctx, tx, r)
}
