package grading

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Approver checks a signed approval of kind over id and digest, as
// authz/approval keeps them, and names it and the person who signed.
type Approver interface {
	Approved(ctx context.Context, kind, id, digest string) (approval, person string, err error)
}

// Holdings lists what a system holds and carries now.
type Holdings interface {
	HeldBy(ctx context.Context, system string) ([]Held, error)
}

// Certificates counts the certificates of a system that are not revoked.
type Certificates interface {
	LiveCertificates(ctx context.Context, system string) (int, error)
}

// approvalKind is approval.KindRegrade: all signed steps of this room are acts
// of the building unit's leader about a grade.
const approvalKind = "regrade"

// ProcedureConfig of a Procedure. Every field is required.
type ProcedureConfig struct {
	Dossiers     Dossiers
	Registry     Registry
	Directory    Directory
	Approver     Approver
	Decider      Decider
	Holdings     Holdings
	Certificates Certificates
	Calendar     *workday.Calendar
	Profile      Profile
	// Regions are the division codes of the police organs that accept filings
	// here; a filing number begins with one of them.
	Regions []string
	Now     func() time.Time
	NewID   func() string // UUIDv7
}

// Procedure is the way of a graded object from draft to retirement
// (GB/T 22240-2020 ch. 4-8, 公通字〔2007〕43号, 公网安〔2025〕1846号). Levels are
// derived, each step shows its evidence, and what the table of Transitions does
// not have cannot happen.
type Procedure struct {
	cfg   ProcedureConfig
	rules rules
}

// NewProcedure refuses an incomplete configuration.
func NewProcedure(c ProcedureConfig) (*Procedure, error) {
	if c.Dossiers == nil || c.Registry == nil || c.Directory == nil || c.Approver == nil || c.Decider == nil ||
		c.Holdings == nil || c.Certificates == nil || c.Calendar == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("grading: ProcedureConfig is incomplete")
	}
	if err := c.Profile.Validate(); err != nil {
		return nil, err
	}
	if len(c.Regions) == 0 {
		return nil, errors.New("grading: ProcedureConfig names no police organ")
	}
	for _, r := range c.Regions {
		if len(r) != 6 {
			return nil, fmt.Errorf("grading: %q is no division code", r)
		}
	}
	return &Procedure{c, rules{c.Profile, c.Calendar, slices.Clone(c.Regions)}}, nil
}

func (p *Procedure) today() workday.Date { return workday.Of(p.cfg.Now()) }

// Open begins the dossier of an object as a draft. What runs already comes with
// the day since when. A record in force from before is adopted.
func (p *Procedure) Open(ctx context.Context, o Object, actor ledger.Actor) (Dossier, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if err := o.Validate(); err != nil {
		return Dossier{}, none, err
	}
	if o.OperationSince > p.today() {
		return Dossier{}, none, fmt.Errorf("%w: operates since %s", ErrOrder, o.OperationSince)
	}
	if err := p.mayAct(o, actor, identity.RoleSecurityOfficer, true); err != nil {
		return Dossier{}, none, err
	}
	for _, unit := range []identity.USCC{o.Owner, o.BuildingUnit} {
		if _, err := p.cfg.Directory.Agency(ctx, unit); err != nil {
			return Dossier{}, none, fmt.Errorf("unit %s: %w", unit, err)
		}
	}
	switch sys, err := p.cfg.Directory.System(ctx, o.ID); {
	case err == nil && sys.Agency != o.Owner:
		return Dossier{}, none, fmt.Errorf("%w: %s is a system of another unit", ErrUnit, o.ID)
	case err != nil && (!errors.Is(err, identity.ErrNotFound) || o.Kind == KindSystem):
		return Dossier{}, none, fmt.Errorf("system %s: %w", o.ID, err)
	}
	d := Dossier{Object: o, Revision: 1, State: StateDraft, Latest: map[PaperKind]Seen{}, Tasks: map[string]Rectification{}, Excuses: map[string]ExcuseForDelay{}}
	switch r, err := p.cfg.Registry.Grading(ctx, o.ID); {
	case err == nil:
		d.Adopted = &r
	case !errors.Is(err, ErrNotFound):
		return Dossier{}, none, fmt.Errorf("grading of %s: %w", o.ID, err)
	}
	ev := p.event("grading.object.opened", o.ID, actor, map[string]string{"kind": string(o.Kind), "building_unit": string(o.BuildingUnit)})
	rc, err := p.cfg.Dossiers.Put(ctx, Entry{Dossier: d, Flags: o.Flags(0)}, ev)
	return d, rc, err
}

// mayAct: an officer of the unit, and for what decides the level of the building
// unit alone (西政办发〔2011〕8号 art. 23). The edge vouches for the actor's role.
func (p *Procedure) mayAct(o Object, actor ledger.Actor, role identity.Role, deciding bool) error {
	if actor.Kind == "" || actor.ID == "" {
		return fmt.Errorf("%w: an act needs an actor", ErrInvalid)
	}
	if actor.Role != string(role) {
		return fmt.Errorf("%w: %s is for the %s", ErrRole, o.ID, role)
	}
	if actor.Unit != string(o.BuildingUnit) && (deciding || actor.Unit != string(o.Owner)) {
		return ErrUnit
	}
	return nil
}

func (p *Procedure) event(typ, object string, actor ledger.Actor, details map[string]string) ledger.Event {
	details["calendar"], details["profile"] = p.cfg.Calendar.Version(), p.cfg.Profile.ID+"/"+p.cfg.Profile.Version
	return ledger.Event{
		ID: p.cfg.NewID(), Type: typ, Class: ledger.ClassAdmin, Time: p.cfg.Now().UTC().Truncate(time.Millisecond), Actor: actor,
		Object: ledger.Object{Kind: "graded_object", ID: object}, Outcome: ledger.Success, Details: details,
	}
}

// Dossier returns where an object stands, or ErrNotFound.
func (p *Procedure) Dossier(ctx context.Context, object string) (Dossier, error) {
	return p.cfg.Dossiers.Dossier(ctx, object)
}

// Due lists the limits that end within horizon days or have passed, earliest
// first, as of the day of at.
func (p *Procedure) Due(ctx context.Context, at time.Time, horizon int, f DueFilter) ([]Deadline, error) {
	f.Until = workday.Of(at) + workday.Date(max(0, horizon))
	return p.cfg.Dossiers.Due(ctx, f)
}
