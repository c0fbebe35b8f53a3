package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/workday"
	"github.com/yinxin-gov/yinxin/signer"
)

// PageClearances is where acceptances and security reviews are recorded (验收与审查).
const PageClearances = "clearances"

// Clearances are the records that a production certificate needs beside the
// grading: the acceptance (竣工验收, 市政办发〔2018〕69号 art. 17), recorded by a
// registration officer, and the project's security review (北京市 2005 年 17 号
// sec. 3), recorded by the information office.
type Clearances interface {
	// Clearances shows those of a system; "": of none yet.
	Clearances(ctx context.Context, p Person, system string) (ClearanceList, error)
	RecordClearance(ctx context.Context, p Person, c grading.Clearance) error
	// WithdrawClearance takes back the record of that moment.
	WithdrawClearance(ctx context.Context, p Person, system string, kind grading.ClearanceKind, recorded time.Time, why string) error
}

// ClearanceList is what the page shows.
type ClearanceList struct {
	Systems   []Named
	System    Named
	Standings []grading.Standing
	Rows      []ClearanceLine         // newest first
	May       []grading.ClearanceKind // that the person records
}

// ClearanceLine is a record with the names of its people.
type ClearanceLine struct {
	grading.Clearance
	Recorder, Withdrawer string
	MayWithdraw          bool
}

// Moment names the record in its form.
func (l ClearanceLine) Moment() string { return l.RecordedAt.UTC().Format(time.RFC3339Nano) }

func (c *console) mountClearances(r chi.Router) {
	r.Get("/console/clearances", c.opened(PageClearances, func(w http.ResponseWriter, q *http.Request, p Person) {
		c.clearances(w, q, p, q.URL.Query().Get("system"), nil)
	}))
	r.Post("/console/clearances", c.opened(PageClearances, c.recordClearance))
	r.Post("/console/clearances/withdraw", c.opened(PageClearances, c.withdrawClearance))
}

func (c *console) clearances(w http.ResponseWriter, r *http.Request, p Person, system string, cause error) {
	list, err := c.cfg.Desk.Clearances(r.Context(), p, system)
	if err != nil {
		c.lost(w, r, p, err)
		return
	}
	c.told(w, r, PageClearances, p, list, cause)
}

// cleared goes back to the records of a system, or says there why not.
func (c *console) cleared(w http.ResponseWriter, r *http.Request, p Person, system string, err error) {
	c.back(w, r, p, "/console/clearances?"+url.Values{"system": {system}}.Encode(), err, func(w http.ResponseWriter, r *http.Request, p Person, cause error) {
		c.clearances(w, r, p, system, cause)
	})
}

// recordClearance reads the report for its SM3; the report itself is not kept.
func (c *console) recordClearance(w http.ResponseWriter, r *http.Request, p Person) {
	var rec grading.Clearance
	err := func() error {
		release, err := c.limited(r.Context())
		if err != nil {
			return err
		}
		defer release()
		form, err := upload(w, r, maxScan, 1, "report")
		if err != nil {
			return err
		}
		rec = grading.Clearance{
			System: form.Get("system"), Kind: grading.ClearanceKind(form.Get("kind")), Number: oneLine(form.Get("number")),
			Passed: form.Get("result") == "passed", By: oneLine(form.Get("by")),
		}
		for _, s := range []string{rec.Number, rec.By} {
			if s == "" || text.Plain(s) != s {
				return ErrForm
			}
		}
		if !slices.Contains([]string{"passed", "failed"}, form.Get("result")) {
			return ErrForm
		}
		if rec.On, err = workday.Parse(form.Get("on")); err != nil {
			return ErrForm
		}
		report := form.file("report").Bytes
		if len(report) == 0 {
			return errNoFile
		}
		rec.Report = signer.Digest(report)
		return c.cfg.Desk.RecordClearance(r.Context(), p, rec)
	}()
	c.cleared(w, r, p, rec.System, err)
}

func (c *console) withdrawClearance(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	g := r.PostForm.Get
	if err == nil {
		why := oneLine(g("reason"))
		recorded, bad := time.Parse(time.RFC3339Nano, g("recorded"))
		if bad != nil || why == "" || text.Plain(why) != why {
			err = ErrForm
		} else {
			err = c.cfg.Desk.WithdrawClearance(r.Context(), p, g("system"), grading.ClearanceKind(g("kind")), recorded, why)
		}
	}
	c.cleared(w, r, p, g("system"), err)
}
