package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

// Notify keeps notices on their way out of the house.
type Notify struct{ acts }

var _ notify.Store = (*Notify)(nil)

type receiverRow struct {
	bun.BaseModel `bun:"table:notify_channel"`

	ID       string                `bun:"id,pk"`
	Name     string                `bun:"name"`
	Kind     string                `bun:"kind"`
	Address  string                `bun:"address"`
	Unit     string                `bun:"unit"`
	Kinds    nested[[]notify.Kind] `bun:"kinds"`
	Severity int64                 `bun:"severity"`
	Roots    []byte                `bun:"roots"`
	Secret   []byte                `bun:"secret"`
	State    string                `bun:"state"`
	MadeBy   string                `bun:"made_by"`
	MadeAt   bun.NullTime          `bun:"made_at"`

	LeaseOwner   string       `bun:"lease_owner"`
	LeaseUntilUS int64        `bun:"lease_until_us"`
	RestUntilUS  int64        `bun:"rest_until_us"`
	Failures     int64        `bun:"failures"`
	LastError    string       `bun:"last_error"`
	FailedAt     bun.NullTime `bun:"failed_at"`
	SentAt       bun.NullTime `bun:"sent_at"`
}

func (r receiverRow) channel() notify.Channel {
	return notify.Channel{
		ID: r.ID, Name: r.Name, Kind: notify.ChannelKind(r.Kind), Address: r.Address, Unit: r.Unit, Kinds: r.Kinds.V, Severity: notify.Severity(r.Severity),
		Roots: r.Roots, Secret: r.Secret, State: notify.State(r.State), MadeBy: r.MadeBy, MadeAt: utc(r.MadeAt),
		Failures: int(r.Failures), LastError: r.LastError, FailedAt: utc(r.FailedAt), SentAt: utc(r.SentAt),
	}
}

// Deliveries stand in one of these states.
const (
	deliveryQueued = "queued"
	deliverySent   = "sent"
	deliveryDead   = "dead"
)

// AddChannel implements notify.Channels. Two that are added at once may both be
// the last one: the bound keeps a page readable, nothing more.
func (n *Notify) AddChannel(ctx context.Context, c notify.Channel, most int, ev ledger.Event) (ledger.Receipt, error) {
	return n.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		have, err := tx.NewSelect().Model((*receiverRow)(nil)).Where("state <> ?", string(notify.Removed)).Count(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("counting channels: %w", err)
		case have >= int64(most):
			return fmt.Errorf("%w: %d", notify.ErrTooMany, have)
		}
		return insert(ctx, tx, &receiverRow{
			ID: c.ID, Name: c.Name, Kind: string(c.Kind), Address: c.Address, Unit: c.Unit, Kinds: nested[[]notify.Kind]{c.Kinds}, Severity: int64(c.Severity),
			Roots: c.Roots, Secret: c.Secret, State: string(c.State), MadeBy: c.MadeBy, MadeAt: at(c.MadeAt),
		}, notify.ErrState, notify.ErrNotFound, "channel", c.ID)
	})
}

// MoveChannel implements notify.Channels. A channel that was paused begins
// without a rest.
func (n *Notify) MoveChannel(ctx context.Context, id string, from, to notify.State, ev ledger.Event) (ledger.Receipt, error) {
	return n.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		won, err := changed(ctx, tx, "UPDATE notify_channel SET state = ?, failures = 0, rest_until_us = 0 WHERE id = ? AND state = ?", string(to), id, string(from))
		if err != nil {
			return fmt.Errorf("moving channel %q: %w", id, err)
		}
		if won == 0 {
			_, err := one[receiverRow](ctx, tx, "id = ?", id)
			return errors.Join(found(err, notify.ErrNotFound, "channel", id), notMoved(err, id, string(from)))
		}
		if to != notify.Removed {
			return nil
		}
		_, err = changed(ctx, tx, "UPDATE notify_channel SET secret = NULL WHERE id = ?", id)
		if err == nil {
			_, err = changed(ctx, tx, "DELETE FROM notify_delivery WHERE channel = ? AND state <> ?", id, deliverySent)
		}
		if err != nil {
			return fmt.Errorf("removing channel %q: %w", id, err)
		}
		return nil
	})
}

// notMoved is the answer when the row was found.
func notMoved(err error, id, from string) error {
	if err != nil {
		return nil
	}
	return fmt.Errorf("%w: %q is not %s", notify.ErrState, id, from)
}

// Channel implements notify.Channels.
func (n *Notify) Channel(ctx context.Context, id string) (notify.Channel, error) {
	r, err := one[receiverRow](ctx, n.s.r, "id = ?", id)
	return r.channel(), found(err, notify.ErrNotFound, "channel", id)
}

// Channels implements notify.Channels.
func (n *Notify) Channels(ctx context.Context) ([]notify.Channel, error) {
	return list(ctx, n.s.r, receiverRow.channel, "made_at, id", "state <> ?", string(notify.Removed))
}
