// Package closing keeps the rule for ending a certification service (暂停、终止电子
// 认证服务, 电子签名法 art. 23): those concerned are told 90 days before, the
// department in charge 60 days before, and somebody takes the records over.
//
// An announcement names the day, the reason and who takes over. One officer asks,
// a second one signs exactly its words, and from then on no certificate is issued
// that outlives the day (ca.Horizon), while revocation, holds, OCSP and lists go
// on. Everybody with a certificate in force has a notice. Going back to normal
// takes two persons as well. The service is ended once the day has come, 90 days
// passed since the announcement was approved, and two persons put on record who
// took which records over; an ended service stays ended.
//
// It refuses a day that is nearer than 90 days, when it is asked for and again
// when it is approved; a second announcement beside one in force; an act that the
// asker approves; a hand-over without the digest of its protocol or reported
// later than 60 days ago when the day comes; and a withdrawal after the end. Who
// cannot read the state issues nothing.
package closing

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Periods of 电子签名法 art. 23.
const (
	Notice = 90 * 24 * time.Hour // to everybody concerned
	Report = 60 * 24 * time.Hour // to the department in charge
)

// Mode is what is announced.
type Mode string

// Modes.
const (
	Suspend Mode = "suspend" // 暂停服务: until it is withdrawn
	End     Mode = "end"     // 终止服务
)

// Kind tells the acts of this room apart.
type Kind string

// Kinds.
const (
	Announcement Kind = "announcement" // 公告
	Withdrawal   Kind = "withdrawal"   // of the announcement in force
	HandOver     Kind = "hand_over"    // 业务承接: who took the records
)

// State of an act: proposed → in_force, refused or dropped; an announcement in
// force → withdrawn.
type State string

// States.
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Dropped   State = "dropped" // taken back before it was answered
	Withdrawn State = "withdrawn"
)

// Act is one step of two persons. What is above State is what is signed.
type Act struct {
	ID     string `json:"id"`
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason"`

	// Of an announcement.
	Mode      Mode      `json:"mode,omitempty"`
	At        time.Time `json:"at,omitzero"`         // the first moment without service
	Successor string    `json:"successor,omitempty"` // who takes over; empty: nobody is found, the department in charge arranges it

	// Of a withdrawal and a hand-over.
	Of string `json:"of,omitempty"` // the announcement

	// Of a hand-over.
	Taker    string    `json:"taker,omitempty"`    // who took over, or the department's arrangement
	Records  string    `json:"records,omitempty"`  // what was handed over
	Protocol string    `json:"protocol,omitempty"` // SM3 of the signed protocol, hex
	Reported time.Time `json:"reported,omitzero"`  // when the department in charge was told

	AskedBy string    `json:"asked_by"`
	AskedAt time.Time `json:"asked_at"`

	State     State     `json:"-"`
	Approval  string    `json:"-"` // id of the signed answer
	SettledAt time.Time `json:"-"`
}

// Digest is what the second person signs: SM3 over everything that was asked.
func (a Act) Digest() string {
	a.At, a.Reported, a.AskedAt = a.At.UTC(), a.Reported.UTC(), a.AskedAt.UTC()
	raw, err := json.Marshal(a)
	if err != nil {
		return "" // strings and times of four-digit years always encode
	}
	sum := sm3.Sum(append([]byte("yinxin/ca-closing/v1\n"), raw...))
	return hex.EncodeToString(sum[:])
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("closing: not found")
	ErrOpen        = errors.New("closing: another act waits for its answer")
	ErrExists      = errors.New("closing: on record already")
	ErrState       = errors.New("closing: not in a state for this")
	ErrInvalid     = errors.New("closing: entry is not complete")
	ErrSoon        = errors.New("closing: the end has to be 90 days away")
	ErrForbidden   = errors.New("closing: no post for this")
	ErrNotApproved = errors.New("closing: not approved")
)

// Store keeps acts and notices. Mutating methods commit rows and event in one
// transaction.
type Store interface {
	// AddAct records a proposal; ErrOpen while another one waits.
	AddAct(ctx context.Context, a Act, ev ledger.Event) (ledger.Receipt, error)
	// SettleAct writes State, Approval and SettledAt of a proposal; ErrState when
	// it is none any more. With a withdrawal in force its announcement is
	// withdrawn; of announcements one is in force: ErrState for a second.
	SettleAct(ctx context.Context, a Act, ev ledger.Event) (ledger.Receipt, error)
	Act(ctx context.Context, id string) (Act, error)
	// Acts is every act by AskedAt. It reads what was committed last on any node.
	Acts(ctx context.Context) ([]Act, error)

	// Holders is everybody who has a certificate in force at a moment, but for
	// the house's own services.
	Holders(ctx context.Context, at time.Time) ([]Holder, error)
	// AddNotices records them as pending; ErrExists when one of them is there.
	AddNotices(ctx context.Context, n []NoticeTo, ev ledger.Event) (ledger.Receipt, error)
	// MoveNotice writes State, DeliveredAt, SeenAt and SeenBy; ErrState when it is
	// not in from.
	MoveNotice(ctx context.Context, n NoticeTo, from NoticeState, ev ledger.Event) (ledger.Receipt, error)
	Notices(ctx context.Context, announcement string) ([]NoticeTo, error)
}

// Answer is a second person's signed answer, verified.
type Answer struct {
	ID  string
	Yes bool
}

// Approver verifies the answer to an act; ErrNotApproved while there is none.
type Approver interface {
	Answer(ctx context.Context, a Act) (Answer, error)
}

// Posts says who holds one of these posts in a unit now.
type Posts interface {
	Holds(ctx context.Context, person, unit string, roles ...string) (bool, error)
}

// Phase is where the service stands.
type Phase string

// Phases.
const (
	Open      Phase = "open"
	Closing   Phase = "closing"   // announced
	Suspended Phase = "suspended" // the day has come; a withdrawal resumes
	Stopped   Phase = "stopped"   // the day has come; not ended before everything else is there too
	Ended     Phase = "ended"
)

// Standing is the state of the service at a moment.
type Standing struct {
	Phase    Phase
	Act      Act // the announcement in force; zero while Open
	HandOver Act // approved; zero: none yet
}

// Issues reports whether certificates are issued, up to the announced end.
func (s Standing) Issues() bool { return s.Phase == Open || s.Phase == Closing }

// standing folds the acts: the announcement in force, what came of it, and the
// clock.
func standing(acts []Act, now time.Time) Standing {
	out := Standing{Phase: Open}
	for _, a := range acts {
		if a.Kind == Announcement && a.State == InForce {
			out.Act, out.Phase = a, Closing
		}
	}
	if out.Phase == Open {
		return out
	}
	for _, a := range acts {
		if a.Kind == HandOver && a.State == InForce && a.Of == out.Act.ID {
			out.HandOver = a
		}
	}
	switch {
	case now.Before(out.Act.At):
	case out.Act.Mode == Suspend:
		out.Phase = Suspended
	case out.HandOver.ID == "", now.Before(out.Act.SettledAt.Add(Notice)), now.Before(out.HandOver.Reported.Add(Report)):
		out.Phase = Stopped
	default:
		out.Phase = Ended
	}
	return out
}

func wrapped(what string, err error) error { return fmt.Errorf("closing: %s: %w", what, err) }
