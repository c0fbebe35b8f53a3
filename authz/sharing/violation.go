package sharing

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Ground of a violation, in the words of 京政发〔2017〕37号 art. 33.
type Ground string

// The five grounds.
const (
	GroundCatalogue Ground = "catalogue" // 未按要求编制或更新目录
	GroundProvision Ground = "provision" // 未向共享平台及时提供资源
	GroundQuality   Ground = "quality"   // 提供的资源无法使用
	GroundMisuse    Ground = "misuse"    // 违规使用、泄露共享信息或擅自扩大使用范围
	GroundOther     Ground = "other"     // 其他违反规定的行为
)

// Grounds lists them.
func Grounds() []Ground {
	return []Ground{GroundCatalogue, GroundProvision, GroundQuality, GroundMisuse, GroundOther}
}

// Suspends: against the unit that uses, not against the one that provides.
func (g Ground) Suspends() bool { return g == GroundMisuse || g == GroundOther }

// ViolationState is where a violation stands.
type ViolationState string

// States: recorded → asked → settled; a refused question goes back to recorded.
const (
	ViolationRecorded ViolationState = "recorded"
	ViolationAsked    ViolationState = "asked" // to be settled: waits for the second person
	ViolationSettled  ViolationState = "settled"
)

// Violation is a breach by a unit (违规), with a notice to rectify and, where the
// ground is use, the suspension of that use until two persons settle it.
type Violation struct {
	ID         string         `json:"id"`
	Ground     Ground         `json:"ground"`
	Unit       identity.USCC  `json:"unit"`               // whose breach
	Provider   identity.USCC  `json:"provider,omitempty"` // whose resources are kept from it; empty: everybody's
	Resource   string         `json:"resource,omitempty"` // of the provider; empty: all
	Evidence   string         `json:"evidence_sm3"`
	Note       string         `json:"note"`
	Due        workday.Date   `json:"due"` // to be rectified by
	RecordedBy string         `json:"recorded_by"`
	By         identity.USCC  `json:"by"` // the unit that recorded it
	RecordedAt time.Time      `json:"recorded_at"`
	State      ViolationState `json:"state"`
	AskedBy    string         `json:"asked_by,omitempty"` // who says that it is rectified
	AskedAt    time.Time      `json:"asked_at,omitzero"`
	Outcome    string         `json:"outcome,omitempty"` // what was done about it
	Round      int            `json:"round,omitempty"`   // of questions; each has an answer of its own
	Approval   string         `json:"approval,omitempty"`
	SettledAt  time.Time      `json:"settled_at,omitzero"`
	// EscalatedAt is when the leading group was told that it is overdue.
	EscalatedAt time.Time `json:"escalated_at,omitzero"`
}

// Open: the use is suspended where the ground is use.
func (v Violation) Open() bool { return v.State != ViolationSettled }

// Question is the id of the question that waits: a refused one is asked again under
// another.
func (v Violation) Question() string { return v.ID + "/" + strconv.Itoa(v.Round) }

// ViolationOf is the id of the violation that a question is about.
func ViolationOf(question string) string {
	id, _, _ := strings.Cut(question, "/")
	return id
}

