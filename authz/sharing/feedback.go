package sharing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Feedback is what a consumer says of shared information that it uses (使用情况反馈表):
// in doubt, or wrong. It goes to the provider and to the information office
// (西政办发〔2014〕14号 art. 28; 京政发〔2017〕37号 art. 19). The resource is disputed until
// the provider answers.
type Feedback struct {
	ID       string            `json:"id"`
	Resource string            `json:"resource"`
	Consumer identity.USCC     `json:"consumer"`
	Provider identity.USCC     `json:"provider"`
	Office   identity.USCC     `json:"office"`
	Text     string            `json:"text"`
	By       string            `json:"by"`
	At       time.Time         `json:"at"`
	Due      workday.Due       `json:"due"` // the regime's limit of an answer
	Receipts []Acknowledgement `json:"receipts,omitempty"`
	Answer   string            `json:"answer,omitempty"`
	Writer   string            `json:"writer,omitempty"`
	Answered time.Time         `json:"answered,omitzero"`
	Revision int               `json:"revision"`
}

// Open: the provider has not answered; the resource is disputed.
func (f Feedback) Open() bool { return f.Answered.IsZero() }

// OverdueAt: the answer was due before today.
func (f Feedback) OverdueAt(now time.Time) bool { return f.Open() && workday.Of(now) > f.Due.Day }

// Acknowledged: a unit has acknowledged it.
func (f Feedback) Acknowledged(unit identity.USCC) bool {
	return slices.ContainsFunc(f.Receipts, func(r Acknowledgement) bool { return r.Unit == unit })
}

// FeedbackStore keeps feedback; see identity.Register for the promises.
type FeedbackStore interface {
	AddFeedback(ctx context.Context, f Feedback, ev ledger.Event) (ledger.Receipt, error)
	// MoveFeedback writes the revision after the one on record, else ErrApplication.
	MoveFeedback(ctx context.Context, f Feedback, ev ledger.Event) (ledger.Receipt, error)
	Feedback(ctx context.Context, id string) (Feedback, error)
	// Feedbacks lists those of a unit on either side, newest first; all for "".
	Feedbacks(ctx context.Context, unit identity.USCC) ([]Feedback, error)
}

// Report takes the feedback of the actor's unit on a resource of another.
func (s *Applications) Report(ctx context.Context, actor ledger.Actor, resource, text string) (Feedback, ledger.Receipt, error) {
	fail := func(err error) (Feedback, ledger.Receipt, error) { return Feedback{}, ledger.Receipt{}, err }
	now := s.now()
	consumer := identity.USCC(actor.Unit)
	if err := s.holds(ctx, actor, consumer, now, identity.RoleClerk); err != nil {
		return fail(err)
	}
	r, err := s.cfg.Catalogue.Resource(ctx, resource)
	if err != nil {
		return fail(fmt.Errorf("resource %.80q: %w", resource, err))
	}
	if text == "" || !plain(text) || r.Provider == consumer {
		return fail(fmt.Errorf("%w: feedback says what is wrong with what another provides", ErrInvalid))
	}
	f := Feedback{ID: s.cfg.NewID(), Resource: r.ID, Consumer: consumer, Provider: r.Provider, Office: s.cfg.Office, Text: text, By: actor.ID, At: now, Revision: 1}
	if f.Due, err = s.cfg.Calendar.AddWorkdays(workday.Of(now), LimitsOf(r.Regime).Days); err != nil {
		return fail(err)
	}
	rc, err := s.cfg.Feedback.AddFeedback(ctx, f, s.heard("sharing.feedback.given", f, actor, now))
	return f, rc, err
}

// Reply is the provider's answer, after it checked.
func (s *Applications) Reply(ctx context.Context, actor ledger.Actor, id, answer string) (Feedback, ledger.Receipt, error) {
	return s.hear(ctx, actor, id, "sharing.feedback.answered", func(f *Feedback, now time.Time) error {
		if err := s.holds(ctx, actor, f.Provider, now, identity.RoleClerk); err != nil {
			return err
		}
		if !f.Open() {
			return fmt.Errorf("%w: answered", ErrApplication)
		}
		if answer == "" || !plain(answer) {
			return fmt.Errorf("%w: an answer says what was found", ErrInvalid)
		}
		f.Answer, f.Writer, f.Answered = answer, actor.ID, now
		return nil
	})
}

// Heard is the receipt by one of the two receivers.
func (s *Applications) Heard(ctx context.Context, actor ledger.Actor, id string) (Feedback, ledger.Receipt, error) {
	return s.hear(ctx, actor, id, "sharing.feedback.acknowledged", func(f *Feedback, now time.Time) error {
		unit, role := f.Provider, identity.RoleClerk
		if actor.Unit == string(f.Office) && f.Office != f.Provider {
			unit, role = f.Office, identity.RoleInformationOffice
		}
		if err := s.holds(ctx, actor, unit, now, role); err != nil {
			return err
		}
		if f.Acknowledged(unit) {
			return fmt.Errorf("%w: acknowledged before", ErrApplication)
		}
		f.Receipts = append(slices.Clone(f.Receipts), Acknowledgement{1, unit, actor.ID, now})
		return nil
	})
}

// FeedbackOf lists what a unit gave and got; all for "".
func (s *Applications) FeedbackOf(ctx context.Context, unit identity.USCC) ([]Feedback, error) {
	return s.cfg.Feedback.Feedbacks(ctx, unit)
}

func (s *Applications) hear(ctx context.Context, actor ledger.Actor, id, kind string, act func(f *Feedback, now time.Time) error) (Feedback, ledger.Receipt, error) {
	f, err := s.cfg.Feedback.Feedback(ctx, id)
	now := s.now()
	if err == nil {
		err = act(&f, now)
	}
	if err != nil {
		return Feedback{}, ledger.Receipt{}, err
	}
	f.Revision++
	rc, err := s.cfg.Feedback.MoveFeedback(ctx, f, s.heard(kind, f, actor, now))
	return f, rc, err
}

func (s *Applications) heard(kind string, f Feedback, actor ledger.Actor, now time.Time) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: now, Actor: actor,
		Object: ledger.Object{Kind: "feedback", ID: f.ID}, Outcome: ledger.Success,
		Details: map[string]string{"resource": f.Resource, "consumer": string(f.Consumer), "provider": string(f.Provider), "due": f.Due.Day.String()},
	}
}
