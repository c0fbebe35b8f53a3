package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

type tellingRow struct {
	bun.BaseModel `bun:"table:notify_notice"`

	ID         string                    `bun:"id,pk"`
	MadeUS     int64                     `bun:"made_us"`
	Spread     int64                     `bun:"spread"` // 1: its channels were chosen
	Kind       string                    `bun:"kind"`
	Severity   int64                     `bun:"severity"`
	Unit       string                    `bun:"unit"`
	System     string                    `bun:"system"`
	ObjectKind string                    `bun:"object_kind"`
	ObjectID   string                    `bun:"object_id"`
	HappenedAt bun.NullTime              `bun:"happened_at"`
	Details    nested[map[string]string] `bun:"details"`
}

func (r tellingRow) notice() notify.Notice {
	return notify.Notice{
		ID: r.ID, Kind: notify.Kind(r.Kind), Severity: notify.Severity(r.Severity), Unit: r.Unit, System: r.System,
		Object: ledger.Object{Kind: r.ObjectKind, ID: r.ObjectID}, At: utc(r.HappenedAt), Details: r.Details.V,
	}
}

func (s *Store) telling(n notify.Notice) tellingRow {
	return tellingRow{
		ID: n.ID, MadeUS: s.tick(), Kind: string(n.Kind), Severity: int64(n.Severity), Unit: n.Unit, System: n.System,
		ObjectKind: n.Object.Kind, ObjectID: n.Object.ID, HappenedAt: at(n.At), Details: nested[map[string]string]{n.Details},
	}
}

// notice records in the transaction of an act what it is to tell of it.
func (s *Store) notice(ctx context.Context, tx bun.Tx, ev ledger.Event) error {
	n, told := notify.Of(ev)
	if !told {
		return nil
	}
	row := s.telling(n)
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("writing the notice of event %q: %w", ev.ID, err)
	}
	return nil
}

// PutNotices implements notify.Notices. A reminder is no act: what it reminds of stands
// in a row that has its event.
func (n *Notify) PutNotices(ctx context.Context, ns []notify.Notice) (fresh int, err error) {
	for _, x := range ns {
		row := n.s.telling(x)
		known, err := n.s.r.NewSelect().Model((*tellingRow)(nil)).Where("id = ?", x.ID).Exists(ctx)
		if err != nil {
			return fresh, fmt.Errorf("looking for notice %q: %w", x.ID, err)
		}
		if known {
			continue
		}
		err = retried(ctx, func() error {
			_, err := n.s.w.NewInsert().Model(&row).Exec(ctx)
			return err
		})
		switch {
		case err == nil:
			fresh++
		case !isDuplicate(err): // another node was first
			return fresh, fmt.Errorf("writing notice %q: %w", x.ID, err)
		}
	}
	return fresh, nil
}

// PutTest implements notify.Notices.
func (n *Notify) PutTest(ctx context.Context, x notify.Notice, channel string, ev ledger.Event) (ledger.Receipt, error) {
	return n.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		row := n.s.telling(x)
		row.Spread = 1
		if err := insert(ctx, tx, &row, notify.ErrState, notify.ErrNotFound, "notice", x.ID); err != nil {
			return err
		}
		return queue(ctx, tx, row, channel)
	})
}

// Unspread implements notify.Notices.
func (n *Notify) Unspread(ctx context.Context, limit int) ([]notify.Notice, error) {
	return n.newest(ctx, n.s.r.NewSelect().Where("spread = 0").OrderExpr("made_us, id").Limit(int64(limit)))
}

// Recent implements notify.Notices.
func (n *Notify) Recent(ctx context.Context, unit string, limit int) ([]notify.Notice, error) {
	q := n.s.r.NewSelect().Where("spread = 1 AND kind <> ?", string(notify.ChannelTest)).OrderExpr("made_us DESC, id DESC").Limit(int64(limit))
	if unit != "" {
		q = q.Where("unit = ?", unit)
	}
	return n.newest(ctx, q)
}

func (n *Notify) newest(ctx context.Context, q *bun.SelectQuery) ([]notify.Notice, error) {
	var rows []tellingRow
	if err := q.Model(&rows).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	out := make([]notify.Notice, len(rows))
	for i, r := range rows {
		out[i] = r.notice()
	}
	return out, nil
}

// SpreadNotice implements notify.Notices: the guarded update decides who queues.
func (n *Notify) SpreadNotice(ctx context.Context, x notify.Notice, channels []string) error {
	return n.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		won, err := changed(ctx, tx, "UPDATE notify_notice SET spread = 1, unit = ?, system = ? WHERE id = ? AND spread = 0", x.Unit, x.System, x.ID)
		if err != nil || won == 0 || len(channels) == 0 {
			return err
		}
		row, err := one[tellingRow](ctx, tx, "id = ?", x.ID)
		if err != nil {
			return err
		}
		return queue(ctx, tx, row, channels...)
	})
}

// queue puts a notice on its way, to channels that were not removed meanwhile.
func queue(ctx context.Context, tx bun.Tx, row tellingRow, channels ...string) error {
	_, err := changed(ctx, tx, `INSERT INTO notify_delivery (channel, notice, made_us, state, due_us, attempts, last_error)
		SELECT id, ?, ?, ?, ?, 0, '' FROM notify_channel WHERE id IN (?) AND state <> ?`,
		row.ID, row.MadeUS, deliveryQueued, row.MadeUS, bun.List(channels), string(notify.Removed))
	if err != nil {
		return fmt.Errorf("queueing notice %q: %w", row.ID, err)
	}
	return nil
}

// Taken implements notify.Notices.
func (n *Notify) Taken(ctx context.Context, id, unit string) (bool, error) {
	return n.s.r.NewSelect().Model((*sendingRow)(nil)).Where("notice = ? AND state = ?", id, deliverySent).
		Where("channel IN (SELECT id FROM notify_channel WHERE kind = ? AND unit = ?)", string(notify.Webhook), unit).Exists(ctx)
}

// ForgetNotices implements notify.Notices. The ledger keeps what they told of.
func (n *Notify) ForgetNotices(ctx context.Context, before time.Time) (gone int64, err error) {
	err = n.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		const old = `FROM notify_notice WHERE made_us < ? AND spread = 1
			AND NOT EXISTS (SELECT 1 FROM notify_delivery d WHERE d.notice = notify_notice.id AND d.state = ?)`
		_, err := changed(ctx, tx, "DELETE FROM notify_delivery WHERE notice IN (SELECT id "+old+")", before.UnixMicro(), deliveryQueued)
		if err == nil {
			gone, err = changed(ctx, tx, "DELETE "+old, before.UnixMicro(), deliveryQueued)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forgetting old notices: %w", err)
	}
	return gone, nil
}
