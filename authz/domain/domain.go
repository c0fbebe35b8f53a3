// Package domain holds application domains (应用域): the rules by which an agency's own
// system decides about its own things, loaded into the house's decision point
// (统一权限管理, 西政办发〔2011〕8号 art. 24). A domain is a bundle: Rego in package
// yinxin.app, data at data.domain, tests, and a declaration of resource types, subject
// types, actions and the properties that are read. Properties of a question are
// believed here, as the AuthZEN standard has it; facts of the house are not to be had.
//
// A bundle goes from draft (files of the system's people) through the gate, its tests
// and its cases to a proposal, counts once the leader of the owning unit signed its
// digest, and until another version replaces it or the unit withdraws it. An earlier
// version comes back as a new proposal.
//
// It refuses a bundle for the house's own kinds of resources, for a type that another
// domain answers for, for an id of the catalogue (西政办发〔2014〕14号 art. 29: shared
// resources meet the core first), without a case that permits and one that refuses,
// and by anybody but the owning system and its unit. At every question the catalogue
// is asked again. Rego runs in one limited child process a domain (package sandbox);
// what fails, takes too long or is not exactly true is a denial.
package domain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// State of a version: proposed → in_force → replaced or withdrawn, or proposed →
// refused or withdrawn.
type State string

// States.
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Replaced  State = "replaced"
)

// Version is one bundle of a domain on its way. What is above State never changes.
type Version struct {
	ID      string        `json:"id"`
	Domain  string        `json:"domain"`
	Name    string        `json:"name"`
	Digest  string        `json:"digest_sm3"` // of the canonical bundle: what is signed
	System  string        `json:"system"`
	Unit    identity.USCC `json:"unit"`
	Types   []string      `json:"resource_types"`
	Passed  int           `json:"passed"`             // tests and cases that ran before it was proposed
	Again   string        `json:"again,omitempty"`    // id of the earlier version that it brings back
	Follows string        `json:"replaces,omitempty"` // id of the version that was in force when it was proposed
	AskedBy string        `json:"asked_by"`           // the system, or a person of its unit
	AskedAt time.Time     `json:"asked_at"`

	State     State     `json:"state"`
	Approval  string    `json:"approval,omitempty"`
	SettledAt time.Time `json:"settled_at,omitzero"`
	EndedBy   string    `json:"ended_by,omitempty"`
	EndReason string    `json:"end_reason,omitempty"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// Outcomes that callers branch on, beside *sandbox.GateError and *FailedError.
var (
	ErrNotFound    = errors.New("domain: not found")
	ErrExists      = errors.New("domain: another version is proposed already")
	ErrState       = errors.New("domain: not in a state for this")
	ErrInvalid     = errors.New("domain: bundle is not complete")
	ErrReserved    = errors.New("domain: a resource of the house or its catalogue")
	ErrTaken       = errors.New("domain: name or resource type of another domain")
	ErrForbidden   = errors.New("domain: not of the owning unit")
	ErrNotApproved = errors.New("domain: not approved")
	ErrRecord      = errors.New("domain: decision could not be recorded")
)

// FailedError lists what did not come out as the bundle itself says.
type FailedError struct{ Failed []sandbox.Tested }

func (e *FailedError) Error() string {
	names := make([]string, len(e.Failed))
	for i, f := range e.Failed {
		names[i] = f.Name + " (" + f.Detail + ")"
	}
	return "domain: tests failed: " + strings.Join(names, ", ")
}

// Register is the store. Mutating methods commit row and event in one transaction;
// reads are of what was committed last.
type Register interface {
	// AddVersion records a proposal with its bundle; ErrExists while another of its
	// domain is proposed.
	AddVersion(ctx context.Context, v Version, bundle []byte, ev ledger.Event) (ledger.Receipt, error)
	// MoveVersion writes State and what settles it; ErrState when it is not in from.
	// On the way into force it ends the version of its domain that is (v.Follows has to
	// be that one, "" for none) and claims its types; ErrTaken for one of another
	// domain. Out of force it gives them back.
	MoveVersion(ctx context.Context, v Version, from State, ev ledger.Event) (ledger.Receipt, error)
	Version(ctx context.Context, id string) (Version, error)
	// Versions is every one of a unit ("": all), newest first; of some states only, if
	// any are named.
	Versions(ctx context.Context, unit identity.USCC, states ...State) ([]Version, error)
	// Owner is the system that a domain is of: its first version says so for good.
	Owner(ctx context.Context, domain string) (system string, err error)
	// Bundle returns the canonical bytes, by their digest.
	Bundle(ctx context.Context, digest string) ([]byte, error)
}

// Catalogue says which of some ids are shared resources or copies of them.
type Catalogue interface {
	Catalogued(ctx context.Context, ids []string) ([]string, error)
}

// Systems is the register of systems.
type Systems interface {
	System(ctx context.Context, id string) (identity.System, error)
}

// Answer is the leader's signed answer, verified.
type Answer struct {
	ID  string
	Yes bool
}

// Approver verifies the answer to a version; ErrNotApproved while there is none.
type Approver interface {
	Answer(ctx context.Context, v Version) (Answer, error)
}

// Recorder writes a decision to the ledger before it is answered.
type Recorder interface {
	Record(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Archive keeps what decisions were made of: see authz.Archive.
type Archive interface {
	Keep(ctx context.Context, docs map[string][]byte) error
}

// Config of a Service. Every field but Sandbox is required.
type Config struct {
	Register  Register
	Catalogue Catalogue
	Systems   Systems
	Approver  Approver
	Recorder  Recorder
	Archive   Archive
	Sandbox   sandbox.Config
	Now       func() time.Time
	NewID     func() string
}

// Service is the room. It is safe for concurrent use; Close ends its children.
type Service struct {
	cfg    Config
	engine string // digest of the evaluator
	served serving
	checks chan struct{} // one proposal is tried at a time
}

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Catalogue == nil || cfg.Systems == nil || cfg.Approver == nil || cfg.Recorder == nil || cfg.Archive == nil || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("domain: every field of the configuration but Sandbox is required")
	}
	engine, err := sandbox.Engine()
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, engine: engine, checks: make(chan struct{}, 1)}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// Version is one of the register.
func (s *Service) Version(ctx context.Context, id string) (Version, error) {
	return s.cfg.Register.Version(ctx, id)
}

// Versions are those of a unit, "" for all.
func (s *Service) Versions(ctx context.Context, unit identity.USCC) ([]Version, error) {
	return s.cfg.Register.Versions(ctx, unit)
}

// Bundle is what a version says, as it was signed.
func (s *Service) Bundle(ctx context.Context, v Version) (Bundle, []byte, error) {
	raw, err := s.cfg.Register.Bundle(ctx, v.Digest)
	if err != nil {
		return Bundle{}, nil, err
	}
	b, err := Parse(raw)
	if err == nil && b.Digest() != v.Digest {
		err = fmt.Errorf("%w: the bundle of %s was altered", ErrInvalid, v.ID)
	}
	return b, raw, err
}
