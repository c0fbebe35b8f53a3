package sharing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// ErrApplication: not in a state for this.
var ErrApplication = errors.New("sharing: application is not in a state for this")

// ApplicationStore keeps applications; see identity.Register for the promises.
type ApplicationStore interface {
	AddApplication(ctx context.Context, a Application, ev ledger.Event) (ledger.Receipt, error)
	// MoveApplication writes the revision after the one on record, else ErrApplication.
	MoveApplication(ctx context.Context, a Application, ev ledger.Event) (ledger.Receipt, error)
	Application(ctx context.Context, id string) (Application, error)
	// RenewCopies puts the live copies under an agreement under the one that follows it.
	RenewCopies(ctx context.Context, old, next Agreement, ev ledger.Event) (ledger.Receipt, error)
	// Applications lists those of a unit on any side, newest first; all for "".
	Applications(ctx context.Context, unit identity.USCC) ([]Application, error)
}

// ApplicationsConfig of Applications. Every field is required.
type ApplicationsConfig struct {
	Store     ApplicationStore
	Feedback  FeedbackStore
	Catalogue interface {
		Resource(ctx context.Context, id string) (Resource, error)
		Agreement(ctx context.Context, id string) (Agreement, error)
	}
	Directory Directory
	Posts     identity.PostReader
	// Signed returns the verified answer to exactly the question of a: the approval's id,
	// and whether it says yes. ErrNotFound when there is none.
	Signed   func(ctx context.Context, a Application) (approval string, yes bool, err error)
	Calendar *workday.Calendar
	Office   identity.USCC // the information office: of the unit that runs the house
	Now      func() time.Time
	NewID    func() string // UUIDv7
}

// Applications is the way of an application for sharing: asked by a clerk and signed by
// his leader, forwarded by the information office where nobody knows the provider,
// answered by the provider in the working days of its regime, settled by coordination
// where the consumer objects (西政办发〔2014〕14号 art. 26; 京政发〔2017〕37号 art. 17).
type Applications struct{ cfg ApplicationsConfig }

// NewApplications refuses an incomplete ApplicationsConfig.
func NewApplications(c ApplicationsConfig) (*Applications, error) {
	if c.Store == nil || c.Feedback == nil || c.Catalogue == nil || c.Directory == nil || c.Posts == nil || c.Signed == nil || c.Calendar == nil || c.Office == "" || c.Now == nil || c.NewID == nil {
		return nil, errors.New("sharing: ApplicationsConfig is incomplete")
	}
	return &Applications{c}, nil
}

// Ask writes an application of the actor's unit. Of a it reads what is wanted, for what
// and for how long; of one that follows an agreement the resource is that one's.
func (s *Applications) Ask(ctx context.Context, actor ledger.Actor, a Application) (Application, ledger.Receipt, error) {
	fail := func(err error) (Application, ledger.Receipt, error) { return Application{}, ledger.Receipt{}, err }
	now := s.now()
	consumer := identity.USCC(actor.Unit)
	if err := s.holds(ctx, actor, consumer, now, identity.RoleClerk); err != nil {
		return fail(err)
	}
	a = Application{
		ID: s.cfg.NewID(), Resource: a.Resource, Wanted: a.Wanted, Consumer: consumer, Office: s.cfg.Office, System: a.System,
		Purposes: a.Purposes, Fields: a.Fields, Follows: a.Follows, Confidentiality: a.Confidentiality,
		NotBefore: a.NotBefore.UTC().Truncate(time.Millisecond), NotAfter: a.NotAfter.UTC().Truncate(time.Millisecond),
		State: ApplicationAsked, Revision: 1, Round: 1, AskedBy: actor.ID, AskedAt: now,
	}
	if a.Follows != "" {
		old, err := s.cfg.Catalogue.Agreement(ctx, a.Follows)
		if err == nil && (old.Consumer != consumer || a.Resource != "" && a.Resource != old.Resource) {
			err = fmt.Errorf("%w: agreement %.80q", ErrNotFound, a.Follows)
		}
		if err != nil {
			return fail(err)
		}
		a.Resource = old.Resource
	}
	if a.System != "" {
		sys, err := s.cfg.Directory.System(ctx, a.System)
		if err == nil && sys.Agency != consumer {
			err = fmt.Errorf("%w: %.80q is not a system of %s", ErrInvalid, a.System, consumer)
		}
		if err != nil {
			return fail(err)
		}
	}
	if a.Resource != "" {
		if err := s.about(ctx, &a, a.Resource); err != nil {
			return fail(err)
		}
	}
	if err := a.check(); err != nil {
		return fail(err)
	}
	if !now.Before(a.NotAfter) {
		return fail(fmt.Errorf("%w: over before it is asked for", ErrInvalid))
	}
	rc, err := s.cfg.Store.AddApplication(ctx, a, s.event("sharing.application.asked", a, actor, now))
	return a, rc, err
}

