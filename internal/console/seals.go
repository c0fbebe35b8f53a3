package console

import (
	"context"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Seals are the seals of a unit and what is done to them (印章台).
type Seals interface {
	Seals(ctx context.Context, p Person) (SealList, error)
	Seal(ctx context.Context, p Person, id string) (SealView, error)
	Apply(ctx context.Context, p Person, f SealForm) error
	// Act does one act of life's table.
	Act(ctx context.Context, p Person, id string, act life.Act, f ActForm) error
	// AnswerSeal signs the answer to what waits about a seal.
	AnswerSeal(ctx context.Context, p Person, id string, a Answer) error
}

// SealForm is an application for a seal. Without a picture one is drawn (样章).
type SealForm struct {
	ID, Name, Kind, Purpose, Inscription string
	Until                                time.Time
	Picture                              []byte // PNG
	Filing                               string // of the picture
	Width                                int    // of the picture, millimetres
	Authorisation                        signer.Authorisation
}

// ActForm is what an act may need.
type ActForm struct {
	Reason        string
	Filing        string
	On            time.Time
	Since         time.Time             // of a report
	Authorisation *signer.Authorisation // nil: the question is to resume
}

// SealLine is one seal in a list.
type SealLine struct {
	signer.Seal
	Taken signer.Taken
}

// SealList is what a person sees of seals.
type SealList struct {
	Seals     []SealLine
	Staff     []Named // of the unit: whom an authorisation can name
	MayApply  bool
	MayImport bool
	Kinds     []string
	Division  string // first digits of a new number
}

// Named is a person as pages show one.
type Named struct{ ID, Name string }

// SealView is one seal.
type SealView struct {
	SealLine
	Image     []byte // PNG, GIF or JPEG; none: not to be had
	Steps     []StepLine
	Users     []Named
	Staff     []Named
	Acts      []life.Rule // that this person may do now
	Waits     string      // what has to happen elsewhere first: key of the catalogue, or empty
	MayAnswer bool
	Asker     string   // name
	Foreign   *Foreign // nil: made here
}

// StepLine is a step with the name of its actor.
type StepLine struct {
	life.Step
	By string
}

// maxSealPicture bounds an uploaded picture.
const maxSealPicture = 1 << 20

func (c *console) mountSeals(r chi.Router) {
	r.Get("/console/seals", c.opened(PageSeals, func(w http.ResponseWriter, q *http.Request, p Person) { c.seals(w, q, p, SealForm{}, nil) }))
	r.Post("/console/seals", c.opened(PageSeals, c.applySeal))
	r.Get("/console/seals/{id}", c.opened(PageSeals, first(c.seal)))
	r.Post("/console/seals/{id}/answer", c.opened(PageSeals, c.answerSeal))
	r.Post("/console/seals/{id}/acts/{act}", c.opened(PageSeals, c.actOnSeal))
}

type sealsBody struct {
	SealList
	Form SealForm
	Pers []signer.Period
}

func periods() []signer.Period {
	return []signer.Period{signer.PerDay, signer.PerMonth, signer.PerYear}
}

func (c *console) seals(w http.ResponseWriter, r *http.Request, p Person, f SealForm, cause error) {
	list, err := c.cfg.Desk.Seals(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	c.told(w, r, PageSeals, p, sealsBody{list, f, periods()}, cause)
}

func (c *console) applySeal(w http.ResponseWriter, r *http.Request, p Person) {
	form, err := upload(w, r, maxSealPicture, 1, "picture")
	if err != nil {
		c.seals(w, r, p, SealForm{}, err)
		return
	}
	f, err := sealForm(form)
	if err == nil {
		err = c.cfg.Desk.Apply(r.Context(), p, f)
	}
	if err != nil {
		f.Picture = nil
		c.seals(w, r, p, f, err)
		return
	}
	http.Redirect(w, r, "/console/seals/"+f.ID, http.StatusSeeOther)
}

func sealForm(form filled) (f SealForm, err error) {
	f = SealForm{
		ID: form.Get("id"), Name: oneLine(form.Get("name")), Kind: form.Get("kind"), Purpose: oneLine(form.Get("purpose")),
		Inscription: oneLine(form.Get("inscription")), Picture: form.file("picture").Bytes, Filing: oneLine(form.Get("picture_filing")),
	}
	if f.Until, err = day(form.Get("until")); err != nil {
		return f, err
	}
	if f.Width, err = count(form.Get("width")); err != nil {
		return f, err
	}
	f.Authorisation, err = authorisation(form.Values)
	return f, err
}

// authorisation reads how far a seal may be used from a form.
func authorisation(form map[string][]string) (a signer.Authorisation, err error) {
	get := func(name string) string { return strings.Join(form[name], "") }
	for _, id := range form["user"] {
		a.Users = append(a.Users, signer.User{Person: id})
	}
	if a.Total, err = count(get("total")); err != nil {
		return a, err
	}
	if a.Quota, err = count(get("quota")); err != nil {
		return a, err
	}
	if a.Quota > 0 {
		a.Per = signer.Period(get("per"))
	}
	return a, nil
}

func count(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, ErrForm
	}
	return n, nil
}

type sealBody struct {
	SealView
	Picture template.URL // data:
	Pers    []signer.Period
}

func (c *console) seal(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	s, err := c.cfg.Desk.Seal(r.Context(), p, chi.URLParam(r, "id"))
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	body := sealBody{SealView: s, Pers: periods()}
	// A picture comes from a file of somebody else: an <img> runs nothing of it.
	if kind := http.DetectContentType(s.Image); kind == "image/png" || kind == "image/gif" || kind == "image/jpeg" {
		body.Picture = template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(s.Image))
	}
	c.told(w, r, pageSeal, p, body, cause)
}

func (c *console) answerSeal(w http.ResponseWriter, r *http.Request, p Person) {
	id := chi.URLParam(r, "id")
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerSeal(r.Context(), p, id, a) })
	c.back(w, r, p, "/console/seals/"+id, err, c.seal)
}

func (c *console) actOnSeal(w http.ResponseWriter, r *http.Request, p Person) {
	id, act := chi.URLParam(r, "id"), life.Act(chi.URLParam(r, "act"))
	err := fields(w, r)
	var f ActForm
	if err == nil {
		f, err = actForm(r)
	}
	if err == nil {
		err = c.cfg.Desk.Act(r.Context(), p, id, act, f)
	}
	c.back(w, r, p, "/console/seals/"+id, err, c.seal)
}

func actForm(r *http.Request) (f ActForm, err error) {
	f = ActForm{Reason: oneLine(r.PostForm.Get("reason")), Filing: oneLine(r.PostForm.Get("filing"))}
	if text.Plain(f.Reason) != f.Reason || text.Plain(f.Filing) != f.Filing {
		return f, ErrForm
	}
	if f.On, err = day(r.PostForm.Get("on")); err != nil {
		return f, err
	}
	if f.Since, err = moments("2006-01-02T15:04", r.PostForm.Get("since")); err != nil {
		return f, err
	}
	if r.PostForm.Get("wanted") == string(signer.AskAuthorise) {
		a, err := authorisation(r.PostForm)
		if err != nil {
			return f, err
		}
		f.Authorisation = &a
	}
	return f, nil
}
