package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/closing"
)

// Closing keeps what two persons said about the end of the service.
type Closing struct{ acts }

var _ closing.Store = (*Closing)(nil)

// closingRow holds what was asked, and signed, as one body that never changes.
type closingRow struct {
	bun.BaseModel `bun:"table:ca_closing"`

	ID        string              `bun:"id,pk"`
	Kind      string              `bun:"kind"`
	Body      nested[closing.Act] `bun:"body"`
	EndsAt    bun.NullTime        `bun:"ends_at"`
	AskedAt   bun.NullTime        `bun:"asked_at"`
	State     string              `bun:"state"`
	Approval  string              `bun:"approval"`
	SettledAt bun.NullTime        `bun:"settled_at"`
}

func (r closingRow) told() closing.Act {
	a := r.Body.V
	a.State, a.Approval, a.SettledAt = closing.State(r.State), r.Approval, utc(r.SettledAt)
	return a
}

// AddAct implements closing.Store. Of two proposals at once the index of open
// ones refuses one.
func (c *Closing) AddAct(ctx context.Context, a closing.Act, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &closingRow{
			ID: a.ID, Kind: string(a.Kind), Body: nested[closing.Act]{a}, EndsAt: at(a.At), AskedAt: at(a.AskedAt), State: string(closing.Proposed),
		}, closing.ErrOpen, closing.ErrNotFound, "closing act", a.ID)
	})
}

// SettleAct implements closing.Store.
func (c *Closing) SettleAct(ctx context.Context, a closing.Act, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE ca_closing SET state = ?, approval = ?, settled_at = ? WHERE id = ? AND state = ?",
			string(a.State), a.Approval, at(a.SettledAt), a.ID, string(closing.Proposed))
		switch {
		case isDuplicate(err):
			return fmt.Errorf("%w: an announcement is in force", closing.ErrState)
		case err != nil:
			return fmt.Errorf("settling closing act %q: %w", a.ID, err)
		case n != 1:
			if _, err := one[closingRow](ctx, tx, "id = ?", a.ID); err != nil {
				return found(err, closing.ErrNotFound, "closing act", a.ID)
			}
			return fmt.Errorf("%w: closing act %q was settled", closing.ErrState, a.ID)
		case a.Kind == closing.Announcement || a.State != closing.InForce:
			return nil
		}
		// What it is about has to be in force still; a withdrawal ends that.
		of := closing.InForce
		if a.Kind == closing.Withdrawal {
			of = closing.Withdrawn
		}
		n, err = changed(ctx, tx, "UPDATE ca_closing SET state = ? WHERE id = ? AND kind = ? AND state = ?",
			string(of), a.Of, string(closing.Announcement), string(closing.InForce))
		if err == nil && n != 1 {
			err = fmt.Errorf("%w: announcement %q is not in force", closing.ErrState, a.Of)
		}
		return err
	})
}

// Act implements closing.Store.
func (c *Closing) Act(ctx context.Context, id string) (closing.Act, error) {
	r, err := one[closingRow](ctx, c.s.r, "id = ?", id)
	return r.told(), found(err, closing.ErrNotFound, "closing act", id)
}

// Acts implements closing.Store.
func (c *Closing) Acts(ctx context.Context) ([]closing.Act, error) {
	return list(ctx, c.s.r, closingRow.told, "asked_at, id", "1 = 1")
}

// withinEnd refuses certificates that outlive the announced end of the service,
// in the transaction that records them: whoever read before the announcement
// was approved is too late all the same.
func (s *Store) withinEnd(certs []certificateRow) statement {
	last := slices.MaxFunc(certs, func(a, b certificateRow) int { return a.NotAfter.Compare(b.NotAfter.Time) }).NotAfter
	announced := "SELECT ends_at FROM ca_closing WHERE kind = ? AND state = ?"
	of := []any{string(closing.Announcement), string(closing.InForce)}
	return statement{
		sql: s.format(announced+" AND ends_at <= ?", append(of, last)...), none: true,
		refused: func(ctx context.Context, tx bun.Tx, err error) error {
			var row closingRow
			if err == nil {
				row, err = one[closingRow](ctx, tx, "kind = ? AND state = ?", of...)
			}
			if err != nil {
				return fmt.Errorf("reading whether the service ends: %w", err)
			}
			return fmt.Errorf("certificate %q: %w", certs[0].Serial, &ca.ClosingError{Until: utc(row.EndsAt)})
		},
	}
}

// LastEnd is when the last certificate of an issuer ends that was ever handed
// out; zero: there is none.
func (c *CA) LastEnd(ctx context.Context, issuer string) (time.Time, error) {
	var rows []certificateRow
	err := c.s.r.NewSelect().Model(&rows).Column("not_after").Where("issuer = ? AND der IS NOT NULL", issuer).OrderExpr("not_after DESC").Limit(1).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return utc(rows[0].NotAfter), nil
}