// about fills in what the catalogue says of the resource, and checks the wish against it.
func (s *Applications) about(ctx context.Context, a *Application, resource string) error {
	r, err := s.cfg.Catalogue.Resource(ctx, resource)
	if err != nil {
		return fmt.Errorf("resource %.80q: %w", resource, err)
	}
	a.Resource, a.Provider, a.Regime, a.DefectAck = r.ID, r.Provider, r.Regime, r.DefectNotice
	g, err := a.Agreement()
	if err != nil {
		return err
	}
	return g.fits(r)
}

// Forward sends an application without a provider on to the one that the office found;
// fields are the information items that are meant (X14 art. 26).
func (s *Applications) Forward(ctx context.Context, actor ledger.Actor, id, resource string, fields []string) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.forwarded", func(a *Application, now time.Time) error {
		if err := s.holds(ctx, actor, a.Office, now, identity.RoleInformationOffice); err != nil {
			return err
		}
		if a.State != ApplicationForward {
			return a.wrong()
		}
		a.Fields, a.ForwardedBy = fields, actor.ID
		if err := s.about(ctx, a, resource); err != nil {
			return err
		}
		return s.receive(a, now)
	})
}

// receive starts the provider's clock: the day of its receipt does not count.
func (s *Applications) receive(a *Application, now time.Time) (err error) {
	a.State, a.ReceivedAt = ApplicationReceived, now
	a.Due, err = s.cfg.Calendar.AddWorkdays(workday.Of(now), LimitsOf(a.Regime).Days)
	return err
}

// Answer drafts the provider's answer for its leader. A refusal says why (X14 art. 26
// (2)), and by which clause.
func (s *Applications) Answer(ctx context.Context, actor ledger.Actor, id string, w ApplicationAnswer) (Application, ledger.Receipt, error) {
	return s.move(ctx, actor, id, "sharing.application.answer_drafted", func(a *Application, now time.Time) error {
		if err := s.holds(ctx, actor, a.Provider, now, identity.RoleClerk); err != nil {
			return err
		}
		if a.State != ApplicationReceived {
			return a.wrong()
		}
		if !plain(w.Reason) || !plain(w.Clause) || !w.Agree && (w.Reason == "" || w.Clause == "") {
			return fmt.Errorf("%w: a refusal needs a reason and its clause", ErrBasis)
		}
		a.State, a.Answer, a.Round = ApplicationDrafted, ApplicationAnswer{Agree: w.Agree, Reason: w.Reason, Clause: w.Clause, By: actor.ID, At: now}, a.Round+1
		return nil
	})
}

// Settle takes the signature that an application waits for, whoever brings it: on the
// application itself, on the answer, or on the outcome of an objection. A no sends the
// paper back to where it was written.
func (s *Applications) Settle(ctx context.Context, actor ledger.Actor, id string) (Application, ledger.Receipt, error) {
	fail := func(err error) (Application, ledger.Receipt, error) { return Application{}, ledger.Receipt{}, err }
	a, err := s.cfg.Store.Application(ctx, id)
	if err != nil {
		return fail(err)
	}
	if unit, _ := a.Signer(); unit == "" {
		return fail(a.wrong())
	}
	approval, yes, err := s.cfg.Signed(ctx, a)
	if err != nil {
		return fail(err)
	}
	now := s.now()
	kind := ""
	switch a.State {
	case ApplicationAsked:
		kind, err = s.file(&a, approval, yes, now)
	case ApplicationDrafted:
		kind = a.answered(approval, yes, now)
	case ApplicationProposed:
		kind = a.settled(approval, yes, now)
	}
	if err != nil {
		return fail(err)
	}
	a.Revision++
	ev := s.event(kind, a, actor, now)
	ev.Details["approval"] = approval
	rc, err := s.cfg.Store.MoveApplication(ctx, a, ev)
	return a, rc, err
}

