package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/signer"
)

// Reclassifications are the labels that their provider changes (变更定级; 西政办发
// 〔2011〕8号 art. 30): proposed by its clerk or administrator, signed by its leader,
// followed by the units that keep copies.
type Reclassifications interface {
	// Reclassified lists what concerns the person's unit, and those of its resources
	// that the text finds, from after one of them on.
	Reclassified(ctx context.Context, p Person, find, after string) (ReclassList, error)
	Reclassify(ctx context.Context, p Person, f ReclassForm) error
	AnswerReclass(ctx context.Context, p Person, id string, a Answer) error
	WithdrawReclass(ctx context.Context, p Person, id, reason string) error
	// FollowedLabel records what a unit did about a copy; evidence is an SM3.
	FollowedLabel(ctx context.Context, p Person, notice, evidence, note string) error
}

// ReclassForm asks for another label. The day counts whole.
type ReclassForm struct {
	Resource, Ground, Review string
	To                       level.Label
	Due                      time.Time
}

// ReclassLine is one act, how far the copies have followed, and what this person
// may do about it.
type ReclassLine struct {
	reclass.Act
	Raises                 bool
	Asker, Unit            string
	Copies, Done, Late     int
	MayAnswer, MayWithdraw bool
}

// NoticeOfLabel is what a unit has to do about a copy.
type NoticeOfLabel struct {
	reclass.Notice
	Overdue, MayAnswer bool
}

// LabelledResource is one that the unit provides.
type LabelledResource struct{ ID, Name, Label string }

// ReclassList is what a person sees.
type ReclassList struct {
	All        bool
	Acts       []ReclassLine
	Notices    []NoticeOfLabel
	MayPropose bool
	Resources  []LabelledResource
	Next       string // id to go on from
}

type reclassBody struct {
	ReclassList
	Find string
	Tags []level.Tag
}

func (c *console) mountReclass(r chi.Router) {
	r.Get("/console/reclass", c.opened(PageReclass, first(c.reclass)))
	r.Post("/console/reclass", c.opened(PageReclass, c.onReclass(func(w http.ResponseWriter, r *http.Request, p Person) error {
		f, err := reclassForm(w, r)
		if err == nil {
			err = c.cfg.Desk.Reclassify(r.Context(), p, f)
		}
		return err
	})))
	r.Post("/console/reclass/{id}/answer", c.opened(PageReclass, c.onReclass(func(w http.ResponseWriter, r *http.Request, p Person) error {
		return answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerReclass(r.Context(), p, chi.URLParam(r, "id"), a) })
	})))
	r.Post("/console/reclass/{id}/withdraw", c.opened(PageReclass, c.onReclass(func(w http.ResponseWriter, r *http.Request, p Person) error {
		return worded(w, r, func(words string) error {
			return c.cfg.Desk.WithdrawReclass(r.Context(), p, chi.URLParam(r, "id"), words)
		})
	})))
	r.Post("/console/reclass/notices", c.opened(PageReclass, c.onReclass(c.followed)))
}

func (c *console) onReclass(act func(http.ResponseWriter, *http.Request, Person) error) func(http.ResponseWriter, *http.Request, Person) {
	return func(w http.ResponseWriter, r *http.Request, p Person) {
		c.back(w, r, p, "/console/reclass", act(w, r, p), c.reclass)
	}
}

func (c *console) reclass(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	find := oneLine(r.URL.Query().Get("find"))
	if len(find) > maxLine {
		find = ""
	}
	after := r.URL.Query().Get("after")
	if len(after) > maxLine {
		after = ""
	}
	list, err := c.cfg.Desk.Reclassified(r.Context(), p, find, after)
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	tags := []level.Tag{
		level.TagPersonal, level.TagLegalPerson, level.TagBusinessSecret, level.TagSensitive, level.TagImportantData, level.TagWorkSecret, level.TagPublicDisclosure,
	}
	c.told(w, r, PageReclass, p, reclassBody{list, find, tags}, cause)
}

// reclassForm reads a proposal; a label that is none is refused here.
func reclassForm(w http.ResponseWriter, r *http.Request) (f ReclassForm, err error) {
	if err = fields(w, r); err != nil {
		return f, err
	}
	in := r.PostForm
	f = ReclassForm{Resource: in.Get("resource"), Ground: oneLine(in.Get("ground")), Review: oneLine(in.Get("review"))}
	var n [3]uint64
	for i, name := range []string{"level", "s", "a"} {
		if n[i], err = strconv.ParseUint(in.Get(name), 10, 8); err != nil {
			return f, errors.Join(ErrForm, err)
		}
	}
	var tags []level.Tag
	for _, t := range in["tag"] {
		tags = append(tags, level.Tag(t))
	}
	if f.To, err = level.New(level.Level(n[0]), uint8(n[1]), uint8(n[2]), tags...); err != nil {
		return f, errors.Join(ErrForm, err)
	}
	if f.Due, err = day(in.Get("due")); err != nil {
		return f, err
	}
	if !said(f.Ground) || f.Review != "" && !said(f.Review) || f.Resource == "" || f.Due.IsZero() {
		return f, ErrForm
	}
	return f, nil
}

// followed records what was done about a copy; of the record that proves it only
// the digest is kept.
func (c *console) followed(w http.ResponseWriter, r *http.Request, p Person) error {
	release, err := c.limited(r.Context())
	if err != nil {
		return err
	}
	defer release()
	form, err := upload(w, r, maxUpload, 1, "evidence")
	if err != nil {
		return err
	}
	proof, note := form.file("evidence"), oneLine(form.Get("reason"))
	if len(proof.Bytes) == 0 || !said(note) || form.Get("notice") == "" {
		return ErrForm
	}
	return c.cfg.Desk.FollowedLabel(r.Context(), p, form.Get("notice"), signer.Digest(proof.Bytes), note)
}
