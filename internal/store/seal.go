package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// Seals is the register of seals and of their uses.
type Seals struct{ acts }

var _ signer.Register = (*Seals)(nil)

type sealRow struct {
	bun.BaseModel `bun:"table:seal"`

	ID         string       `bun:"id,pk"`
	Unit       string       `bun:"unit"`
	Name       string       `bun:"name"`
	DER        []byte       `bun:"der"`
	CertDER    []byte       `bun:"cert_der"`
	KeyID      string       `bun:"key_id"`
	State      string       `bun:"state"`
	ValidFrom  bun.NullTime `bun:"valid_from"`
	ValidUntil bun.NullTime `bun:"valid_until"`
	Drawn      bool         `bun:"drawn"`
	CreatedAt  bun.NullTime `bun:"created_at"`
}

func (r sealRow) seal() signer.Seal {
	return signer.Seal{
		ID: r.ID, Unit: r.Unit, Name: r.Name, DER: r.DER, CertDER: r.CertDER, KeyID: r.KeyID, State: signer.SealState(r.State),
		ValidFrom: utc(r.ValidFrom), ValidUntil: utc(r.ValidUntil), Drawn: r.Drawn, CreatedAt: utc(r.CreatedAt),
	}
}

// AddSeal implements signer.Register.
func (s *Seals) AddSeal(ctx context.Context, e signer.Seal, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &sealRow{
			ID: e.ID, Unit: e.Unit, Name: e.Name, DER: e.DER, CertDER: e.CertDER, KeyID: e.KeyID, State: string(e.State),
			ValidFrom: at(e.ValidFrom), ValidUntil: at(e.ValidUntil), Drawn: e.Drawn, CreatedAt: at(e.CreatedAt),
		}, signer.ErrExists, signer.ErrNotFound, "seal", e.ID)
	})
}

// SetSealState implements signer.Register: active ⇄ suspended → cancelled, and
// cancelled is the end. Any other move is ErrSealState.
func (s *Seals) SetSealState(ctx context.Context, id string, to signer.SealState, ev ledger.Event) (ledger.Receipt, error) {
	from := []signer.SealState{signer.SealActive, signer.SealSuspended}
	switch to {
	case signer.SealCancelled:
	case signer.SealSuspended:
		from = from[:1]
	case signer.SealActive:
		from = from[1:]
	default:
		return ledger.Receipt{}, fmt.Errorf("%w: nothing becomes %q", signer.ErrSealState, to)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE seal SET state = ? WHERE id = ? AND state IN (?)", string(to), id, bun.List(from))
		if err != nil || n == 1 {
			return err
		}
		now, err := one[sealRow](ctx, tx, "id = ?", id)
		if err != nil {
			return found(err, signer.ErrNotFound, "seal", id)
		}
		return fmt.Errorf("%w: %q is %s and cannot become %s", signer.ErrSealState, id, now.State, to)
	})
}

// Seal implements signer.Register.
func (s *Seals) Seal(ctx context.Context, id string) (signer.Seal, error) {
	r, err := one[sealRow](ctx, s.s.r, "id = ?", id)
	return r.seal(), found(err, signer.ErrNotFound, "seal", id)
}

// SealsOf implements signer.Register.
func (s *Seals) SealsOf(ctx context.Context, unit string) ([]signer.Seal, error) {
	return list(ctx, s.s.r, sealRow.seal, "id", "unit = ?", unit)
}

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
}

func (r useRow) use() signer.Use {
	return signer.Use{
		ID: r.ID, Seal: r.Seal, Document: r.Document, Title: r.Title, Requester: r.Requester, State: signer.UseState(r.State),
		Approval: r.Approval, Sealed: r.Sealed, CreatedAt: utc(r.CreatedAt), SealedAt: utc(r.SealedAt),
	}
}

func toUseRow(u signer.Use) useRow {
	return useRow{
		ID: u.ID, Seal: u.Seal, Document: u.Document, Title: u.Title, Requester: u.Requester, State: string(u.State),
		Approval: u.Approval, Sealed: u.Sealed, CreatedAt: at(u.CreatedAt), SealedAt: at(u.SealedAt),
	}
}

// AddUse implements signer.Register. A use starts as requested, else it is
// refused with ErrNotApproved; its seal must be registered.
func (s *Seals) AddUse(ctx context.Context, u signer.Use, ev ledger.Event) (ledger.Receipt, error) {
	if u.State != signer.UseRequested {
		return ledger.Receipt{}, fmt.Errorf("%w: use %q starts as %q", signer.ErrNotApproved, u.ID, u.State)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		row := toUseRow(u)
		if err := insert(ctx, tx, &row, signer.ErrExists, signer.ErrNotFound, "use of seal", u.ID); err != nil {
			return err
		}
		return addCitations(ctx, tx, u)
	})
}

// MoveUse implements signer.Register. It writes State, Approval, Sealed and
// SealedAt; what was asked for never changes.
func (s *Seals) MoveUse(ctx context.Context, u signer.Use, from signer.UseState, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE seal_use SET state = ?, approval = ?, sealed = ?, sealed_at = ?
			WHERE id = ? AND state = ?`, string(u.State), u.Approval, u.Sealed, at(u.SealedAt), u.ID, string(from))
		if err != nil {
			return err
		}
		if n == 1 {
			return moveListed(ctx, tx, u)
		}
		now, err := one[useRow](ctx, tx, "id = ?", u.ID)
		if err != nil {
			return found(err, signer.ErrNotFound, "use of seal", u.ID)
		}
		return fmt.Errorf("%w: use %q is %s, not %s", signer.ErrNotApproved, u.ID, now.State, from)
	})
}

// Use implements signer.Register.
func (s *Seals) Use(ctx context.Context, id string) (signer.Use, error) {
	r, err := one[useRow](ctx, s.s.r, "id = ?", id)
	if err != nil {
		return signer.Use{}, found(err, signer.ErrNotFound, "use of seal", id)
	}
	return s.whole(ctx, r.use())
}
