package authz

import (
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
)

// 公通字〔2007〕43号 art. 14, issue of the graded register: nothing goes to, through
// or from a level-3 system whose assessment has lapsed, until it is assessed or
// two persons have signed a grace.
func TestLapsedAssessmentIsDenied_R10(t *testing.T) {
	for name, c := range map[string]struct {
		system string
		edit   func(r *grading.Record, now time.Time)
		allow  bool
	}{
		"all assessed":                       {"civil-a", func(*grading.Record, time.Time) {}, true},
		"the receiver lapsed":                {"civil-a", func(r *grading.Record, now time.Time) { r.AssessedOn = now.AddDate(-1, 0, -1) }, false},
		"the receiver on its last day":       {"civil-a", func(r *grading.Record, now time.Time) { r.AssessedOn = now.AddDate(-1, 0, 0) }, true},
		"the carrier lapsed":                 {"hub", func(r *grading.Record, now time.Time) { r.AssessedOn = now.AddDate(-1, 0, -1) }, false},
		"the sender lapsed":                  {"civil-p", func(r *grading.Record, now time.Time) { r.AssessedOn = now.AddDate(-1, 0, -1) }, false},
		"never assessed, graded long ago":    {"civil-a", func(r *grading.Record, now time.Time) { r.AssessedOn, r.DecidedOn = time.Time{}, now.AddDate(-2, 0, 0) }, false},
		"never assessed, graded a month ago": {"civil-a", func(r *grading.Record, _ time.Time) { r.AssessedOn = time.Time{} }, true},
		"no day is known":                    {"civil-a", func(r *grading.Record, _ time.Time) { r.AssessedOn, r.DecidedOn = time.Time{}, time.Time{} }, false},
		"lapsed, and borne with for an hour": {"civil-a", func(r *grading.Record, now time.Time) {
			r.AssessedOn, r.GraceUntil = now.AddDate(-2, 0, 0), now.Add(time.Hour)
		}, true},
		"lapsed, and the grace has just gone": {"civil-a", func(r *grading.Record, now time.Time) { r.AssessedOn, r.GraceUntil = now.AddDate(-2, 0, 0), now }, false},
		"a grace does not renew a filing": {"civil-a", func(r *grading.Record, now time.Time) {
			r.AssessedOn, r.GraceUntil, r.ValidUntil = now.AddDate(-2, 0, 0), now.Add(time.Hour), now
		}, false},
	} {
		m := newWorld(t, nil)
		for id, r := range m.GradingByID {
			r.DecidedOn, r.AssessedOn, r.ValidUntil = m.Now.AddDate(0, -1, 0), m.Now.AddDate(0, -1, 0), m.Now.AddDate(2, 0, 0)
			if id == c.system {
				c.edit(&r, m.Now)
			}
			m.GradingByID[id] = r
		}
		p, _ := newPDP(t, m, nil)
		p.facts = NewFacts(FactsConfig{People: m, Grading: grading.Bound{Source: m, Profile: grading.Notice2025()}, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m})
		d, err := p.Decide(t.Context(), lawful())
		if err != nil || d.Allow != c.allow {
			t.Errorf("%s: allow %v, %+v, %v", name, d.Allow, d.Reasons, err)
		}
		if denied := slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Code == "E23_grading_expired" }); denied == c.allow {
			t.Errorf("%s: %+v", name, d.Reasons)
		}
		rec, err := grading.Bound{Source: m, Profile: grading.Notice2025()}.Grading(t.Context(), c.system)
		if err != nil {
			t.Fatal(err)
		}
		// The CA's gate asks the same record.
		if err := grading.Operating(rec, m.Now); (err == nil) != c.allow {
			t.Errorf("%s: a certificate: %v", name, err)
		}
	}
}
