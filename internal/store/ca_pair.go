package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

var (
	_ ca.Deliveries  = (*CA)(nil)
	_ ca.Suspensions = (*CA)(nil)
)

// deliveryRow: SignSerial is NULL while the pair is only claimed; ClaimedUntilUS
// is 0 while nobody makes it.
type deliveryRow struct {
	bun.BaseModel `bun:"table:ca_delivery"`

	Basis          string         `bun:"basis,pk"`
	ClaimedUntilUS int64          `bun:"claimed_until_us"`
	CSRSM3         string         `bun:"csr_sm3"`
	Issuer         string         `bun:"issuer"`
	SignSerial     sql.NullString `bun:"sign_serial"`
	EncSerial      string         `bun:"enc_serial"`
	Renews         string         `bun:"renews"`
	Envelope       []byte         `bun:"envelope"`
	CreatedAt      bun.NullTime   `bun:"created_at"`
}

func (r deliveryRow) delivery() ca.Delivery {
	return ca.Delivery{
		Basis: r.Basis, CSRSM3: r.CSRSM3, Issuer: r.Issuer, Sign: r.SignSerial.String, Enc: r.EncSerial, Renews: r.Renews,
		Envelope: r.Envelope, CreatedAt: utc(r.CreatedAt),
	}
}

// Begin implements ca.Deliveries. A claim binds nobody but its holder, so it is
// answered when it is durable (design law 3), as a reservation. The key of the
// table decides between first callers, the guarded update between later ones.
func (c *CA) Begin(ctx context.Context, k ca.Claim, certs []ca.Certificate, key *ca.EscrowedKey, ev ledger.Event) (ledger.Receipt, error) {
	o := reservation(certs, key)
	if k.Token != "" {
		o.claims = []tokenClaim{{k.Token, k.Now}}
	}
	o.bases = []deliveryRow{{Basis: k.Basis, ClaimedUntilUS: k.Until.UnixMicro()}}
	receipt, err := acts{s: c.s}.share(ctx, o, ev)
	if !errors.Is(err, errClaimed) {
		return receipt, err
	}
	o.bases, o.later = nil, []laterClaim{{k.Basis, k.Now, k.Until}}
	return acts{s: c.s}.alone(ctx, o, ev)
}

// errClaimed: somebody claimed the basis at some time.
var errClaimed = errors.New("store: the basis of a pair was claimed before")

func (s *Store) claimingBases(rows []deliveryRow) statement {
	return s.inserting(&rows, func(err error) error {
		if isDuplicate(err) {
			return fmt.Errorf("%w: %q", errClaimed, rows[0].Basis)
		}
		return fmt.Errorf("claiming %q: %w", rows[0].Basis, err)
	})
}

// laterClaim is one of a basis that was claimed before.
type laterClaim struct {
	basis      string
	now, until time.Time
}

// claimingLater takes over a claim that ran out.
func (s *Store) claimingLater(k laterClaim) statement {
	return statement{
		sql: s.format("UPDATE ca_delivery SET claimed_until_us = ? WHERE basis = ? AND sign_serial IS NULL AND claimed_until_us <= ?",
			k.until.UnixMicro(), k.basis, k.now.UnixMicro()),
		rows: 1,
		refused: func(ctx context.Context, tx bun.Tx, err error) error {
			if err != nil {
				return fmt.Errorf("claiming %q: %w", k.basis, err)
			}
			r, err := one[deliveryRow](ctx, tx, "basis = ?", k.basis)
			switch {
			case err != nil:
				return found(err, ca.ErrNotFound, "delivery", k.basis)
			case r.SignSerial.Valid:
				return fmt.Errorf("%w: delivery %q", ca.ErrExists, k.basis)
			}
			return fmt.Errorf("%w: %q", ca.ErrBusy, k.basis)
		},
	}
}

// ReleaseDelivery implements ca.Deliveries.
func (c *CA) ReleaseDelivery(ctx context.Context, basis string, until time.Time) error {
	return retried(ctx, func() error {
		_, err := changed(ctx, c.s.w, "UPDATE ca_delivery SET claimed_until_us = 0 WHERE basis = ? AND sign_serial IS NULL AND claimed_until_us = ?",
			basis, until.UnixMicro())
		return err
	})
}

