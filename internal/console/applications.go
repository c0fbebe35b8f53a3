package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageApplications is where units apply for what others provide (共享申请;
// 西政办发〔2014〕14号 art. 26, 28; 京政发〔2017〕37号 art. 17, 19).
const PageApplications = "applications"

// Applications are written by clerks and signed by leaders, of the consumer, the provider
// and the information office in turn; the agreement that one becomes is sealed and ended
// here, and what is wrong with shared information is reported.
type Applications interface {
	Applications(ctx context.Context, p Person) (ApplicationList, error)
	ApplyToShare(ctx context.Context, p Person, a sharing.Application) error
	Forward(ctx context.Context, p Person, id, resource string, fields []string) error
	// Reply drafts the provider's answer, Outcome that to an objection.
	Reply(ctx context.Context, p Person, id string, a sharing.ApplicationAnswer) error
	Object(ctx context.Context, p Person, id, ground string) error
	Outcome(ctx context.Context, p Person, id string, upheld bool, outcome string) error
	AcknowledgeAnswer(ctx context.Context, p Person, id string) error
	AskTermsSeal(ctx context.Context, p Person, id, seal string) error
	// AnswerApplication signs what waits for this leader, SealTerms for the unit's seal.
	AnswerApplication(ctx context.Context, p Person, id string, a Answer) error
	SealTerms(ctx context.Context, p Person, id string, a Answer) error
	EndAgreement(ctx context.Context, p Person, id, reason string) error
	GiveFeedback(ctx context.Context, p Person, resource, text string) error
	AnswerFeedback(ctx context.Context, p Person, id, answer string) error
	AcknowledgeFeedback(ctx context.Context, p Person, id string) error
}

// ApplicationList is what the page shows, newest first.
type ApplicationList struct {
	Rows       []ApplicationLine
	Agreements []AgreementLine
	Feedback   []FeedbackLine
	Seals      []string // of the unit that are active
	MayApply   bool
}

// ApplicationLine is one application, with what this person may do about it now.
type ApplicationLine struct {
	sharing.Application
	ConsumerName, ProviderName string
	Sum, Terms                 string // what is signed: the record, the terms
	Next                       string // the body that an objection would go to
	Overdue                    bool
	MayForward, MayReply, MayObject, MayOutcome,
	MayAcknowledge, MayAnswer, MayAskSeal, MaySignSeal bool
}

// AgreementLine is an agreement of the unit.
type AgreementLine struct {
	sharing.Agreement
	InForce, MayEnd bool
}

// FeedbackLine is one feedback.
type FeedbackLine struct {
	sharing.Feedback
	ConsumerName                       string
	Overdue, MayAnswer, MayAcknowledge bool
}

const pathApplications = "/console/applications"

func (c *console) mountApplications(r chi.Router) {
	r.Get(pathApplications, c.opened(PageApplications, first(c.applications)))
	for path, act := range map[string]func(context.Context, Person, string, url.Values) error{
		"":              c.apply,
		"/{id}/forward": c.forward,
		"/{id}/reply":   c.reply,
		"/{id}/object":  c.object,
		"/{id}/outcome": c.outcome,
		"/{id}/seal":    c.askTermsSeal,
		"/{id}/acknowledge": func(ctx context.Context, p Person, id string, _ url.Values) error {
			return c.cfg.Desk.AcknowledgeAnswer(ctx, p, id)
		},
		"/agreements/{id}/end":  c.endAgreement,
		"/feedback":             c.giveFeedback,
		"/feedback/{id}/answer": c.answerFeedback,
		"/feedback/{id}/acknowledge": func(ctx context.Context, p Person, id string, _ url.Values) error {
			return c.cfg.Desk.AcknowledgeFeedback(ctx, p, id)
		},
	} {
		r.Post(pathApplications+path, c.opened(PageApplications, func(w http.ResponseWriter, r *http.Request, p Person) {
			err := fields(w, r)
			if err == nil {
				err = act(r.Context(), p, chi.URLParam(r, "id"), r.PostForm)
			}
			c.back(w, r, p, pathApplications, err, c.applications)
		}))
	}
	for path, sign := range map[string]func(context.Context, Person, string, Answer) error{
		"/{id}/answer": func(ctx context.Context, p Person, id string, a Answer) error {
			return c.cfg.Desk.AnswerApplication(ctx, p, id, a)
		},
		"/{id}/sealed": func(ctx context.Context, p Person, id string, a Answer) error {
			return c.cfg.Desk.SealTerms(ctx, p, id, a)
		},
	} {
		r.Post(pathApplications+path, c.opened(PageApplications, func(w http.ResponseWriter, r *http.Request, p Person) {
			err := answer(w, r, func(a Answer) error { return sign(r.Context(), p, chi.URLParam(r, "id"), a) })
			c.back(w, r, p, pathApplications, err, c.applications)
		}))
	}
}

func (c *console) applications(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageApplications, c.cfg.Desk.Applications, cause)
}