// file: the office has it, and where the provider is known he has it too.
func (s *Applications) file(a *Application, approval string, yes bool, now time.Time) (string, error) {
	if !yes {
		a.State = ApplicationWithdrawn
		return "sharing.application.withdrawn", nil
	}
	a.Filed, a.FiledAt, a.State = approval, now, ApplicationForward
	if a.Resource == "" {
		return "sharing.application.filed", nil
	}
	return "sharing.application.filed", s.receive(a, now)
}

func (a *Application) answered(approval string, yes bool, now time.Time) string {
	if !yes {
		a.State, a.Answer = ApplicationReceived, ApplicationAnswer{}
		return "sharing.application.answer_returned"
	}
	a.Answer.Approval, a.Answer.SignedAt = approval, now
	if a.Answer.Agree {
		a.State = ApplicationAgreed
		return "sharing.application.agreed"
	}
	a.State = ApplicationRefused
	return "sharing.application.refused"
}

// Application returns one.
func (s *Applications) Application(ctx context.Context, id string) (Application, error) {
	return s.cfg.Store.Application(ctx, id)
}

// Of lists those of a unit on any side; all for "".
func (s *Applications) Of(ctx context.Context, unit identity.USCC) ([]Application, error) {
	return s.cfg.Store.Applications(ctx, unit)
}

// Recount computes the ends of answers that wait by this calendar, where another gave
// them; both days are on the ledger.
func (s *Applications) Recount(ctx context.Context, actor ledger.Actor) error {
	all, err := s.cfg.Store.Applications(ctx, "")
	if err != nil {
		return err
	}
	for _, a := range all {
		if !a.Waits() || a.Due.Calendar == s.cfg.Calendar.Version() {
			continue
		}
		due, err := s.cfg.Calendar.AddWorkdays(workday.Of(a.ReceivedAt), LimitsOf(a.Regime).Days)
		if err != nil {
			return err
		}
		ev := s.event("sharing.application.recounted", a, actor, s.now())
		ev.Before, ev.After = a.Due.Day.String(), due.Day.String()
		ev.Details["calendar"] = due.Calendar
		a.Due, a.Revision = due, a.Revision+1
		if _, err := s.cfg.Store.MoveApplication(ctx, a, ev); err != nil && !errors.Is(err, ErrApplication) {
			return err
		}
	}
	return nil
}

// move changes an application by one act of a person.
func (s *Applications) move(ctx context.Context, actor ledger.Actor, id, kind string, act func(a *Application, now time.Time) error) (Application, ledger.Receipt, error) {
	a, err := s.cfg.Store.Application(ctx, id)
	now := s.now()
	if err == nil {
		err = act(&a, now)
	}
	if err != nil {
		return Application{}, ledger.Receipt{}, err
	}
	a.Revision++
	rc, err := s.cfg.Store.MoveApplication(ctx, a, s.event(kind, a, actor, now))
	return a, rc, err
}

func (a *Application) wrong() error { return fmt.Errorf("%w: %s", ErrApplication, a.State) }

// holds: the actor is a person of that unit with one of the posts; to others there is
// no such application.
func (s *Applications) holds(ctx context.Context, actor ledger.Actor, unit identity.USCC, now time.Time, roles ...identity.Role) error {
	for _, role := range roles {
		if yes, err := identity.HoldsPost(ctx, s.cfg.Posts, actor.ID, unit, role, now); err != nil || yes {
			return err
		}
	}
	return fmt.Errorf("%w: of another unit", ErrNotParty)
}

func (s *Applications) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Applications) event(kind string, a Application, actor ledger.Actor, now time.Time) ledger.Event {
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: now, Actor: actor,
		Object: ledger.Object{Kind: "application", ID: a.ID}, Outcome: ledger.Success,
		Details: map[string]string{"consumer": string(a.Consumer), "provider": string(a.Provider), "resource": a.Resource, "state": string(a.State), "round": strconv.Itoa(a.Round)},
	}
	if a.Due.Day != 0 {
		ev.Details["due"] = a.Due.Day.String()
	}
	return ev
}
