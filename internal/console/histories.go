package console

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/history"
)

// Pages about what became of certificates.
const (
	PageHistory    = "history"    // 证书历史
	PageExpiring   = "expiring"   // 到期证书
	PageStatistics = "statistics" // 统计月报
)

// Histories shows certificates: of all units to officers of the house, of the own
// unit to its leaders and administrators.
type Histories interface {
	History(ctx context.Context, p Person, f HistoryForm) (HistoryList, error)
	Expiring(ctx context.Context, p Person, f ExpiringForm) (ExpiringList, error)
	// Statistics are for officers of the house; month as 2026-03, "": this one.
	Statistics(ctx context.Context, p Person, month string) (Statistics, error)
	// Export records that a list leaves the house, and what of it; nothing is handed
	// out before.
	Export(ctx context.Context, p Person, f ExportForm) (Export, error)
}

// HistoryForm chooses a system, or a unit.
type HistoryForm struct{ System, Unit, After string }

// HistoryList is a page of certificates, newest first.
type HistoryList struct {
	HistoryForm
	Units, Systems []Named // to choose from
	Rows           []HistoryLine
	Next           string // place of the next page; empty: none
}

// HistoryLine is a certificate; persons have their names.
type HistoryLine struct {
	history.Entry
	Applicant, Checker, Decider string
	By                          []string // of the acts
	Holders                     []string // of the holds
	Why                         string   // name of the reason, when it is revoked
}

// ExpiringForm says how far to look ahead.
type ExpiringForm struct {
	Days       int
	Superseded bool
	After      string
}

// ExpiringList is a page of what ends soon, soonest first.
type ExpiringList struct {
	ExpiringForm
	Rows []ExpiringLine
	Next string
}

// ExpiringLine is a certificate that ends.
type ExpiringLine struct {
	history.Ending
	Unit, Whose string // names
	Left        int    // whole days
}

// Statistics are the figures of a month.
type Statistics struct {
	history.Report
	Names  map[string]string // of units
	Before string            // the month before
}

// ExportForm chooses what leaves the house.
type ExportForm struct {
	What   string // page
	Format string // "csv", or of statistics "json" too
	HistoryForm
	Days       int
	Superseded bool
	Month      string
}

// Export writes a file.
type Export struct {
	Name  string
	Type  string
	Write func(ctx context.Context, w io.Writer) error
}

func (c *console) mountHistories(r chi.Router) {
	r.Get("/console/history", c.opened(PageHistory, func(w http.ResponseWriter, q *http.Request, p Person) {
		g := q.URL.Query().Get
		chosen(c, w, q, p, PageHistory, func(ctx context.Context) (HistoryList, error) {
			return c.cfg.Desk.History(ctx, p, HistoryForm{System: g("system"), Unit: g("unit"), After: g("after")})
		})
	}))
	r.Get("/console/expiring", c.opened(PageExpiring, func(w http.ResponseWriter, q *http.Request, p Person) {
		g := q.URL.Query().Get
		chosen(c, w, q, p, PageExpiring, func(ctx context.Context) (ExpiringList, error) {
			days, err := number(g("days"))
			if err != nil {
				return ExpiringList{}, err
			}
			return c.cfg.Desk.Expiring(ctx, p, ExpiringForm{Days: days, Superseded: g("superseded") != "", After: g("after")})
		})
	}))
	r.Get("/console/statistics", c.opened(PageStatistics, func(w http.ResponseWriter, q *http.Request, p Person) {
		chosen(c, w, q, p, PageStatistics, func(ctx context.Context) (Statistics, error) {
			return c.cfg.Desk.Statistics(ctx, p, q.URL.Query().Get("month"))
		})
	}))
	for _, page := range []string{PageHistory, PageExpiring, PageStatistics} {
		r.Post("/console/"+page+"/export", c.opened(page, func(w http.ResponseWriter, q *http.Request, p Person) { c.export(w, q, p, page) }))
	}
}

// chosen is a page of a list that an address chooses from.
func chosen[T any](c *console, w http.ResponseWriter, r *http.Request, p Person, page string, read func(context.Context) (T, error)) {
	list, err := read(r.Context())
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, page, p, list, nil)
}

// number reads a field that may be empty.
func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, ErrForm
	}
	return n, nil
}

// export sends a file as it is made. What breaks off in between is no whole
// answer to the browser either.
func (c *console) export(w http.ResponseWriter, r *http.Request, p Person, page string) {
	var out Export
	err := fields(w, r)
	if err == nil {
		g := r.PostForm.Get
		f := ExportForm{What: page, Format: g("format"), HistoryForm: HistoryForm{System: g("system"), Unit: g("unit")}, Superseded: g("superseded") != "", Month: g("month")}
		if f.Days, err = number(g("days")); err == nil {
			out, err = c.cfg.Desk.Export(r.Context(), p, f)
		}
	}
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	w.Header().Set("Content-Type", out.Type)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(out.Name)}))
	if err := out.Write(r.Context(), w); err != nil {
		c.cfg.Log.WarnContext(r.Context(), "export broke off", "page", page, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// JSON writes the figures as they are.
func (s Statistics) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s.Report)
}

// Name is that of a unit; one without is called by its code.
func (s Statistics) Name(agency string) string {
	if n := s.Names[agency]; n != "" {
		return n
	}
	return agency
}

// hours are those that requests waited on average, with one decimal.
func hours(d time.Duration) string { return strconv.FormatFloat(d.Hours(), 'f', 1, 64) }

// share writes per mille as a percentage.
func share(perMille int) string {
	return strings.TrimSuffix(strconv.FormatFloat(float64(perMille)/10, 'f', 1, 64), ".0") + " %"
}