// apply reads the form of an application; both days count whole.
func (c *console) apply(ctx context.Context, p Person, _ string, f url.Values) (err error) {
	a := sharing.Application{Purposes: words(f.Get("purposes")), Fields: words(f.Get("fields"))}
	for name, to := range map[string]*string{
		"resource": &a.Resource, "wanted": &a.Wanted, "system": &a.System, "follows": &a.Follows, "confidentiality": &a.Confidentiality,
	} {
		if *to, err = line(f, name, true); err != nil {
			return err
		}
	}
	if a.NotBefore, err = day(f.Get("from")); err != nil {
		return err
	}
	until, err := day(f.Get("until"))
	if err != nil || until.IsZero() || a.NotBefore.IsZero() {
		return ErrForm
	}
	a.NotAfter = until.AddDate(0, 0, 1)
	return c.cfg.Desk.ApplyToShare(ctx, p, a)
}

func (c *console) forward(ctx context.Context, p Person, id string, f url.Values) error {
	resource, err := line(f, "resource", false)
	if err != nil {
		return err
	}
	return c.cfg.Desk.Forward(ctx, p, id, resource, words(f.Get("fields")))
}

func (c *console) reply(ctx context.Context, p Person, id string, f url.Values) (err error) {
	a := sharing.ApplicationAnswer{Agree: f.Get("answer") == "yes"}
	if !a.Agree && f.Get("answer") != "no" {
		return ErrForm
	}
	if a.Reason, err = line(f, "reason", a.Agree); err != nil {
		return err
	}
	if a.Clause, err = line(f, "clause", a.Agree); err != nil {
		return err
	}
	return c.cfg.Desk.Reply(ctx, p, id, a)
}

func (c *console) object(ctx context.Context, p Person, id string, f url.Values) error {
	ground, err := line(f, "ground", false)
	if err != nil {
		return err
	}
	return c.cfg.Desk.Object(ctx, p, id, ground)
}

func (c *console) outcome(ctx context.Context, p Person, id string, f url.Values) error {
	outcome, err := line(f, "outcome", false)
	if err != nil || f.Get("answer") != "yes" && f.Get("answer") != "no" {
		return ErrForm
	}
	return c.cfg.Desk.Outcome(ctx, p, id, f.Get("answer") == "yes", outcome)
}

func (c *console) askTermsSeal(ctx context.Context, p Person, id string, f url.Values) error {
	seal, err := line(f, "seal", false)
	if err != nil {
		return err
	}
	return c.cfg.Desk.AskTermsSeal(ctx, p, id, seal)
}

func (c *console) endAgreement(ctx context.Context, p Person, id string, f url.Values) error {
	reason, err := line(f, "reason", false)
	if err != nil {
		return err
	}
	return c.cfg.Desk.EndAgreement(ctx, p, id, reason)
}

func (c *console) giveFeedback(ctx context.Context, p Person, _ string, f url.Values) error {
	resource, err := line(f, "resource", false)
	if err != nil {
		return err
	}
	said, err := line(f, "text", false)
	if err != nil {
		return err
	}
	return c.cfg.Desk.GiveFeedback(ctx, p, resource, said)
}

func (c *console) answerFeedback(ctx context.Context, p Person, id string, f url.Values) error {
	said, err := line(f, "text", false)
	if err != nil {
		return err
	}
	return c.cfg.Desk.AnswerFeedback(ctx, p, id, said)
}

// line is one line of a form without hidden characters.
func line(f url.Values, name string, empty bool) (string, error) {
	s := oneLine(f.Get(name))
	if s == "" && !empty || len(s) > maxLine || text.Plain(s) != s {
		return "", ErrForm
	}
	return s, nil
}

// words are separated by white space or commas, of both widths; what they are the
// catalogue and the room say.
func words(s string) []string {
	return strings.FieldsFunc(text.Plain(s), func(r rune) bool { return strings.ContainsRune(" \t\r\n,，、|", r) })
}