// Deliver implements ca.Deliveries.
func (c *CA) Deliver(ctx context.Context, d ca.Delivery, until time.Time, certs []ca.Certificate, evs ...ledger.Event) (ledger.Receipt, error) {
	if len(evs) == 0 || d.Sign == "" || d.Enc == "" || d.CSRSM3 == "" || len(d.Envelope) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: delivery %q is not complete", ca.ErrState, d.Basis)
	}
	signed, err := signedRows(certs)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return c.share(ctx, &share{handed: []handedRow{{d, until}}, signed: signed}, evs...)
}

// handedRow is a delivery under a claim that ends at until.
type handedRow struct {
	ca.Delivery
	until time.Time
}

// handing stores deliveries, each as long as it is claimed.
func (s *Store) handing(all []handedRow) statement {
	values, bases, args := make([]string, len(all)), make([]string, len(all)), []any(nil)
	for i, d := range all {
		bases[i] = d.Basis
		values[i] = "(?, CAST(? AS BIGINT), ?, ?, ?, ?, ?, CAST(? AS " + s.types.Bytes + "), CAST(? AS " + s.types.Instant + "))"
		args = append(args, d.Basis, d.until.UnixMicro(), d.CSRSM3, d.Issuer, d.Sign, d.Enc, d.Renews, d.Envelope, at(d.CreatedAt))
	}
	return statement{
		sql: s.format(`UPDATE ca_delivery SET claimed_until_us = 0, csr_sm3 = v.column3, issuer = v.column4, sign_serial = v.column5,
			enc_serial = v.column6, renews = v.column7, envelope = v.column8, created_at = v.column9 FROM (VALUES `+strings.Join(values, ", ")+`) AS v
			WHERE ca_delivery.basis = v.column1 AND ca_delivery.basis IN (?) AND ca_delivery.sign_serial IS NULL
			AND ca_delivery.claimed_until_us = v.column2`, append(args, bun.List(bases))...),
		rows: int64(len(all)),
		refused: func(_ context.Context, _ bun.Tx, err error) error {
			switch {
			case isDuplicate(err):
				return fmt.Errorf("%w: certificate %q", ca.ErrExists, all[0].Sign)
			case err != nil:
				return fmt.Errorf("delivering %q: %w", all[0].Basis, err)
			}
			return fmt.Errorf("%w: the claim on %q is not held any more", ca.ErrBusy, all[0].Basis)
		},
	}
}

// Delivery implements ca.Deliveries.
func (c *CA) Delivery(ctx context.Context, basis string, now time.Time) (ca.Delivery, error) {
	r, err := one[deliveryRow](ctx, c.s.r, "basis = ?", basis)
	switch {
	case err != nil:
		return ca.Delivery{}, found(err, ca.ErrNotFound, "delivery", basis)
	case r.SignSerial.Valid:
		return r.delivery(), nil
	case r.ClaimedUntilUS > now.UnixMicro():
		return ca.Delivery{}, fmt.Errorf("%w: %q", ca.ErrBusy, basis)
	}
	return ca.Delivery{}, fmt.Errorf("%w: delivery %q", ca.ErrNotFound, basis)
}

// DeliveryOf implements ca.Deliveries.
func (c *CA) DeliveryOf(ctx context.Context, issuer, serial string) (ca.Delivery, error) {
	r, err := one[deliveryRow](ctx, c.s.r, "issuer = ? AND sign_serial = ?", issuer, serial)
	return r.delivery(), found(err, ca.ErrNotFound, "delivery of", serial)
}

type suspensionRow struct {
	bun.BaseModel `bun:"table:ca_suspension"`

	ID         string       `bun:"id,pk"`
	Issuer     string       `bun:"issuer"`
	Serial     string       `bun:"serial"`
	Pair       string       `bun:"pair"`
	System     string       `bun:"system"`
	State      string       `bun:"state"`
	HeldBy     string       `bun:"held_by"`
	Reason     string       `bun:"reason"`
	HeldAt     bun.NullTime `bun:"held_at"`
	Asks       int64        `bun:"asks"`
	AskedBy    string       `bun:"asked_by"`
	Why        string       `bun:"why"`
	AnsweredBy string       `bun:"answered_by"`
	Approval   string       `bun:"approval"`
	Refusal    string       `bun:"refusal"`
	AnsweredAt bun.NullTime `bun:"answered_at"`
}

