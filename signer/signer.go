// Package signer puts electronic seals (电子印章) on documents and verifies
// anybody's: a use of seal is requested by a clerk, approved by the unit leader
// with a signature over the document's SM3 and the place of the stamp, and only
// then signed (GB/T 38540, GB/T 33481, 电子印章管理办法 art. 21).
//
// It refuses a seal that is not active or outside its period, a document that
// changed after the approval, another place than the approved one, an approval
// that does not verify, and a seal
// whose certificate list does not hold the signer's certificate.
package signer

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/cite"
)

// UseState is where a use of seal stands.
type UseState string

// Use states: requested → approved → sealing → sealed, or refused, or lapsed
// when the request was not answered or the approval not used in time. A use is sealing from the record that
// precedes the signature until the record that follows it; one that stays there
// was interrupted: see Service.Reopen.
const (
	UseRequested UseState = "requested"
	UseListed    UseState = "listed" // waits for the answer to its batch
	UseApproved  UseState = "approved"
	UseRefused   UseState = "refused"
	UseLapsed    UseState = "lapsed"
	UseSealing   UseState = "sealing"
	UseSealed    UseState = "sealed"
)

// Use is one use of a seal (用印).
type Use struct {
	ID       string `json:"id"`
	Seal     string `json:"seal"`
	Document string `json:"document_sm3"` // of the bytes to be sealed
	Title    string `json:"title"`
	Type     string `json:"type,omitempty"`    // kind of document (文种)
	Purpose  string `json:"purpose,omitempty"` // what the seal is wanted for
	// Citations are what the document quotes, with the providers' consents.
	Citations []cite.Citation `json:"citations,omitempty"`
	// Place is where the stamp goes, part of what is approved. Nil: it was requested
	// before places were, or is an item of a batch, whose place counts, or no document.
	Place     *Placement `json:"place,omitempty"`
	Batch     string     `json:"batch,omitempty"` // the use that was approved for this one: see RequestBatch
	Requester string     `json:"requester"`       // person id of the clerk
	State     UseState   `json:"state"`
	Approval  string     `json:"approval,omitempty"`
	Sealed    string     `json:"sealed_sm3,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	// ApprovedAt starts the time within which the approval may be used.
	ApprovedAt time.Time `json:"approved_at,omitzero"`
	// TakenAt is when the use was counted: the record before the signature. A use
	// that is reopened is not counted, nor is a batch: its items are.
	TakenAt  time.Time `json:"taken_at,omitzero"`
	SealedAt time.Time `json:"sealed_at,omitzero"`
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("signer: not found")
	ErrExists      = errors.New("signer: already registered")
	ErrNotApproved = errors.New("signer: use of seal not approved")
	ErrRefused     = errors.New("signer: use of seal refused by the leader")
	ErrLapsed      = errors.New("signer: the approval was not used in time")
	ErrSealState   = errors.New("signer: seal not in a state for this")
	ErrUser        = errors.New("signer: the person may not use this seal")
	ErrHours       = errors.New("signer: outside the time for which the seal may be used")
	ErrQuota       = errors.New("signer: the seal's number of uses is reached")
	ErrInvalid     = errors.New("signer: request not complete or not possible")
	ErrExcluded    = errors.New("signer: the law excludes this document from electronic form")
	ErrChanged     = errors.New("signer: document differs from the approved one")
	ErrPlace       = errors.New("signer: the stamp would stand elsewhere than approved")
	ErrDocument    = errors.New("signer: not a document that can be sealed")
	ErrUnit        = errors.New("signer: the seal belongs to another unit")
	ErrNotSealed   = errors.New("signer: no use of a seal here made this document")
	ErrStamp       = errors.New("signer: no time-stamp")
	ErrStandard    = errors.New("signer: no such standard")
	ErrSelfCheck   = errors.New("signer: the sealed document does not verify")
)

// Register is the store of this room: row and event in one transaction. Seals
// come into it by signer/life. A move of a batch to approved or refused moves its
// listed uses with it, one to lapsed those that are listed or approved.
type Register interface {
	Seal(ctx context.Context, id string) (Seal, error)
	// AddUse takes a use that is requested; ErrNotApproved otherwise.
	AddUse(ctx context.Context, u Use, ev ledger.Event) (ledger.Receipt, error)
	// MoveUse is a guarded update from one state to u.State; ErrNotApproved
	// when the row is not in from. What was asked for never changes. A move to
	// sealing asks Seal.Admit inside the transaction, with the seal and the
	// counts as they are then, so that callers at once never pass a quota.
	MoveUse(ctx context.Context, u Use, from UseState, ev ledger.Event) (ledger.Receipt, error)
	Use(ctx context.Context, id string) (Use, error)
	// Uses lists what a query asks for, newest first.
	Uses(ctx context.Context, q UseQuery) ([]Use, error)
	// Taken counts the uses of a seal that were counted since two moments.
	Taken(ctx context.Context, seal string, all, window time.Time) (Taken, error)
}

// Ender writes down that the period of a seal is over (signer/life).
type Ender interface {
	End(ctx context.Context, sealID string) error
}

// Stamper asks a time-stamp service (tsa.Client) for a token over a signature
// value.
type Stamper interface {
	Stamp(ctx context.Context, value []byte) (token []byte, err error)
}

// Approver answers whether a use was approved: it verifies the leader's
// signature over (use id, Use.Approves) and returns the approval's id, or
// ErrNotApproved, or ErrRefused when the leader said no.
type Approver interface {
	ApprovedUse(ctx context.Context, u Use) (approvalID string, err error)
}