// holderRow is one of several certificates of a holder.
type holderRow struct {
	Kind   string `bun:"kind"`
	System string `bun:"system"`
	Person string `bun:"person"`
	Agency string `bun:"agency"`
}

func (r holderRow) holder() closing.Holder {
	switch ca.Kind(r.Kind) {
	case ca.KindSeal:
		return closing.Holder{Kind: closing.HolderUnit, ID: r.Agency, Agency: r.Agency}
	case ca.KindPerson:
		return closing.Holder{Kind: closing.HolderPerson, ID: r.Person, Agency: r.Agency}
	}
	return closing.Holder{Kind: closing.HolderSystem, ID: r.System, Agency: r.Agency}
}

// Holders implements closing.Store. One that is held may be resumed: its holder
// is told as well.
func (c *Closing) Holders(ctx context.Context, when time.Time) ([]closing.Holder, error) {
	kinds := []ca.Kind{ca.KindECDSA, ca.KindSM2Sign, ca.KindECDSATest, ca.KindSM2SignTest, ca.KindSeal, ca.KindPerson}
	var rows []holderRow
	err := c.s.r.NewRaw(`SELECT DISTINCT kind, system, person, agency FROM ca_certificate
		WHERE kind IN (?) AND state IN (?) AND not_after > ? ORDER BY agency, system, person, kind`,
		bun.List(kinds), bun.List([]ca.State{ca.StateGood, ca.StateHold}), at(when)).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading holders of certificates: %w", err)
	}
	var out []closing.Holder
	seen := map[closing.Holder]bool{}
	for _, r := range rows {
		if h := r.holder(); !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return out, nil
}

type closingNoticeRow struct {
	bun.BaseModel `bun:"table:ca_closing_notice"`

	Announcement string       `bun:"announcement,pk"`
	HolderKind   string       `bun:"holder_kind,pk"`
	Holder       string       `bun:"holder,pk"`
	Agency       string       `bun:"agency,pk"`
	State        string       `bun:"state"`
	MadeAt       bun.NullTime `bun:"made_at"`
	DeliveredAt  bun.NullTime `bun:"delivered_at"`
	SeenAt       bun.NullTime `bun:"seen_at"`
	SeenBy       string       `bun:"seen_by"`
}

func (r closingNoticeRow) notice() closing.NoticeTo {
	return closing.NoticeTo{
		Announcement: r.Announcement, Holder: closing.Holder{Kind: closing.HolderKind(r.HolderKind), ID: r.Holder, Agency: r.Agency},
		State: closing.NoticeState(r.State), At: utc(r.MadeAt), DeliveredAt: utc(r.DeliveredAt), SeenAt: utc(r.SeenAt), SeenBy: r.SeenBy,
	}
}

// AddNotices implements closing.Store.
func (c *Closing) AddNotices(ctx context.Context, all []closing.NoticeTo, ev ledger.Event) (ledger.Receipt, error) {
	if len(all) == 0 {
		return ledger.Receipt{}, errors.New("store: no notices")
	}
	rows := make([]closingNoticeRow, len(all))
	for i, n := range all {
		rows[i] = closingNoticeRow{
			Announcement: n.Announcement, HolderKind: string(n.Holder.Kind), Holder: n.Holder.ID, Agency: n.Holder.Agency,
			State: string(closing.NoticePending), MadeAt: at(n.At),
		}
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&rows).Exec(ctx)
		return refusedInsert(err, closing.ErrExists, closing.ErrNotFound, "notices of", all[0].Announcement)
	})
}

// MoveNotice implements closing.Store.
func (c *Closing) MoveNotice(ctx context.Context, n closing.NoticeTo, from closing.NoticeState, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		moved, err := changed(ctx, tx, `UPDATE ca_closing_notice SET state = ?, delivered_at = ?, seen_at = ?, seen_by = ?
			WHERE announcement = ? AND holder_kind = ? AND holder = ? AND agency = ? AND state = ?`,
			string(n.State), at(n.DeliveredAt), at(n.SeenAt), n.SeenBy, n.Announcement, string(n.Holder.Kind), n.Holder.ID, n.Holder.Agency, string(from))
		if err == nil && moved != 1 {
			err = fmt.Errorf("%w: notice to %q is not %s", closing.ErrState, n.Holder.ID, from)
		}
		return err
	})
}

// Notices implements closing.Store.
func (c *Closing) Notices(ctx context.Context, announcement string) ([]closing.NoticeTo, error) {
	return list(ctx, c.s.r, closingNoticeRow.notice, "agency, holder_kind, holder", "announcement = ?", announcement)
}
