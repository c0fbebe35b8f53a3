// Package life leads an electronic seal through its life: applied → approved →
// made → filed → active ⇄ suspended, and its ends refused, cancelled and expired
// (电子印章管理办法 art. 12, 17, 18; GB/T 33481-2016). Making seals is a role of
// its own, apart from using them (package signer): another key, other persons,
// and where a site wants it another process.
//
// One table (Rules) says which act moves a seal from where to where, who may do
// it and what it needs; any other move is a signer.StateError. Who applies, who
// approves and who makes are three persons, and the maker never is a user of
// the seal. Suspending and cancelling act at once; whatever loosens (a first
// approval, the end of a suspension, a new authorisation) waits for the
// signature of the leader of the owning unit over the digest of exactly that.
//
// It refuses a picture other than the approved one, a period longer than the
// approved one, a key that was reported as compromised, and an imported seal
// whose certificate does not lead to an anchor that the operator keeps for
// accredited services or whose key is not in custody. A seal drawn here is filed
// as a sample (样章) and never as anything else.
package life

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// Outcomes that callers branch on, besides those of package signer.
var (
	ErrRole        = errors.New("life: the person holds no post that may do this")
	ErrSeparation  = errors.New("life: one person in two roles")
	ErrFiling      = errors.New("life: filing number missing")
	ErrReason      = errors.New("life: reason missing")
	ErrAsked       = errors.New("life: another question about this seal waits for the leader")
	ErrNotAsked    = errors.New("life: nothing about this seal waits for the leader")
	ErrPicture     = errors.New("life: not the approved picture")
	ErrPeriod      = errors.New("life: not the approved period")
	ErrCompromised = errors.New("life: the key was reported as compromised")
	ErrImport      = errors.New("life: the seal cannot be imported")
	ErrConflict    = errors.New("life: somebody else changed the seal; read it again")
)

// Register is the store of seals: row, step and event in one transaction.
type Register interface {
	// AddSeal takes a new seal with its first step; ErrExists when its number
	// was ever given.
	AddSeal(ctx context.Context, s signer.Seal, step Step, ev ledger.Event) (ledger.Receipt, error)
	// MoveSeal writes a change over the row that has the revision before
	// s.Revision and stands in step.From; ErrConflict when it is another.
	MoveSeal(ctx context.Context, s signer.Seal, step Step, ev ledger.Event) (ledger.Receipt, error)
	Seal(ctx context.Context, id string) (signer.Seal, error)
}

// Lists is what pages and sweeps read.
type Lists interface {
	// Seals lists what a query asks for, by number.
	Seals(ctx context.Context, q Query) ([]signer.Seal, error)
	// Steps is the history of a seal, oldest first. It only grows.
	Steps(ctx context.Context, seal string) ([]Step, error)
}

// Query selects seals; an empty field selects all.
type Query struct {
	Unit    string
	KeyID   string
	States  []signer.SealState
	Awaits  bool      // only those with a question to the leader
	EndedBy time.Time // only those whose period is over at this moment
}

// Step is one act in the history of a seal.
type Step struct {
	Seal     string           `json:"seal"`
	Revision int64            `json:"revision"`
	Act      Act              `json:"act"`
	From     signer.SealState `json:"from"`
	To       signer.SealState `json:"to"`
	Actor    string           `json:"actor"`
	Reason   string           `json:"reason,omitempty"`
	Ref      string           `json:"ref,omitempty"` // approval, filing number, or report that it rests on
	At       time.Time        `json:"at"`
	Event    string           `json:"event"` // ledger entry id
}

// Approver knows the leader's answer to an ask: it verifies the signature over
// (kind seal, ask id, ask digest, unit, requester). signer.ErrNotApproved when
// there is none yet.
type Approver interface {
	Answer(ctx context.Context, unit string, a signer.Ask) (Answer, error)
}

// Answer is a verified, signed answer.
type Answer struct {
	ID       string // of the approval
	Approver string // person id
	Yes      bool
	Reason   string // of a refusal
}

// Posts knows who holds which post.
type Posts interface {
	Holds(ctx context.Context, person, unit string, roles ...string) (bool, error)
}

// Keys is the custody of the seals' keys and of the maker's.
type Keys interface {
	Signer(ctx context.Context, keyID string) (crypto.Signer, error)
	// Class names the custody, as reports print it.
	Class(ctx context.Context, keyID string) (string, error)
}

