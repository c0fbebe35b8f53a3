package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

var _ sharing.ApplicationStore = (*Sharing)(nil)

type applicationRow struct {
	bun.BaseModel `bun:"table:sharing_application"`

	ID       string                      `bun:"id,pk"`
	Consumer string                      `bun:"consumer"`
	Provider string                      `bun:"provider"`
	Revision int64                       `bun:"revision"`
	Body     nested[sharing.Application] `bun:"body"`
	AskedAt  bun.NullTime                `bun:"asked_at"`
}

func (r applicationRow) application() sharing.Application { return r.Body.V }

// AddApplication implements sharing.ApplicationStore.
func (s *Sharing) AddApplication(ctx context.Context, a sharing.Application, ev ledger.Event) (ledger.Receipt, error) {
	if a.State != sharing.ApplicationAsked || a.Revision != 1 {
		return ledger.Receipt{}, fmt.Errorf("%w: %q starts as %q, revision %d", sharing.ErrApplication, a.ID, a.State, a.Revision)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &applicationRow{
			ID: a.ID, Consumer: string(a.Consumer), Provider: string(a.Provider), Revision: 1, Body: nested[sharing.Application]{a}, AskedAt: at(a.AskedAt),
		}, sharing.ErrExists, sharing.ErrNotFound, "application", a.ID)
	})
}

// MoveApplication implements sharing.ApplicationStore.
func (s *Sharing) MoveApplication(ctx context.Context, a sharing.Application, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE sharing_application SET provider = ?, revision = ?, body = ? WHERE id = ? AND revision = ?",
			string(a.Provider), a.Revision, nested[sharing.Application]{a}, a.ID, a.Revision-1)
		if err != nil || n == 1 {
			return err
		}
		now, err := one[applicationRow](ctx, tx, "id = ?", a.ID)
		if err != nil {
			return found(err, sharing.ErrNotFound, "application", a.ID)
		}
		return fmt.Errorf("%w: %q is at revision %d, not %d", sharing.ErrApplication, a.ID, now.Revision, a.Revision-1)
	})
}

// Application implements sharing.ApplicationStore.
func (s *Sharing) Application(ctx context.Context, id string) (sharing.Application, error) {
	r, err := one[applicationRow](ctx, s.s.r, "id = ?", id)
	return r.application(), found(err, sharing.ErrNotFound, "application", id)
}

// Applications implements sharing.ApplicationStore.
func (s *Sharing) Applications(ctx context.Context, unit identity.USCC) ([]sharing.Application, error) {
	return list(ctx, s.s.r, applicationRow.application, "asked_at DESC, id DESC", "? = '' OR consumer = ? OR provider = ?", string(unit), string(unit), string(unit))
}
