package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

type useRow struct {
	bun.BaseModel `bun:"table:seal_use"`

	ID        string       `bun:"id,pk"`
	Seal      string       `bun:"seal"`
	Document  string       `bun:"document"`
	Title     string       `bun:"title"`
	Requester string       `bun:"requester"`
	State     string       `bun:"state"`
	Approval  string       `bun:"approval"`
	Sealed    string       `bun:"sealed"`
	CreatedAt bun.NullTime `bun:"created_at"`
	SealedAt  bun.NullTime `bun:"sealed_at"`

	Ask   *useAskRow   `bun:"rel:has-one,join:id=seal_use"`
	Place *usePlaceRow `bun:"rel:has-one,join:id=use_id"`
	Item  *useItemRow  `bun:"rel:has-one,join:id=use_id"`
}

// useAskRow is the rest of a use; see lifeRow. TakenAt is what quotas count.
type useAskRow struct {
	bun.BaseModel `bun:"table:seal_use_ask"`

	Use        string       `bun:"seal_use,pk"`
	Seal       string       `bun:"of_seal"`
	Type       string       `bun:"type"`
	Purpose    string       `bun:"purpose"`
	ApprovedAt bun.NullTime `bun:"approved_at"`
	TakenAt    bun.NullTime `bun:"taken_at"`
}

// usePlaceRow is where the stamp goes; uses of an earlier version have none.
type usePlaceRow struct {
	bun.BaseModel `bun:"table:seal_use_place"`

	Use  string                   `bun:"use_id,pk"`
	Body nested[signer.Placement] `bun:"body"`
}

func (r useRow) use() signer.Use {
	u := signer.Use{
		ID: r.ID, Seal: r.Seal, Document: r.Document, Title: r.Title, Requester: r.Requester, State: signer.UseState(r.State),
		Approval: r.Approval, Sealed: r.Sealed, CreatedAt: utc(r.CreatedAt), SealedAt: utc(r.SealedAt),
	}
	if a := r.Ask; a != nil {
		u.Type, u.Purpose, u.ApprovedAt, u.TakenAt = a.Type, a.Purpose, utc(a.ApprovedAt), utc(a.TakenAt)
	}
	if p := r.Place; p != nil {
		u.Place = &p.Body.V
	}
	if i := r.Item; i != nil {
		u.Batch = i.Batch
	}
	return u
}

// AddUse implements signer.Register.
func (s *Seals) AddUse(ctx context.Context, u signer.Use, ev ledger.Event) (ledger.Receipt, error) {
	if u.State != signer.UseRequested {
		return ledger.Receipt{}, fmt.Errorf("%w: use %q starts as %q", signer.ErrNotApproved, u.ID, u.State)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := addUse(ctx, tx, u); err != nil {
			return err
		}
		return addCitations(ctx, tx, u)
	})
}

// addUse writes a use without what it quotes.
func addUse(ctx context.Context, tx bun.Tx, u signer.Use) error {
	row, ask := toUseRows(u)
	if err := insert(ctx, tx, &row, signer.ErrExists, signer.ErrNotFound, "use of seal", u.ID); err != nil {
		return err
	}
	if err := insert(ctx, tx, &ask, signer.ErrExists, signer.ErrNotFound, "use of seal", u.ID); err != nil {
		return err
	}
	if u.Place == nil {
		return nil
	}
	return insert(ctx, tx, &usePlaceRow{Use: u.ID, Body: nested[signer.Placement]{*u.Place}}, signer.ErrExists, signer.ErrNotFound, "place of use", u.ID)
}

func toUseRows(u signer.Use) (useRow, useAskRow) {
	return useRow{
		ID: u.ID, Seal: u.Seal, Document: u.Document, Title: u.Title, Requester: u.Requester, State: string(u.State),
		Approval: u.Approval, Sealed: u.Sealed, CreatedAt: at(u.CreatedAt), SealedAt: at(u.SealedAt),
	}, useAskRow{Use: u.ID, Seal: u.Seal, Type: u.Type, Purpose: u.Purpose}
}

