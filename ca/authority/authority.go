// Package authority is the register of the house's own authorities and of their
// succession (CA 更替): which issuing authority of each track issues now, which
// ones issued before, and under which roots they stand.
//
// Authorities come in generations. A generation is a new issuing authority of
// both tracks, under the roots that are there or under two new ones. It is
// recorded, signed by the roots, approved by a second person who signs over its
// certificates and the moment of the change, and becomes current at that moment;
// the one before retires in the same transaction. A retired authority issues
// nothing more. Its certificates stay what they were, and it goes on answering
// for them (CRL, OCSP) until its own end.
//
// New roots come with what lets the holders of either root verify the other
// side: certificates of both roots' keys by each other (RFC 4210 4.4.1), under the
// one name of both, and of both issuing authorities by the other root: a root of
// this house has one authority below it (RFC 5280 4.2.1.9), and verifiers differ
// in whether a root under its own name counts as one.
//
// It refuses a second change while one is under way, a change without a reason,
// new roots that are not where the old ones are (online, or in a ceremony room), an approval of anything but these
// certificates and this moment, and a node that has not the key of the current
// authority (design laws 4, 5, 8).
package authority

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// State of a generation: recorded → prepared → approved → current → retired, or
// refused or withdrawn on the way.
type State string

// States.
const (
	Recorded  State = "recorded" // not yet signed by the roots; handed to nobody
	Prepared  State = "prepared" // signed; waits for a second person
	Approved  State = "approved" // waits for its moment
	Current   State = "current"
	Retired   State = "retired" // answers for what it issued
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
)

// Open reports whether a change is under way.
func (s State) Open() bool { return s == Recorded || s == Prepared || s == Approved }

// Counts reports whether its certificates are those of authorities of the house:
// since a second person approved them.
func (s State) Counts() bool { return s == Approved || s == Current || s == Retired }

// Kind is what a certificate of a generation is.
type Kind string

// Kinds.
const (
	Root       Kind = "root"
	Issuing    Kind = "issuing"
	NewWithOld Kind = "new_with_old" // the new root's key, signed by the old root
	OldWithNew Kind = "old_with_new" // the old root's key, signed by the new root
	Bridge     Kind = "bridge"       // an issuing authority, signed by the other root
)

// Member is one certificate of a generation.
type Member struct {
	Track  profile.Algorithm `json:"track"`
	Kind   Kind              `json:"kind"`
	Key    string            `json:"key"`    // of its subject, in custody; empty: not here
	By     string            `json:"by"`     // key that signs it, in custody; empty: an offline root
	Issuer string            `json:"issuer"` // as in ca.Certificate
	Serial string            `json:"serial"`
	TBS    []byte            `json:"tbs"` // as recorded before it is signed
	DER    []byte            `json:"-"`   // nil until it is signed
}

// Generation is one change. What is above State was prepared and is what is signed.
type Generation struct {
	Number   int       `json:"number"` // from 1
	NewRoots bool      `json:"new_roots"`
	SwitchAt time.Time `json:"switch_at"` // when it becomes current
	Reason   string    `json:"reason"`
	AskedBy  string    `json:"asked_by"`
	AskedAt  time.Time `json:"asked_at"`
	Members  []Member  `json:"members"`

	State     State     `json:"-"`
	Approval  string    `json:"-"` // id of the signed answer
	SettledAt time.Time `json:"-"`
	CurrentAt time.Time `json:"-"` // since when it issues
	RetiredAt time.Time `json:"-"`
	EndedBy   string    `json:"-"` // who withdrew it
	EndReason string    `json:"-"`
}

// Digest is what the second person signs: SM3 over every prepared field, the
// to-be-signed bytes of each certificate among them.
func (g Generation) Digest() string {
	g.SwitchAt, g.AskedAt = g.SwitchAt.UTC(), g.AskedAt.UTC()
	raw, err := json.Marshal(g)
	if err != nil {
		return "" // strings, bytes and times of four-digit years always encode
	}
	sum := sm3.Sum(append([]byte("yinxin/ca-generation/v1\n"), raw...))
	return hex.EncodeToString(sum[:])
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("authority: no such generation")
	ErrBusy        = errors.New("authority: a change is under way")
	ErrState       = errors.New("authority: not in a state for this")
	ErrInvalid     = errors.New("authority: change is not complete")
	ErrForbidden   = errors.New("authority: no post for this")
	ErrNotApproved = errors.New("authority: not approved")
	ErrOffline     = errors.New("authority: the roots are offline")
)

// Standing is as much of a generation as tells whether anything changed.
type Standing struct {
	Number int
	State  State
}

// Register is the store. Mutating methods commit row and event in one
// transaction. One generation at most is open, and one current.
type Register interface {
	// AddGenerations records them all or none; ErrBusy when a number is taken, or
	// another generation is open or current beside one that shall be.
	AddGenerations(ctx context.Context, all []Generation, ev ledger.Event) (ledger.Receipt, error)
	// MoveGeneration writes State, what settles it and the signed certificates;
	// ErrState when it is not in from. Moving to Current retires the current one.
	MoveGeneration(ctx context.Context, g Generation, from State, ev ledger.Event) (ledger.Receipt, error)
	// Generations are all, by number. It reads what was committed last on any node.
	Generations(ctx context.Context) ([]Generation, error)
	// Standings is the same in short.
	Standings(ctx context.Context) ([]Standing, error)
}

// Keys is the custody of authorities' keys.
type Keys interface {
	// Make makes a key, or finds it: a preparation may have ended after it.
	Make(ctx context.Context, id string, alg profile.Algorithm) (*ecdsa.PublicKey, error)
	// Signer opens a key of this node.
	Signer(ctx context.Context, id string) (crypto.Signer, error)
}

// Answer is a second person's signed answer, verified.
type Answer struct {
	ID  string
	Yes bool
}

// Approver verifies the answer to a generation; ErrNotApproved while there is none.
type Approver interface {
	Answer(ctx context.Context, g Generation) (Answer, error)
}

// Posts says who holds one of these posts in a unit now.
type Posts interface {
	Holds(ctx context.Context, person, unit string, roles ...string) (bool, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Register     Register
	Registry     ca.Registry
	Keys         Keys
	Approver     Approver
	Posts        Posts
	Founding     Generation // what the house was founded with: number 1, Current until another is
	House        string     // code of the unit that runs the house
	Organization string     // its name, in names of authorities
	Site         profile.Site
	Now          func() time.Time
	Rand         io.Reader
	NewID        func() string
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	cfg    Config
	linter *lint.Linter

	mu   sync.Mutex
	last *Set // guarded by mu; nil before the first look
}

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Registry == nil || cfg.Keys == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.House == "" ||
		cfg.Organization == "" || cfg.Now == nil || cfg.Rand == nil || cfg.NewID == nil {
		return nil, errors.New("authority: every field of the configuration is required")
	}
	if err := cfg.Site.Validate(); err != nil {
		return nil, err
	}
	cfg.Founding.Number, cfg.Founding.State = 1, Current
	if _, err := newSet([]Generation{cfg.Founding}); err != nil {
		return nil, fmt.Errorf("authority: founding: %w", err)
	}
	return &Service{cfg: cfg, linter: lint.New()}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }
