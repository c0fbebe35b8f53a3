// Package retention keeps what belongs to a certificate for as long as the law
// asks, and ends it afterwards (电子签名法 art. 24: five years at least after the
// certificate is no longer valid; 个人信息保护法 art. 47: no longer than needed).
//
// A purge removes personal bodies only: what the registration authority was shown
// and wrote down, wrapped encryption keys with the envelopes that they were handed
// out in, and the certificates of persons with their names. Serial, issuer,
// states, periods and digests stay, and so do status answers; the ledger is never
// touched. One officer asks for a list, a second one signs exactly that list.
//
// It refuses whatever is not over for the whole period, with the day from which it
// may be asked for; what a legal hold (案件留存) covers; a key that somebody asked to
// recover; and an approval of another list. A hold needs one person and acts at
// once, lifting it takes two. All of this is asked again in the transaction that
// purges. Rule of the period: the last certificate that hangs on a thing counts,
// and its own end, never an earlier revocation.
package retention

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

// LeastYears is the period of 电子签名法 art. 24. Escrowed keys have no longer one of
// their own: GM/T 0034 leaves it to the rules of the service.
const LeastYears = 5

// Class of what is kept.
type Class string

// Classes.
const (
	Registration Class = "registration" // by id of the request: evidence and reasons (注册资料)
	Escrow       Class = "escrow"       // by system/pair: the wrapped encryption key (托管密钥)
	Person       Class = "person"       // by issuer:serial: a person's certificate (个人证书)
)

// Item is one thing that is kept.
type Item struct {
	Class  Class     `json:"class"`
	ID     string    `json:"id"`
	Agency string    `json:"agency"`
	System string    `json:"system,omitempty"`
	Person string    `json:"person,omitempty"`
	Ends   time.Time `json:"ends"` // of the last certificate that hangs on it
}

// DueAt is the first moment at which it may be purged.
func (i Item) DueAt(years int) time.Time { return i.Ends.UTC().AddDate(years, 0, 0) }

// Ref names an item.
type Ref struct {
	Class Class
	ID    string
}

// EarlyError refuses a purge before its time.
type EarlyError struct {
	Ref Ref
	Due time.Time
}

// Error names the day.
func (e *EarlyError) Error() string {
	return fmt.Sprintf("%v: %s %s not before %s", ErrEarly, e.Ref.Class, e.Ref.ID, e.Due.UTC().Format(time.RFC3339))
}

// Unwrap makes it ErrEarly.
func (e *EarlyError) Unwrap() error { return ErrEarly }

// Kind tells the acts of two persons apart.
type Kind string

// Kinds.
const (
	Purge Kind = "purge" // of Items
	Lift  Kind = "lift"  // of the legal hold Hold
)

// State of an act: proposed → done, refused or dropped.
type State string

// States.
const (
	Proposed State = "proposed"
	Done     State = "done"
	Refused  State = "refused"
	Dropped  State = "dropped"
)

// Act is what one asks for and another signs. What is above State is signed.
type Act struct {
	ID      string    `json:"id"`
	Kind    Kind      `json:"kind"`
	Items   []Item    `json:"items,omitempty"`
	Hold    string    `json:"hold,omitempty"`
	Years   int       `json:"years"` // of the period that the list was made by
	Reason  string    `json:"reason"`
	AskedBy string    `json:"asked_by"`
	AskedAt time.Time `json:"asked_at"`

	State     State     `json:"-"`
	Approval  string    `json:"-"`
	SettledAt time.Time `json:"-"`
}

// Digest is what the second person signs: SM3 over everything that was asked.
func (a Act) Digest() string {
	items := make([]Item, len(a.Items))
	for i, it := range a.Items {
		it.Ends = it.Ends.UTC()
		items[i] = it
	}
	a.Items, a.AskedAt = items, a.AskedAt.UTC()
	raw, err := json.Marshal(a)
	if err != nil {
		return "" // strings and times of four-digit years always encode
	}
	sum := sm3.Sum(append([]byte("yinxin/retention/v1\n"), raw...))
	return hex.EncodeToString(sum[:])
}

// Hold keeps things beyond their period: an investigation, a law suit. Exactly
// one of the three scopes is set; none: everything.
type Hold struct {
	ID       string    `json:"id"`
	Agency   string    `json:"agency,omitempty"`
	System   string    `json:"system,omitempty"`
	Person   string    `json:"person,omitempty"`
	Document string    `json:"document"` // number of the paper that asks for it
	Reason   string    `json:"reason"`
	PlacedBy string    `json:"placed_by"`
	PlacedAt time.Time `json:"placed_at"`
	LiftedAt time.Time `json:"-"`
}

// Covers reports whether an item stays because of it.
func (h Hold) Covers(i Item) bool {
	if !h.LiftedAt.IsZero() {
		return false
	}
	switch {
	case h.System != "":
		return i.System == h.System
	case h.Person != "":
		return i.Person == h.Person
	case h.Agency != "":
		return i.Agency == h.Agency
	}
	return true
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("retention: not found")
	ErrEarly       = errors.New("retention: kept for longer")
	ErrHeld        = errors.New("retention: a legal matter is open")
	ErrOpen        = errors.New("retention: another act waits for its answer")
	ErrState       = errors.New("retention: not in a state for this")
	ErrInvalid     = errors.New("retention: entry is not complete")
	ErrForbidden   = errors.New("retention: no post for this")
	ErrNotApproved = errors.New("retention: not approved")
)

// Store keeps all of it. Mutating methods commit rows and event in one
// transaction.
type Store interface {
	// Ended lists what is kept and ended by a moment, the earliest end first.
	Ended(ctx context.Context, by time.Time, limit int) ([]Item, error)
	// Item is one of them as it stands now; ErrNotFound when it is not kept, was
	// purged, or may still lead to a certificate.
	Item(ctx context.Context, r Ref) (Item, error)

	// AddAct records a proposal; ErrOpen while another one waits.
	AddAct(ctx context.Context, a Act, ev ledger.Event) (ledger.Receipt, error)
	// SettleAct writes State, Approval and SettledAt; ErrState when it is no
	// proposal any more. With Done it purges every item, or lifts the hold, in the
	// same transaction, or nothing: an *EarlyError when an item has another end by
	// now that is not over for Years at SettledAt, ErrHeld when a hold or an open
	// recovery covers it.
	SettleAct(ctx context.Context, a Act, ev ledger.Event) (ledger.Receipt, error)
	Act(ctx context.Context, id string) (Act, error)
	Acts(ctx context.Context) ([]Act, error)

	AddHold(ctx context.Context, h Hold, ev ledger.Event) (ledger.Receipt, error)
	Holds(ctx context.Context) ([]Hold, error)
	// Recovering reports whether somebody asked for a key that belongs to an item,
	// and may still get it at a moment.
	Recovering(ctx context.Context, i Item, at time.Time) (bool, error)
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
