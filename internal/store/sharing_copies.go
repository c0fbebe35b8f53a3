package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

var _ sharing.CopyStore = (*Sharing)(nil)

type taskRow struct {
	bun.BaseModel `bun:"table:sharing_task"`

	ID      string       `bun:"id,pk"`
	Holding string       `bun:"holding"`
	Due     bun.NullTime `bun:"due"`
	Why     string       `bun:"why"`
	Note    string       `bun:"note"`
	By      string       `bun:"made_by"`
	At      bun.NullTime `bun:"made_at"`
}

func (r taskRow) task() sharing.Task {
	return sharing.Task{ID: r.ID, Holding: r.Holding, Due: utc(r.Due), Why: sharing.TaskWhy(r.Why), Note: r.Note, By: r.By, At: utc(r.At)}
}

type destructionRow struct {
	bun.BaseModel `bun:"table:sharing_destruction"`

	Holding    string       `bun:"holding,pk"`
	Payload    string       `bun:"payload"`
	System     string       `bun:"system"`
	Method     string       `bun:"method"`
	At         bun.NullTime `bun:"destroyed_at"`
	CertDER    []byte       `bun:"certificate"`
	Signature  []byte       `bun:"signature"`
	RecordedAt bun.NullTime `bun:"recorded_at"`
}

func (r destructionRow) destruction() sharing.Destruction {
	return sharing.Destruction{
		Holding: r.Holding, Payload: r.Payload, System: r.System, Method: r.Method, At: utc(r.At), CertDER: r.CertDER, Signature: r.Signature, RecordedAt: utc(r.RecordedAt),
	}
}

// EndHolding implements sharing.CopyStore. A copy ends when its end is recorded: what
// its system says about the hour is in the statement.
func (s *Sharing) EndHolding(ctx context.Context, d sharing.Destruction, ev ledger.Event) (ledger.Receipt, error) {
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := live(ctx, tx, d.Holding, "UPDATE sharing_holding SET ended_at = ? WHERE id = ? AND ended_at IS NULL", at(d.RecordedAt), d.Holding); err != nil {
			return err
		}
		if err := noteStandings(ctx, tx, "id = ?", d.Holding); err != nil {
			return err
		}
		if err := destroyed(ctx, tx, d); err != nil {
			return err
		}
		return insert(ctx, tx, &destructionRow{
			Holding: d.Holding, Payload: d.Payload, System: d.System, Method: d.Method, At: at(d.At), CertDER: d.CertDER, Signature: d.Signature, RecordedAt: at(d.RecordedAt),
		}, sharing.ErrEnded, sharing.ErrNotFound, "destruction of", d.Holding)
	}, fact{factHolding, d.Holding})
}

// live changes the row of a copy that is not destroyed.
func live(ctx context.Context, tx bun.Tx, holding, statement string, args ...any) error {
	n, err := changed(ctx, tx, statement, args...)
	if err != nil || n == 1 {
		return err
	}
	if _, err := one[holdingRow](ctx, tx, "id = ?", holding); err != nil {
		return found(err, sharing.ErrNotFound, "holding", holding)
	}
	return fmt.Errorf("%w: %q", sharing.ErrEnded, holding)
}

// AddTask implements sharing.CopyStore.
func (s *Sharing) AddTask(ctx context.Context, t sharing.Task, ev ledger.Event) (ledger.Receipt, error) {
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := live(ctx, tx, t.Holding, "UPDATE sharing_holding SET ended_at = NULL WHERE id = ? AND ended_at IS NULL", t.Holding); err != nil {
			return err
		}
		if err := noteStandings(ctx, tx, "id = ?", t.Holding); err != nil {
			return err
		}
		return insert(ctx, tx, &taskRow{
			ID: t.ID, Holding: t.Holding, Due: at(t.Due), Why: string(t.Why), Note: t.Note, By: t.By, At: at(t.At),
		}, sharing.ErrExists, sharing.ErrNotFound, "task", t.ID)
	}, fact{factHolding, t.Holding})
}

// endCopies makes a task for every copy that came under an agreement which ends
// before its time.
func endCopies(ctx context.Context, tx bun.Tx, agreement string, when time.Time) error {
	const kept = "id IN (SELECT holding FROM sharing_lineage WHERE agreement = ?) AND ended_at IS NULL"
	if _, err := tx.ExecContext(ctx, `INSERT INTO sharing_task (id, holding, due, why, note, made_by, made_at)
		SELECT ? || '/' || id, id, ?, ?, '', ?, ? FROM sharing_holding WHERE `+kept,
		agreement, at(when), string(sharing.WhyAgreement), agreement, at(when), agreement); err != nil {
		return fmt.Errorf("asking for the copies under %q: %w", agreement, err)
	}
	return noteStandings(ctx, tx, kept, agreement)
}

// CopiesOf implements sharing.CopyStore.
func (s *Sharing) CopiesOf(ctx context.Context, resource, after string, limit int) ([]sharing.Copy, error) {
	return s.copies(ctx, after, limit, "id IN (SELECT holding FROM sharing_lineage WHERE resource = ?)", resource)
}

// CopiesIn implements sharing.CopyStore.
func (s *Sharing) CopiesIn(ctx context.Context, system, after string, limit int) ([]sharing.Copy, error) {
	return s.copies(ctx, after, limit, "system = ?", system)
}

// copies go by id, which is the order in which they came (UUIDv7).
func (s *Sharing) copies(ctx context.Context, after string, limit int, where string, arg any) ([]sharing.Copy, error) {
	var rows []holdingRow
	if err := s.s.r.NewSelect().Model(&rows).Where(where, arg).Where("id > ?", after).OrderExpr("id").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading copies: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	tasks, err := list(ctx, s.s.r, taskRow.task, "made_at, id", "holding IN (?)", bun.List(ids))
	if err != nil {
		return nil, fmt.Errorf("reading tasks: %w", err)
	}
	ends, err := list(ctx, s.s.r, destructionRow.destruction, "holding", "holding IN (?)", bun.List(ids))
	if err != nil {
		return nil, fmt.Errorf("reading destructions: %w", err)
	}
	origins, err := originsOf(ctx, s.s.r, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]sharing.Copy, len(rows))
	for i, r := range rows {
		c := sharing.Copy{Holding: r.holding(origins[r.ID]), Due: utc(r.Until)}
		for _, t := range tasks {
			if t.Holding != r.ID {
				continue
			}
			c.Tasks = append(c.Tasks, t)
			if c.Due.IsZero() || t.Due.Before(c.Due) {
				c.Due = t.Due
			}
		}
		if k := slices.IndexFunc(ends, func(d sharing.Destruction) bool { return d.Holding == r.ID }); k >= 0 {
			c.Destruction = &ends[k]
		}
		out[i] = c
	}
	return out, nil
}

// MadeOf implements sharing.CopyStore.
func (s *Sharing) MadeOf(ctx context.Context, holding string) ([]string, error) {
	return list(ctx, s.s.r, func(r madeRow) string { return r.Holding }, "holding", "source = ?", holding)
}
