package grading_test

import (
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

func calendar(t testing.TB) *workday.Calendar {
	t.Helper()
	c, err := workday.Load()
	must(t, err)
	return c
}

// R4, R5: 30 calendar days, rolled over rest days, whole matrix of who runs since when.
func TestFilingDue_R4_R5(t *testing.T) {
	cal := calendar(t)
	for _, v := range []struct {
		decided, operating, rule, due string
	}{
		{"2025-03-03", "2020-01-01", "R4", "2025-04-02"},
		{"2025-09-05", "2020-01-01", "R4", "2025-10-09"}, // day 30 is a holiday
		{"2026-01-15", "2020-01-01", "R4", "2026-02-14"}, // a working Saturday stays
		{"2026-01-16", "2020-01-01", "R4", "2026-02-24"}, // Spring Festival
		{"2024-01-30", "2020-01-01", "R4", "2024-02-29"}, // leap day
		{"2025-03-03", "2025-03-03", "R4", "2025-04-02"}, // the day itself: it ran already
		{"2025-03-03", "2025-03-04", "R5", "2025-04-03"}, // began the day after
		{"2025-03-03", "2025-09-05", "R5", "2025-10-09"},
		{"2025-03-03", "", "R5", ""}, // does not run yet
		{"", "2020-01-01", "R4", ""}, // nothing decided
	} {
		var decided, operating workday.Date
		must(t, decided.UnmarshalText([]byte(v.decided)))
		must(t, operating.UnmarshalText([]byte(v.operating)))
		rule, due, runs := grading.FilingDue(grading.Notice2025(), cal, decided, operating)
		if due.Day.String() != v.due || runs != (v.due != "") || runs && rule != v.rule {
			t.Errorf("decided %q, operating %q: %s %s %v", v.decided, v.operating, rule, due.Day, runs)
		}
	}
	p := grading.Notice2025()
	p.Roll = false
	if _, due, _ := grading.FilingDue(p, cal, day(t, "2025-09-05"), day(t, "2020-01-01")); due.Day != day(t, "2025-10-05") {
		t.Errorf("without rolling: %s", due.Day)
	}
}

func TestFiling_LateIsWrittenDown_R4(t *testing.T) {
	for on, late := range map[string]bool{"2025-10-09": false, "2025-10-10": true} {
		d := newDesk(t)
		d.open(d.object("civil-a"))
		way := d.way("civil-a", 3, 3, "2025-09-03") // decided on the 5th
		d.run(way[:3]...)
		way[3].On = day(t, on)
		d.run(way[3])
		steps, err := d.store.History(t.Context(), "civil-a")
		must(t, err)
		if got := len(steps[3].Late) == 1; got != late || late && steps[3].Late[0] != "R4" {
			t.Errorf("filed on %s: %v", on, steps[3].Late)
		}
	}
}

func TestMaterialsDue_R6(t *testing.T) {
	cal, p := calendar(t), grading.Notice2025()
	for _, v := range []struct{ operating, promised, due string }{
		{"2025-09-05", "", "2025-10-09"}, {"2025-09-05", "2025-09-10", "2025-09-10"}, {"2025-09-05", "2025-12-01", "2025-10-09"}, {"", "2025-10-04", "2025-10-09"},
	} {
		var operating, promised workday.Date
		must(t, operating.UnmarshalText([]byte(v.operating)))
		must(t, promised.UnmarshalText([]byte(v.promised)))
		if due, err := grading.MaterialsDue(p, cal, operating, promised); err != nil || due.Day.String() != v.due {
			t.Errorf("%+v: %s, %v", v, due.Day, err)
		}
	}
}

func TestPoliceDue_R7(t *testing.T) {
	cal, p := calendar(t), grading.Notice2025()
	for submitted, want := range map[string]string{
		"2025-09-24": "2025-10-14", "2026-02-09": "2026-02-28" /* working Saturday */, "2024-02-08": "2024-02-28", "2025-11-30": "2025-12-12",
	} {
		if due, err := workday.Strict(grading.PoliceDue(p, cal, day(t, submitted))); err != nil || due.Day.String() != want {
			t.Errorf("%s: %s, %v; want %s", submitted, due.Day, err, want)
		}
	}
}

// R8: three years, from 2025-01-01 for older ones; the printed day wins.
func TestCertificateEnd_R8(t *testing.T) {
	p := grading.Notice2025()
	for _, v := range []struct{ issued, printed, want string }{
		{"2024-06-01", "", "2028-01-01"}, {"2024-12-31", "", "2028-01-01"}, {"2025-01-01", "", "2028-01-01"}, {"2025-01-02", "", "2028-01-02"},
		{"2025-06-10", "", "2028-06-10"}, {"2028-02-29", "", "2031-02-28"}, {"2025-06-10", "2028-06-09", "2028-06-09"},
	} {
		var printed workday.Date
		must(t, printed.UnmarshalText([]byte(v.printed)))
		if got := grading.CertificateEnd(p, day(t, v.issued), printed); got.String() != v.want {
			t.Errorf("%+v: %s", v, got)
		}
	}
	since, until := day(t, "2025-06-10"), day(t, "2028-06-10")
	for on, want := range map[string]string{
		"2025-06-09": "2028-06-10", "2025-06-10": "2029-06-10", "2028-06-10": "2029-06-10", "2028-06-11": "2028-06-10",
	} {
		if got, _ := grading.Extend(p, until, day(t, on), since, 0); got.String() != want {
			t.Errorf("assessed on %s: %s, want %s", on, got, want)
		}
	}
	p.MaxExtension = 1
	if got, ok := grading.Extend(p, until, since, since, 1); ok || got != until {
		t.Errorf("past the cap: %s", got)
	}
	if got, _ := grading.Extend(p, day(t, "2028-02-29"), since, since, 0); got.String() != "2029-02-28" {
		t.Errorf("leap day: %s", got)
	}
}

func TestRenewalOpens_R9(t *testing.T) {
	for until, want := range map[string]string{"2028-06-10": "2028-03-10", "2028-05-31": "2028-02-29", "2029-05-31": "2029-02-28", "2028-02-29": "2027-11-29"} {
		if got := grading.RenewalOpens(grading.Notice2025(), day(t, until)); got.String() != want {
			t.Errorf("%s: %s, want %s", until, got, want)
		}
	}
}

// R10, R11: by level and profile; the 2007 measures and the 2025 notice differ.
func TestCadence_R10_R11(t *testing.T) {
	last := day(t, "2025-11-20")
	year, half := "2026-11-20", "2026-05-20"
	for _, v := range []struct {
		profile       grading.Profile
		lv            uint8
		assess, check string
	}{
		{grading.Notice2025(), 1, "", ""}, {grading.Notice2025(), 2, "", ""}, {grading.Notice2025(), 3, year, year},
		{grading.Notice2025(), 4, year, half}, {grading.Notice2025(), 5, year, ""},
		{grading.Measures2007(), 2, "", ""}, {grading.Measures2007(), 3, year, year}, {grading.Measures2007(), 4, half, half}, {grading.Measures2007(), 5, "", ""},
	} {
		if got, ok := grading.AssessmentDue(v.profile, v.lv, last); got.String() != v.assess || ok != (v.assess != "") {
			t.Errorf("%s level %d: assessment %s", v.profile.ID, v.lv, got)
		}
		if got, ok := grading.SelfCheckDue(v.profile, v.lv, last); got.String() != v.check || ok != (v.check != "") {
			t.Errorf("%s level %d: self-check %s", v.profile.ID, v.lv, got)
		}
	}
	if got, _ := grading.AssessmentDue(grading.Notice2025(), 3, day(t, "2024-02-29")); got.String() != "2025-02-28" {
		t.Errorf("leap day: %s", got)
	}
}

// R10 as the decision point asks it: the last day counts in full, in China.
func TestAssessedAt_R10(t *testing.T) {
	p := grading.Notice2025()
	rec := func(s uint8, decided, assessed string) grading.Record {
		r := grading.Record{Grade: level.Grade{S: s, A: 1}}
		if decided != "" {
			r.DecidedOn = day(t, decided).Start()
		}
		if assessed != "" {
			r.AssessedOn = day(t, assessed).Start()
		}
		return r
	}
	end := day(t, "2026-11-21").Start()
	for name, v := range map[string]struct {
		r      grading.Record
		at     time.Time
		lapsed bool
	}{
		"the last moment":              {rec(3, "2025-01-01", "2025-11-20"), end.Add(-1), false},
		"the next":                     {rec(3, "2025-01-01", "2025-11-20"), end, true},
		"the next, in another zone":    {rec(3, "2025-01-01", "2025-11-20"), end.UTC(), true},
		"level 2 has no cadence":       {rec(2, "2015-01-01", "2015-11-20"), end, false},
		"never assessed, decided late": {rec(3, "2025-11-20", ""), end.Add(-1), false},
		"never assessed, lapsed":       {rec(3, "2025-11-20", ""), end, true},
		"no day at all":                {rec(4, "", ""), end, true},
		"ungraded is the strictest":    {grading.Record{}, end, true},
	} {
		if got := grading.AssessedAt(v.r, p, v.at); got.Lapsed != v.lapsed {
			t.Errorf("%s: %+v", name, got)
		}
	}
	half := rec(4, "", "2025-11-20")
	at := day(t, "2026-06-01").Start()
	if grading.AssessedAt(half, p, at).Lapsed || !grading.AssessedAt(half, grading.Measures2007(), at).Lapsed {
		t.Error("level 4: yearly by the notice, half-yearly by the measures")
	}
}

// R15: a filing alone suffices only where the profile says so.
func TestProductionReady_R15(t *testing.T) {
	at := day(t, "2026-06-01").Start()
	filed := grading.Record{Grade: level.Grade{S: 3, A: 3}, State: grading.StateSubmitted, DecidedOn: at.AddDate(0, -1, 0)}
	strict := grading.Notice2025()
	strict.FiledSuffices = false
	if grading.ProductionReady(filed, grading.Notice2025(), at) != nil || grading.ProductionReady(filed, strict, at) == nil {
		t.Error("submitted")
	}
	filed.State, filed.ValidUntil = grading.StateCertified, at.AddDate(1, 0, 0)
	if grading.ProductionReady(filed, strict, at) != nil || grading.ProductionReady(filed, strict, filed.ValidUntil) == nil {
		t.Error("certified")
	}
}

// R16 (BJ17 art. 25), R20 (网络安全法 art. 23).
func TestBJ17_25_CloudDuty_R16_Retention_R20(t *testing.T) {
	for _, v := range []struct {
		lv     uint8
		sector string
		want   string
	}{{3, "", "planned"}, {4, "", "exempt"}, {5, "", "exempt"}, {2, "public_security", "exempt"}, {2, "state_security", "exempt"}} {
		if got := (grading.Object{Cloud: "planned", Sector: v.sector}).CloudDuty(v.lv); got != v.want {
			t.Errorf("%+v: %s", v, got)
		}
	}
	if !grading.RetentionShort(5) || grading.RetentionShort(6) {
		t.Error("six months are enough, five are not")
	}
}

func TestProfile_Validate(t *testing.T) {
	for _, p := range []grading.Profile{grading.Notice2025(), grading.Measures2007()} {
		must(t, p.Validate())
		for _, broken := range []func(*grading.Profile){
			func(p *grading.Profile) { p.ID = "" }, func(p *grading.Profile) { p.FilingDays = 0 }, func(p *grading.Profile) { p.AssessMonths[3] = -1 },
		} {
			q := p
			if broken(&q); q.Validate() == nil {
				t.Errorf("accepted %+v", q)
			}
		}
	}
}