// Recorder writes to the ledger what changes no row yet: that a seal is about to
// be signed.
type Recorder interface {
	Record(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Config of the room. Every field down to NewID is required.
type Config struct {
	Register  Register
	Lists     Lists
	Approver  Approver
	Posts     Posts
	Recorder  Recorder
	Keys      Keys
	MakerUnit string // unit that runs the seal-making system
	Now       func() time.Time
	NewID     func() string // UUIDv7

	// Accredited are the anchors for imported seals: those of accredited
	// electronic-government certification services, kept apart from the house's
	// own. None: nothing can be imported.
	Accredited []Anchor
	// Registered are more of them, asked for each time: they come and go while the
	// house runs. nil: none.
	Registered func(ctx context.Context) ([]Anchor, error)

	Reports  Reports  // compromises; nil: they cannot be reported
	Revoker  Revoker  // required with Reports
	Uses     Uses     // required with Reports
	Reliers  Reliers  // required with Reports
	Notifier Notifier // nil: notices wait until they are read
}

// Anchor is an authority of an accredited service with its licences, as the
// operator keeps them: nothing in a certificate proves one.
type Anchor struct {
	DER      []byte
	Licences []signer.Accreditation
}

// Service is the room. It is safe for concurrent use if its parts are.
type Service struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Lists == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.Recorder == nil || cfg.Keys == nil ||
		cfg.MakerUnit == "" || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("life: register, lists, approver, posts, recorder, keys, maker unit, clock and id source are required")
	}
	if cfg.Reports != nil && (cfg.Revoker == nil || cfg.Uses == nil || cfg.Reliers == nil) {
		return nil, errors.New("life: reports of compromise need a revoker, the uses and who relied on them")
	}
	return &Service{cfg: cfg}, nil
}

// now is whole milliseconds, UTC, as the ledger writes times.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// change is one act about to be recorded.
type change struct {
	rule    Rule
	actor   ledger.Actor
	at      time.Time
	reason  string
	ref     string
	payload string            // SM3 of what the event is about; empty: of the seal
	details map[string]string // further ones
}

// record writes the seal as it is after a change, with step and event, in one
// transaction.
func (s *Service) record(ctx context.Context, e signer.Seal, c change) (signer.Seal, ledger.Receipt, error) {
	from := e.State
	if c.rule.To != "" {
		e.State = c.rule.To
	}
	e.Revision++
	ev := s.event(c, e)
	step := Step{Seal: e.ID, Revision: e.Revision, Act: c.rule.Act, From: from, To: e.State, Actor: c.actor.ID, Reason: c.reason, Ref: c.ref, At: c.at, Event: ev.ID}
	put := s.cfg.Register.MoveSeal
	if from == "" {
		put = s.cfg.Register.AddSeal
	}
	receipt, err := put(ctx, e, step, ev)
	if err != nil {
		return signer.Seal{}, receipt, fmt.Errorf("life: record %s of seal %s: %w", c.rule.Act, e.ID, err)
	}
	return e, receipt, nil
}

func (s *Service) event(c change, e signer.Seal) ledger.Event {
	details := map[string]string{"unit": e.Unit, "state": string(e.State)}
	for name, v := range map[string]string{"reason": c.reason, "ref": c.ref} {
		if v != "" {
			details[name] = v
		}
	}
	for name, v := range c.details {
		details[name] = v
	}
	if c.payload == "" {
		c.payload = signer.Digest(e.DER)
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: c.rule.Event, Class: ledger.ClassSeal, Time: c.at, Actor: c.actor,
		Object: ledger.Object{Kind: "seal", ID: e.ID}, Outcome: ledger.Success, Payload: c.payload, Details: details,
	}
}

// begin loads a seal and checks that the act may be done to it by the actor.
func (s *Service) begin(ctx context.Context, act Act, actor ledger.Actor, sealID string) (signer.Seal, change, error) {
	e, err := s.Seal(ctx, sealID)
	if err != nil {
		return signer.Seal{}, change{}, err
	}
	rule, err := ruleOf(act, e)
	if err != nil {
		return signer.Seal{}, change{}, err
	}
	if err := s.may(ctx, rule, actor, e.Unit); err != nil {
		return signer.Seal{}, change{}, err
	}
	return e, change{rule: rule, actor: actor, at: s.now()}, nil
}

// may checks the post of a person. The house itself acts only where the table
// says so.
func (s *Service) may(ctx context.Context, rule Rule, actor ledger.Actor, owner string) error {
	if actor.Kind != "person" {
		if actor.Kind == "service" && rule.House {
			return nil
		}
		return fmt.Errorf("%w: %s is for a person", ErrRole, rule.Act)
	}
	for _, unit := range []string{owner, s.cfg.MakerUnit} {
		roles := rule.Owner
		if unit == s.cfg.MakerUnit {
			roles = slices.Concat(rule.Maker, rolesIf(unit == owner, rule.Owner))
		}
		if len(roles) == 0 {
			continue
		}
		holds, err := s.cfg.Posts.Holds(ctx, actor.ID, unit, roles...)
		if err != nil {
			return fmt.Errorf("life: posts of %s: %w", actor.ID, err)
		}
		if holds {
			return nil
		}
	}
	return fmt.Errorf("%w: %s needs %s", ErrRole, rule.Act, strings.Join(slices.Concat(rule.Owner, rule.Maker), ", "))
}

func rolesIf(ok bool, roles []string) []string {
	if ok {
		return roles
	}
	return nil
}
