package grading

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// ClearanceKind is what a production certificate needs beside the grading.
type ClearanceKind string

// Kinds of clearances.
const (
	// ClearanceAcceptance: 竣工验收, without which nothing is put to use (市政办发〔2018〕69号 art. 17).
	ClearanceAcceptance ClearanceKind = "build_acceptance"
	// ClearanceReview: 信息安全技术审查 of the project (北京市 2005 年 17 号 sec. 3).
	ClearanceReview ClearanceKind = "security_review"
)

// Clearance is one record of an acceptance or a security review of a system; the
// newest of a kind counts, withdrawn or not: behind it no older one comes back.
type Clearance struct {
	System string        `json:"system"`
	Kind   ClearanceKind `json:"kind"`
	Number string        `json:"number"` // of the document
	Passed bool          `json:"passed"`
	On     workday.Date  `json:"on"`
	By     string        `json:"by"`         // who accepted or reviewed
	Report string        `json:"report_sm3"` // the document, by digest

	RecordedBy string    `json:"recorded_by"` // person id
	RecordedAt time.Time `json:"recorded_at"` // with system and kind: which record it is

	WithdrawnBy string    `json:"withdrawn_by,omitempty"` // person id
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	Why         string    `json:"why,omitempty"` // it was withdrawn
}

// Counts: passed, and not withdrawn.
func (c Clearance) Counts() bool { return c.Passed && c.WithdrawnAt.IsZero() }

// ErrNotCleared: no acceptance or no security review on record, or not passed.
var ErrNotCleared = errors.New("grading: not accepted or not reviewed for production")

// ClearanceStore is the store of Clearances; see identity.Register for the promises.
type ClearanceStore interface {
	AddClearance(ctx context.Context, c Clearance, ev ledger.Event) (ledger.Receipt, error)
	// WithdrawClearance stores WithdrawnBy, WithdrawnAt and Why once; ErrExists the
	// second time, ErrNotFound when there is no such record.
	WithdrawClearance(ctx context.Context, c Clearance, ev ledger.Event) (ledger.Receipt, error)
	// Clearances lists those of a system, oldest first.
	Clearances(ctx context.Context, system string) ([]Clearance, error)
}

// ClearancesConfig of Clearances. Every field is required.
type ClearancesConfig struct {
	Store    ClearanceStore
	Systems  Directory
	Posts    identity.PostReader
	Dossiers interface { // an object's own acceptance counts as well
		Dossier(ctx context.Context, object string) (Dossier, error)
	}
	Unit  identity.USCC // that runs the house: its officers record
	Now   func() time.Time
	NewID func() string // UUIDv7
}

// Clearances is the register of acceptances and security reviews.
type Clearances struct{ cfg ClearancesConfig }

// NewClearances refuses an incomplete configuration.
func NewClearances(c ClearancesConfig) (*Clearances, error) {
	if c.Store == nil || c.Systems == nil || c.Posts == nil || c.Dossiers == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("grading: ClearancesConfig is incomplete")
	}
	if err := c.Unit.Validate(); err != nil {
		return nil, fmt.Errorf("grading: unit of clearances: %w", err)
	}
	return &Clearances{c}, nil
}

var reportForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ClearanceKinds lists them.
func ClearanceKinds() []ClearanceKind { return []ClearanceKind{ClearanceAcceptance, ClearanceReview} }

// Role records a kind: the acceptance is seen by the registration officer, the
// review is the information office's own.
func (k ClearanceKind) Role() (identity.Role, bool) {
	switch k {
	case ClearanceAcceptance:
		return identity.RoleRAOfficer, true
	case ClearanceReview:
		return identity.RoleInformationOffice, true
	}
	return "", false
}

// Record adds one, passed or not.
func (s *Clearances) Record(ctx context.Context, actor ledger.Actor, c Clearance) (Clearance, ledger.Receipt, error) {
	none := ledger.Receipt{}
	_, known := c.Kind.Role()
	now := s.cfg.Now().UTC()
	switch {
	case !known, !words(c.Number), !words(c.By), !reportForm.MatchString(c.Report):
		return Clearance{}, none, fmt.Errorf("%w: kind, number, body or digest of a clearance", ErrInvalid)
	case c.On == 0 || c.On > workday.Of(now):
		return Clearance{}, none, fmt.Errorf("%w: day of the clearance", ErrOrder)
	}
	if _, err := s.cfg.Systems.System(ctx, c.System); err != nil {
		return Clearance{}, none, fmt.Errorf("system %.80q: %w", c.System, err)
	}
	if err := s.officer(ctx, actor, c.Kind, now); err != nil {
		return Clearance{}, none, err
	}
	c.RecordedBy, c.RecordedAt = actor.ID, now.Truncate(time.Microsecond)
	c.WithdrawnBy, c.WithdrawnAt, c.Why = "", time.Time{}, ""
	outcome := "passed"
	if !c.Passed {
		outcome = "failed"
	}
	rc, err := s.cfg.Store.AddClearance(ctx, c, s.event("grading.clearance.recorded", actor, c, now, map[string]string{
		"kind": string(c.Kind), "result": outcome, "on": c.On.String(),
	}))
	return c, rc, err
}

