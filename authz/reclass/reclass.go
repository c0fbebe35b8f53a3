// Package reclass changes the level of information that is in the catalogue
// (变更定级): the provider's signed act of two persons, and the only way down
// (西政办发〔2011〕8号 art. 30; 京政发〔2017〕37号 art. 26).
//
// A lowering names its legal ground and a new secrecy review (保密审查, 西政办发
// 〔2014〕14号 art. 16), and waits for the signature of the provider's leader.
// Raising is one person's act, at once, that the leader confirms afterwards; a no
// is on record and lowers nothing. What lowers one part while it raises another,
// or opens information to the public, is a lowering. Copies follow in the same
// transaction, each no lower than everything that it was made of, and each unit
// that keeps one is told what to do by when: relabel it, or remove it from a system
// that does not carry the new label and may not use it from that moment on.
package reclass

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// State is where an act stands.
type State string

// States: a lowering is proposed → in_force, refused or withdrawn; a raising is
// raised (in effect) → in_force (confirmed) or disputed (in effect all the same).
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Raised    State = "raised"
	Disputed  State = "disputed"
)

// Moves says which moves there are; a store refuses any other.
func Moves(from, to State) bool {
	switch from {
	case Proposed:
		return to == InForce || to == Refused || to == Withdrawn
	case Raised:
		return to == InForce || to == Disputed
	}
	return false
}

// Act is one change of the label of a resource.
type Act struct {
	ID        string        `json:"id"`
	Resource  string        `json:"resource"`
	Provider  identity.USCC `json:"provider"`
	From      level.Label   `json:"from"` // what the catalogue said when it was proposed
	To        level.Label   `json:"to"`
	Ground    string        `json:"ground"`           // legal ground (依据)
	Review    string        `json:"review,omitempty"` // number of the secrecy review; a lowering has one
	Due       time.Time     `json:"due"`              // until when those who keep copies have done their part
	Requester string        `json:"requester"`
	AskedAt   time.Time     `json:"asked_at"`
	Digest    string        `json:"digest_sm3"`

	State     State     `json:"state"`
	Approval  string    `json:"approval,omitempty"`
	SettledAt time.Time `json:"settled_at,omitzero"`
	EndedBy   string    `json:"ended_by,omitempty"` // who withdrew it
	EndReason string    `json:"end_reason,omitempty"`
}

// Raises reports an act that lowers nothing: no part of the label goes down, no tag
// that restricts is dropped, and nothing is opened to the public.
func (a Act) Raises() bool {
	return a.To.Dominates(a.From) && (opened(a.From) || !opened(a.To))
}

func opened(l level.Label) bool { return slices.Contains(l.Tags, level.TagPublicDisclosure) }

// Kinds of notices.
const (
	Relabel = "relabel" // stamp the new label on the copy
	Remove  = "remove"  // destroy it there, or have the system re-graded: it does not carry the new label
)

// Notice tells a unit what an act means for a copy that it keeps, and holds what it
// answered.
type Notice struct {
	ID       string        `json:"id"` // act/holding
	Act      string        `json:"act"`
	Holding  string        `json:"holding"`
	System   string        `json:"system"`
	Agency   identity.USCC `json:"agency"`
	Kind     string        `json:"kind"`
	Before   level.Label   `json:"before"`
	After    level.Label   `json:"after"`
	Due      time.Time     `json:"due"`
	DoneAt   time.Time     `json:"done_at,omitzero"`
	DoneBy   string        `json:"done_by,omitempty"`
	Evidence string        `json:"evidence_sm3,omitempty"` // SM3 of what proves it
	Note     string        `json:"note,omitempty"`
}

// Overdue reports a notice that nobody answered in time.
func (n Notice) Overdue(at time.Time) bool { return n.DoneAt.IsZero() && !at.Before(n.Due) }

