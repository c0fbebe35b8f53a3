package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

type sendingRow struct {
	bun.BaseModel `bun:"table:notify_delivery"`

	Channel   string       `bun:"channel,pk"`
	Notice    string       `bun:"notice,pk"`
	MadeUS    int64        `bun:"made_us"`
	State     string       `bun:"state"`
	DueUS     int64        `bun:"due_us"`
	Attempts  int64        `bun:"attempts"`
	LastError string       `bun:"last_error"`
	SentAt    bun.NullTime `bun:"sent_at"`
}

// Waiting implements notify.Queue.
func (n *Notify) Waiting(ctx context.Context, now time.Time) ([]notify.Channel, error) {
	us := now.UnixMicro()
	return list(ctx, n.s.r, receiverRow.channel, "id", `state = ? AND rest_until_us <= ? AND lease_until_us <= ?
		AND EXISTS (SELECT 1 FROM notify_delivery d WHERE d.channel = receiver_row.id AND d.state = ? AND d.due_us <= ?)`,
		string(notify.Active), us, us, deliveryQueued, us)
}

// LeaseChannel implements notify.Queue.
func (n *Notify) LeaseChannel(ctx context.Context, channel, owner string, now, until time.Time) error {
	return n.leasing(ctx, channel, `UPDATE notify_channel SET lease_owner = ?, lease_until_us = ?
		WHERE id = ? AND state = ? AND rest_until_us <= ? AND (lease_owner = ? OR lease_until_us <= ?)`,
		owner, until.UnixMicro(), channel, string(notify.Active), now.UnixMicro(), owner, now.UnixMicro())
}

// ReleaseChannel implements notify.Queue.
func (n *Notify) ReleaseChannel(ctx context.Context, channel, owner string) error {
	return retried(ctx, func() error {
		_, err := changed(ctx, n.s.w, "UPDATE notify_channel SET lease_owner = '', lease_until_us = 0 WHERE id = ? AND lease_owner = ?", channel, owner)
		return err
	})
}

func (n *Notify) leasing(ctx context.Context, channel, query string, args ...any) error {
	return retried(ctx, func() error {
		won, err := changed(ctx, n.s.w, query, args...)
		if err != nil {
			return fmt.Errorf("leasing channel %q: %w", channel, err)
		}
		if won != 1 {
			return fmt.Errorf("%w: %q", notify.ErrLeased, channel)
		}
		return nil
	})
}

// openRow is a delivery with its notice.
type openRow struct {
	tellingRow
	Channel   string `bun:"channel"`
	Attempts  int64  `bun:"attempts"`
	QueuedUS  int64  `bun:"queued_us"`
	LastError string `bun:"last_error"`
}

func (r openRow) delivery() notify.Delivery {
	return notify.Delivery{Notice: r.notice(), Channel: r.Channel, Attempts: int(r.Attempts), Made: time.UnixMicro(r.QueuedUS).UTC()}
}

const selectOpen = `SELECT n.id, n.made_us, n.spread, n.kind, n.severity, n.unit, n.system, n.object_kind, n.object_id, n.happened_at, n.details,
	d.channel, d.attempts, d.made_us AS queued_us, d.last_error FROM notify_delivery d JOIN notify_notice n ON n.id = d.notice `

// Due implements notify.Queue.
func (n *Notify) Due(ctx context.Context, channel string, now time.Time, limit int) ([]notify.Delivery, error) {
	var rows []openRow
	err := n.s.r.NewRaw(selectOpen+"WHERE d.channel = ? AND d.state = ? AND d.due_us <= ? ORDER BY d.made_us, n.id LIMIT ?",
		channel, deliveryQueued, now.UnixMicro(), limit).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading the queue of channel %q: %w", channel, err)
	}
	out := make([]notify.Delivery, len(rows))
	for i, r := range rows {
		out[i] = r.delivery()
	}
	return out, nil
}

