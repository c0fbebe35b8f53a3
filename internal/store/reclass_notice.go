package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

type reclassNoticeRow struct {
	bun.BaseModel `bun:"table:reclass_notice"`

	ID       string                 `bun:"id,pk"`
	Act      string                 `bun:"act"`
	Holding  string                 `bun:"holding"`
	System   string                 `bun:"system"`
	Agency   string                 `bun:"agency"`
	Kind     string                 `bun:"kind"`
	Labels   nested[[2]level.Label] `bun:"labels"` // before and after
	Due      bun.NullTime           `bun:"due"`
	DoneAt   bun.NullTime           `bun:"done_at"`
	DoneBy   string                 `bun:"done_by"`
	Evidence string                 `bun:"evidence"`
	Note     string                 `bun:"note"`
}

func (r reclassNoticeRow) notice() reclass.Notice {
	return reclass.Notice{
		ID: r.ID, Act: r.Act, Holding: r.Holding, System: r.System, Agency: identity.USCC(r.Agency), Kind: r.Kind, Before: r.Labels.V[0], After: r.Labels.V[1],
		Due: utc(r.Due), DoneAt: utc(r.DoneAt), DoneBy: r.DoneBy, Evidence: r.Evidence, Note: r.Note,
	}
}

// carries says whether the grade in force of a system carries a label; a system
// without a grade carries nothing.
func carries(ctx context.Context, tx bun.Tx, system string, l level.Label) (bool, error) {
	g, err := inForce(ctx, tx, system)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the grade of %q: %w", system, err)
	}
	return g.record().Grade.Carries(l), nil
}

// mayStay takes back the tasks that notices made: the copy's system carries its
// label by now. What its provider or an agreement asks for stands.
func mayStay(ctx context.Context, tx bun.Tx, holding string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM sharing_task WHERE holding = ? AND id IN (SELECT id FROM reclass_notice WHERE holding = ?)", holding, holding); err != nil {
		return fmt.Errorf("taking back the tasks of %q: %w", holding, err)
	}
	return nil
}

// destroyed answers what is still asked about a copy by the statement of its system.
func destroyed(ctx context.Context, tx bun.Tx, d sharing.Destruction) error {
	if _, err := tx.ExecContext(ctx, "UPDATE reclass_notice SET done_at = ?, done_by = ?, evidence = ?, note = ? WHERE holding = ? AND done_at IS NULL",
		at(d.RecordedAt), d.System, d.Digest(), d.Method, d.Holding); err != nil {
		return fmt.Errorf("answering the notices about %q: %w", d.Holding, err)
	}
	return nil
}

// Done implements reclass.Store. Whether a copy is still where it must not be is
// asked of the register, in the same transaction.
func (s *Reclass) Done(ctx context.Context, n reclass.Notice, ev ledger.Event) (ledger.Receipt, error) {
	was, err := s.Notice(ctx, n.ID) // but for its answer it never changes
	if err != nil {
		return ledger.Receipt{}, err
	}
	answer := func(ctx context.Context, tx bun.Tx) error {
		moved, err := changed(ctx, tx, "UPDATE reclass_notice SET done_at = ?, done_by = ?, evidence = ?, note = ? WHERE id = ? AND done_at IS NULL",
			at(n.DoneAt), n.DoneBy, n.Evidence, n.Note, n.ID)
		if err == nil && moved != 1 {
			err = fmt.Errorf("%w: notice %q was answered", reclass.ErrState, n.ID)
		}
		return err
	}
	if was.Kind == reclass.Relabel {
		return s.commit(ctx, ev, answer)
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		h, err := one[holdingRow](ctx, tx, "id = ?", was.Holding)
		if err != nil {
			return found(err, reclass.ErrNotFound, "holding", was.Holding)
		}
		if utc(h.Ended).IsZero() { // else its statement answered, and the update finds nothing
			carried, err := carries(ctx, tx, h.System, h.label())
			if err != nil {
				return err
			}
			if !carried {
				return fmt.Errorf("%w: %q on %q", reclass.ErrKept, was.Holding, h.System)
			}
			if err := mayStay(ctx, tx, was.Holding); err != nil {
				return err
			}
		}
		if err := noteStandings(ctx, tx, "id = ?", was.Holding); err != nil {
			return err
		}
		return answer(ctx, tx)
	}, fact{factHolding, was.Holding})
}

// Act implements reclass.Store.
func (s *Reclass) Act(ctx context.Context, id string) (reclass.Act, error) {
	r, err := one[reclassRow](ctx, s.s.r, "id = ?", id)
	return r.change(), found(err, reclass.ErrNotFound, "act", id)
}

// ActsOf implements reclass.Store.
func (s *Reclass) ActsOf(ctx context.Context, provider identity.USCC) ([]reclass.Act, error) {
	return list(ctx, s.s.r, reclassRow.change, "asked_at DESC, id DESC", "? = '' OR provider = ?", string(provider), string(provider))
}

// Notice implements reclass.Store.
func (s *Reclass) Notice(ctx context.Context, id string) (reclass.Notice, error) {
	r, err := one[reclassNoticeRow](ctx, s.s.r, "id = ?", id)
	return r.notice(), found(err, reclass.ErrNotFound, "notice", id)
}

// NoticesTo implements reclass.Store; ids of acts are in the order of time.
func (s *Reclass) NoticesTo(ctx context.Context, unit identity.USCC) ([]reclass.Notice, error) {
	return list(ctx, s.s.r, reclassNoticeRow.notice, "id DESC", "agency = ?", string(unit))
}

// NoticesOf implements reclass.Store.
func (s *Reclass) NoticesOf(ctx context.Context, change string) ([]reclass.Notice, error) {
	return list(ctx, s.s.r, reclassNoticeRow.notice, "id", "act = ?", change)
}

// NoticesOn implements reclass.Store.
func (s *Reclass) NoticesOn(ctx context.Context, system, after string, limit int) ([]reclass.Notice, error) {
	var rows []reclassNoticeRow
	if err := s.s.r.NewSelect().Model(&rows).Where("system = ? AND id > ?", system, after).OrderExpr("id").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the notices on %q: %w", system, err)
	}
	out := make([]reclass.Notice, len(rows))
	for i, r := range rows {
		out[i] = r.notice()
	}
	return out, nil
}
