package console

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/domain"
)

// PageDomains is the register of application domains (应用域).
const PageDomains = "domains"

// Domains are the rules of agencies' own systems.
type Domains interface {
	Domains(ctx context.Context, p Person) (DomainList, error)
	// ProposeDomain tries a bundle and records it for the leader.
	ProposeDomain(ctx context.Context, p Person, bundle []byte) error
	RestoreDomain(ctx context.Context, p Person, id string) error
	// AnswerDomain signs the answer of the leader of the owning unit.
	AnswerDomain(ctx context.Context, p Person, id string, a Answer) error
	WithdrawDomain(ctx context.Context, p Person, id, reason string) error
}

// DomainList is what the page shows, newest first.
type DomainList struct {
	Versions   []DomainLine
	MayPropose bool
}

// DomainLine is one version; Bundle is there while it is proposed or in force.
type DomainLine struct {
	domain.Version
	Bundle                        domain.Bundle
	UnitName, By, Ender           string
	MayAnswer, MayEnd, MayRestore bool
}

func (c *console) mountDomains(r chi.Router) {
	r.Get("/console/domains", c.opened(PageDomains, first(c.domains)))
	r.Post("/console/domains", c.opened(PageDomains, c.proposeDomain))
	r.Post("/console/domains/{id}/answer", c.opened(PageDomains, c.answerDomain))
	r.Post("/console/domains/{id}/restore", c.opened(PageDomains, c.restoreDomain))
	r.Post("/console/domains/{id}/withdraw", c.opened(PageDomains, c.withdrawDomain))
}

func (c *console) domains(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageDomains, c.cfg.Desk.Domains, cause)
}

func (c *console) proposeDomain(w http.ResponseWriter, r *http.Request, p Person) {
	release, err := c.limited(r.Context())
	if err == nil {
		defer release()
		var f filled
		if f, err = upload(w, r, domain.MaxBundle, 1, "bundle"); err == nil {
			if paper := f.file("bundle"); len(paper.Bytes) == 0 {
				err = errNoFile
			} else {
				err = c.cfg.Desk.ProposeDomain(r.Context(), p, paper.Bytes)
			}
		}
	}
	c.back(w, r, p, "/console/domains", err, c.domains)
}

func (c *console) answerDomain(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerDomain(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/domains", err, c.domains)
}

func (c *console) restoreDomain(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.RestoreDomain(r.Context(), p, chi.URLParam(r, "id"))
	}
	c.back(w, r, p, "/console/domains", err, c.domains)
}

func (c *console) withdrawDomain(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.WithdrawDomain(r.Context(), p, chi.URLParam(r, "id"), oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/domains", err, c.domains)
}
