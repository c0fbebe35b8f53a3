package grading_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// A limit that ran into a year without a notice is computed anew when the notice
// comes, and the ledger has both days.
func TestRecount_AfterImportOfACalendar(t *testing.T) {
	d := newDesk(t)
	d.now = day(t, "2026-12-30").Start().Add(9 * time.Hour)
	d.open(d.object("civil-a"))
	d.run(d.way("civil-a", 3, 3, "2026-12-18")[:4]...) // filed on 2026-12-21
	if got := d.due("civil-a")["R7"]; !got.Estimated || got.Due != day(t, "2027-01-05") {
		t.Fatalf("%+v", got)
	}
	if changed, _, err := d.Recount(t.Context(), "civil-a", d.actor); err != nil || changed {
		t.Errorf("nothing new: %v, %v", changed, err)
	}
	raw, err := os.ReadFile("../../internal/workday/workdays.json")
	must(t, err)
	notice := strings.NewReplacer(
		`"to": "2026-12-31", "provisional_from": "2026-12-29"`, `"to": "2027-12-31", "provisional_from": "2027-12-29"`,
		`"years": {`, `"years": {"2027": {"holidays":{"01-01":"元旦","01-04":"元旦"},"workdays":[]},`,
	).Replace(string(raw))
	cal, err := workday.Read([]byte(notice))
	must(t, err)
	later := newDesk(t, func(c *grading.ProcedureConfig) {
		c.Calendar, c.Dossiers, c.NewID = cal, d.store, func() string { return "later" }
	})
	later.now = d.now
	events := len(d.reg.Events())
	changed, _, err := later.Recount(t.Context(), "civil-a", d.actor)
	if err != nil || !changed {
		t.Fatalf("%v, %v", changed, err)
	}
	list, err := d.store.Due(t.Context(), grading.DueFilter{Until: 1 << 20, Object: "civil-a", Rule: "R7"})
	if err != nil || len(list) != 1 || list[0].Estimated || list[0].Due != day(t, "2027-01-06") || list[0].Calendar != cal.Version() {
		t.Errorf("%+v, %v", list, err)
	}
	ev := d.reg.Events()[events]
	if ev.Type != "grading.limits.recounted" || ev.Details["calendar"] != cal.Version() ||
		!strings.Contains(ev.Details["before"], "R7 2027-01-05 (estimated)") || !strings.Contains(ev.Details["after"], "R7 2027-01-06") {
		t.Errorf("%+v", ev)
	}
}
