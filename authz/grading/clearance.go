package grading

import (
	"context"
	"errors"
	"fmt"
	"regexp"
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
// newest of a kind counts.
type Clearance struct {
	System string        `json:"system"`
	Kind   ClearanceKind `json:"kind"`
	Number string        `json:"number"` // of the document
	Passed bool          `json:"passed"`
	On     workday.Date  `json:"on"`
	By     string        `json:"by"`         // who accepted or reviewed
	Report string        `json:"report_sm3"` // the document, by digest

	RecordedBy string    `json:"recorded_by"` // person id
	RecordedAt time.Time `json:"recorded_at"`
}

// ErrNotCleared: no acceptance or no security review on record, or not passed.
var ErrNotCleared = errors.New("grading: not accepted or not reviewed for production")

// ClearanceStore is the store of Clearances; see identity.Register for the promises.
type ClearanceStore interface {
	AddClearance(ctx context.Context, c Clearance, ev ledger.Event) (ledger.Receipt, error)
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

// role records a kind: the acceptance is seen by the registration officer, the
// review is the information office's own.
func (k ClearanceKind) role() (identity.Role, bool) {
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
	role, known := c.Kind.role()
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
	holds, err := identity.HoldsPost(ctx, s.cfg.Posts, actor.ID, s.cfg.Unit, role, now)
	if err != nil {
		return Clearance{}, none, err
	}
	if !holds {
		return Clearance{}, none, fmt.Errorf("%w: %s is recorded by the %s", ErrRole, c.Kind, role)
	}
	c.RecordedBy, c.RecordedAt = actor.ID, now.Truncate(time.Microsecond)
	outcome := "passed"
	if !c.Passed {
		outcome = "failed"
	}
	rc, err := s.cfg.Store.AddClearance(ctx, c, ledger.Event{
		ID: s.cfg.NewID(), Type: "grading.clearance.recorded", Class: ledger.ClassAdmin, Time: now.Truncate(time.Millisecond), Actor: actor,
		Object: ledger.Object{Kind: "system", ID: c.System}, Outcome: ledger.Success, Payload: c.Report,
		Details: map[string]string{"kind": string(c.Kind), "result": outcome, "on": c.On.String()},
	})
	return c, rc, err
}

// Of lists the clearances of a system.
func (s *Clearances) Of(ctx context.Context, system string) ([]Clearance, error) {
	return s.cfg.Store.Clearances(ctx, system)
}

// Cleared is nil when a system is accepted and its project reviewed. The
// acceptance in its dossier counts too.
func (s *Clearances) Cleared(ctx context.Context, system string) error {
	all, err := s.cfg.Store.Clearances(ctx, system)
	if err != nil {
		return err
	}
	last := map[ClearanceKind]*Clearance{}
	for i, c := range all {
		last[c.Kind] = &all[i]
	}
	if last[ClearanceAcceptance] == nil {
		switch d, err := s.cfg.Dossiers.Dossier(ctx, system); {
		case err == nil && (d.Object.Phase == PhaseAccepted || d.Object.Phase == PhaseOperating):
			last[ClearanceAcceptance] = &Clearance{Passed: true}
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
	}
	for _, kind := range []ClearanceKind{ClearanceAcceptance, ClearanceReview} {
		switch c := last[kind]; {
		case c == nil:
			return fmt.Errorf("%w: no %s of %s on record", ErrNotCleared, kind, system)
		case !c.Passed:
			return fmt.Errorf("%w: %s of %s failed on %s", ErrNotCleared, kind, system, c.On)
		}
	}
	return nil
}