// Withdraw takes a record back that should not stand, for a reason. The system
// then has no clearance of the kind until another one is recorded; certificates
// that it has already stay, and are stopped by an officer's own act.
func (s *Clearances) Withdraw(ctx context.Context, actor ledger.Actor, system string, kind ClearanceKind, recorded time.Time, why string) (ledger.Receipt, error) {
	none := ledger.Receipt{}
	now := s.cfg.Now().UTC()
	if _, known := kind.Role(); !known || !words(why) {
		return none, fmt.Errorf("%w: a clearance is withdrawn for a reason", ErrInvalid)
	}
	if err := s.officer(ctx, actor, kind, now); err != nil {
		return none, err
	}
	all, err := s.cfg.Store.Clearances(ctx, system)
	if err != nil {
		return none, err
	}
	i := slices.IndexFunc(all, func(c Clearance) bool { return c.Kind == kind && c.RecordedAt.Equal(recorded) })
	if i < 0 {
		return none, fmt.Errorf("%w: no such clearance of %.80q", ErrNotFound, system)
	}
	c := all[i]
	c.WithdrawnBy, c.WithdrawnAt, c.Why = actor.ID, now.Truncate(time.Microsecond), why
	return s.cfg.Store.WithdrawClearance(ctx, c, s.event("grading.clearance.withdrawn", actor, c, now, map[string]string{
		"kind": string(kind), "recorded": c.RecordedAt.Format(time.RFC3339Nano), "reason": why,
	}))
}

// officer: the actor holds the post of the kind in the unit that runs the house.
func (s *Clearances) officer(ctx context.Context, actor ledger.Actor, kind ClearanceKind, now time.Time) error {
	role, _ := kind.Role()
	holds, err := identity.HoldsPost(ctx, s.cfg.Posts, actor.ID, s.cfg.Unit, role, now)
	if err == nil && !holds {
		err = fmt.Errorf("%w: %s is recorded by the %s", ErrRole, kind, role)
	}
	return err
}

func (s *Clearances) event(name string, actor ledger.Actor, c Clearance, now time.Time, details map[string]string) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: name, Class: ledger.ClassAdmin, Time: now.Truncate(time.Millisecond), Actor: actor,
		Object: ledger.Object{Kind: "system", ID: c.System}, Outcome: ledger.Success, Payload: c.Report, Details: details,
	}
}

// Of lists the clearances of a system, oldest first.
func (s *Clearances) Of(ctx context.Context, system string) ([]Clearance, error) {
	return s.cfg.Store.Clearances(ctx, system)
}

// Standing is where a system stands with one kind.
type Standing struct {
	Kind    ClearanceKind
	Last    *Clearance // nil: none was recorded
	Dossier bool       // none was, and the acceptance stands in the dossier
}

// Cleared says whether the kind lets the system have production certificates.
func (s Standing) Cleared() bool { return s.Dossier || s.Last != nil && s.Last.Counts() }

// Standings says for each kind where a system stands. The acceptance in its
// dossier counts when none was recorded here.
func (s *Clearances) Standings(ctx context.Context, system string) ([]Standing, error) {
	all, err := s.cfg.Store.Clearances(ctx, system)
	if err != nil {
		return nil, err
	}
	var out []Standing
	for _, kind := range ClearanceKinds() {
		st := Standing{Kind: kind}
		for i, c := range all {
			if c.Kind == kind {
				st.Last = &all[i]
			}
		}
		if kind == ClearanceAcceptance && st.Last == nil {
			switch d, err := s.cfg.Dossiers.Dossier(ctx, system); {
			case err == nil:
				st.Dossier = d.Object.Phase == PhaseAccepted || d.Object.Phase == PhaseOperating
			case !errors.Is(err, ErrNotFound):
				return nil, err
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// Cleared is nil when a system is accepted and its project reviewed.
func (s *Clearances) Cleared(ctx context.Context, system string) error {
	all, err := s.Standings(ctx, system)
	if err != nil {
		return err
	}
	for _, st := range all {
		switch {
		case st.Cleared():
		case st.Last == nil:
			return fmt.Errorf("%w: no %s of %s on record", ErrNotCleared, st.Kind, system)
		case st.Last.Passed:
			return fmt.Errorf("%w: %s of %s was withdrawn", ErrNotCleared, st.Kind, system)
		default:
			return fmt.Errorf("%w: %s of %s failed on %s", ErrNotCleared, st.Kind, system, st.Last.On)
		}
	}
	return nil
}
