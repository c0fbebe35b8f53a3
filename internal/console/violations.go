package console

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/workday"
	"github.com/yinxin-gov/yinxin/signer"
)

// PageViolations is the register of breaches (违规与整改; 京政发〔2017〕37号 art. 33).
const PageViolations = "violations"

// Violations are breaches: recorded by a provider or the information office, which
// suspends use at once; settled by the signature of a second person.
type Violations interface {
	Violations(ctx context.Context, p Person) (ViolationList, error)
	RecordViolation(ctx context.Context, p Person, v sharing.Violation) error
	// AskViolation says what was done about one, for the second person.
	AskViolation(ctx context.Context, p Person, id, outcome string) error
	AnswerViolation(ctx context.Context, p Person, id string, a Answer) error
}

// ViolationList is what the page shows, newest first.
type ViolationList struct {
	Rows     []ViolationLine
	MayWrite bool
	Office   bool // of everybody, and against everybody's resources
}

// ViolationLine is one breach.
type ViolationLine struct {
	sharing.Violation
	UnitName, Recorder, Asker string
	Sum                       string // what is signed
	Overdue                   bool
	MayAsk, MayAnswer         bool
}

func (c *console) mountViolations(r chi.Router) {
	r.Get("/console/violations", c.opened(PageViolations, first(c.violations)))
	r.Post("/console/violations", c.opened(PageViolations, c.recordViolation))
	r.Post("/console/violations/{id}/ask", c.opened(PageViolations, c.askViolation))
	r.Post("/console/violations/{id}/answer", c.opened(PageViolations, c.answerViolation))
}

func (c *console) violations(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageViolations, c.cfg.Desk.Violations, cause)
}

// recordViolation reads the evidence for its SM3; it is not kept.
func (c *console) recordViolation(w http.ResponseWriter, r *http.Request, p Person) {
	err := func() error {
		release, err := c.limited(r.Context())
		if err != nil {
			return err
		}
		defer release()
		form, err := upload(w, r, maxScan, 1, "evidence")
		if err != nil {
			return err
		}
		v := sharing.Violation{
			Ground: sharing.Ground(form.Get("ground")), Unit: identity.USCC(oneLine(form.Get("unit"))), Provider: identity.USCC(oneLine(form.Get("provider"))),
			Resource: oneLine(form.Get("resource")), Note: oneLine(form.Get("note")),
		}
		for _, s := range []string{string(v.Unit), string(v.Provider), v.Resource, v.Note} {
			if text.Plain(s) != s {
				return ErrForm
			}
		}
		if v.Due, err = workday.Parse(form.Get("due")); err != nil {
			return ErrForm
		}
		evidence := form.file("evidence").Bytes
		if len(evidence) == 0 {
			return errNoFile
		}
		v.Evidence = signer.Digest(evidence)
		return c.cfg.Desk.RecordViolation(r.Context(), p, v)
	}()
	c.back(w, r, p, "/console/violations", err, c.violations)
}

func (c *console) askViolation(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		outcome := oneLine(r.PostForm.Get("outcome"))
		if outcome == "" || text.Plain(outcome) != outcome {
			err = ErrForm
		} else {
			err = c.cfg.Desk.AskViolation(r.Context(), p, chi.URLParam(r, "id"), outcome)
		}
	}
	c.back(w, r, p, "/console/violations", err, c.violations)
}

func (c *console) answerViolation(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error {
		return c.cfg.Desk.AnswerViolation(r.Context(), p, chi.URLParam(r, "id"), a)
	})
	c.back(w, r, p, "/console/violations", err, c.violations)
}
