// Package grading is the graded-protection (等级保护) registry: what each
// system was graded, by whom, on what ground, and until when that holds.
//
// The level is derived (max of S and A, GB/T 22240-2020), never typed in.
// History is append-only. A re-grading below what the system holds or carries
// is refused (西政办发〔2014〕14号 art. 30): the registry asks the decision
// point first, and the store checks once more inside the transaction.
package grading

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// State is where the grading procedure stands (GB/T 22240-2020 ch. 4-8,
// 公通字〔2007〕43号).
type State string

// States that a Record carries; machine.go has the others.
const (
	StateDraft      State = "draft"
	StateProposed   State = "proposed"
	StateConfirmed  State = "confirmed" // level 1 is self-decided
	StateSubmitted  State = "submitted" // filed with the police organ (备案)
	StateCertified  State = "certified" // filing certificate issued
	StateSuperseded State = "superseded"
	StateRetired    State = "retired"
)

// Record is one version of a system's grading. The newest version that is not
// draft or proposed is in force.
type Record struct {
	System       string        `json:"system"`
	Version      int           `json:"version"` // 1, 2, …
	Grade        level.Grade   `json:"grade"`
	Reason       string        `json:"reason"`
	State        State         `json:"state"`
	BuildingUnit identity.USCC `json:"building_unit"` // 建设单位 determines the level (X11 art. 23)
	Filing       string        `json:"filing,omitempty"`
	DecidedOn    time.Time     `json:"decided_on"`
	AssessedOn   time.Time     `json:"assessed_on,omitzero"` // last 等级测评
	ValidUntil   time.Time     `json:"valid_until,omitzero"` // of the filing certificate
	GraceUntil   time.Time     `json:"grace_until,omitzero"` // a lapsed assessment is borne with until then
	Sample       bool          `json:"sample"`
}

// Outcomes that callers branch on.
var (
	ErrNotFound = errors.New("grading: no record")
	ErrInvalid  = errors.New("grading: invalid record")
	// ErrBelowHoldings: the new grade is lower than something the system holds or carries.
	ErrBelowHoldings = errors.New("grading: below what the system holds")
	// ErrUnit: somebody else than the building unit decided.
	ErrUnit = errors.New("grading: not decided by the building unit")
	// ErrGraded: the system has a grade in force; a change goes through Regrade.
	ErrGraded = errors.New("grading: the system is graded already")
	// ErrNotOperating: the procedure is not far enough, or its proof is out of date.
	ErrNotOperating = errors.New("grading: not confirmed or filed for operation")
)

// Registry is the store of this room; see identity.Register for the promises.
type Registry interface {
	// AddGrading appends a version. Inside the transaction it refuses with
	// ErrBelowHoldings a grade that does not carry every live holding.
	AddGrading(ctx context.Context, r Record, ev ledger.Event) (ledger.Receipt, error)
	// Grading returns the version in force, or ErrNotFound.
	Grading(ctx context.Context, system string) (Record, error)
}
