// Package exchange is a document's way between agencies: seal → decide →
// encrypt → deliver → receipt → record. The sender's side refuses what the
// decision point denies; the envelope is encrypted to the receiving system's
// SM2 encryption certificate and opened by nobody else; each fetch is decided
// again; a receipt is the receiver's signature over transfer id and document
// SM3 (电子签名法 art. 10-11; 西政办发〔2011〕8号 art. 19, 28, 31).
//
// It refuses a sender that is not the calling system, a document without a
// seal that stands, a file name that is more than a name, a permit that names
// no label, and every question of a stranger about a transfer. A copy is
// registered with the join of the transfer's label, the resource's and its
// source's at that moment: what was raised on the way stays raised.
package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// State of a transfer.
type State string

// States: sent → fetched → received.
const (
	StateSent     State = "sent"
	StateFetched  State = "fetched"
	StateReceived State = "received"
)

// Transfer is one document on its way.
type Transfer struct {
	ID          string      `json:"id"`
	FromSystem  string      `json:"from_system"`
	ToSystem    string      `json:"to_system"`
	Sender      string      `json:"sender"`   // unified social credit code
	Receiver    string      `json:"receiver"` // unified social credit code
	Resource    string      `json:"resource"`
	Agreement   string      `json:"agreement,omitempty"`
	Purpose     string      `json:"purpose"`
	Label       level.Label `json:"label"`
	Name        string      `json:"name"`         // file name
	Document    string      `json:"document_sm3"` // of the sealed document
	EnvelopeSM3 string      `json:"envelope_sm3"`
	Blob        string      `json:"-"` // where the envelope is kept
	Decision    string      `json:"decision"`
	Holding     string      `json:"holding,omitempty"` // registered at receipt
	State       State       `json:"state"`
	SentAt      time.Time   `json:"sent_at"`
	FetchedAt   time.Time   `json:"fetched_at,omitzero"`
	ReceivedAt  time.Time   `json:"received_at,omitzero"`
	ReceiptSig  []byte      `json:"receipt_signature,omitempty"`
	Carriers    []string    `json:"-"` // systems on the way; written with the transfer, for the guard of their grades
	// Facts is the facts revision of the decision that the next act rests on; 0: on
	// none. It is no part of the row.
	Facts int64 `json:"-"`
}

// Outcomes that callers branch on.
var (
	ErrNotFound = errors.New("exchange: no such transfer")
	ErrDenied   = errors.New("exchange: refused by the decision point")
	ErrReceipt  = errors.New("exchange: receipt does not verify")
	ErrState    = errors.New("exchange: transfer is not in a state for this")
	ErrDocument = errors.New("exchange: document refused")
	// ErrSender: a system sends for itself only.
	ErrSender = errors.New("exchange: sender is not the calling system")
	// ErrName: a file name that is empty, too long, or more than a name.
	ErrName = errors.New("exchange: file name refused")
	// ErrMasked: the decision permits only with masked items, and a document goes
	// whole. Name the fields that it holds, or hand the items out masked.
	ErrMasked = errors.New("exchange: a whole document may hold items that must be masked")
	// ErrPending: the transfer stands, but its event has no sequence number
	// yet. Sending again would send twice.
	ErrPending = errors.New("exchange: recorded, its place in the ledger is still to come")
	// ErrStale: what the decision rested on changed before the act was recorded.
	// Nothing was written.
	ErrStale = errors.New("exchange: the facts changed after the decision")
)

// Store is the store of this room: row and event in one transaction. A Receipt
// with a Promise beside an error says: committed, the sequence number is still
// to come.
type Store interface {
	// AddTransfer and MoveTransfer refuse with ErrStale, inside the transaction, what
	// rests on a decision whose facts changed since (Transfer.Facts).
	AddTransfer(ctx context.Context, t Transfer, ev ledger.Event) (ledger.Receipt, error)
	// MoveTransfer is a guarded update from one of from to t.State; ErrState
	// when the row is in none of them.
	MoveTransfer(ctx context.Context, t Transfer, from []State, ev ledger.Event) (ledger.Receipt, error)
	Transfer(ctx context.Context, id string) (Transfer, error)
	Inbox(ctx context.Context, system string) ([]Transfer, error)
}
