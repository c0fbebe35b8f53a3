package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// carrierRow is a system on the way of a transfer.
type carrierRow struct {
	bun.BaseModel `bun:"table:transfer_carrier"`

	Transfer string `bun:"transfer,pk"`
	System   string `bun:"system,pk"`
}

func writeCarriers(ctx context.Context, tx bun.Tx, t exchange.Transfer) error {
	for _, system := range slices.Compact(slices.Sorted(slices.Values(t.Carriers))) {
		if err := insert(ctx, tx, &carrierRow{Transfer: t.ID, System: system}, exchange.ErrState, exchange.ErrNotFound, "carrier of", t.ID); err != nil {
			return err
		}
	}
	return nil
}

// inTransit is what a system provides, receives or carries and what is not received
// yet (西政办发〔2014〕14号 art. 30).
const inTransit = "state IN (?, ?) AND (from_system = ? OR to_system = ? OR id IN (SELECT transfer FROM transfer_carrier WHERE system = ?))"

func transitArgs(system string) []any {
	return []any{string(exchange.StateSent), string(exchange.StateFetched), system, system, system}
}

// served is what a system carries for its provider, as the catalogue says.
const served = "id IN (SELECT resource FROM catalogue_system WHERE system = ?)"

// Carried is what is on its way from, to and through a system, by the id of the
// transfer, and what it serves, by the id of the resource, as if it were held there.
func (x *Transfers) Carried(ctx context.Context, system string) ([]sharing.Holding, error) {
	out, err := list(ctx, x.s.r, func(r transferRow) sharing.Holding {
		return sharing.Holding{ID: r.ID, System: system, Agency: identity.USCC(r.Sender), Resource: r.Resource, Agreement: r.Agreement, Label: r.label(), Transfer: r.ID}
	}, "sent_at, id", inTransit, transitArgs(system)...)
	if err != nil {
		return nil, fmt.Errorf("reading what %q carries: %w", system, err)
	}
	own, err := list(ctx, x.s.r, func(r resourceRow) sharing.Holding {
		return sharing.Holding{ID: r.ID, System: system, Agency: identity.USCC(r.Provider), Resource: r.ID, Label: r.label()}
	}, "id", served, system)
	if err != nil {
		return nil, fmt.Errorf("reading what %q serves: %w", system, err)
	}
	return append(out, own...), nil
}
