package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

type deadlineRow struct {
	bun.BaseModel `bun:"table:grading_deadline"`

	Object    string `bun:"object,pk"`
	Rule      string `bun:"rule,pk"`
	Ref       string `bun:"ref,pk"`
	Owner     string `bun:"owner_unit"`
	Opens     string `bun:"opens"`
	Due       string `bun:"due"` // YYYY-MM-DD: the order of the text is that of the days
	Estimated int64  `bun:"estimated"`
	Calendar  string `bun:"calendar"`
	Profile   string `bun:"profile"`
	Reason    string `bun:"reason"`
}

// putDeadlines replaces the limits of one object: they follow from its dossier,
// the history of which is in its steps.
func putDeadlines(ctx context.Context, tx bun.Tx, e grading.Entry) error {
	id := e.Dossier.Object.ID
	if _, err := tx.NewDelete().Model((*deadlineRow)(nil)).Where("object = ?", id).Exec(ctx); err != nil {
		return fmt.Errorf("clearing the limits of %q: %w", id, err)
	}
	if len(e.Deadlines) == 0 {
		return nil
	}
	rows := make([]deadlineRow, len(e.Deadlines))
	for i, d := range e.Deadlines {
		rows[i] = deadlineRow{
			Object: id, Rule: d.Rule, Ref: d.Ref, Owner: string(e.Dossier.Object.Owner), Opens: d.Opens.String(), Due: d.Due.String(),
			Calendar: d.Calendar, Profile: d.Profile, Reason: d.Reason,
		}
		if d.Estimated {
			rows[i].Estimated = 1
		}
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("writing the limits of %q: %w", id, err)
	}
	return nil
}

func (r deadlineRow) deadline() (d grading.Deadline, err error) {
	d = grading.Deadline{Object: r.Object, Rule: r.Rule, Ref: r.Ref, Estimated: r.Estimated != 0, Calendar: r.Calendar, Profile: r.Profile, Reason: r.Reason}
	if err = d.Due.UnmarshalText([]byte(r.Due)); err == nil {
		err = d.Opens.UnmarshalText([]byte(r.Opens))
	}
	return d, err
}

// limited bounds a list: 1,000 when nothing is asked for.
func limited(n int) int64 {
	if n <= 0 {
		return 1000
	}
	return int64(n)
}

// Due implements grading.Dossiers.
func (g *Grading) Due(ctx context.Context, f grading.DueFilter) ([]grading.Deadline, error) {
	var rows []deadlineRow
	q := g.s.r.NewSelect().Model(&rows).Where("due <= ?", f.Until.String())
	if f.Unit != "" {
		q = q.Where("owner_unit = ?", string(f.Unit))
	}
	if f.Rule != "" {
		q = q.Where("rule = ?", f.Rule)
	}
	if err := q.OrderExpr("due, object, rule, ref").Limit(limited(f.Limit)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the limits: %w", err)
	}
	out := make([]grading.Deadline, len(rows))
	for i, r := range rows {
		d, err := r.deadline()
		if err != nil {
			return nil, fmt.Errorf("limit %s of %q: %w", r.Rule, r.Object, err)
		}
		out[i] = d
	}
	return out, nil
}

// Objects implements grading.Dossiers. Lists never read a dossier.
func (g *Grading) Objects(ctx context.Context, f grading.Filter) ([]grading.Summary, error) {
	var rows []objectRow
	q := g.s.r.NewSelect().Model(&rows).ExcludeColumn("dossier").Where("id > ?", f.After)
	if f.Unit != "" {
		q = q.Where("(owner_unit = ? OR building_unit = ?)", string(f.Unit), string(f.Unit))
	}
	if f.State != "" {
		q = q.Where("state = ?", string(f.State))
	}
	if f.Kind != "" {
		q = q.Where("kind = ?", string(f.Kind))
	}
	if f.Level != 0 {
		q = q.Where("level = ?", int64(f.Level))
	}
	if f.Flagged {
		q = q.Where("flagged = 1")
	}
	if err := q.OrderExpr("id").Limit(limited(f.Limit)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the graded objects: %w", err)
	}
	out := make([]grading.Summary, len(rows))
	for i, r := range rows {
		var until workday.Date
		if err := until.UnmarshalText([]byte(r.ValidUntil)); err != nil {
			return nil, fmt.Errorf("graded object %q: %w", r.ID, err)
		}
		out[i] = grading.Summary{
			ID: r.ID, Name: r.Name, Kind: grading.Kind(r.Kind), Owner: identity.USCC(r.Owner), State: grading.State(r.State),
			Level: uint8(r.Level), Grade: r.Grade, ValidUntil: until, Flags: r.Flags.V,
		}
	}
	return out, nil
}

// Dossier implements grading.Dossiers.
func (g *Grading) Dossier(ctx context.Context, object string) (grading.Dossier, error) {
	r, err := one[objectRow](ctx, g.s.r, "id = ?", object)
	return r.Dossier.V, found(err, grading.ErrNotFound, "dossier of", object)
}

// History implements grading.Dossiers.
func (g *Grading) History(ctx context.Context, object string) ([]grading.Step, error) {
	return list(ctx, g.s.r, func(r stepRow) grading.Step { return r.Body.V }, "revision", "object = ?", object)
}

// Papers implements grading.Dossiers.
func (g *Grading) Papers(ctx context.Context, object string) ([]grading.Paper, error) {
	return list(ctx, g.s.r, func(r paperRow) grading.Paper { return r.Body.V }, "revision", "object = ?", object)
}
