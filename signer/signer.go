// Package signer puts electronic seals (电子印章) on documents and verifies
// anybody's: a use of seal is requested by a clerk, approved by the unit leader
// with a signature over the document's SM3, and only then signed (GB/T 38540,
// GB/T 33481, 电子印章管理办法 art. 21).
//
// It refuses a seal that is not active or outside its period, a document that
// changed after the approval, an approval that does not verify, and a seal
// whose certificate list does not hold the signer's certificate.
package signer

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/cite"
)

// SealState is where a seal stands in its life.
type SealState string

// Seal states (reference/regulations §7).
const (
	SealActive    SealState = "active"
	SealSuspended SealState = "suspended"
	SealCancelled SealState = "cancelled"
)

// Seal is a registered electronic seal.
type Seal struct {
	ID         string    `json:"id"`   // esID: 6-digit division code + 8 digits
	Unit       string    `json:"unit"` // unified social credit code of the owner
	Name       string    `json:"name"`
	DER        []byte    `json:"der"`         // SESeal, GB/T 38540
	CertDER    []byte    `json:"certificate"` // signer certificate, an entry of the seal's list
	KeyID      string    `json:"key_id"`
	State      SealState `json:"state"`
	ValidFrom  time.Time `json:"valid_from"`
	ValidUntil time.Time `json:"valid_until"`
	Drawn      bool      `json:"drawn"` // picture drawn by us: carries 样章
	CreatedAt  time.Time `json:"created_at"`
}

// UseState is where a use of seal stands.
type UseState string

// Use states: requested → approved → sealing → sealed, or refused. A use is
// sealing from the record that precedes the signature until the record that
// follows it; one that stays there was interrupted: see Service.Reopen.
const (
	UseRequested UseState = "requested"
	UseListed    UseState = "listed" // waits for the answer to its batch
	UseApproved  UseState = "approved"
	UseRefused   UseState = "refused"
	UseSealing   UseState = "sealing"
	UseSealed    UseState = "sealed"
)

// Use is one use of a seal (用印).
type Use struct {
	ID       string `json:"id"`
	Seal     string `json:"seal"`
	Document string `json:"document_sm3"` // of the bytes to be sealed
	Title    string `json:"title"`
	// Citations are what the document quotes, with the providers' consents.
	Citations []cite.Citation `json:"citations,omitempty"`
	Batch     string          `json:"batch,omitempty"` // the use that was approved for this one: see RequestBatch
	Requester string          `json:"requester"`       // person id of the clerk
	State     UseState        `json:"state"`
	Approval  string          `json:"approval,omitempty"`
	Sealed    string          `json:"sealed_sm3,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	SealedAt  time.Time       `json:"sealed_at,omitzero"`
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("signer: not found")
	ErrExists      = errors.New("signer: already registered")
	ErrNotApproved = errors.New("signer: use of seal not approved")
	ErrSealState   = errors.New("signer: seal not active")
	ErrChanged     = errors.New("signer: document differs from the approved one")
	ErrDocument    = errors.New("signer: not a document that can be sealed")
	ErrUnit        = errors.New("signer: the seal belongs to another unit")
	ErrStamp       = errors.New("signer: no time-stamp")
	ErrStandard    = errors.New("signer: no such standard")
	ErrSelfCheck   = errors.New("signer: the sealed document does not verify")
)

// Register is the store of this room: row and event in one transaction. A move of
// a batch to approved or refused moves its listed uses with it.
type Register interface {
	AddSeal(ctx context.Context, s Seal, ev ledger.Event) (ledger.Receipt, error)
	SetSealState(ctx context.Context, id string, s SealState, ev ledger.Event) (ledger.Receipt, error)
	Seal(ctx context.Context, id string) (Seal, error)
	SealsOf(ctx context.Context, unit string) ([]Seal, error)
	AddUse(ctx context.Context, u Use, ev ledger.Event) (ledger.Receipt, error)
	// MoveUse is a guarded update from one state to u.State; ErrNotApproved
	// when the row is not in from.
	MoveUse(ctx context.Context, u Use, from UseState, ev ledger.Event) (ledger.Receipt, error)
	Use(ctx context.Context, id string) (Use, error)
}

// Stamper asks a time-stamp service (tsa.Client) for a token over a signature
// value.
type Stamper interface {
	Stamp(ctx context.Context, value []byte) (token []byte, err error)
}

// Approver answers whether a use was approved: it verifies the leader's
// signature over (use id, Use.Approves) and returns the approval's id, or
// ErrNotApproved.
type Approver interface {
	ApprovedUse(ctx context.Context, u Use) (approvalID string, err error)
}
