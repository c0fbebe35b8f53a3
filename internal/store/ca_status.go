package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
)

var (
	_ status.Registry  = (*CA)(nil)
	_ status.Lists     = (*CA)(nil)
	_ status.Published = (*CA)(nil)
)

// standingRow is a certificate without its bytes: an answer needs no more.
type standingRow struct {
	bun.BaseModel `bun:"table:ca_certificate"`

	Serial    string       `bun:"serial"`
	State     string       `bun:"state"`
	Reason    int64        `bun:"reason"`
	RevokedAt bun.NullTime `bun:"revoked_at"`
}

func (r standingRow) standing() status.Standing {
	return status.Standing{Serial: r.Serial, State: ca.State(r.State), Reason: int(r.Reason), RevokedAt: utc(r.RevokedAt)}
}

// crlRow is a list. It has two states of bytes: TBS while pending, DER once
// published, never both, for a list may have megabytes.
type crlRow struct {
	bun.BaseModel `bun:"table:ca_crl"`

	Issuer     string       `bun:"issuer,pk"`
	Shard      string       `bun:"shard,pk"`
	Number     int64        `bun:"number,pk"`
	Base       int64        `bun:"base"`
	ThisUpdate bun.NullTime `bun:"this_update"`
	NextUpdate bun.NullTime `bun:"next_update"`
	Entries    int64        `bun:"entries"`
	TBSSM3     string       `bun:"tbs_sm3"`
	TBS        []byte       `bun:"tbs"`
	DER        []byte       `bun:"der"`
	State      string       `bun:"state"`
}

func (r crlRow) crl() status.CRL {
	return status.CRL{
		Issuer: r.Issuer, Shard: r.Shard, Number: r.Number, Base: r.Base, ThisUpdate: utc(r.ThisUpdate), NextUpdate: utc(r.NextUpdate),
		Entries: int(r.Entries), TBSSM3: r.TBSSM3, TBS: r.TBS, DER: r.DER, State: status.CRLState(r.State),
	}
}

// Standing implements status.Registry.
func (c *CA) Standing(ctx context.Context, issuer, serial string) (status.Standing, error) {
	r, err := one[standingRow](ctx, c.s.r, "issuer = ? AND serial = ?", issuer, serial)
	if err != nil {
		return status.Standing{}, found(err, ca.ErrNotFound, "certificate", serial)
	}
	st := r.standing()
	if st.State != ca.StateRevoked {
		return st, nil
	}
	switch dated, err := one[invalidityRow](ctx, c.s.r, "issuer = ? AND serial = ?", issuer, serial); {
	case err == nil:
		st.InvalidAt = utc(dated.InvalidAt)
	case !errors.Is(err, sql.ErrNoRows):
		return status.Standing{}, fmt.Errorf("reading the invalidity date of %q: %w", serial, err)
	}
	return st, nil
}

// Revoked implements status.Registry. A partial index holds the few rows that
// have a time of revocation; the states are asked for all the same. The dates of
// invalidity, which few of those have, are read after them: one that is missed
// stands in the next list.
func (c *CA) Revoked(ctx context.Context, issuer string, notOverAt time.Time) ([]status.Standing, error) {
	out, err := list(ctx, c.s.r, standingRow.standing, "serial",
		"issuer = ? AND revoked_at IS NOT NULL AND state IN (?) AND not_after >= ?",
		issuer, bun.List([]ca.State{ca.StateHold, ca.StateRevoked}), at(notOverAt).Time)
	if err != nil {
		return nil, err
	}
	dates, err := list(ctx, c.s.r, func(r invalidityRow) invalidityRow { return r }, "serial", "issuer = ?", issuer)
	if err != nil {
		return nil, err
	}
	since := make(map[string]time.Time, len(dates))
	for _, d := range dates {
		since[d.Serial] = utc(d.InvalidAt)
	}
	for i := range out {
		out[i].InvalidAt = since[out[i].Serial]
	}
	return out, nil
}

// invalidityRow is from when on a revoked certificate is not trusted.
type invalidityRow struct {
	bun.BaseModel `bun:"table:ca_invalidity"`

	Issuer    string       `bun:"issuer,pk"`
	Serial    string       `bun:"serial,pk"`
	InvalidAt bun.NullTime `bun:"invalid_at"`
}

