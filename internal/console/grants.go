package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Grants are who may use what (授权; 西政办发〔2011〕8号 art. 24): proposed by the
// unit's administrator or clerk, signed by its leader or a deputy, suspended by the
// security officer, reviewed by leader and auditor after an emergency.
type Grants interface {
	Grants(ctx context.Context, p Person) (GrantList, error)
	Grant(ctx context.Context, p Person, id string) (GrantView, error)
	ProposeGrant(ctx context.Context, p Person, f GrantForm) (id string, err error)
	// AnswerGrant signs an answer to what waits about a grant: its terms, its last
	// suspension (yes ends the grant), or the review of an emergency.
	AnswerGrant(ctx context.Context, p Person, id string, a Answer) error
	SuspendGrant(ctx context.Context, p Person, id, reason string) error
	WithdrawGrant(ctx context.Context, p Person, id, reason string) error
	AuditGrant(ctx context.Context, p Person, id, note string) error
	Delegate(ctx context.Context, p Person, f DelegationForm) error
	AnswerDelegation(ctx context.Context, p Person, id string, a Answer) error
	EndDelegation(ctx context.Context, p Person, id, reason string) error
}

// GrantForm proposes a grant. Both days count whole; an emergency begins now and
// lasts Hours.
type GrantForm struct {
	Person, Role, Need             string
	Acts                           []level.Act
	Purposes, Resources, Providers []string
	Systems                        []string
	Level                          level.Level
	From, Until                    time.Time
	Emergency                      bool
	Hours                          time.Duration
	Replaces                       string
}

// DelegationForm proposes a deputy. Both days count whole.
type DelegationForm struct {
	Leader, Deputy, Reason string
	From, Until            time.Time
}

// GrantLine is one grant. State is the one by the clock.
type GrantLine struct {
	grant.Grant
	State                   grant.State
	UnitName, Holder, Asker string
	Overdue                 bool // an emergency that was not reviewed in time
}

// DelegationLine is one delegation, with what this person may do about it.
type DelegationLine struct {
	grant.Delegation
	State                  grant.State
	LeaderName, DeputyName string
	MayAnswer, MayEnd      bool
}

// GrantList is what a person sees, and what the form offers.
type GrantList struct {
	All         bool // of every unit
	Lines       []GrantLine
	Reviews     []GrantLine // emergencies that wait for leader or auditor
	Delegations []DelegationLine
	MayPropose  bool
	People      []Named
	Leaders     []Named
	Systems     []Named
	Roles       []string
	Acts        []string
	Purposes    []string
}

// GrantView is one grant, with what this person may do about it.
type GrantView struct {
	GrantLine
	Asks, Sum                     string // which question waits, and the SM3 that is signed
	Suspender, Ender, AuditorName string
	MayAnswer, MaySuspend         bool
	MayWithdraw, MayAudit         bool
}

func (c *console) mountGrants(r chi.Router) {
	r.Get("/console/grants", c.opened(PageGrants, first(c.grants)))
	r.Post("/console/grants", c.opened(PageGrants, c.proposeGrant))
	r.Get("/console/grants/{id}", c.opened(PageGrants, first(c.grant)))
	r.Post("/console/grants/{id}/answer", c.opened(PageGrants, func(w http.ResponseWriter, r *http.Request, p Person) {
		id := chi.URLParam(r, "id")
		err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerGrant(r.Context(), p, id, a) })
		c.back(w, r, p, "/console/grants/"+id, err, c.grant)
	}))
	for act, do := range map[string]func(context.Context, Person, string, string) error{
		"suspend": c.cfg.Desk.SuspendGrant, "withdraw": c.cfg.Desk.WithdrawGrant, "audit": c.cfg.Desk.AuditGrant,
	} {
		r.Post("/console/grants/{id}/"+act, c.opened(PageGrants, func(w http.ResponseWriter, r *http.Request, p Person) {
			id := chi.URLParam(r, "id")
			err := worded(w, r, func(words string) error { return do(r.Context(), p, id, words) })
			c.back(w, r, p, "/console/grants/"+id, err, c.grant)
		}))
	}
	r.Post("/console/grants/delegations", c.opened(PageGrants, c.delegate))
	r.Post("/console/grants/delegations/{id}/answer", c.opened(PageGrants, func(w http.ResponseWriter, r *http.Request, p Person) {
		err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerDelegation(r.Context(), p, chi.URLParam(r, "id"), a) })
		c.back(w, r, p, "/console/grants", err, c.grants)
	}))
	r.Post("/console/grants/delegations/{id}/end", c.opened(PageGrants, func(w http.ResponseWriter, r *http.Request, p Person) {
		err := worded(w, r, func(words string) error {
			return c.cfg.Desk.EndDelegation(r.Context(), p, chi.URLParam(r, "id"), words)
		})
		c.back(w, r, p, "/console/grants", err, c.grants)
	}))
}

