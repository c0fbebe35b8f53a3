package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageRetention is what is kept of certificates long over (保存与销毁).
const PageRetention = "retention"

// Retentions are purges and legal holds.
type Retentions interface {
	Retention(ctx context.Context, p Person) (RetentionView, error)
	AskPurge(ctx context.Context, p Person, refs []retention.Ref, reason string) error
	// AnswerPurge signs a registration officer's answer to a purge or a lift.
	AnswerPurge(ctx context.Context, p Person, id string, a Answer) error
	DropPurge(ctx context.Context, p Person, id string) error
	PlaceHold(ctx context.Context, p Person, h retention.Hold) error
	LiftHold(ctx context.Context, p Person, id, reason string) error
}

// RetentionView is what the page shows, newest acts first.
type RetentionView struct {
	Years    int
	Due      []retention.Item
	Acts     []RetentionLine
	Kept     []HoldLine
	MayWrite bool
}

// RetentionLine is one act.
type RetentionLine struct {
	retention.Act
	By        string // name
	Sum       string // what is signed
	MayAnswer bool
	MayDrop   bool
}

// HoldLine is one legal hold.
type HoldLine struct {
	retention.Hold
	By      string
	MayLift bool
}

func (c *console) mountRetention(r chi.Router) {
	r.Get("/console/retention", c.opened(PageRetention, first(c.retention)))
	r.Post("/console/retention", c.opened(PageRetention, c.askPurge))
	r.Post("/console/retention/{id}/answer", c.opened(PageRetention, c.answerPurge))
	r.Post("/console/retention/{id}/drop", c.opened(PageRetention, c.dropPurge))
	r.Post("/console/retention/holds", c.opened(PageRetention, c.placeHold))
	r.Post("/console/retention/holds/{id}/lift", c.opened(PageRetention, c.liftHold))
}

func (c *console) retention(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageRetention, c.cfg.Desk.Retention, cause)
}

func (c *console) askPurge(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		var refs []retention.Ref
		for _, v := range r.PostForm["item"] {
			class, id, ok := strings.Cut(v, ":")
			if !ok {
				err = ErrForm
			}
			refs = append(refs, retention.Ref{Class: retention.Class(class), ID: id})
		}
		if err == nil {
			err = c.cfg.Desk.AskPurge(r.Context(), p, refs, oneLine(r.PostForm.Get("reason")))
		}
	}
	c.back(w, r, p, "/console/retention", err, c.retention)
}

func (c *console) answerPurge(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerPurge(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/retention", err, c.retention)
}

func (c *console) dropPurge(w http.ResponseWriter, r *http.Request, p Person) {
	err := c.cfg.Desk.DropPurge(r.Context(), p, chi.URLParam(r, "id"))
	c.back(w, r, p, "/console/retention", err, c.retention)
}

func (c *console) placeHold(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		get := func(field string) string { return oneLine(r.PostForm.Get(field)) }
		h := retention.Hold{Document: get("document"), Reason: get("reason")}
		switch get("scope") {
		case "agency":
			h.Agency = get("id")
		case "system":
			h.System = get("id")
		case "person":
			h.Person = get("id")
		case "all":
		default:
			err = ErrForm
		}
		if text.Plain(get("id")) != get("id") || (get("scope") == "all") != (get("id") == "") {
			err = ErrForm
		}
		if err == nil {
			err = c.cfg.Desk.PlaceHold(r.Context(), p, h)
		}
	}
	c.back(w, r, p, "/console/retention", err, c.retention)
}

func (c *console) liftHold(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.LiftHold(r.Context(), p, chi.URLParam(r, "id"), oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/retention", err, c.retention)
}
