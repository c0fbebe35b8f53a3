package console

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/text"
)

// Systems are the certificates of agency systems, in the hands of a registration
// officer: hold and revoke act at once, resumption waits for a second officer.
type Systems interface {
	// SystemCertificates shows those of a system; "": of none yet.
	SystemCertificates(ctx context.Context, p Person, system string) (SystemList, error)
	// Stop holds or revokes a certificate, and the pair that it is half of.
	Stop(ctx context.Context, p Person, f StopForm) error
	// RevokeTokens ends all access tokens of a system.
	RevokeTokens(ctx context.Context, p Person, system, reason string) error
	// AskResume asks that a hold be lifted.
	AskResume(ctx context.Context, p Person, hold, why string) error
	// AnswerResume signs the answer of a second officer.
	AnswerResume(ctx context.Context, p Person, hold string, a Answer) error
}

// StopForm asks to hold (Reason) or to revoke (Code, Since).
type StopForm struct {
	System, Serial string
	Revoke         bool
	Reason         string    // of a hold
	Code           string    // name of RFC 5280 5.3.1
	Since          time.Time // keyCompromise: from when on the key was not the holder's alone
}

// SystemList is what the page shows.
type SystemList struct {
	Systems []Named
	System  Named
	Rows    []SystemCertificate // newest first
	Asked   []Hold              // of every system: what waits for an answer
	Codes   []string            // names of reasons
}

// SystemCertificate is an mTLS certificate, or a pair by its signing half.
type SystemCertificate struct {
	Serial, Enc         string // Enc: of the other half
	Kind, Subject       string
	State, Reason       string // Reason: its name
	NotBefore, NotAfter time.Time
	At                  time.Time // held or revoked
	Hold                *Hold     // while held
}

// Hold is a suspension as an officer sees it.
type Hold struct {
	ID, System, Serial string
	By, Reason         string
	At                 time.Time
	Asked              bool
	AskedBy, Why       string
	Refusal            string // of the last asking
	Digest             string // what the answer signs
	MayAnswer          bool   // another officer asked
}

func (c *console) mountSystems(r chi.Router) {
	r.Get("/console/systems", c.opened(PageSystems, func(w http.ResponseWriter, q *http.Request, p Person) {
		c.systems(w, q, p, q.URL.Query().Get("system"), nil)
	}))
	r.Post("/console/systems/stop", c.opened(PageSystems, c.stop))
	r.Post("/console/systems/tokens", c.opened(PageSystems, c.revokeTokens))
	r.Post("/console/systems/holds/{id}/ask", c.opened(PageSystems, c.askResume))
	r.Post("/console/systems/holds/{id}/answer", c.opened(PageSystems, c.answerResume))
}

func (c *console) systems(w http.ResponseWriter, r *http.Request, p Person, system string, cause error) {
	list, err := c.cfg.Desk.SystemCertificates(r.Context(), p, system)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, PageSystems, p, list, cause)
}

// shown goes back to the list of a system, or says on it why not.
func (c *console) shown(w http.ResponseWriter, r *http.Request, p Person, system string, err error) {
	c.back(w, r, p, "/console/systems?"+url.Values{"system": {system}}.Encode(), err, func(w http.ResponseWriter, r *http.Request, p Person, cause error) {
		c.systems(w, r, p, system, cause)
	})
}

func (c *console) stop(w http.ResponseWriter, r *http.Request, p Person) {
	if err := fields(w, r); err != nil {
		c.shown(w, r, p, "", err)
		return
	}
	g := r.PostForm.Get
	f := StopForm{System: g("system"), Serial: g("serial"), Revoke: g("act") == "revoke", Reason: oneLine(g("reason")), Code: g("code")}
	var err error
	switch f.Since, err = moments("2006-01-02T15:04", g("since")); {
	case err != nil:
	case g("act") != "revoke" && g("act") != "hold", text.Plain(f.Reason) != f.Reason, !f.Revoke && f.Reason == "":
		err = ErrForm
	default:
		err = c.cfg.Desk.Stop(r.Context(), p, f)
	}
	c.shown(w, r, p, f.System, err)
}

func (c *console) revokeTokens(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		if reason := oneLine(r.PostForm.Get("reason")); reason == "" || text.Plain(reason) != reason {
			err = ErrForm
		} else {
			err = c.cfg.Desk.RevokeTokens(r.Context(), p, r.PostForm.Get("system"), reason)
		}
	}
	c.shown(w, r, p, r.PostForm.Get("system"), err)
}

func (c *console) askResume(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	why := ""
	if err == nil {
		if why = oneLine(r.PostForm.Get("why")); why == "" || text.Plain(why) != why {
			err = ErrForm
		} else {
			err = c.cfg.Desk.AskResume(r.Context(), p, chi.URLParam(r, "id"), why)
		}
	}
	c.shown(w, r, p, r.PostForm.Get("system"), err)
}

func (c *console) answerResume(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error {
		if text.Plain(a.Reason) != a.Reason {
			return ErrForm
		}
		return c.cfg.Desk.AnswerResume(r.Context(), p, chi.URLParam(r, "id"), a)
	})
	c.shown(w, r, p, r.PostForm.Get("system"), err)
}