// Invalidate implements ca.Registry. Revocation is final, so that what was read
// stays true; of two first dates at once the key of the table refuses one.
func (c *CA) Invalidate(ctx context.Context, issuer, serial string, from time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := changing(ctx, tx, issuer, serial); err != nil {
			return err
		}
		now, err := one[standingRow](ctx, tx, "issuer = ? AND serial = ?", issuer, serial)
		switch {
		case err != nil:
			return found(err, ca.ErrNotFound, "certificate", serial)
		case now.State != string(ca.StateRevoked) || from.IsZero():
			return fmt.Errorf("%w: %q is %s", ca.ErrState, serial, now.State)
		}
		n, err := changed(ctx, tx, "UPDATE ca_invalidity SET invalid_at = ? WHERE issuer = ? AND serial = ? AND invalid_at > ?",
			at(from), issuer, serial, at(from))
		if err != nil || n == 1 {
			return err
		}
		return insert(ctx, tx, &invalidityRow{Issuer: issuer, Serial: serial, InvalidAt: at(from)}, ca.ErrExists, ca.ErrNotFound, "invalidity date of", serial)
	})
}

// AddCRL implements status.Lists. Whatever state a list claims, it is recorded
// as pending and without its DER.
func (c *CA) AddCRL(ctx context.Context, l status.CRL, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &crlRow{
			Issuer: l.Issuer, Shard: l.Shard, Number: l.Number, Base: l.Base, ThisUpdate: at(l.ThisUpdate), NextUpdate: at(l.NextUpdate),
			Entries: int64(l.Entries), TBSSM3: l.TBSSM3, TBS: l.TBS, State: string(status.CRLPending),
		}, status.ErrNumber, status.ErrNoList, "list", fmt.Sprint(l.Number))
	})
}

// PublishCRL implements status.Lists. Of two builders that publish at once, the
// later number voids the earlier or waits for it: both touch the earlier row.
func (c *CA) PublishCRL(ctx context.Context, l status.CRL, ev ledger.Event) (ledger.Receipt, error) {
	if len(l.DER) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: list %d has not been signed", status.ErrNoList, l.Number)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		// The earlier ones first: whoever publishes takes rows in the order of their
		// numbers, so that of many builders none waits for another in a circle.
		if _, err := changed(ctx, tx, `UPDATE ca_crl SET state = ?, tbs = NULL
			WHERE issuer = ? AND shard = ? AND number < ? AND state = ?`,
			string(status.CRLVoid), l.Issuer, l.Shard, l.Number, string(status.CRLPending)); err != nil {
			return fmt.Errorf("voiding lists below %d: %w", l.Number, err)
		}
		n, err := changed(ctx, tx, `UPDATE ca_crl SET state = ?, der = ?, tbs = NULL
			WHERE issuer = ? AND shard = ? AND number = ? AND state = ?`,
			string(status.CRLPublished), l.DER, l.Issuer, l.Shard, l.Number, string(status.CRLPending))
		if err != nil {
			return fmt.Errorf("publishing list %d: %w", l.Number, err)
		}
		if n != 1 {
			return fmt.Errorf("%w: %d", status.ErrOvertaken, l.Number)
		}
		return nil
	})
}

// CRLsSince implements status.Lists.
func (c *CA) CRLsSince(ctx context.Context, issuer, shard string, number int64) ([]status.CRL, error) {
	return list(ctx, c.s.r, crlRow.crl, "number", "issuer = ? AND shard = ? AND number >= ?", issuer, shard, number)
}

// PublishedCRL implements status.Published.
func (c *CA) PublishedCRL(ctx context.Context, issuer, shard string, delta bool, have int64) (status.CRL, error) {
	scope, kind := "issuer = ? AND shard = ? AND state = ?", "base = 0"
	if delta {
		kind = "base <> 0"
	}
	var row crlRow
	err := c.s.r.NewSelect().Model(&row).ExcludeColumn("tbs", "der").
		Where(scope, issuer, shard, string(status.CRLPublished)).Where(kind).OrderExpr("number DESC").Limit(1).Scan(ctx)
	if err == nil && row.Number != have {
		row, err = one[crlRow](ctx, c.s.r, "issuer = ? AND shard = ? AND number = ?", issuer, shard, row.Number)
	}
	return row.crl(), found(err, status.ErrNoList, "list of", issuer)
}
