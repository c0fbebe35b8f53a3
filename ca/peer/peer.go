// Package peer is the register of peer domains (对等域): trust domains of others
// whose systems work with this house under its policy, the platform of the city or
// a vertically managed system (垂直业务系统) with an issuer of its own
// (西政办发〔2011〕8号 art. 7; 西政办发〔2014〕14号 art. 5). A domain counts from the
// moment at which a second person signed exactly what was proposed, until it ends
// or somebody withdraws it; every question reads the register anew.
//
// An anchor of a domain vouches for the names of that domain and for no others: a
// path that leads to it is followed within the entry alone. The room refuses a
// certificate whose names are not within both our constraints and those in its
// authorities (RFC 5280 4.2.1.10), which is for another use, weak, out of its
// period, revoked, or about whose revocation nothing fresh is known (RFC 5280 6.3),
// and a system that is not registered under the domain, whoever issued to it. It
// takes no authority of the house, and makes nobody an accredited service
// (商用密码管理条例 art. 24). Partial and delta lists are refused, OCSP is not asked.
package peer

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// State of an entry: proposed → in_force → withdrawn or replaced, or proposed →
// refused or withdrawn.
type State string

// States.
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Replaced  State = "replaced" // by a newer entry of the same domain
)

// Kind of a domain.
type Kind string

// Kinds.
const (
	KindCity     Kind = "city"     // a platform of the level above
	KindVertical Kind = "vertical" // a vertically managed organ
)

// Entry is a domain as two persons took it on. What is above State was proposed
// and is what is signed. A change is a new entry that replaces the old one.
type Entry struct {
	ID       string        `json:"id"`
	Domain   string        `json:"domain"` // short stable name
	Name     string        `json:"name"`
	Operator string        `json:"operator"` // unified social credit code
	Kind     Kind          `json:"kind"`
	Anchors  [][]byte      `json:"anchors"`           // self-signed authorities of either track, DER
	Issuing  [][]byte      `json:"issuing,omitempty"` // authorities below them; they vouch for nobody by themselves
	Hosts    []string      `json:"hosts,omitempty"`   // DNS names that it may speak for, with all below
	Units    []string      `json:"units,omitempty"`   // unified social credit codes that it may speak for
	Level    uint8         `json:"level"`             // highest level of information to and from it, 1 to 4
	Actions  []string      `json:"actions"`
	Purposes []string      `json:"purposes"`
	Lists    []string      `json:"lists,omitempty"` // where its lists of revoked certificates are fetched
	Stale    time.Duration `json:"stale"`           // how old a list of end certificates may be
	Systems  []System      `json:"systems"`
	From     time.Time     `json:"from"`
	Until    time.Time     `json:"until"`
	Reason   string        `json:"reason"`
	Replaces string        `json:"replaces,omitempty"` // id of the entry in force that it ends
	AskedBy  string        `json:"asked_by"`
	AskedAt  time.Time     `json:"asked_at"`

	State     State     `json:"-"`
	Approval  string    `json:"-"` // id of the signed answer
	SettledAt time.Time `json:"-"`
	EndedBy   string    `json:"-"` // who withdrew it, or proposed what replaced it
	EndReason string    `json:"-"`
	EndedAt   time.Time `json:"-"`
}

// System is one of the domain's systems as the house knows it.
type System struct {
	ID       string `json:"id"` // in the register of systems
	Name     string `json:"name"`
	Host     string `json:"host"` // DNS name in its TLS certificate
	Unit     string `json:"unit"` // unified social credit code of its agency
	UnitName string `json:"unit_name"`
	Sign     []byte `json:"sign,omitempty"` // SM2 certificates that it signs and is written to with, DER
	Enc      []byte `json:"enc,omitempty"`
}

// List is a list of revoked certificates that was checked and is kept.
type List struct {
	Domain     string
	Issuer     string // IssuerID of the authority that signed it
	SM3        string
	DER        []byte
	Number     string // decimal; "" when it says none
	ThisUpdate time.Time
	NextUpdate time.Time
	TakenAt    time.Time
	Source     string // URL, or name of the file
}

// Caller is a system of a peer domain that proved itself now.
type Caller struct {
	Domain, System, Unit string
	Serial               string // of its certificate, hex
}

// Bound is what a domain may do now. The zero Level permits nothing.
type Bound struct {
	Domain            string
	Level             uint8
	Actions, Purposes []string
	From, Until       time.Time
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("peer: not found")
	ErrExists      = errors.New("peer: proposed or in force already")
	ErrState       = errors.New("peer: not in a state for this")
	ErrInvalid     = errors.New("peer: entry is not complete")
	ErrAuthority   = errors.New("peer: authority refused")
	ErrTaken       = errors.New("peer: the system is registered otherwise")
	ErrForbidden   = errors.New("peer: no post for this")
	ErrNotApproved = errors.New("peer: not approved")
	ErrList        = errors.New("peer: list of revoked certificates refused")
	ErrOld         = errors.New("peer: a newer list is kept")
)

// What Refusal says; every one is ErrRefused too.
var (
	ErrRefused     = errors.New("peer: refused")
	ErrWithdrawn   = errors.New("peer: the domain is not in force")
	ErrAnchor      = errors.New("peer: no anchor of the domain vouches for the certificate")
	ErrAlgorithm   = errors.New("peer: algorithm or key that is not used here")
	ErrName        = errors.New("peer: a name that the domain may not speak for")
	ErrUsage       = errors.New("peer: the certificate is for another use")
	ErrRevoked     = errors.New("peer: the certificate is revoked")
	ErrNoList      = errors.New("peer: no list says whether the certificate is revoked")
	ErrStale       = errors.New("peer: the list of revoked certificates is too old")
	ErrUnknown     = errors.New("peer: no registered system of the domain")
	ErrCertificate = errors.New("peer: certificate does not read")
)

