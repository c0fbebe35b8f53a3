package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Standing says how a unit stands with a resource: the earliest end of a copy that
// it has not destroyed, and the violation that keeps it from using it.
func (s *Sharing) Standing(ctx context.Context, r sharing.Resource, agency identity.USCC) (sharing.Standing, error) {
	out := sharing.Standing{Resource: r.ID, Agency: agency}
	var err error
	if out.Due, out.Copy, err = s.due(ctx, r.ID, agency); err != nil {
		return sharing.Standing{}, err
	}
	open, err := s.suspended(ctx, agency)
	if err != nil {
		return sharing.Standing{}, err
	}
	out.Violation = suspends(open, r)
	return out, nil
}

// dueCopy is the earliest of the ends of copies, and of tasks.
type dueCopy struct {
	Due bun.NullTime `bun:"due"`
	ID  string       `bun:"id"`
}

func (s *Sharing) due(ctx context.Context, resource string, agency identity.USCC) (out time.Time, id string, err error) {
	const from = ` FROM sharing_lineage AS l JOIN sharing_holding AS h ON h.id = l.holding`
	const where = ` WHERE l.resource = ? AND l.agency = ? AND h.ended_at IS NULL`
	for _, query := range []string{
		"SELECT h.held_until AS due, h.id AS id" + from + where + " AND h.held_until IS NOT NULL ORDER BY h.held_until, h.id LIMIT 1",
		"SELECT t.due AS due, h.id AS id" + from + " JOIN sharing_task AS t ON t.holding = h.id" + where + " ORDER BY t.due, h.id LIMIT 1",
	} {
		var row dueCopy
		err := s.s.r.NewRaw(query, resource, string(agency)).Scan(ctx, &row)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return out, "", fmt.Errorf("reading the ends of copies of %q: %w", resource, err)
		case id == "" || row.Due.Before(out):
			out, id = utc(row.Due), row.ID
		}
	}
	return out, id, nil
}

// suspended lists the violations that keep a unit from using something.
func (s *Sharing) suspended(ctx context.Context, agency identity.USCC) ([]sharing.Violation, error) {
	all, err := list(ctx, s.s.r, violationRow.violation, "recorded_at, id", "unit = ? AND state <> ?", string(agency), string(sharing.ViolationSettled))
	if err != nil {
		return nil, fmt.Errorf("reading the violations of %s: %w", agency, err)
	}
	var out []sharing.Violation
	for _, v := range all {
		if v.Ground.Suspends() {
			out = append(out, v)
		}
	}
	return out, nil
}

// suspends is the first violation that keeps a unit from a resource.
func suspends(open []sharing.Violation, r sharing.Resource) string {
	for _, v := range open {
		if (v.Provider == "" || v.Provider == r.Provider) && (v.Resource == "" || v.Resource == r.ID) {
			return v.ID
		}
	}
	return ""
}

// standingOf is the id of the facts about the copies that a unit has of a resource.
func standingOf(resource, agency string) string { return resource + "\n" + agency }

// noteStandings notes that the copies of units changed: of these rows of
// sharing_holding, and of every resource in them.
func noteStandings(ctx context.Context, tx bun.Tx, where string, arg any) error {
	var rows []originRow
	err := tx.NewSelect().Model(&rows).ColumnExpr("resource, agency").Distinct().
		Where("holding IN (SELECT id FROM sharing_holding WHERE "+where+")", arg).Scan(ctx)
	if err != nil {
		return fmt.Errorf("reading the lineage: %w", err)
	}
	touched := make([]fact, len(rows))
	for i, r := range rows {
		touched[i] = fact{factStanding, standingOf(r.Resource, r.Agency)}
	}
	return note(ctx, tx, touched)
}
