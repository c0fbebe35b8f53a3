package console

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageClosing is whether and when the certification service ends (停止服务).
const PageClosing = "closing"

// Closings are the acts of officers about the end of the service, and what
// everybody is told of it.
type Closings interface {
	Closing(ctx context.Context, p Person) (ClosingView, error)
	ProposeClosing(ctx context.Context, p Person, a closing.Act) error
	// AnswerClosing signs a registration officer's answer to a proposal.
	AnswerClosing(ctx context.Context, p Person, id string, a Answer) error
	DropClosing(ctx context.Context, p Person, id string) error
	// SeenClosing acknowledges the notices of those for whom the person speaks.
	SeenClosing(ctx context.Context, p Person) error
}

// ClosingView is what the page shows.
type ClosingView struct {
	Phase    closing.Phase
	Act      closing.Act // announced; zero: nothing is
	Acts     []ClosingLine
	MayWrite bool
	Mine     int                         // notices to the person that nobody acknowledged
	Notices  map[closing.NoticeState]int // for officers
}

// Announced reports whether an end is announced.
func (v ClosingView) Announced() bool { return v.Act.ID != "" }

// ClosingLine is one act, for officers.
type ClosingLine struct {
	closing.Act
	By        string // name
	Sum       string // what is signed
	MayAnswer bool
	MayDrop   bool
}

func (c *console) mountClosing(r chi.Router) {
	r.Get("/console/closing", c.opened(PageClosing, first(c.closing)))
	r.Post("/console/closing", c.opened(PageClosing, c.proposeClosing))
	r.Post("/console/closing/seen", c.opened(PageClosing, c.seenClosing))
	r.Post("/console/closing/{id}/answer", c.opened(PageClosing, c.answerClosing))
	r.Post("/console/closing/{id}/drop", c.opened(PageClosing, c.dropClosing))
}

func (c *console) closing(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageClosing, c.cfg.Desk.Closing, cause)
}

func (c *console) proposeClosing(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		var a closing.Act
		if a, err = closingForm(r.PostForm.Get); err == nil {
			err = c.cfg.Desk.ProposeClosing(r.Context(), p, a)
		}
	}
	c.back(w, r, p, "/console/closing", err, c.closing)
}

// closingForm reads a proposal; the room knows which fields a kind has.
func closingForm(get func(string) string) (closing.Act, error) {
	a := closing.Act{
		Kind: closing.Kind(get("kind")), Mode: closing.Mode(get("mode")), Reason: oneLine(get("reason")), Successor: oneLine(get("successor")),
		Taker: oneLine(get("taker")), Records: oneLine(get("records")), Protocol: oneLine(get("protocol")),
	}
	for _, s := range []string{a.Reason, a.Successor, a.Taker, a.Records} {
		if text.Plain(s) != s {
			return closing.Act{}, ErrForm
		}
	}
	var err error
	if a.At, err = day(get("at")); err != nil {
		return closing.Act{}, err
	}
	a.Reported, err = day(get("reported"))
	return a, err
}

func (c *console) answerClosing(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerClosing(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/closing", err, c.closing)
}

func (c *console) dropClosing(w http.ResponseWriter, r *http.Request, p Person) {
	err := c.cfg.Desk.DropClosing(r.Context(), p, chi.URLParam(r, "id"))
	c.back(w, r, p, "/console/closing", err, c.closing)
}

func (c *console) seenClosing(w http.ResponseWriter, r *http.Request, p Person) {
	c.back(w, r, p, "/console/closing", c.cfg.Desk.SeenClosing(r.Context(), p), c.closing)
}