// Refusal is a certificate that does not count, with the domain whose anchor
// stands behind it, if one does. It wraps one of the outcomes above.
type Refusal struct {
	Domain  string
	Subject string // of the certificate
	Detail  string
	Cause   error
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Cause.Error()
	}
	return r.Cause.Error() + ": " + r.Detail
}

func (r *Refusal) Unwrap() error { return r.Cause }

// Is makes every refusal ErrRefused.
func (r *Refusal) Is(target error) bool { return target == ErrRefused }

// Register is the store. Mutating methods commit row and event in one
// transaction; reads are of what was committed last.
type Register interface {
	// AddPeer records an entry as proposed; ErrExists for a taken id, and while
	// another entry of its domain is proposed.
	AddPeer(ctx context.Context, e Entry, ev ledger.Event) (ledger.Receipt, error)
	// MovePeer writes State and what settles it; ErrState when it is not in from. On
	// the way into force it ends the entry of its domain that is in force, which
	// has to be e.Replaces ("": none), and marks its systems for good; ErrTaken for
	// one that another domain has marked.
	MovePeer(ctx context.Context, e Entry, from State, ev ledger.Event) (ledger.Receipt, error)
	Peer(ctx context.Context, id string) (Entry, error)
	// Peers is every entry in one of these states, all without one; by AskedAt.
	Peers(ctx context.Context, states ...State) ([]Entry, error)
	// DomainOf is the domain that a system was marked for; ErrNotFound for one of
	// the house.
	DomainOf(ctx context.Context, system string) (string, error)
	// PutList keeps a list instead of an older one of its domain and issuer; ErrOld
	// when that is as new.
	PutList(ctx context.Context, l List, ev ledger.Event) (ledger.Receipt, error)
	// PeerList is the list kept, without DER when its SM3 is have.
	PeerList(ctx context.Context, domain, issuer, have string) (List, error)
}

// Answer is a second person's signed answer, verified.
type Answer struct {
	ID  string
	Yes bool
}

// Approver verifies the answer to an entry; ErrNotApproved while there is none.
type Approver interface {
	Answer(ctx context.Context, e Entry) (Answer, error)
}

// Posts says who holds one of these posts in a unit now.
type Posts interface {
	Holds(ctx context.Context, person, unit string, roles ...string) (bool, error)
}

// Systems is the register of systems.
type Systems interface {
	// Registered says whether a system is there, and whose it is.
	Registered(ctx context.Context, system string) (unit string, known bool, err error)
	// Enter registers a system of a domain, and its agency where that is unknown.
	Enter(ctx context.Context, actor ledger.Actor, e Entry, s System) error
}

// Recorder takes refusals onto the ledger.
type Recorder interface {
	Append(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Register Register
	Approver Approver
	Posts    Posts
	Systems  Systems
	Recorder Recorder
	House    string                                  // the unit that runs the house: its officers propose and withdraw
	Actor    ledger.Actor                            // who acts when no person does
	Own      func(context.Context) ([][]byte, error) // certificates of the house's own authorities, DER
	Actions  []string                                // all that there are
	Now      func() time.Time
	NewID    func() string
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	cfg     Config
	lists   listCache
	refused refusals
}

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.Systems == nil || cfg.Recorder == nil || cfg.House == "" || cfg.Actor.ID == "" ||
		cfg.Own == nil || len(cfg.Actions) == 0 || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("peer: every field of the configuration is required")
	}
	return &Service{cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// All is the register, for those who look after it.
func (s *Service) All(ctx context.Context) ([]Entry, error) { return s.cfg.Register.Peers(ctx) }

// Entry is one of the register.
func (s *Service) Entry(ctx context.Context, id string) (Entry, error) {
	return s.cfg.Register.Peer(ctx, id)
}

// InForce are the domains that count now.
func (s *Service) InForce(ctx context.Context) ([]Entry, error) {
	all, err := s.cfg.Register.Peers(ctx, InForce)
	if err != nil {
		return nil, err
	}
	now, out := s.cfg.Now(), all[:0]
	for _, e := range all {
		if e.Counts(now) {
			out = append(out, e)
		}
	}
	return out, nil
}

// inForce is the entry of a domain that counts now, or ErrWithdrawn.
func (s *Service) inForce(ctx context.Context, domain string) (Entry, error) {
	all, err := s.InForce(ctx)
	if err != nil {
		return Entry{}, err
	}
	for _, e := range all {
		if e.Domain == domain {
			return e, nil
		}
	}
	return Entry{}, &Refusal{Domain: domain, Cause: ErrWithdrawn}
}

// DomainOf is the domain of a system, "" for one of the house. It stays when the
// domain has ended.
func (s *Service) DomainOf(ctx context.Context, system string) (string, error) {
	d, err := s.cfg.Register.DomainOf(ctx, system)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return d, err
}

// Bound is what the domain of a system may do now; nil for a system of the house.
// A domain that is over may do nothing.
func (s *Service) Bound(ctx context.Context, system string) (*Bound, error) {
	d, err := s.DomainOf(ctx, system)
	if d == "" || err != nil {
		return nil, err
	}
	e, err := s.inForce(ctx, d)
	var gone *Refusal
	switch {
	case errors.As(err, &gone):
		return &Bound{Domain: d}, nil
	case err != nil:
		return nil, err
	}
	if _, ok := e.system(system); !ok { // left out by the entry that replaced its own
		return &Bound{Domain: d}, nil
	}
	return &Bound{Domain: d, Level: e.Level, Actions: e.Actions, Purposes: e.Purposes, From: e.From, Until: e.Until}, nil
}