// worded reads the one line that an act needs, and does it.
func worded(w http.ResponseWriter, r *http.Request, act func(string) error) error {
	if err := fields(w, r); err != nil {
		return err
	}
	words := oneLine(r.PostForm.Get("reason"))
	if !said(words) {
		return ErrForm
	}
	return act(words)
}

// said is a line with something in it that hides nothing.
func said(s string) bool { return s != "" && len(s) <= maxLine && text.Plain(s) == s }

func (c *console) grants(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	list, err := c.cfg.Desk.Grants(r.Context(), p)
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	c.told(w, r, PageGrants, p, list, cause)
}

func (c *console) grant(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	v, err := c.cfg.Desk.Grant(r.Context(), p, chi.URLParam(r, "id"))
	if err != nil {
		c.lost(w, r, p, errors.Join(cause, err))
		return
	}
	c.told(w, r, pageGrant, p, v, cause)
}

func (c *console) proposeGrant(w http.ResponseWriter, r *http.Request, p Person) {
	err, id := fields(w, r), ""
	if err == nil {
		var f GrantForm
		if f, err = grantForm(r); err == nil {
			id, err = c.cfg.Desk.ProposeGrant(r.Context(), p, f)
		}
	}
	c.back(w, r, p, "/console/grants/"+id, err, c.grants)
}

// grantForm reads a proposal; what a term may be is the room's to say.
func grantForm(r *http.Request) (f GrantForm, err error) {
	in := r.PostForm
	f = GrantForm{
		Person: in.Get("person"), Role: in.Get("role"), Need: oneLine(in.Get("need")), Purposes: in["purpose"], Systems: in["system"],
		Resources: strings.Fields(in.Get("resources")), Providers: strings.Fields(in.Get("providers")), Emergency: in.Get("emergency") == "yes",
		Replaces: in.Get("replaces"),
	}
	for _, a := range in["act"] {
		f.Acts = append(f.Acts, level.Act(a))
	}
	n, err := strconv.ParseUint(in.Get("level"), 10, 8)
	if err != nil || !said(f.Need) || f.Person == "" || f.Role == "" {
		return f, ErrForm
	}
	f.Level = level.Level(n)
	if f.Emergency {
		hours, err := strconv.ParseUint(in.Get("hours"), 10, 8)
		if err != nil {
			return f, ErrForm
		}
		f.Hours = time.Duration(hours) * time.Hour
		return f, nil
	}
	f.From, f.Until, err = days(r)
	return f, err
}

// days reads a period of whole days, of which the end is named.
func days(r *http.Request) (from, until time.Time, err error) {
	if from, err = day(r.PostForm.Get("from")); err != nil {
		return from, until, err
	}
	if until, err = day(r.PostForm.Get("until")); err == nil && until.IsZero() {
		err = ErrForm
	}
	return from, until, err
}

func (c *console) delegate(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		f := DelegationForm{Leader: r.PostForm.Get("leader"), Deputy: r.PostForm.Get("deputy"), Reason: oneLine(r.PostForm.Get("reason"))}
		if f.From, f.Until, err = days(r); err == nil && (!said(f.Reason) || f.Leader == "" || f.Deputy == "") {
			err = ErrForm
		}
		if err == nil {
			err = c.cfg.Desk.Delegate(r.Context(), p, f)
		}
	}
	c.back(w, r, p, "/console/grants", err, c.grants)
}
