// Package anchor is the register of trust anchors of others (信任锚): accredited
// certification services, whose seals are imported and whose signatures count
// as theirs. An anchor counts from the moment at which a second person signed
// exactly what was proposed, until its licence ends or somebody withdraws it.
//
// It refuses the house's own authorities, which no licence makes accredited ones
// (design law 7); a certificate that is no authority, does not sign itself, is out of
// its period or weak; an entry without a reason, a licence or a period; an
// approval of anything but these words; and a proposer who approves. Withdrawing
// acts at once and needs one person: loosening waits, tightening does not
// (design law 8). Nothing in a certificate proves an accreditation: it is what
// two persons of the house say (商用密码管理条例 art. 24, 30; 电子签名法 art. 18).
package anchor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// State of an anchor: proposed → in_force → withdrawn, or proposed → refused.
type State string

// States.
const (
	Proposed  State = "proposed"
	InForce   State = "in_force"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
)

// Anchor is one entry. What is above State was proposed and is what is signed.
type Anchor struct {
	ID      string    `json:"id"`
	DER     []byte    `json:"certificate"`
	Service string    `json:"service"` // name of the certification service
	Licence string    `json:"licence"` // 资质编号
	URL     string    `json:"url"`     // where the service publishes both
	From    time.Time `json:"from"`    // first moment of the licence
	Until   time.Time `json:"until"`   // first moment after it
	Reason  string    `json:"reason"`
	AskedBy string    `json:"asked_by"`
	AskedAt time.Time `json:"asked_at"`

	State     State     `json:"-"`
	Approval  string    `json:"-"` // id of the signed answer
	SettledAt time.Time `json:"-"`
	EndedBy   string    `json:"-"` // who withdrew it
	EndReason string    `json:"-"`
	EndedAt   time.Time `json:"-"`
}

// Digest is what the second person signs: SM3 over every proposed field.
func (a Anchor) Digest() string {
	a.From, a.Until, a.AskedAt = a.From.UTC(), a.Until.UTC(), a.AskedAt.UTC()
	raw, err := json.Marshal(a)
	if err != nil {
		return "" // strings, bytes and times of four-digit years always encode
	}
	sum := sm3.Sum(append([]byte("yinxin/trust-anchor/v1\n"), raw...))
	return hex.EncodeToString(sum[:])
}

// SM3 and SHA256 are the fingerprints that people compare with what the service
// publishes.
func (a Anchor) SM3() string {
	sum := sm3.Sum(a.DER)
	return hex.EncodeToString(sum[:])
}

// SHA256 is the other one.
func (a Anchor) SHA256() string {
	sum := sha256.Sum256(a.DER)
	return hex.EncodeToString(sum[:])
}

// Counts reports whether it vouches for what is signed at a time.
func (a Anchor) Counts(at time.Time) bool {
	return a.State == InForce && !at.Before(a.From) && at.Before(a.Until)
}

// Outcomes that callers branch on.
var (
	ErrNotFound    = errors.New("anchor: not found")
	ErrExists      = errors.New("anchor: proposed or in force already")
	ErrState       = errors.New("anchor: not in a state for this")
	ErrInvalid     = errors.New("anchor: entry is not complete")
	ErrCertificate = errors.New("anchor: certificate refused")
	ErrForbidden   = errors.New("anchor: no post for this")
	ErrNotApproved = errors.New("anchor: not approved")
)

// Register is the store. Mutating methods commit row and event in one
// transaction.
type Register interface {
	// AddAnchor records it as proposed; ErrExists for a taken id, and while the
	// same certificate is proposed or in force.
	AddAnchor(ctx context.Context, a Anchor, ev ledger.Event) (ledger.Receipt, error)
	// MoveAnchor writes State and what settles it; ErrState when it is not in from.
	MoveAnchor(ctx context.Context, a Anchor, from State, ev ledger.Event) (ledger.Receipt, error)
	Anchor(ctx context.Context, id string) (Anchor, error)
	// Anchors is every entry in one of these states, all without one; by AskedAt.
	Anchors(ctx context.Context, states ...State) ([]Anchor, error)
}

// Answer is a second person's signed answer, verified.
type Answer struct {
	ID  string
	Yes bool
}

// Approver verifies the answer to an entry; ErrNotApproved while there is none.
type Approver interface {
	Answer(ctx context.Context, a Anchor) (Answer, error)
}

// Posts says who holds one of these posts in a unit now.
type Posts interface {
	Holds(ctx context.Context, person, unit string, roles ...string) (bool, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Register Register
	Approver Approver
	Posts    Posts
	House    string                                  // the unit that runs the house: its officers propose and withdraw
	Own      func(context.Context) ([][]byte, error) // certificates of the house's own authorities, DER
	Now      func() time.Time
	NewID    func() string
}

// Service is the room. It is safe for concurrent use.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.House == "" || cfg.Own == nil || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("anchor: every field of the configuration is required")
	}
	return &Service{cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) event(kind string, actor ledger.Actor, a Anchor, details map[string]string) ledger.Event {
	d := map[string]string{"sm3": a.SM3(), "sha256": a.SHA256(), "service": a.Service, "licence": a.Licence, "until": a.Until.UTC().Format(time.RFC3339)}
	for k, v := range details {
		d[k] = v
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.anchor." + kind, Class: ledger.ClassCertificate, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "trust_anchor", ID: a.ID}, Outcome: ledger.Success, Payload: a.Digest(), Details: d,
	}
}

// InForce are the anchors that were approved and not withdrawn. Those whose
// licence is over are among them: what was signed in its time stays judged by it
// (Counts). The caller does without any when it fails: an anchor that may have
// been withdrawn is none.
func (s *Service) InForce(ctx context.Context) ([]Anchor, error) {
	all, err := s.cfg.Register.Anchors(ctx, InForce)
	if err != nil {
		return nil, fmt.Errorf("anchor: read register: %w", err)
	}
	return all, nil
}

// All is the register, for those who look after it.
func (s *Service) All(ctx context.Context) ([]Anchor, error) { return s.cfg.Register.Anchors(ctx) }

// Anchor is one entry.
func (s *Service) Anchor(ctx context.Context, id string) (Anchor, error) {
	return s.cfg.Register.Anchor(ctx, id)
}