// Outcomes that callers branch on.
var (
	ErrNotFound  = errors.New("reclass: not found")
	ErrExists    = errors.New("reclass: already there")
	ErrInvalid   = errors.New("reclass: invalid act")
	ErrForbidden = errors.New("reclass: the person may not do this")
	// ErrState: not in that state, or the catalogue has another label by now.
	ErrState     = errors.New("reclass: not in that state")
	ErrGround    = errors.New("reclass: a lowering needs a legal ground and a new secrecy review")
	ErrNotSigned = errors.New("reclass: no signature of the provider's leader over these terms")
	// ErrKept: the copy is still on a system that does not carry it.
	ErrKept = errors.New("reclass: the copy is still there")
)

// Store keeps acts and notices; see identity.Register for the promises.
type Store interface {
	// AddAct keeps a proposal; one that raises takes effect with it, as MoveAct says.
	AddAct(ctx context.Context, a Act, ev ledger.Event) (ledger.Receipt, error)
	// MoveAct is a guarded update to a.State. A lowering that comes into force sets the
	// label of the resource, ErrState unless it is a.From by now, lets every copy
	// follow (Follow), and writes the notices.
	MoveAct(ctx context.Context, a Act, from State, ev ledger.Event) (ledger.Receipt, error)
	Act(ctx context.Context, id string) (Act, error)
	// ActsOf lists those of a provider, newest first; of every one when it is empty.
	ActsOf(ctx context.Context, provider identity.USCC) ([]Act, error)

	// Done records the answer to a notice; ErrState when it has one, ErrKept for a copy
	// to be removed that is neither destroyed nor carried by its system. The signed
	// statement that a copy was destroyed (sharing.CopyStore) answers its notices, too.
	Done(ctx context.Context, n Notice, ev ledger.Event) (ledger.Receipt, error)
	Notice(ctx context.Context, id string) (Notice, error)
	// NoticesTo lists those of a unit, newest act first; NoticesOf those of an act.
	NoticesTo(ctx context.Context, unit identity.USCC) ([]Notice, error)
	NoticesOf(ctx context.Context, act string) ([]Notice, error)
	// NoticesOn lists those about copies on a system, by id, from after it on.
	NoticesOn(ctx context.Context, system, after string, limit int) ([]Notice, error)
}

const (
	timeForm = "2006-01-02T15:04:05.000Z"
	domain   = "yinxin/reclassification/v1\n"
	maxText  = 500
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// terms declares its fields in the order of their names, as RFC 8785 sorts.
type terms struct {
	Due      string        `json:"due"`
	From     level.Label   `json:"from"`
	Ground   string        `json:"ground"`
	ID       string        `json:"id"`
	Provider identity.USCC `json:"provider"`
	Resource string        `json:"resource"`
	Review   string        `json:"review"`
	To       level.Label   `json:"to"`
}

// Terms returns the bytes whose SM3 the leader signs: both labels, the ground and
// the review among them.
func (a Act) Terms() ([]byte, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	b := bytes.NewBufferString(domain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(terms{a.Due.UTC().Format(timeForm), a.From, a.Ground, a.ID, a.Provider, a.Resource, a.Review, a.To}); err != nil {
		return nil, fmt.Errorf("reclass: encoding: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (a Act) digest() (string, error) {
	raw, err := a.Terms()
	if err != nil {
		return "", err
	}
	sum := sm3.Sum(raw)
	return hex.EncodeToString(sum[:]), nil
}

func (a Act) validate() error {
	if !idForm.MatchString(a.ID) || !idForm.MatchString(a.Resource) || a.Provider.Validate() != nil || a.Due.IsZero() || !a.Due.Equal(a.Due.Truncate(time.Millisecond)) {
		return fmt.Errorf("%w: id, resource, provider or day", ErrInvalid)
	}
	for _, l := range []level.Label{a.From, a.To} {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if a.From.String() == a.To.String() {
		return fmt.Errorf("%w: the label stays as it is", ErrInvalid)
	}
	if !plain(a.Ground) || a.Review != "" && !plain(a.Review) || !a.Raises() && a.Review == "" {
		return ErrGround
	}
	return nil
}

// plain text says something, within bounds, without control characters.
func plain(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
	})
}

// Subject is what the provider's leader signs.
func (a Act) Subject() approval.Subject {
	return approval.Subject{Kind: approval.KindRelabel, ID: a.ID, Digest: a.Digest, Unit: a.Provider, Requester: a.Requester}
}