// SettleDelivery implements notify.Queue. The progress of a delivery is no act; what it
// tells of has its event. Only who holds the channel settles: of two senders the
// one whose lease ended changes nothing.
func (n *Notify) SettleDelivery(ctx context.Context, owner string, r notify.Result) error {
	return n.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		channel, won, err := "UPDATE notify_channel SET ", int64(0), error(nil)
		switch mine := " WHERE id = ? AND lease_owner = ?"; {
		case r.Error == "":
			won, err = changed(ctx, tx, channel+"failures = 0, last_error = '', sent_at = ?"+mine, at(r.At), r.Channel, owner)
		case r.Rests:
			won, err = changed(ctx, tx, channel+"failures = failures + 1, rest_until_us = ?, last_error = ?, failed_at = ?"+mine,
				r.Next.UnixMicro(), r.Error, at(r.At), r.Channel, owner)
		default:
			won, err = changed(ctx, tx, channel+"last_error = ?, failed_at = ?"+mine, r.Error, at(r.At), r.Channel, owner)
		}
		if err != nil {
			return fmt.Errorf("settling on channel %q: %w", r.Channel, err)
		}
		if won != 1 {
			return fmt.Errorf("%w: %q", notify.ErrLeased, r.Channel)
		}
		return settle(ctx, tx, r)
	})
}

func settle(ctx context.Context, tx bun.Tx, r notify.Result) (err error) {
	const this = " WHERE channel = ? AND notice = ? AND state = ?"
	if r.Error == "" {
		_, err = changed(ctx, tx, "UPDATE notify_delivery SET state = ?, sent_at = ?, attempts = attempts + 1, last_error = ''"+this,
			deliverySent, at(r.At), r.Channel, r.ID, deliveryQueued)
		return err
	}
	_, err = changed(ctx, tx, "UPDATE notify_delivery SET due_us = ?, attempts = attempts + 1, last_error = ?"+this, r.Next.UnixMicro(), r.Error, r.Channel, r.ID, deliveryQueued)
	if err != nil {
		return err
	}
	old := "UPDATE notify_delivery SET state = ?, last_error = ? WHERE channel = ? AND state = ? AND made_us < ?"
	args := []any{deliveryDead, r.Error, r.Channel, deliveryQueued, r.Dead.UnixMicro()}
	if !r.Rests {
		old, args = old+" AND notice = ?", append(args, r.ID)
	}
	_, err = changed(ctx, tx, old, args...)
	return err
}

// Counts implements notify.Queue.
func (n *Notify) Counts(ctx context.Context) (map[string]notify.Count, error) {
	var rows []struct {
		Channel string `bun:"channel"`
		State   string `bun:"state"`
		N       int64  `bun:"n"`
	}
	err := n.s.r.NewRaw("SELECT channel, state, COUNT(1) AS n FROM notify_delivery WHERE state <> ? GROUP BY channel, state", deliverySent).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("counting deliveries: %w", err)
	}
	out := map[string]notify.Count{}
	for _, r := range rows {
		c := out[r.Channel]
		if r.State == deliveryDead {
			c.Dead = int(r.N)
		} else {
			c.Queued = int(r.N)
		}
		out[r.Channel] = c
	}
	return out, nil
}

// Letters implements notify.Queue.
func (n *Notify) Letters(ctx context.Context, channel string, limit int) ([]notify.Letter, error) {
	var rows []openRow
	err := n.s.r.NewRaw(selectOpen+"WHERE d.channel = ? AND d.state = ? ORDER BY d.made_us DESC, n.id DESC LIMIT ?", channel, deliveryDead, limit).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading dead letters of channel %q: %w", channel, err)
	}
	out := make([]notify.Letter, len(rows))
	for i, r := range rows {
		out[i] = notify.Letter{Delivery: r.delivery(), Error: r.LastError}
	}
	return out, nil
}

// Retry implements notify.Queue: it stands at the end of the queue, as if new.
func (n *Notify) Retry(ctx context.Context, channel, notice string, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return n.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		won, err := changed(ctx, tx, "UPDATE notify_delivery SET state = ?, attempts = 0, made_us = ?, due_us = ? WHERE channel = ? AND notice = ? AND state = ?",
			deliveryQueued, now.UnixMicro(), now.UnixMicro(), channel, notice, deliveryDead)
		if err == nil && won != 1 {
			err = fmt.Errorf("%w: notice %q is no dead letter of channel %q", notify.ErrState, notice, channel)
		}
		return err
	})
}
