package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

type recoveryRow struct {
	bun.BaseModel `bun:"table:kmc_recovery"`

	ID          string           `bun:"id,pk"`
	Kind        string           `bun:"kind"`
	Pair        string           `bun:"pair"`
	PublicSM3   string           `bun:"public_sm3"`
	Agency      string           `bun:"agency"`
	System      string           `bun:"system"`
	EncIssuer   string           `bun:"encryption_issuer"`
	EncSerial   string           `bun:"encryption_serial"`
	Receiver    []byte           `bun:"receiver_cert"`
	Document    string           `bun:"document"`
	Authority   string           `bun:"authority"`
	ScanSM3     string           `bun:"scan_sm3"`
	Reason      string           `bun:"reason"`
	Need        int64            `bun:"need"`
	AskedBy     string           `bun:"asked_by"`
	AskedAt     bun.NullTime     `bun:"asked_at"`
	LapsesAt    bun.NullTime     `bun:"lapses_at"`
	State       string           `bun:"state"`
	Check       string           `bun:"checked"`
	Approvals   nested[[]string] `bun:"approvals"`
	Refusal     string           `bun:"refusal"`
	SettledAt   bun.NullTime     `bun:"settled_at"`
	DeliveredAt bun.NullTime     `bun:"delivered_at"`
	EnvelopeSM3 string           `bun:"envelope_sm3"`
}

func (r recoveryRow) recovery() kmc.Recovery {
	return kmc.Recovery{
		ID: r.ID, Kind: kmc.Kind(r.Kind), Pair: r.Pair, PublicSM3: r.PublicSM3, Agency: r.Agency, System: r.System,
		EncryptionIssuer: r.EncIssuer, EncryptionSerial: r.EncSerial, Receiver: r.Receiver, Document: r.Document, Authority: r.Authority,
		ScanSM3: r.ScanSM3, Reason: r.Reason, Need: int(r.Need), AskedBy: r.AskedBy, AskedAt: utc(r.AskedAt), LapsesAt: utc(r.LapsesAt),
		State: kmc.State(r.State), Check: r.Check, Approvals: r.Approvals.V, Refusal: r.Refusal, SettledAt: utc(r.SettledAt),
		DeliveredAt: utc(r.DeliveredAt), EnvelopeSM3: r.EnvelopeSM3,
	}
}

// AddRecovery implements kmc.Register. Whatever state a request claims, it is
// recorded as asked.
func (k *KMC) AddRecovery(ctx context.Context, r kmc.Recovery, ev ledger.Event) (ledger.Receipt, error) {
	return k.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &recoveryRow{
			ID: r.ID, Kind: string(r.Kind), Pair: r.Pair, PublicSM3: r.PublicSM3, Agency: r.Agency, System: r.System,
			EncIssuer: r.EncryptionIssuer, EncSerial: r.EncryptionSerial, Receiver: r.Receiver, Document: r.Document, Authority: r.Authority,
			ScanSM3: r.ScanSM3, Reason: r.Reason, Need: int64(r.Need), AskedBy: r.AskedBy, AskedAt: at(r.AskedAt), LapsesAt: at(r.LapsesAt),
			State: string(kmc.Asked),
		}, kmc.ErrRepeated, kmc.ErrNotFound, "recovery", r.ID)
	})
}

// MoveRecovery implements kmc.Register. Only what settles a request is written:
// what was signed stays as it was asked.
func (k *KMC) MoveRecovery(ctx context.Context, r kmc.Recovery, from kmc.State, ev ledger.Event) (ledger.Receipt, error) {
	return k.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE kmc_recovery SET state = ?, checked = ?, approvals = ?, refusal = ?, settled_at = ?, delivered_at = ?, envelope_sm3 = ?
			WHERE id = ? AND state = ?`,
			string(r.State), r.Check, nested[[]string]{r.Approvals}, r.Refusal, at(r.SettledAt), at(r.DeliveredAt), r.EnvelopeSM3, r.ID, string(from))
		if err != nil {
			return fmt.Errorf("moving recovery %q: %w", r.ID, err)
		}
		if n == 1 {
			return nil
		}
		if _, err := one[recoveryRow](ctx, tx, "id = ?", r.ID); err != nil {
			return found(err, kmc.ErrNotFound, "recovery", r.ID)
		}
		return fmt.Errorf("%w: recovery %q is not %s", kmc.ErrState, r.ID, from)
	})
}

// Recovery implements kmc.Register.
func (k *KMC) Recovery(ctx context.Context, id string) (kmc.Recovery, error) {
	r, err := one[recoveryRow](ctx, k.s.r, "id = ?", id)
	return r.recovery(), found(err, kmc.ErrNotFound, "recovery", id)
}

// Recoveries implements kmc.Register.
func (k *KMC) Recoveries(ctx context.Context, q kmc.Query) ([]kmc.Recovery, error) {
	var rows []recoveryRow
	sel := k.s.r.NewSelect().Model(&rows).OrderExpr("asked_at DESC, id DESC")
	for column, value := range map[string]string{"kind": string(q.Kind), "agency": q.Agency, "system": q.System, "pair": q.Pair} {
		if value != "" {
			sel = sel.Where("? = ?", bun.Ident(column), value)
		}
	}
	if q.Open {
		sel = sel.Where("state IN (?)", bun.List([]kmc.State{kmc.Asked, kmc.Checked, kmc.Approved}))
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading recoveries: %w", err)
	}
	out := make([]kmc.Recovery, len(rows))
	for i, r := range rows {
		out[i] = r.recovery()
	}
	return out, nil
}