// MoveUse implements signer.Register. It writes State, Approval, Sealed and the
// moments; what was asked for never changes.
func (s *Seals) MoveUse(ctx context.Context, u signer.Use, from signer.UseState, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		was, err := one[useRow](ctx, tx, "id = ?", u.ID)
		if err != nil {
			return found(err, signer.ErrNotFound, "use of seal", u.ID)
		}
		if u.State == signer.UseSealing {
			if err := admit(ctx, tx, was, u.TakenAt); err != nil {
				return err
			}
		}
		n, err := changed(ctx, tx, `UPDATE seal_use SET state = ?, approval = ?, sealed = ?, sealed_at = ?
			WHERE id = ? AND state = ?`, string(u.State), u.Approval, u.Sealed, at(u.SealedAt), u.ID, string(from))
		if err != nil {
			return fmt.Errorf("writing use of seal %q: %w", u.ID, err)
		}
		if n != 1 {
			return fmt.Errorf("%w: use %q is no longer %s", signer.ErrNotApproved, u.ID, from)
		}
		if _, err = changed(ctx, tx, "UPDATE seal_use_ask SET approved_at = ?, taken_at = ? WHERE seal_use = ?", at(u.ApprovedAt), at(u.TakenAt), u.ID); err != nil {
			return fmt.Errorf("writing use of seal %q: %w", u.ID, err)
		}
		return moveListed(ctx, tx, u)
	})
}

// admit locks the seal, so that uses of it are counted one after the other and
// none beside its suspension, and asks again whether this one may be.
func admit(ctx context.Context, tx bun.Tx, u useRow, when time.Time) error {
	if _, err := changed(ctx, tx, "UPDATE seal_life SET revision = revision WHERE seal = ?", u.Seal); err != nil {
		return fmt.Errorf("locking seal %q: %w", u.Seal, err)
	}
	e, err := sealOf(ctx, tx, u.Seal)
	if err != nil {
		return err
	}
	all, window := e.Counted(when)
	taken, err := takenIn(ctx, tx, u.Seal, all, window)
	if err != nil {
		return err
	}
	return e.Admit(u.Requester, when, taken)
}

// Taken implements signer.Register.
func (s *Seals) Taken(ctx context.Context, seal string, all, window time.Time) (signer.Taken, error) {
	return takenIn(ctx, s.s.r, seal, all, window)
}

func takenIn(ctx context.Context, db bun.IDB, seal string, all, window time.Time) (t signer.Taken, err error) {
	for _, c := range []struct {
		since time.Time
		into  *int
	}{{all, &t.All}, {window, &t.Window}} {
		q := db.NewSelect().Model((*useAskRow)(nil)).Where("of_seal = ? AND taken_at IS NOT NULL", seal)
		if !c.since.IsZero() {
			q = q.Where("taken_at >= ?", at(c.since).Time)
		}
		n, err := q.Count(ctx)
		if err != nil {
			return signer.Taken{}, fmt.Errorf("counting the uses of seal %q: %w", seal, err)
		}
		*c.into = int(n)
	}
	return t, nil
}

// Use implements signer.Register.
func (s *Seals) Use(ctx context.Context, id string) (signer.Use, error) {
	all, err := s.uses(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("use_row.id = ?", id) })
	if err != nil {
		return signer.Use{}, fmt.Errorf("reading use of seal %q: %w", id, err)
	}
	if len(all) == 0 {
		return signer.Use{}, fmt.Errorf("%w: use of seal %q", signer.ErrNotFound, id)
	}
	return s.whole(ctx, all[0])
}

func (s *Seals) uses(ctx context.Context, more func(*bun.SelectQuery) *bun.SelectQuery) ([]signer.Use, error) {
	var rows []useRow
	if err := more(s.s.r.NewSelect().Model(&rows).Relation("Ask").Relation("Place").Relation("Item")).OrderExpr("use_row.id DESC").Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]signer.Use, len(rows))
	for i, r := range rows {
		out[i] = r.use()
	}
	return out, nil
}

// Uses implements signer.Register.
func (s *Seals) Uses(ctx context.Context, q signer.UseQuery) ([]signer.Use, error) {
	return s.uses(ctx, func(sel *bun.SelectQuery) *bun.SelectQuery {
		if q.Unit != "" {
			sel = sel.Where("use_row.seal IN (SELECT id FROM seal WHERE unit = ?)", q.Unit)
		}
		if len(q.Seals) > 0 {
			sel = sel.Where("use_row.seal IN (?)", bun.List(q.Seals))
		}
		if len(q.States) > 0 {
			sel = sel.Where("use_row.state IN (?)", bun.List(q.States))
		}
		if q.Requester != "" {
			sel = sel.Where("use_row.requester = ?", q.Requester)
		}
		if q.Heads {
			sel = sel.Where("item.use_id IS NULL")
		}
		if !q.Since.IsZero() {
			sel = sel.Where("ask.taken_at >= ?", at(q.Since).Time)
		}
		if q.Before != "" {
			sel = sel.Where("use_row.id < ?", q.Before)
		}
		if q.Limit > 0 {
			sel = sel.Limit(int64(q.Limit))
		}
		return sel
	})
}
