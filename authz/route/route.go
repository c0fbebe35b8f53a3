// Package route is the register of routes (网关路由): which shared resource and
// action a path of a system's own interface stands for. An enforcement point in
// front of that system (Envoy, a gateway) sends the path; the decision point asks
// about the resource.
//
// A route counts from the moment at which the leader of the system's own unit
// signed exactly what its administrator proposed, until somebody of the unit
// withdraws it: who could change a route alone could let a request for one
// resource pass as one for another (西政办发〔2011〕8号 art. 24). It refuses a
// proposal for another unit's system, prefixes that two programs may read
// differently, and two open routes for one prefix and method. A path that no
// route covers, or two, stands for nothing: the caller must deny.
package route

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// State of a route: proposed → in_force → withdrawn, or proposed → refused.
type State string

// States.
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
)

// Route is one entry. What is above State was proposed and is what is signed.
type Route struct {
	ID       string        `json:"id"`
	System   string        `json:"system"` // whose interface it is, and whose enforcement point asks
	Unit     identity.USCC `json:"unit"`
	Prefix   string        `json:"prefix"`            // "/births": itself and what is below it
	Methods  []string      `json:"methods,omitempty"` // in order, upper case; none: every method
	Type     string        `json:"type"`              // of the resource; "resource": the catalogue
	Resource string        `json:"resource"`
	Action   string        `json:"action"`
	Purpose  string        `json:"purpose,omitempty"` // "": the one that the request declares
	Fields   []string      `json:"fields,omitempty"`  // what the interface gives of the resource; none: all
	Reason   string        `json:"reason"`
	AskedBy  string        `json:"asked_by"`
	AskedAt  time.Time     `json:"asked_at"`

	State     State     `json:"-"`
	Approval  string    `json:"-"` // id of the signed answer
	SettledAt time.Time `json:"-"`
	EndedBy   string    `json:"-"` // who withdrew it
	EndReason string    `json:"-"`
	EndedAt   time.Time `json:"-"`
}

// Catalogue is the Type of the shared resources.
const Catalogue = "resource"

// Digest is what the leader signs: SM3 over every proposed field.
func (r Route) Digest() string {
	r.AskedAt = r.AskedAt.UTC()
	raw, err := json.Marshal(r)
	if err != nil {
		return "" // strings and times of four-digit years always encode
	}
	sum := sm3.Sum(append([]byte("yinxin/route/v1\n"), raw...))
	return hex.EncodeToString(sum[:])
}

// Open reports whether it is proposed or in force.
func (r Route) Open() bool { return r.State == Proposed || r.State == InForce }

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("route: not found")
	ErrExists      = errors.New("route: proposed or in force already")
	ErrState       = errors.New("route: not in a state for this")
	ErrInvalid     = errors.New("route: entry is not complete")
	ErrForbidden   = errors.New("route: no post for this")
	ErrNotApproved = errors.New("route: not approved")
	// ErrPath: a path that two programs may read differently.
	ErrPath = errors.New("route: ambiguous path")
)

// Register is the store. Mutating methods commit row and event in one
// transaction.
type Register interface {
	// AddRoute records it as proposed; ErrExists for a taken id, and while another
	// of this system, prefix and methods is open.
	AddRoute(ctx context.Context, r Route, ev ledger.Event) (ledger.Receipt, error)
	// MoveRoute writes State and what settles it; ErrState when it is not in from.
	MoveRoute(ctx context.Context, r Route, from State, ev ledger.Event) (ledger.Receipt, error)
	Route(ctx context.Context, id string) (Route, error)
	// Routes is every entry of a unit, of all units with "", in one of these
	// states, in all without one; by AskedAt.
	Routes(ctx context.Context, unit identity.USCC, states ...State) ([]Route, error)
}

// Answer is a second person's signed answer, verified.
type Answer struct {
	ID  string
	Yes bool
}

// Approver verifies the answer to an entry; ErrNotApproved while there is none.
type Approver interface {
	Answer(ctx context.Context, r Route) (Answer, error)
}

// Posts says who holds one of these posts in a unit now.
type Posts interface {
	Holds(ctx context.Context, person string, unit identity.USCC, roles ...identity.Role) (bool, error)
}

// Systems is the register of systems; identity.ErrNotFound for an unknown one.
type Systems interface {
	System(ctx context.Context, id string) (identity.System, error)
}
