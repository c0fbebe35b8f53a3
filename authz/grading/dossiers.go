package grading

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Entry is what one act writes, all or nothing: the dossier as it becomes, what
// is appended to its history, and the limits that run from now on.
type Entry struct {
	Dossier   Dossier
	Step      *Step
	Paper     *Paper
	Record    *Record // appended to what the decision point reads; numbered by the store
	Unique    []Claim
	Deadlines []Deadline
	Flags     []string
}

// Claim is a number or report that two acts must not share. An object may claim
// its own again when Again is set: a re-graded system keeps its number.
type Claim struct {
	Key   string
	Again bool
}

// Filter of a list of objects; zero fields do not filter.
type Filter struct {
	Unit    identity.USCC // owner or building unit
	State   State
	Kind    Kind
	Level   uint8
	Flagged bool
	After   string // id; for the next page
	Limit   int    // 0 is 1000
}

// DueFilter of a list of deadlines; zero fields do not filter.
type DueFilter struct {
	Until workday.Date // last day of interest
	Unit  identity.USCC
	Rule  string
	Limit int // 0 is 1000
}

// Summary is one line of a list.
type Summary struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Kind       Kind          `json:"kind"`
	Owner      identity.USCC `json:"owner_unit"`
	State      State         `json:"state"`
	Level      uint8         `json:"level"`
	Grade      string        `json:"grade"` // "S3A2" in force, else under way
	ValidUntil workday.Date  `json:"valid_until,omitzero"`
	Flags      []string      `json:"flags,omitempty"`
}

// Summary of a dossier.
func (d Dossier) Summary() Summary {
	s := Summary{
		ID: d.Object.ID, Name: d.Object.Name, Kind: d.Object.Kind, Owner: d.Object.Owner, State: d.State, Level: d.Level(),
		ValidUntil: d.ValidUntil, Flags: d.Object.Flags(d.Level()),
	}
	switch {
	case d.InForce != nil:
		s.Grade = d.InForce.Grade.String()
	case d.Work != nil:
		s.Grade = d.Work.Grade.String()
	}
	return s
}

// Dossiers is the store of the procedure; see identity.Register for the promises.
type Dossiers interface {
	// Put writes an entry whose dossier has the next revision, the first being 1:
	// ErrConflict when it is not the next, ErrExists when an object is opened
	// twice or something in Unique is claimed already. In the transaction
	// it refuses with ErrHost hosts that would offer less than what they carry
	// needs, and an unknown host; with ErrBelowHoldings a Record that does not
	// carry every live holding; with ErrInUse a retirement while something is
	// held or carried.
	Put(ctx context.Context, e Entry, ev ledger.Event) (ledger.Receipt, error)
	// Dossier returns ErrNotFound for an unknown object.
	Dossier(ctx context.Context, object string) (Dossier, error)
	// Objects lists by id, Due by day.
	Objects(ctx context.Context, f Filter) ([]Summary, error)
	Due(ctx context.Context, f DueFilter) ([]Deadline, error)
	// History and Papers list what was appended, oldest first.
	History(ctx context.Context, object string) ([]Step, error)
	Papers(ctx context.Context, object string) ([]Paper, error)
}