func (r suspensionRow) suspension() ca.Suspension {
	return ca.Suspension{
		ID: r.ID, Issuer: r.Issuer, Serial: r.Serial, Pair: r.Pair, System: r.System, State: ca.SuspensionState(r.State),
		HeldBy: r.HeldBy, Reason: r.Reason, HeldAt: utc(r.HeldAt), Asks: int(r.Asks), AskedBy: r.AskedBy, Why: r.Why,
		AnsweredBy: r.AnsweredBy, Approval: r.Approval, Refusal: r.Refusal, AnsweredAt: utc(r.AnsweredAt),
	}
}

// AddSuspension implements ca.Suspensions.
func (c *CA) AddSuspension(ctx context.Context, x ca.Suspension, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := move(ctx, tx, x.Issuer, x.Serial, ca.StateHold, reasonHold, x.HeldAt); err != nil {
			return err
		}
		return insert(ctx, tx, &suspensionRow{
			ID: x.ID, Issuer: x.Issuer, Serial: x.Serial, Pair: x.Pair, System: x.System, State: string(ca.SuspensionHeld),
			HeldBy: x.HeldBy, Reason: x.Reason, HeldAt: at(x.HeldAt),
		}, ca.ErrExists, ca.ErrNotFound, "suspension", x.ID)
	})
}

// reasonHold is certificateHold, RFC 5280 5.3.1.
const reasonHold = 6

// MoveSuspension implements ca.Suspensions. The certificate is that of the row,
// whatever x says.
func (c *CA) MoveSuspension(ctx context.Context, x ca.Suspension, from ca.SuspensionState, asks int, ev ledger.Event) (ledger.Receipt, error) {
	legal := from == ca.SuspensionHeld && x.State == ca.SuspensionAsked && x.Asks == asks+1 ||
		from == ca.SuspensionAsked && x.Asks == asks && (x.State == ca.SuspensionHeld || x.State == ca.SuspensionLifted)
	if !legal {
		return ledger.Receipt{}, fmt.Errorf("%w: no hold moves from %q to %q", ca.ErrState, from, x.State)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE ca_suspension SET state = ?, asks = ?, asked_by = ?, why = ?, answered_by = ?, approval = ?,
			refusal = ?, answered_at = ? WHERE id = ? AND state = ? AND asks = ?`,
			string(x.State), int64(x.Asks), x.AskedBy, x.Why, x.AnsweredBy, x.Approval, x.Refusal, at(x.AnsweredAt),
			x.ID, string(from), int64(asks))
		if err != nil {
			return fmt.Errorf("moving suspension %q: %w", x.ID, err)
		}
		row, err := one[suspensionRow](ctx, tx, "id = ?", x.ID)
		switch {
		case err != nil:
			return found(err, ca.ErrNotFound, "suspension", x.ID)
		case n != 1:
			return fmt.Errorf("%w: suspension %q is %s", ca.ErrDecided, x.ID, row.State)
		case x.State != ca.SuspensionLifted:
			return nil
		}
		return move(ctx, tx, row.Issuer, row.Serial, ca.StateGood, 0, time.Time{})
	})
}

// Suspension implements ca.Suspensions.
func (c *CA) Suspension(ctx context.Context, id string) (ca.Suspension, error) {
	r, err := one[suspensionRow](ctx, c.s.r, "id = ?", id)
	return r.suspension(), found(err, ca.ErrNotFound, "suspension", id)
}

// SuspensionsOf implements ca.Suspensions.
func (c *CA) SuspensionsOf(ctx context.Context, system string) ([]ca.Suspension, error) {
	if system == "" {
		return list(ctx, c.s.r, suspensionRow.suspension, "held_at, id", "state = ?", string(ca.SuspensionAsked))
	}
	return list(ctx, c.s.r, suspensionRow.suspension, "held_at, id", "system = ?", system)
}
