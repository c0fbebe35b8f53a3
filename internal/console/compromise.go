package console

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/signer/life"
)

// Reports are reports of keys that may be in wrong hands (电子签名法 art. 15) and
// the notices that follow. A key is reported on the page of its seal.
type Reports interface {
	Reports(ctx context.Context, p Person) (ReportList, error)
	// Acknowledge records that the person's unit has seen a notice.
	Acknowledge(ctx context.Context, p Person, notice string) error
}

// ReportList is what a person may see: the reports about seals of the own unit,
// or of all for who makes seals, and the notices to the own unit.
type ReportList struct {
	Reports []ReportLine
	Inbox   []NoticeLine
}

// ReportLine is one report with the notices about it.
type ReportLine struct {
	life.Compromise
	By      string // name
	Notices []NoticeLine
}

// NoticeLine is a notice with the name of its unit.
type NoticeLine struct {
	life.Notice
	UnitName string
}

func (c *console) mountReports(r chi.Router) {
	r.Get("/console/compromise", c.opened(PageCompromise, first(c.reports)))
	r.Post("/console/compromise/notices/{id}", c.opened(PageCompromise, func(w http.ResponseWriter, q *http.Request, p Person) {
		c.back(w, q, p, "/console/compromise", c.cfg.Desk.Acknowledge(q.Context(), p, chi.URLParam(q, "id")), c.reports)
	}))
}

func (c *console) reports(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PageCompromise, c.cfg.Desk.Reports, cause)
}
