package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Enrolments implements console.Enrolments: the systems of the own agency, and
// its requests, newest first.
func (d *Service) Enrolments(ctx context.Context, p console.Person) (out console.EnrolmentList, err error) {
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return out, err
	}
	systems, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return out, fmt.Errorf("desk: systems: %w", err)
	}
	out.Systems = slices.DeleteFunc(systems, func(s identity.System) bool { return string(s.Agency) != p.Unit })
	requests, err := d.cfg.Requests.Requests(ctx, ra.Query{Agency: p.Unit})
	if err != nil {
		return out, err
	}
	out.Requests, err = d.enrolmentLines(ctx, p, requests, false)
	return out, err
}

// enrolmentLines gives requests the names of their people, and says what the one
// who looks may do; the registration authority decides it again.
func (d *Service) enrolmentLines(ctx context.Context, p console.Person, requests []ca.Request, officer bool) ([]console.EnrolmentLine, error) {
	out := make([]console.EnrolmentLine, len(requests))
	for i, r := range requests {
		l := console.EnrolmentLine{Request: r, Digest: ca.RequestDigest(r), Mine: r.SubmittedBy == p.ID}
		l.MayDraw = l.Mine && r.State == ca.RequestApproved && d.now().Before(r.TokenExpires)
		l.MayCheck = !l.Mine && r.State == ca.RequestSubmitted
		l.MayApprove = officer && !l.Mine && r.State == ca.RequestReviewed && r.ReviewedBy != p.ID
		switch a, err := d.cfg.People.Agency(ctx, identity.USCC(r.Agency)); {
		case err == nil:
			l.Unit = a.Name
		case !errors.Is(err, identity.ErrNotFound):
			return nil, err
		}
		for into, id := range map[*string]string{&l.Applicant: r.SubmittedBy, &l.Checker: r.ReviewedBy, &l.Decider: r.DecidedBy} {
			var err error
			if *into, err = d.name(ctx, id); err != nil {
				return nil, err
			}
		}
		out[i] = l
	}
	return out, nil
}

// AskEnrolment implements console.Enrolments.
func (d *Service) AskEnrolment(ctx context.Context, p console.Person, f console.EnrolmentForm) error {
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return err
	}
	unit, err := d.cfg.People.Agency(ctx, identity.USCC(p.Unit))
	if err != nil {
		return err
	}
	_, _, err = d.cfg.Requests.Submit(ctx, d.actor(p), ca.Request{
		Agency: p.Unit, System: f.System, CommonName: f.CommonName, Organization: unit.Name, Hosts: f.Hosts, Purpose: f.Purpose,
	})
	return err
}

// WithdrawEnrolment implements console.Enrolments.
func (d *Service) WithdrawEnrolment(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Requests.Withdraw(ctx, d.actor(p), id, reason)
	return err
}

// DrawToken implements console.Enrolments.
func (d *Service) DrawToken(ctx context.Context, p console.Person, id string) (console.DrawnToken, error) {
	drawn, err := d.cfg.Requests.Draw(ctx, d.actor(p), id)
	return console.DrawnToken{System: drawn.Request.System, Token: drawn.Token, Expires: drawn.Request.TokenExpires}, err
}

// PlanEnrolments implements console.Enrolments.
func (d *Service) PlanEnrolments(ctx context.Context, p console.Person, file []byte) (ra.Plan, error) {
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return ra.Plan{}, err
	}
	return d.cfg.Requests.Plan(ctx, d.actor(p), file)
}

// ImportEnrolments implements console.Enrolments.
func (d *Service) ImportEnrolments(ctx context.Context, p console.Person, file []byte) (ra.Imported, error) {
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return ra.Imported{}, err
	}
	return d.cfg.Requests.Import(ctx, d.actor(p), file)
}

// EnrolmentQueue implements console.Enrolments: what waits for a check or an answer.
func (d *Service) EnrolmentQueue(ctx context.Context, p console.Person) ([]console.EnrolmentLine, error) {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer, identity.RoleUnitLeader)); err != nil {
		return nil, err
	}
	officer, err := d.serves(ctx, p, identity.RoleRAOfficer)
	if err != nil {
		return nil, err
	}
	waiting, err := d.cfg.Requests.Requests(ctx, ra.Query{States: []ca.RequestState{ca.RequestSubmitted, ca.RequestReviewed}})
	if err != nil {
		return nil, err
	}
	slices.Reverse(waiting) // who came first is served first
	lines, err := d.enrolmentLines(ctx, p, waiting, officer)
	if err != nil {
		return nil, err
	}
	known := map[string][]grading.Standing{} // several requests of one system wait together
	for i, l := range lines {
		if l.Test() {
			continue
		}
		if _, read := known[l.System]; !read {
			if known[l.System], err = d.cfg.Clearances.Standings(ctx, l.System); err != nil {
				return nil, fmt.Errorf("desk: clearances of %s: %w", l.System, err)
			}
		}
		lines[i].Standings = known[l.System]
	}
	return lines, nil
}

// CheckEnrolment implements console.Enrolments.
func (d *Service) CheckEnrolment(ctx context.Context, p console.Person, id string, shown []ra.Shown) error {
	_, _, err := d.cfg.Requests.Review(ctx, d.actor(p), id, shown)
	return err
}

// ApproveEnrolment implements console.Enrolments. What can be refused is refused
// before the officer's key signs: a request takes one answer.
func (d *Service) ApproveEnrolment(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	if !a.Yes {
		return console.ErrForm
	}
	actor := d.actor(p)
	r, err := d.cfg.Requests.Approvable(ctx, actor, id)
	if err != nil {
		return err
	}
	if a.Digest != ca.RequestDigest(r) {
		return life.ErrConflict
	}
	_, _, err = d.cfg.Answers.Approve(ctx, d.cfg.Answers.RequestSubject(r), p.ID, a.PIN, true, "")
	if err != nil && !errors.Is(err, approval.ErrDecided) { // signed before, and the answer was lost
		return err
	}
	_, _, err = d.cfg.Requests.Approve(context.WithoutCancel(ctx), actor, id)
	return err
}

// RefuseEnrolment implements console.Enrolments.
func (d *Service) RefuseEnrolment(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Requests.Refuse(ctx, d.actor(p), id, reason)
	return err
}
