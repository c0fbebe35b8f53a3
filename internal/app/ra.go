package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// openRA builds what decides about certificates before the authorities do.
func (h *House) openRA() error {
	calendar, err := workday.Load()
	if err != nil {
		return fmt.Errorf("app: calendar: %w", err)
	}
	h.Clearances, err = grading.NewClearances(grading.ClearancesConfig{
		Store: clearances{h.rooms.Grading, h.rooms.Facts}, Systems: h.rooms.Identity, Posts: h.rooms.Identity, Dossiers: h.rooms.Facts, Unit: identity.USCC(h.cfg.USCC), Now: h.cfg.Now, NewID: newID,
	})
	if err != nil {
		return err
	}
	h.gate = gate{registry: h.rooms.Facts, dossiers: h.rooms.Facts, cleared: h.Clearances.Cleared, guest: h.guest, calendar: calendar, now: h.cfg.Now}
	h.RA, err = ra.New(ra.Config{
		Requests: h.rooms.CA, Systems: raSystems{hosts{h.rooms.Facts}, h.rooms.Identity}, Staff: raStaff{h}, Approver: caApprover{h.Approvals}, Gate: h.gate,
		Now: h.cfg.Now, Rand: h.cfg.Rand, NewID: newID,
	})
	return err
}

// clearances reads from memory what the gate asks at every issue.
type clearances struct {
	*store.Grading
	facts *store.Facts
}

func (c clearances) Clearances(ctx context.Context, system string) ([]grading.Clearance, error) {
	return c.facts.Clearances(ctx, system)
}

// raStaff knows from the register who may ask for certificates and who checks.
type raStaff struct{ h *House }

func (s raStaff) Administers(ctx context.Context, person, agency string) (bool, error) {
	return s.h.holds(ctx, person, identity.USCC(agency), identity.RoleAgencySysadmin)
}

// Checks: two of the unit that runs the house stand behind a certificate. One of
// them signs as registration officer; the other may be its leader.
func (s raStaff) Checks(ctx context.Context, person string) (bool, error) {
	return s.h.holds(ctx, person, identity.USCC(s.h.cfg.USCC), identity.RoleRAOfficer, identity.RoleUnitLeader)
}

// raSystems knows the register of systems.
type raSystems struct {
	hosts
	register identity.Reader
}

// AgencyOf implements ra.Systems.
func (h raSystems) AgencyOf(ctx context.Context, system string) (uscc, name string, err error) {
	s, err := h.register.System(ctx, system)
	if errors.Is(err, identity.ErrNotFound) {
		return "", "", fmt.Errorf("%w: %w", ca.ErrNotFound, err)
	}
	if err != nil {
		return "", "", err
	}
	a, err := h.register.Agency(ctx, s.Agency)
	return string(s.Agency), a.Name, err
}

// RequestSubject is what a registration officer signs to approve a request.
func (h *House) RequestSubject(r ca.Request) approval.Subject {
	return approval.Subject{Kind: approval.KindCertificate, ID: r.ID, Digest: ca.RequestDigest(r), Unit: identity.USCC(h.cfg.USCC), Requester: r.SubmittedBy}
}

// gate lets a system have certificates when its grading lets it operate, its
// assessment has not lapsed, it was accepted and its project reviewed (X11-23,
// XA18-17, BJ05-3b). A test certificate needs only that it was not retired.
type gate struct {
	registry interface {
		Grading(ctx context.Context, system string) (grading.Record, error)
	}
	dossiers interface {
		Dossier(ctx context.Context, object string) (grading.Dossier, error)
	}
	cleared  func(ctx context.Context, system string) error
	guest    func(ctx context.Context, system string) (bool, error)
	calendar *workday.Calendar
	now      func() time.Time
}

// MayIssue implements ca.Gate.
func (g gate) MayIssue(ctx context.Context, system string, p ca.Purpose) (time.Time, error) {
	until, err := g.until(ctx, system, p)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ca.ErrNotApproved, err)
	}
	return until, nil
}

func (g gate) until(ctx context.Context, system string, p ca.Purpose) (time.Time, error) {
	switch guest, err := g.guest(ctx, system); {
	case err != nil:
		return time.Time{}, err
	case guest:
		return time.Time{}, errGuest
	}
	var record *grading.Record
	switch r, err := g.registry.Grading(ctx, system); {
	case err == nil:
		record = &r
	case !errors.Is(err, grading.ErrNotFound):
		return time.Time{}, err
	}
	var dossier *grading.Dossier
	switch d, err := g.dossiers.Dossier(ctx, system); {
	case err == nil:
		dossier = &d
	case !errors.Is(err, grading.ErrNotFound):
		return time.Time{}, err
	}
	if p == ca.PurposeTest {
		if record != nil && record.State == grading.StateRetired || dossier != nil && dossier.State == grading.StateRetired {
			return time.Time{}, fmt.Errorf("%w: retired", grading.ErrNotOperating)
		}
		return time.Time{}, nil
	}
	if err := g.cleared(ctx, system); err != nil {
		return time.Time{}, err
	}
	return grading.ProductionUntil(record, dossier, grading.Notice2025(), g.calendar, g.now())
}
