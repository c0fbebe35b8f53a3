package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
)

// Consents are the providers' consents to citations (引用同意; 京政发〔2017〕37号
// art. 19): asked by the clerk of the unit that quotes, answered and withdrawn by
// the leader of the provider.
type Consents interface {
	// Consents lists those of the person's unit on both sides, and the resources
	// that the text finds.
	Consents(ctx context.Context, p Person, find string) (ConsentList, error)
	Consent(ctx context.Context, p Person, id string) (ConsentView, error)
	AskConsent(ctx context.Context, p Person, f ConsentForm) (id string, err error)
	AnswerConsent(ctx context.Context, p Person, id string, a Answer) error
	WithdrawConsent(ctx context.Context, p Person, id, reason string) error
}

// ConsentForm asks for a consent. Both days count whole.
type ConsentForm struct {
	Resource, Title, Purpose string
	Document                 string // SM3 of the one document that it is for; empty: a series
	From, Until              time.Time
}

// ConsentLine is one consent. State is the one by the clock.
type ConsentLine struct {
	sharing.Consent
	State                  sharing.ConsentState
	ConsumerName, AskedWho string
}

// ConsentList is what a unit asked for and was asked for.
type ConsentList struct {
	Ours, Others []ConsentLine
	Resources    []ResourceLine
	More         bool // there are more resources than are listed
	MayAsk       bool
}

// ResourceLine is a resource of the catalogue.
type ResourceLine struct{ ID, Name, Provider string }

// ConsentView is one consent, with what this person may do about it.
type ConsentView struct {
	ConsentLine
	Answer      *Answered
	MayAnswer   bool
	MayWithdraw bool
}

func (c *console) mountConsents(r chi.Router) {
	r.Get("/console/consents", c.opened(PageConsents, func(w http.ResponseWriter, q *http.Request, p Person) { c.consents(w, q, p, ConsentForm{}, nil) }))
	r.Post("/console/consents", c.opened(PageConsents, c.askConsent))
	r.Get("/console/consents/{id}", c.opened(PageConsents, first(c.consent)))
	r.Post("/console/consents/{id}/answer", c.opened(PageConsents, c.answerConsent))
	r.Post("/console/consents/{id}/withdraw", c.opened(PageConsents, c.withdrawConsent))
}

type consentsBody struct {
	ConsentList
	Form ConsentForm
	Find string
}

func (c *console) consents(w http.ResponseWriter, r *http.Request, p Person, f ConsentForm, cause error) {
	find := oneLine(r.URL.Query().Get("find"))
	if len(find) > maxLine {
		find = ""
	}
	list, err := c.cfg.Desk.Consents(r.Context(), p, find)
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	c.told(w, r, PageConsents, p, consentsBody{list, f, find}, cause)
}

func (c *console) askConsent(w http.ResponseWriter, r *http.Request, p Person) {
	release, err := c.limited(r.Context())
	if err != nil {
		c.consents(w, r, p, ConsentForm{}, err)
		return
	}
	defer release()
	form, err := upload(w, r, maxUpload, 1, "document")
	if err != nil {
		c.consents(w, r, p, ConsentForm{}, err)
		return
	}
	f, err := consentForm(form)
	id := ""
	if err == nil {
		id, err = c.cfg.Desk.AskConsent(r.Context(), p, f)
	}
	if err != nil {
		c.consents(w, r, p, f, err)
		return
	}
	http.Redirect(w, r, "/console/consents/"+id, http.StatusSeeOther)
}

// consentForm reads a form; of an uploaded document only the digest is kept.
func consentForm(form filled) (f ConsentForm, err error) {
	f = ConsentForm{Resource: form.Get("resource"), Title: oneLine(form.Get("title")), Purpose: oneLine(form.Get("purpose"))}
	if doc := form.file("document"); len(doc.Bytes) > 0 {
		f.Document = signer.Digest(doc.Bytes)
	}
	for _, s := range []string{f.Resource, f.Title, f.Purpose} {
		if s == "" || len(s) > maxLine || text.Plain(s) != s {
			return f, ErrForm
		}
	}
	if f.From, err = day(form.Get("from")); err != nil {
		return f, err
	}
	if f.Until, err = day(form.Get("until")); err == nil && f.Until.IsZero() {
		err = ErrForm
	}
	return f, err
}

func (c *console) consent(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	v, err := c.cfg.Desk.Consent(r.Context(), p, chi.URLParam(r, "id"))
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	c.told(w, r, pageConsent, p, v, cause)
}

func (c *console) answerConsent(w http.ResponseWriter, r *http.Request, p Person) {
	id := chi.URLParam(r, "id")
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerConsent(r.Context(), p, id, a) })
	c.back(w, r, p, "/console/consents/"+id, err, c.consent)
}

func (c *console) withdrawConsent(w http.ResponseWriter, r *http.Request, p Person) {
	id := chi.URLParam(r, "id")
	err := fields(w, r)
	if reason := oneLine(r.PostForm.Get("reason")); err == nil {
		if reason == "" || len(reason) > maxLine || text.Plain(reason) != reason {
			err = ErrForm
		} else {
			err = c.cfg.Desk.WithdrawConsent(r.Context(), p, id, reason)
		}
	}
	c.back(w, r, p, "/console/consents/"+id, err, c.consent)
}
