package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// Transfers keeps documents on their way.
type Transfers struct{ acts }

var _ exchange.Store = (*Transfers)(nil)

type transferRow struct {
	bun.BaseModel `bun:"table:transfer"`

	ID         string `bun:"id,pk"`
	FromSystem string `bun:"from_system"`
	ToSystem   string `bun:"to_system"`
	Sender     string `bun:"sender"`
	Receiver   string `bun:"receiver"`
	Resource   string `bun:"resource"`
	Agreement  string `bun:"agreement"`
	Purpose    string `bun:"purpose"`
	labelRow
	Name        string       `bun:"name"`
	Document    string       `bun:"document"`
	EnvelopeSM3 string       `bun:"envelope_sm3"`
	Blob        string       `bun:"blob"`
	Decision    string       `bun:"decision"`
	Holding     string       `bun:"holding"`
	State       string       `bun:"state"`
	SentAt      bun.NullTime `bun:"sent_at"`
	FetchedAt   bun.NullTime `bun:"fetched_at"`
	ReceivedAt  bun.NullTime `bun:"received_at"`
	ReceiptSig  []byte       `bun:"receipt_sig"`
}

func (r transferRow) transfer() exchange.Transfer {
	return exchange.Transfer{
		ID: r.ID, FromSystem: r.FromSystem, ToSystem: r.ToSystem, Sender: r.Sender, Receiver: r.Receiver, Resource: r.Resource,
		Agreement: r.Agreement, Purpose: r.Purpose, Label: r.label(), Name: r.Name, Document: r.Document,
		EnvelopeSM3: r.EnvelopeSM3, Blob: r.Blob, Decision: r.Decision, Holding: r.Holding, State: exchange.State(r.State),
		SentAt: utc(r.SentAt), FetchedAt: utc(r.FetchedAt), ReceivedAt: utc(r.ReceivedAt), ReceiptSig: r.ReceiptSig,
	}
}

// AddTransfer implements exchange.Store. A transfer starts as sent, else it is
// ErrState; a second one with its id too.
func (x *Transfers) AddTransfer(ctx context.Context, t exchange.Transfer, ev ledger.Event) (ledger.Receipt, error) {
	if t.State != exchange.StateSent {
		return ledger.Receipt{}, fmt.Errorf("%w: transfer %q starts as %q", exchange.ErrState, t.ID, t.State)
	}
	if err := t.Label.Validate(); err != nil {
		return ledger.Receipt{}, fmt.Errorf("%w: transfer %q: %w", exchange.ErrDocument, t.ID, err)
	}
	return x.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := stillCurrent(ctx, tx, t); err != nil {
			return err
		}
		if err := insert(ctx, tx, &transferRow{
			ID: t.ID, FromSystem: t.FromSystem, ToSystem: t.ToSystem, Sender: t.Sender, Receiver: t.Receiver, Resource: t.Resource,
			Agreement: t.Agreement, Purpose: t.Purpose, labelRow: toLabelRow(t.Label), Name: t.Name, Document: t.Document,
			EnvelopeSM3: t.EnvelopeSM3, Blob: t.Blob, Decision: t.Decision, Holding: t.Holding, State: string(t.State),
			SentAt: at(t.SentAt), FetchedAt: at(t.FetchedAt), ReceivedAt: at(t.ReceivedAt), ReceiptSig: t.ReceiptSig,
		}, exchange.ErrState, exchange.ErrNotFound, "transfer", t.ID); err != nil {
			return err
		}
		return writeCarriers(ctx, tx, t)
	})
}

// MoveTransfer implements exchange.Store. It writes State, Holding, FetchedAt,
// ReceivedAt and ReceiptSig; what was sent, to whom and by which decision never
// changes.
func (x *Transfers) MoveTransfer(ctx context.Context, t exchange.Transfer, from []exchange.State, ev ledger.Event) (ledger.Receipt, error) {
	if len(from) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: transfer %q from no state", exchange.ErrState, t.ID)
	}
	return x.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := stillCurrent(ctx, tx, t); err != nil {
			return err
		}
		n, err := changed(ctx, tx, `UPDATE transfer SET state = ?, holding = ?, fetched_at = ?, received_at = ?, receipt_sig = ?
			WHERE id = ? AND state IN (?)`,
			string(t.State), t.Holding, at(t.FetchedAt), at(t.ReceivedAt), t.ReceiptSig, t.ID, bun.List(from))
		if err != nil || n == 1 {
			return err
		}
		now, err := one[transferRow](ctx, tx, "id = ?", t.ID)
		if err != nil {
			return found(err, exchange.ErrNotFound, "transfer", t.ID)
		}
		return fmt.Errorf("%w: transfer %q is %s", exchange.ErrState, t.ID, now.State)
	})
}

func stillCurrent(ctx context.Context, tx bun.Tx, t exchange.Transfer) error {
	yes, err := current(ctx, tx, t.Facts, t.Resource)
	if err == nil && !yes {
		err = fmt.Errorf("%w: transfer %q", exchange.ErrStale, t.ID)
	}
	return err
}

// Transfer implements exchange.Store.
func (x *Transfers) Transfer(ctx context.Context, id string) (exchange.Transfer, error) {
	r, err := one[transferRow](ctx, x.s.r, "id = ?", id)
	return r.transfer(), found(err, exchange.ErrNotFound, "transfer", id)
}

// Inbox implements exchange.Store: everything sent to the system, oldest first.
func (x *Transfers) Inbox(ctx context.Context, system string) ([]exchange.Transfer, error) {
	return list(ctx, x.s.r, transferRow.transfer, "sent_at, id", "to_system = ?", system)
}

// TransfersOf are the transfers of these documents, by their SM3, oldest first
// within each.
func (x *Transfers) TransfersOf(ctx context.Context, documents []string) (out []exchange.Transfer, err error) {
	for part := range slices.Chunk(documents, 500) { // engines bound the values of one statement
		got, err := list(ctx, x.s.r, transferRow.transfer, "document, sent_at, id", "document IN (?)", bun.List(part))
		if err != nil {
			return nil, fmt.Errorf("reading the transfers of %d documents: %w", len(part), err)
		}
		out = append(out, got...)
	}
	return out, nil
}
