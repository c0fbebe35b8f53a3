// Package grant keeps who may use what (授权, 西政办发〔2011〕8号 art. 24): a person,
// acting in a post of the unit, may do named acts for named purposes, up to a level
// of information, for a time. The unit proposes it; it takes effect when the unit's
// leader in charge (主管领导) signs exactly it, or a deputy whom that leader named.
//
// It refuses a grant without need or end, one for another unit's person, for a
// person who does not hold the post, for one of the three administrators
// (三员分立), whose posts open no content, and one that its own holder signed. A grant
// never changes: another one replaces it, and both stay on record. What loosens
// waits for a signature; a suspension acts at once and waits for one to become
// final. In an emergency (紧急授权) the security officer's signature stands in for
// the leader's, for hours, for reading only, and is reviewed afterwards.
package grant

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// State is where a grant or a delegation stands. That it is over is never
// stored: StateAt says it.
type State string

// States: proposed → in_force, refused or withdrawn; in_force ⇄ suspended; both →
// ended; in_force → replaced.
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Suspended State = "suspended"
	Ended     State = "ended"
	Replaced  State = "replaced"
	Expired   State = "expired"
)

// Grant is what was proposed, and from Digest on what became of it.
type Grant struct {
	ID        string          `json:"id"`
	Unit      identity.USCC   `json:"unit"`
	Person    string          `json:"person"`
	Role      identity.Role   `json:"role"` // 职能: the post in which the person acts
	Need      string          `json:"need"` // 工作需要; of an emergency: what happened
	Actions   []level.Act     `json:"actions"`
	Purposes  []string        `json:"purposes"`            // duties of the unit
	Resources []string        `json:"resources,omitempty"` // with Providers empty too: whatever the purposes need
	Providers []identity.USCC `json:"providers,omitempty"` // all that these units provide
	Systems   []string        `json:"systems,omitempty"`   // of the unit, where it is used; empty: any
	Level     level.Level     `json:"level"`               // highest level of information
	From      time.Time       `json:"from"`
	Until     time.Time       `json:"until"` // exclusive
	Emergency bool            `json:"emergency,omitempty"`
	Replaces  string          `json:"replaces,omitempty"` // the grant that ends when this one begins
	Requester string          `json:"requester"`
	AskedAt   time.Time       `json:"asked_at"`
	Digest    string          `json:"digest_sm3"` // SM3 over Terms

	State       State      `json:"state"`
	Approval    string     `json:"approval,omitempty"` // the signed answer
	SettledAt   time.Time  `json:"settled_at,omitzero"`
	Suspensions int        `json:"suspensions,omitempty"` // so far; each is one question
	Suspension  Suspension `json:"suspension,omitzero"`   // the last one
	EndedBy     string     `json:"ended_by,omitempty"`
	EndReason   string     `json:"end_reason,omitempty"`
	EndedAt     time.Time  `json:"ended_at,omitzero"`
	Review      Review     `json:"review,omitzero"` // of an emergency
}

// Suspension is a stop that acted at once. The leader's signature ends the grant
// or lifts the stop.
type Suspension struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Review is what leader and auditor said about an emergency afterwards.
type Review struct {
	Due      time.Time `json:"due,omitzero"`       // end of the working day after it began
	Approval string    `json:"approval,omitempty"` // the leader's signed answer
	Found    bool      `json:"found,omitempty"`    // the leader found it justified
	At       time.Time `json:"at,omitzero"`
	Auditor  string    `json:"auditor,omitempty"`
	Note     string    `json:"note,omitempty"`
	AuditAt  time.Time `json:"audit_at,omitzero"`
}

// StateAt is the state with the period in view.
func (g Grant) StateAt(at time.Time) State {
	if (g.State == InForce || g.State == Suspended || g.State == Proposed) && !at.Before(g.Until) {
		return Expired
	}
	return g.State
}

// Overdue reports an emergency that somebody has not reviewed in time.
func (g Grant) Overdue(at time.Time) bool {
	return !g.Review.Due.IsZero() && (g.Review.At.IsZero() || g.Review.AuditAt.IsZero()) && !at.Before(g.Review.Due)
}

// Unreviewed reports an emergency that took effect and waits for a review.
func (g Grant) Unreviewed() bool {
	return !g.Review.Due.IsZero() && (g.Review.At.IsZero() || g.Review.AuditAt.IsZero())
}

// Outcomes that callers branch on.
var (
	ErrNotFound      = errors.New("grant: not found")
	ErrExists        = errors.New("grant: already there")
	ErrInvalid       = errors.New("grant: invalid terms")
	ErrForbidden     = errors.New("grant: the person may not do this")
	ErrState         = errors.New("grant: not in that state")
	ErrPost          = errors.New("grant: the person does not hold the post")
	ErrAdministrator = errors.New("grant: an administrator sees no content")
	ErrNotSigned     = errors.New("grant: no signature of the leader over these terms")
)

// Store keeps grants and delegations; see identity.Register for the promises.
type Store interface {
	AddGrant(ctx context.Context, g Grant, ev ledger.Event) (ledger.Receipt, error)
	// MoveGrant is a guarded update to g.State with what belongs to it; ErrState when
	// the row is not in from, or moved since. The terms never change. A grant that
	// comes into force ends, in the same transaction, the one that it replaces;
	// ErrState when that one is not in force.
	MoveGrant(ctx context.Context, g Grant, from State, ev ledger.Event) (ledger.Receipt, error)
	// ReviewGrant sets what g.Review has and the row has not; ErrState when nothing.
	ReviewGrant(ctx context.Context, g Grant, ev ledger.Event) (ledger.Receipt, error)
	Grant(ctx context.Context, id string) (Grant, error)
	// GrantsOf lists those of a unit, newest first; of every unit when it is empty.
	GrantsOf(ctx context.Context, unit identity.USCC) ([]Grant, error)
	// GrantsFor lists those of a person that are proposed, in force or suspended and
	// end after a moment, oldest first.
	GrantsFor(ctx context.Context, person string, after time.Time) ([]Grant, error)

	AddDelegation(ctx context.Context, d Delegation, ev ledger.Event) (ledger.Receipt, error)
	MoveDelegation(ctx context.Context, d Delegation, from State, ev ledger.Event) (ledger.Receipt, error)
	Delegation(ctx context.Context, id string) (Delegation, error)
	// DelegationsOf lists those of a unit, newest first; of every unit when it is empty.
	DelegationsOf(ctx context.Context, unit identity.USCC) ([]Delegation, error)
}

// Moves says which moves there are; a store refuses any other.
func Moves(from, to State) bool {
	switch from {
	case Proposed:
		return to == InForce || to == Refused || to == Withdrawn
	case InForce:
		return to == Suspended || to == Ended
	case Suspended:
		return to == InForce || to == Ended
	}
	return false
}
