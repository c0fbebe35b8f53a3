package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// fact names what an act changes of that which decisions rest on: one row of a
// kind, all of a kind (no id), or everything (the zero fact).
type fact struct{ kind, id string }

// Kinds of facts. Posts are a person's.
const (
	factAgency     = "agency"
	factPerson     = "person"
	factSystem     = "system"
	factGrading    = "grading"
	factDossier    = "dossier"
	factClearances = "clearances"
	factResource   = "resource"
	factAgreement  = "agreement"
	factTerms      = "terms" // the agreements about a resource
	factHolding    = "holding"
	factStanding   = "standing"   // of a unit with a resource: the ends of its copies
	factViolations = "violations" // of a unit
)

// Changes are kept for nodes that look each time they decide; who was away for
// longer reads everything again.
const (
	changesKept = 8192
	changesRead = 2048
)

type factsChangeRow struct {
	bun.BaseModel `bun:"table:facts_change"`

	Revision int64  `bun:"revision,pk"`
	Part     int64  `bun:"part,pk"`
	Kind     string `bun:"kind"`
	ID       string `bun:"id"`
}

// touch moves the facts revision on and notes what changes with it. The row lock
// makes such acts run one after the other, so that revisions become visible in
// their order and without a gap.
func touch(ctx context.Context, tx bun.Tx, touched []fact) error {
	n, err := changed(ctx, tx, "UPDATE facts_revision SET revision = revision + 1 WHERE id = 1")
	if err != nil {
		return fmt.Errorf("moving the facts revision: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("%w: the facts revision is missing", ErrSchema)
	}
	if len(touched) == 0 {
		touched = []fact{{}}
	}
	if err := note(ctx, tx, touched); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM facts_change
		WHERE revision <= (SELECT revision FROM facts_revision WHERE id = 1) - ?`, changesKept); err != nil {
		return fmt.Errorf("forgetting old changes of facts: %w", err)
	}
	return nil
}

// note adds to what changes with the revision of the transaction, for acts that
// learn it on their way.
func note(ctx context.Context, tx bun.Tx, touched []fact) error {
	for _, f := range touched {
		if _, err := tx.ExecContext(ctx, `INSERT INTO facts_change (revision, part, kind, id)
			SELECT r.revision, (SELECT COUNT(1) FROM facts_change AS c WHERE c.revision = r.revision), ?, ?
			FROM facts_revision AS r WHERE r.id = 1`, f.kind, f.id); err != nil {
			return fmt.Errorf("noting the change of facts: %w", err)
		}
	}
	return nil
}

// changesSince lists what changed after a revision, and the revision that the list
// reaches. It is whole only if each revision on the way is in it: else it is
// everything.
func (s *Store) changesSince(ctx context.Context, since, now int64) ([]fact, int64, error) {
	var rows []factsChangeRow
	err := s.r.NewSelect().Model(&rows).Where("revision > ?", since).OrderExpr("revision, part").Limit(changesRead).Scan(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the changes of facts: %w", err)
	}
	reached, out := since, make([]fact, 0, len(rows))
	for _, r := range rows {
		if r.Revision > reached+1 {
			break
		}
		reached = r.Revision
		out = append(out, fact{r.Kind, r.ID})
	}
	if reached < now || len(rows) == changesRead {
		return []fact{{}}, now, nil
	}
	return out, reached, nil
}

// current: what a decision at a revision rests on is as the transaction sees it. What
// can bear on an act between systems is anything but persons, paper work, the copies
// of others, and the ends of copies, which are reached by time and not by an act.
// Revision 0 rests on no decision.
func current(ctx context.Context, tx bun.Tx, facts int64, copies ...string) (bool, error) {
	if facts == 0 {
		return true, nil
	}
	var now, since int64
	if err := tx.NewRaw("SELECT revision FROM facts_revision WHERE id = 1").Scan(ctx, &now); err != nil {
		return false, fmt.Errorf("reading the facts revision: %w", err)
	}
	err := tx.NewRaw(`SELECT COUNT(1) FROM facts_change WHERE revision > ?
		AND kind NOT IN (?, ?, ?, ?) AND NOT (kind = ? AND id <> '' AND id NOT IN (?))`,
		facts, factPerson, factDossier, factClearances, factStanding, factHolding, bun.List(copies)).Scan(ctx, &since)
	if err != nil {
		return false, fmt.Errorf("reading the changes of facts: %w", err)
	}
	return since == 0 && facts <= now && facts >= now-changesKept, nil
}
