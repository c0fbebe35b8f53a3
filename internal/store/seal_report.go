package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

var _ life.Reports = (*Seals)(nil)

type compromiseRow struct {
	bun.BaseModel `bun:"table:seal_compromise"`

	KeyID    string                  `bun:"key_id,pk"`
	ID       string                  `bun:"id"`
	Revision int64                   `bun:"revision"`
	Since    bun.NullTime            `bun:"since"`
	Body     nested[life.Compromise] `bun:"body"`
}

func (r compromiseRow) compromise() life.Compromise { return r.Body.V }

// compromisedRow finds the report about a certificate.
type compromisedRow struct {
	bun.BaseModel `bun:"table:seal_compromised_cert"`

	SM3   string `bun:"sm3,pk"`
	KeyID string `bun:"key_id,pk"`
}

type noticeRow struct {
	bun.BaseModel `bun:"table:seal_notice"`

	ID             string           `bun:"id,pk"`
	Compromise     string           `bun:"compromise"`
	Unit           string           `bun:"unit"`
	Systems        nested[[]string] `bun:"systems"`
	Documents      nested[[]string] `bun:"documents"`
	State          string           `bun:"state"`
	At             bun.NullTime     `bun:"made_at"`
	DeliveredAt    bun.NullTime     `bun:"delivered_at"`
	AcknowledgedAt bun.NullTime     `bun:"acknowledged_at"`
	AcknowledgedBy string           `bun:"acknowledged_by"`
}

func (r noticeRow) notice() life.Notice {
	return life.Notice{
		ID: r.ID, Compromise: r.Compromise, Unit: r.Unit, Systems: r.Systems.V, Documents: r.Documents.V, State: life.NoticeState(r.State),
		At: utc(r.At), DeliveredAt: utc(r.DeliveredAt), AcknowledgedAt: utc(r.AcknowledgedAt), AcknowledgedBy: r.AcknowledgedBy,
	}
}

// PutCompromise implements life.Reports. A key that was reported while one of
// its seals changed is a conflict: no seal of it is left out.
func (s *Seals) PutCompromise(ctx context.Context, c life.Compromise, stops []life.Stop, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := putCompromise(ctx, tx, c); err != nil {
			return err
		}
		for _, p := range stops {
			if err := moveSeal(ctx, tx, p.Seal, p.Step, ev.ID); err != nil {
				return err
			}
		}
		n, err := tx.NewSelect().Model((*sealRow)(nil)).Where("key_id = ?", c.KeyID).Count(ctx)
		if err != nil {
			return fmt.Errorf("counting the seals of key %q: %w", c.KeyID, err)
		}
		if n != int64(len(stops)) {
			return fmt.Errorf("%w: key %q has %d seals, %d were stopped", life.ErrConflict, c.KeyID, n, len(stops))
		}
		return nil
	})
}

func putCompromise(ctx context.Context, tx bun.Tx, c life.Compromise) error {
	row := compromiseRow{KeyID: c.KeyID, ID: c.ID, Revision: c.Revision, Since: at(c.Since), Body: nested[life.Compromise]{c}}
	if c.Revision == 1 {
		if err := insert(ctx, tx, &row, life.ErrConflict, signer.ErrNotFound, "report about key", c.KeyID); err != nil {
			return err
		}
	} else {
		n, err := changed(ctx, tx, "UPDATE seal_compromise SET revision = ?, since = ?, body = ? WHERE key_id = ? AND id = ? AND revision = ?",
			row.Revision, row.Since, row.Body, c.KeyID, c.ID, c.Revision-1)
		if err != nil {
			return fmt.Errorf("writing the report about key %q: %w", c.KeyID, err)
		}
		if n != 1 {
			return fmt.Errorf("%w: report about key %q", life.ErrConflict, c.KeyID)
		}
	}
	for _, k := range c.Certificates {
		if _, err := one[compromisedRow](ctx, tx, "sm3 = ? AND key_id = ?", k.SM3, c.KeyID); err == nil {
			continue
		}
		if err := insert(ctx, tx, &compromisedRow{SM3: k.SM3, KeyID: c.KeyID}, life.ErrConflict, signer.ErrNotFound, "certificate", k.SM3); err != nil {
			return err
		}
	}
	return nil
}

// AddNotices implements life.Reports.
func (s *Seals) AddNotices(ctx context.Context, c life.Compromise, ns []life.Notice, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := putCompromise(ctx, tx, c); err != nil {
			return err
		}
		for _, n := range ns {
			if err := insert(ctx, tx, &noticeRow{
				ID: n.ID, Compromise: n.Compromise, Unit: n.Unit, Systems: nested[[]string]{n.Systems}, Documents: nested[[]string]{n.Documents},
				State: string(n.State), At: at(n.At),
			}, signer.ErrExists, signer.ErrNotFound, "notice", n.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// MoveNotice implements life.Reports. What a notice says never changes.
func (s *Seals) MoveNotice(ctx context.Context, n life.Notice, from life.NoticeState, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		k, err := changed(ctx, tx, "UPDATE seal_notice SET state = ?, delivered_at = ?, acknowledged_at = ?, acknowledged_by = ? WHERE id = ? AND state = ?",
			string(n.State), at(n.DeliveredAt), at(n.AcknowledgedAt), n.AcknowledgedBy, n.ID, string(from))
		if err != nil || k == 1 {
			return err
		}
		if _, err := one[noticeRow](ctx, tx, "id = ?", n.ID); err != nil {
			return found(err, signer.ErrNotFound, "notice", n.ID)
		}
		return fmt.Errorf("%w: notice %q is no longer %s", life.ErrConflict, n.ID, from)
	})
}

// Compromise implements life.Reports.
func (s *Seals) Compromise(ctx context.Context, keyID string) (life.Compromise, error) {
	r, err := one[compromiseRow](ctx, s.s.r, "key_id = ?", keyID)
	return r.compromise(), found(err, signer.ErrNotFound, "report about key", keyID)
}

// CompromisedSince implements life.Reports: the earliest moment that any report
// names.
func (s *Seals) CompromisedSince(ctx context.Context, certSM3 string) (time.Time, error) {
	var r compromiseRow
	err := s.s.r.NewSelect().Model(&r).Where("key_id IN (SELECT key_id FROM seal_compromised_cert WHERE sm3 = ?)", certSM3).
		OrderExpr("since").Limit(1).Scan(ctx)
	if err = found(err, signer.ErrNotFound, "report about certificate", certSM3); errors.Is(err, signer.ErrNotFound) {
		return time.Time{}, nil
	}
	return utc(r.Since), err
}

// Compromises implements life.Reports.
func (s *Seals) Compromises(ctx context.Context) ([]life.Compromise, error) {
	return list(ctx, s.s.r, compromiseRow.compromise, "id DESC", "revision > 0")
}

// Notices implements life.Reports.
func (s *Seals) Notices(ctx context.Context, q life.NoticeQuery) ([]life.Notice, error) {
	var rows []noticeRow
	sel := s.s.r.NewSelect().Model(&rows).OrderExpr("id DESC")
	for column, v := range map[string]string{"id": q.ID, "unit": q.Unit, "compromise": q.Compromise} {
		if v != "" {
			sel = sel.Where("? = ?", bun.Ident(column), v)
		}
	}
	if len(q.States) > 0 {
		sel = sel.Where("state IN (?)", bun.List(q.States))
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]life.Notice, len(rows))
	for i, r := range rows {
		out[i] = r.notice()
	}
	return out, nil
}