// Digest is SM3 over what the second person signs for: the breach and what was done
// about it, in lower-case hex.
func (v Violation) Digest() string {
	h := sm3.New()
	for _, part := range []string{
		"yinxin/violation/v1", v.Question(), string(v.Ground), string(v.Unit), string(v.Provider), v.Resource, v.Evidence, v.Note, v.Due.String(),
		v.RecordedBy, v.RecordedAt.UTC().Format(timeForm), v.AskedBy, v.Outcome,
	} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// OverdueAt: it was to be rectified before today.
func (v Violation) OverdueAt(now time.Time) bool { return v.Open() && workday.Of(now) > v.Due }

// ErrViolation: not in a state for this.
var ErrViolation = errors.New("sharing: violation is not in a state for this")

// ViolationStore keeps violations; see identity.Register for the promises.
type ViolationStore interface {
	AddViolation(ctx context.Context, v Violation, ev ledger.Event) (ledger.Receipt, error)
	// MoveViolation is a guarded update from a state, else ErrViolation.
	MoveViolation(ctx context.Context, v Violation, from ViolationState, ev ledger.Event) (ledger.Receipt, error)
	// EscalateViolation writes EscalatedAt, once and while it is open, else ErrViolation.
	EscalateViolation(ctx context.Context, id string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	Violation(ctx context.Context, id string) (Violation, error)
	// Violations lists those of a unit or recorded by it, newest first; all for "".
	Violations(ctx context.Context, unit identity.USCC) ([]Violation, error)
}

// ViolationsConfig of Violations. Every field is required.
type ViolationsConfig struct {
	Store     ViolationStore
	Catalogue interface {
		Resource(ctx context.Context, id string) (Resource, error)
	}
	Directory Directory
	Posts     identity.PostReader
	// Settled returns the verified answer of a second person to the question to settle
	// v: the approval's id, and whether it says yes. ErrNotFound when there is none.
	Settled func(ctx context.Context, v Violation) (approval string, yes bool, err error)
	Unit    identity.USCC // that runs the house: its information office records for everybody
	Now     func() time.Time
	NewID   func() string // UUIDv7
}

// Violations is the register of breaches (京政发〔2017〕37号 art. 33). One person
// records and suspends at once; use is resumed by two (design law 8).
type Violations struct{ cfg ViolationsConfig }

// NewViolations refuses an incomplete ViolationsConfig.
func NewViolations(c ViolationsConfig) (*Violations, error) {
	if c.Store == nil || c.Catalogue == nil || c.Directory == nil || c.Posts == nil || c.Settled == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("sharing: ViolationsConfig is incomplete")
	}
	return &Violations{c}, nil
}

// Record records a breach. A clerk or leader of a provider records for its own
// resources, the information office for everybody's.
func (s *Violations) Record(ctx context.Context, actor ledger.Actor, v Violation) (Violation, ledger.Receipt, error) {
	fail := func(err error) (Violation, ledger.Receipt, error) { return Violation{}, ledger.Receipt{}, err }
	now := s.now()
	known := false
	for _, g := range Grounds() {
		known = known || g == v.Ground
	}
	if !known || !isDigest(v.Evidence) || v.Note == "" || !plain(v.Note) || v.Due < workday.Of(now) {
		return fail(fmt.Errorf("%w: ground, evidence, note or day of a violation", ErrInvalid))
	}
	if err := s.mayRecord(ctx, actor, v, now); err != nil {
		return fail(err)
	}
	if _, err := s.cfg.Directory.Agency(ctx, v.Unit); err != nil {
		return fail(fmt.Errorf("unit %s: %w", v.Unit, err))
	}
	if v.Resource != "" {
		r, err := s.cfg.Catalogue.Resource(ctx, v.Resource)
		if err == nil && r.Provider != v.Provider {
			err = ErrNotProvider
		}
		if err != nil {
			return fail(fmt.Errorf("resource %.80q: %w", v.Resource, err))
		}
	}
	if v.Provider == v.Unit && v.Ground.Suspends() {
		return fail(fmt.Errorf("%w: nobody is kept from its own resources", ErrInvalid))
	}
	v.ID, v.RecordedBy, v.By, v.RecordedAt = s.cfg.NewID(), actor.ID, identity.USCC(actor.Unit), now
	v.State, v.AskedBy, v.AskedAt, v.Outcome, v.Round, v.Approval, v.SettledAt, v.EscalatedAt = ViolationRecorded, "", time.Time{}, "", 0, "", time.Time{}, time.Time{}
	ev := s.event("sharing.violation.recorded", v, actor, now)
	ev.Payload = v.Evidence
	ev.Details["due"], ev.Details["note"] = v.Due.String(), v.Note
	rc, err := s.cfg.Store.AddViolation(ctx, v, ev)
	return v, rc, err
}

// mayRecord looks at the post, and at whose resources it is about.
func (s *Violations) mayRecord(ctx context.Context, actor ledger.Actor, v Violation, now time.Time) error {
	office, err := identity.HoldsPost(ctx, s.cfg.Posts, actor.ID, s.cfg.Unit, identity.RoleInformationOffice, now)
	if err != nil || office {
		return err
	}
	if v.Provider == "" || string(v.Provider) != actor.Unit {
		return ErrNotProvider
	}
	for _, role := range []identity.Role{identity.RoleClerk, identity.RoleUnitLeader} {
		if holds, err := identity.HoldsPost(ctx, s.cfg.Posts, actor.ID, v.Provider, role, now); err != nil || holds {
			return err
		}
	}
	return ErrNotProvider
}

// Ask says what was done about it, and asks a second person to settle it.
func (s *Violations) Ask(ctx context.Context, actor ledger.Actor, id, outcome string) (Violation, ledger.Receipt, error) {
	fail := func(err error) (Violation, ledger.Receipt, error) { return Violation{}, ledger.Receipt{}, err }
	v, err := s.cfg.Store.Violation(ctx, id)
	if err != nil {
		return fail(err)
	}
	now := s.now()
	if err := s.mayRecord(ctx, actor, v, now); err != nil {
		return fail(err)
	}
	if v.State != ViolationRecorded {
		return fail(fmt.Errorf("%w: %s", ErrViolation, v.State))
	}
	if outcome == "" || !plain(outcome) {
		return fail(fmt.Errorf("%w: what was done about it", ErrInvalid))
	}
	v.State, v.AskedBy, v.AskedAt, v.Outcome, v.Round = ViolationAsked, actor.ID, now, outcome, v.Round+1
	ev := s.event("sharing.violation.rectified", v, actor, now)
	ev.Details["outcome"] = outcome
	rc, err := s.cfg.Store.MoveViolation(ctx, v, ViolationRecorded, ev)
	return v, rc, err
}

// Settle records the second person's signed answer: use is resumed, or goes on
// being suspended.
func (s *Violations) Settle(ctx context.Context, actor ledger.Actor, id string) (Violation, ledger.Receipt, error) {
	fail := func(err error) (Violation, ledger.Receipt, error) { return Violation{}, ledger.Receipt{}, err }
	v, err := s.cfg.Store.Violation(ctx, id)
	if err != nil {
		return fail(err)
	}
	if v.State != ViolationAsked {
		return fail(fmt.Errorf("%w: %s", ErrViolation, v.State))
	}
	now, kind := s.now(), "sharing.violation.unsettled"
	approval, yes, err := s.cfg.Settled(ctx, v)
	if err != nil {
		return fail(err)
	}
	v.State, v.Approval = ViolationRecorded, approval
	if yes {
		v.State, v.SettledAt, kind = ViolationSettled, now, "sharing.violation.settled"
	}
	ev := s.event(kind, v, actor, now)
	ev.Details["approval"] = approval
	rc, err := s.cfg.Store.MoveViolation(ctx, v, ViolationAsked, ev)
	return v, rc, err
}

// Violation returns one.
func (s *Violations) Violation(ctx context.Context, id string) (Violation, error) {
	return s.cfg.Store.Violation(ctx, id)
}

// Of lists those of a unit and those that it recorded; all for "".
func (s *Violations) Of(ctx context.Context, unit identity.USCC) ([]Violation, error) {
	return s.cfg.Store.Violations(ctx, unit)
}

func (s *Violations) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Violations) event(typ string, v Violation, actor ledger.Actor, now time.Time) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAdmin, Time: now, Actor: actor,
		Object: ledger.Object{Kind: "violation", ID: v.ID}, Outcome: ledger.Success,
		Details: map[string]string{"ground": string(v.Ground), "unit": string(v.Unit), "provider": string(v.Provider), "resource": v.Resource},
	}
}
