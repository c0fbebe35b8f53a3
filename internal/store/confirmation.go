package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

var _ exchange.Confirmations = (*Transfers)(nil)

// confirmationRow is what a platform said it did under a decision. It never changes.
type confirmationRow struct {
	bun.BaseModel `bun:"table:exchange_confirmation"`

	Decision string                        `bun:"decision,pk"`
	System   string                        `bun:"system"`
	Body     nested[exchange.Confirmation] `bun:"body"`
}

// AddConfirmation implements exchange.Confirmations.
func (x *Transfers) AddConfirmation(ctx context.Context, c exchange.Confirmation, ev ledger.Event) (ledger.Receipt, error) {
	return x.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &confirmationRow{Decision: c.Decision, System: c.System, Body: nested[exchange.Confirmation]{c}},
			exchange.ErrConfirmed, exchange.ErrNotFound, "confirmation", c.Decision)
	})
}

// Confirmation implements exchange.Confirmations.
func (x *Transfers) Confirmation(ctx context.Context, decision string) (exchange.Confirmation, error) {
	r, err := one[confirmationRow](ctx, x.s.r, "decision = ?", decision)
	return r.Body.V, found(err, exchange.ErrNotFound, "confirmation", decision)
}
