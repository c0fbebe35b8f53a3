package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// PageRoutes is what paths of the own systems stand for (网关路由).
const PageRoutes = "routes"

// Routes of the person's own unit.
type Routes interface {
	Routes(ctx context.Context, p Person) (RouteList, error)
	ProposeRoute(ctx context.Context, p Person, r route.Route) error
	// AnswerRoute signs the leader's answer to a proposal.
	AnswerRoute(ctx context.Context, p Person, id string, a Answer) error
	WithdrawRoute(ctx context.Context, p Person, id, reason string) error
}

// RouteList is what the page shows, newest first.
type RouteList struct {
	Entries  []RouteLine
	Systems  []Named // of the unit
	MayWrite bool    // propose
}

// RouteLine is one entry.
type RouteLine struct {
	route.Route
	By, Ender string // names
	Sum       string // what is signed
	MayAnswer bool
	MayEnd    bool
}

func (c *console) mountRoutes(r chi.Router) {
	r.Get("/console/routes", c.opened(PageRoutes, first(c.routes)))
	r.Post("/console/routes", c.opened(PageRoutes, c.proposeRoute))
	r.Post("/console/routes/{id}/answer", c.opened(PageRoutes, c.answerRoute))
	r.Post("/console/routes/{id}/withdraw", c.opened(PageRoutes, c.withdrawRoute))
}

func (c *console) routes(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageRoutes, c.cfg.Desk.Routes, cause)
}

func (c *console) proposeRoute(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		var in route.Route
		if in, err = routeForm(r.PostForm.Get); err == nil {
			err = c.cfg.Desk.ProposeRoute(r.Context(), p, in)
		}
	}
	c.back(w, r, p, "/console/routes", err, c.routes)
}

// routeForm reads a proposal; lists are separated by spaces.
func routeForm(get func(string) string) (route.Route, error) {
	r := route.Route{
		System: oneLine(get("system")), Prefix: strings.TrimSpace(get("prefix")), Methods: strings.Fields(strings.ToUpper(get("methods"))), Type: oneLine(get("type")),
		Resource: oneLine(get("resource")), Action: oneLine(get("action")), Purpose: oneLine(get("purpose")), Fields: strings.Fields(get("fields")), Reason: oneLine(get("reason")),
	}
	if r.Type == "" {
		r.Type = route.Catalogue
	}
	for _, s := range append([]string{r.System, r.Prefix, r.Type, r.Resource, r.Action, r.Purpose, r.Reason}, r.Fields...) {
		if text.Plain(s) != s {
			return route.Route{}, ErrForm
		}
	}
	for _, s := range []string{r.System, r.Prefix, r.Resource, r.Action, r.Reason} {
		if s == "" {
			return route.Route{}, ErrForm
		}
	}
	return r, nil
}

func (c *console) answerRoute(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerRoute(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/routes", err, c.routes)
}

func (c *console) withdrawRoute(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.WithdrawRoute(r.Context(), p, chi.URLParam(r, "id"), oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/routes", err, c.routes)
}
