package grading_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

func assessment(object string, on workday.Date, n int) grading.Paper {
	return grading.Paper{
		Object: object, Kind: grading.PaperAssessment, On: on, Report: fmt.Sprintf("%064x", n),
		Assessment: &grading.Assessment{
			Agency: "某测评公司", AgencyNo: "DJCP-1", Template: grading.Template2025, ReportNo: fmt.Sprint("报-", n), Rate: 9500, Conclusion: grading.Conform,
		},
	}
}

func check(object string, kind grading.PaperKind, on workday.Date) grading.Paper {
	return grading.Paper{Object: object, Kind: kind, On: on, Report: digest, Check: &grading.Check{By: "安全科", Scope: "全系统", Result: "合格"}}
}

func (d *desk) add(p grading.Paper) error {
	_, _, err := d.Add(d.t.Context(), p, d.actor)
	return err
}

// due returns the limits of an object by rule.
func (d *desk) due(id string) map[string]grading.Deadline {
	d.t.Helper()
	list, err := d.Due(d.t.Context(), d.now, 10000, grading.DueFilter{})
	must(d.t, err)
	out := map[string]grading.Deadline{}
	for _, l := range list {
		if l.Object == id {
			out[l.Rule] = l
		}
	}
	return out
}

// R8, R10: one year for each completed assessment, never twice for one report.
func TestAssessment_ExtendsOnce_R8(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2025-06-05") // issued 2025-06-10
	on := day(t, "2025-11-20")
	if got := d.due("civil-a"); got["R10"].Due != day(t, "2026-06-10") || got["R9"].Opens != day(t, "2028-03-10") || got["R9"].Due != day(t, "2028-06-10") {
		t.Errorf("before: %+v", got)
	}
	must(t, d.add(assessment("civil-a", on, 1)))
	if got := d.see("civil-a"); got.ValidUntil != day(t, "2029-06-10") || got.Extensions != 1 {
		t.Errorf("after one: %s", got.ValidUntil)
	}
	r := d.record("civil-a")
	if !r.AssessedOn.Equal(on.Start()) || !r.ValidUntil.Equal(day(t, "2029-06-11").Start()) {
		t.Errorf("%+v", r)
	}
	again := assessment("civil-a", on, 1)
	if err := d.add(again); !errors.Is(err, grading.ErrExists) {
		t.Errorf("the same report: %v", err)
	}
	again.Report = fmt.Sprintf("%064x", 2) // the same number under another digest
	if err := d.add(again); !errors.Is(err, grading.ErrExists) {
		t.Errorf("the same report number: %v", err)
	}
	if got := d.see("civil-a"); got.ValidUntil != day(t, "2029-06-10") {
		t.Errorf("after the same again: %s", got.ValidUntil)
	}
	if got := d.due("civil-a"); got["R10"].Due != day(t, "2026-11-20") {
		t.Errorf("next: %+v", got["R10"])
	}
	// An older report that comes late neither extends nor sets the cadence back.
	must(t, d.add(assessment("civil-a", day(t, "2025-07-01"), 3)))
	if got := d.due("civil-a"); got["R10"].Due != day(t, "2026-11-20") || d.see("civil-a").ValidUntil != day(t, "2029-06-10") {
		t.Errorf("after an old one: %+v", got["R10"])
	}
}

// R17: the conclusion is stored as declared; a contradiction is said.
func TestContradictions_R17(t *testing.T) {
	for _, v := range []struct {
		rate, major int
		conclusion  string
		want        string
	}{
		{9001, 0, grading.Conform, ""}, {9001, 1, grading.Basic, ""}, {9001, 1, grading.Conform, "R17_hazard"}, {9001, 0, grading.Basic, "R17_rate"},
		{9001, 0, grading.NotAtAll, "R17_rate"}, {9000, 0, grading.Conform, ""}, {9000, 0, grading.Basic, ""}, {9000, 0, grading.NotAtAll, "R17_rate"},
		{8999, 0, grading.Conform, "R17_rate"}, {8999, 5, grading.Basic, ""}, {6001, 0, grading.Basic, ""}, {6001, 0, grading.NotAtAll, "R17_rate"},
		{6000, 0, grading.Basic, ""}, {6000, 0, grading.NotAtAll, ""}, {6000, 0, grading.Conform, "R17_rate"},
		{5999, 0, grading.NotAtAll, ""}, {5999, 0, grading.Basic, "R17_rate"}, {8999, 1, grading.Conform, "R17_rate R17_hazard"},
	} {
		a := grading.Assessment{Template: grading.Template2025, Rate: v.rate, Major: grading.MajorHazard{Found: v.major}, Conclusion: v.conclusion}
		if got := strings.Join(a.Contradictions(), " "); got != v.want {
			t.Errorf("%+v: %q", v, got)
		}
	}
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2025-06-05")
	p := assessment("civil-a", day(t, "2025-11-20"), 1)
	p.Assessment.Rate = 7000
	got, _, err := d.Add(t.Context(), p, d.actor)
	if err != nil || got.Assessment.Conclusion != grading.Conform || !slices.Equal(got.Warnings, []string{"R17_rate"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCryptoConclusion(t *testing.T) {
	for _, v := range []struct {
		tech, mgmt, high int
		conclusion       string
		warn             bool
	}{
		{7000, 3000, 0, grading.Conform, false}, {7000, 2999, 0, grading.Conform, true}, {3000, 3000, 0, grading.Basic, false},
		{2999, 3000, 0, grading.Basic, true}, {6000, 3000, 1, grading.Basic, true}, {6000, 3000, 1, grading.NotAtAll, false},
	} {
		c := grading.CryptoAssessment{Technical: v.tech, Management: v.mgmt, High: v.high, Conclusion: v.conclusion}
		if got := len(c.Contradictions()) > 0; got != v.warn {
			t.Errorf("%+v: %v", v, got)
		}
	}
}

// R11, R12, R19 and the three calendars of XA18 art. 26: each is cleared by its paper.
func TestXA18_26_BJ17_26c_LimitsComeAndGo(t *testing.T) {
	d := newDesk(t)
	d.now = day(t, "2026-06-01").Start()
	d.certified("civil-a", 3, 3, "2025-06-05")
	for rule, want := range map[string]string{
		"R9": "2028-06-10", "R10": "2026-06-10", "R11": "2026-06-10", grading.LimitDrill: "2026-06-10", grading.LimitRisk: "2026-06-10", grading.LimitCrypto: "2026-06-10",
	} {
		if got := d.due("civil-a")[rule]; got.Due.String() != want {
			t.Errorf("%s: %s, want %s", rule, got.Due, want)
		}
	}
	must(t, d.add(check("civil-a", grading.PaperDrill, day(t, "2026-03-02"))))
	must(t, d.add(check("civil-a", grading.PaperSelfCheck, day(t, "2026-03-03"))))
	sooner := check("civil-a", grading.PaperRisk, day(t, "2026-03-04"))
	sooner.Check.Next = day(t, "2026-09-04")
	must(t, d.add(sooner))
	got := d.due("civil-a")
	if got[grading.LimitDrill].Due != day(t, "2027-03-02") || got["R11"].Due != day(t, "2027-03-03") || got[grading.LimitRisk].Due != day(t, "2026-09-04") {
		t.Errorf("%+v", got)
	}

	bad := assessment("civil-a", day(t, "2026-04-01"), 7)
	bad.Assessment.Major, bad.Assessment.Conclusion = grading.MajorHazard{Found: 3, Fixed: 1}, grading.Basic
	must(t, d.add(bad))
	if got := d.due("civil-a")["R19"]; got.Due != day(t, "2026-05-06") { // day 30 is Labour Day
		t.Errorf("R19: %+v", got)
	}
	must(t, d.add(check("civil-a", grading.PaperPlan, day(t, "2026-04-10"))))
	if _, ok := d.due("civil-a")["R19"]; ok {
		t.Error("R19 after the plan")
	}

	crypto := grading.Paper{Object: "civil-a", Kind: grading.PaperCrypto, On: day(t, "2026-04-02"), Report: digest, Crypto: &grading.CryptoAssessment{Agency: "密评机构", ReportNo: "密-1", Technical: 7000, Management: 3000, Conclusion: grading.Conform}}
	must(t, d.add(crypto))
	if got := d.due("civil-a")[grading.LimitCryptoSent]; got.Due != day(t, "2026-05-06") {
		t.Errorf("report of the crypto assessment: %+v", got)
	}
	must(t, d.add(grading.Paper{Object: "civil-a", Kind: grading.PaperCryptoSent, On: day(t, "2026-04-20"), Report: digest}))
	if _, ok := d.due("civil-a")[grading.LimitCryptoSent]; ok {
		t.Error("filed and still due")
	}

	task := grading.Paper{ID: "task-1", Object: "civil-a", Kind: grading.PaperTask, On: day(t, "2026-04-03"), Task: &grading.Rectification{Source: "x", Clause: "8.1.4.1 d", What: "启用双因子", Owner: "p-1", Due: day(t, "2026-05-15")}}
	must(t, d.add(task))
	late := d.due("civil-a")[grading.LimitTask]
	if late.Ref != "task-1" || late.On(day(t, "2026-05-15")) != grading.StatusOpen || late.On(day(t, "2026-05-16")) != grading.StatusOverdue {
		t.Errorf("%+v", late)
	}
	excuse := grading.Paper{Object: "civil-a", Kind: grading.PaperExcuse, On: day(t, "2026-05-20"), Excuse: &grading.ExcuseForDelay{Rule: grading.LimitTask, Ref: "task-1", Due: late.Due, Reason: "设备未到货"}}
	must(t, d.add(excuse))
	if got := d.due("civil-a")[grading.LimitTask]; got.Reason != "设备未到货" {
		t.Errorf("%+v", got)
	}
	done := grading.Paper{Object: "civil-a", Kind: grading.PaperTaskDone, On: day(t, "2026-05-21"), Report: digest, Done: &grading.TaskDone{Task: "task-1"}}
	must(t, d.add(done))
	if err := d.add(done); !errors.Is(err, grading.ErrEvidence) {
		t.Errorf("closed twice: %v", err)
	}
	if d.due("civil-a")["R9"].On(day(t, "2029-03-09")) != grading.StatusWaiting || d.due("civil-a")["R9"].On(day(t, "2029-03-10")) != grading.StatusOpen {
		t.Error("R9 opens three months before the end")
	}
}

// R12: a major change is assessed after it.
func TestMajorChange_R12(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2025-06-05")
	must(t, d.add(assessment("civil-a", day(t, "2025-11-20"), 1)))
	d.run(grading.Act{
		Object: "civil-a", Event: grading.EventChange, On: day(t, "2026-03-02"), Judgement: judgement(3, 3), Review: review(),
		Cause: &grading.Cause{Reason: "架构重建", Major: true, Report: digest},
	})
	d.run(d.way("civil-a", 3, 3, "2026-03-02")[2:]...)
	if got := d.due("civil-a")["R12"]; got.Due != day(t, "2026-04-07") { // 2026-03-07 + 30 is Qingming
		t.Errorf("%+v", got)
	}
	must(t, d.add(assessment("civil-a", day(t, "2026-03-01"), 2)))
	if _, ok := d.due("civil-a")["R12"]; !ok {
		t.Error("an assessment from before the change")
	}
	must(t, d.add(assessment("civil-a", day(t, "2026-03-20"), 3)))
	if _, ok := d.due("civil-a")["R12"]; ok {
		t.Error("assessed and still due")
	}
}

func TestAdd_Refuses(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2025-06-05")
	d.open(d.object("civil-b"))
	ok := func() grading.Paper { return assessment("civil-a", day(t, "2025-11-20"), 1) }
	events := len(d.reg.Events())
	for name, c := range map[string]struct {
		edit func(*grading.Paper)
		want error
	}{
		"tomorrow":                    {func(p *grading.Paper) { p.On = workday.Of(d.now) + 1 }, grading.ErrOrder},
		"no report":                   {func(p *grading.Paper) { p.Report = "" }, grading.ErrEvidence},
		"two parts":                   {func(p *grading.Paper) { p.Check = &grading.Check{} }, grading.ErrEvidence},
		"another kind":                {func(p *grading.Paper) { p.Kind = grading.PaperDrill }, grading.ErrEvidence},
		"a kind that nobody knows":    {func(p *grading.Paper) { p.Kind = "poem" }, grading.ErrEvidence},
		"an object still a draft":     {func(p *grading.Paper) { p.Object = "civil-b" }, grading.ErrState},
		"an object that nobody knows": {func(p *grading.Paper) { p.Object = "civil-z" }, grading.ErrNotFound},
		"101 percent":                 {func(p *grading.Paper) { p.Assessment.Rate = 10001 }, grading.ErrEvidence},
		"more fixed than found":       {func(p *grading.Paper) { p.Assessment.Major.Fixed = 1 }, grading.ErrEvidence},
		"a conclusion of the other":   {func(p *grading.Paper) { p.Assessment.Conclusion = grading.Good }, grading.ErrEvidence},
		"Q21 the old template": {func(p *grading.Paper) {
			p.Assessment.Template, p.Assessment.Conclusion = grading.Template2021, grading.Good
		}, grading.ErrEvidence},
		"a clause that is none": {func(p *grading.Paper) {
			p.Assessment.Findings = []grading.Finding{{Clause: "8.1", Severity: "high", Text: "x"}}
		}, grading.ErrEvidence},
		"an excuse for nothing": {func(p *grading.Paper) {
			p.Kind, p.Assessment = grading.PaperExcuse, nil
			p.Excuse = &grading.ExcuseForDelay{Rule: "R4", Due: p.On, Reason: "r"}
		}, grading.ErrEvidence},
		"a crypto report never written": {func(p *grading.Paper) { p.Kind, p.Assessment = grading.PaperCryptoSent, nil }, grading.ErrOrder},
		"an incident reported before": {func(p *grading.Paper) {
			p.Kind, p.Assessment = grading.PaperIncident, nil
			p.Incident = &grading.Incident{What: "x", ReportedTo: "y", ReportedOn: p.On - 1}
		}, grading.ErrOrder},
	} {
		p := ok()
		c.edit(&p)
		if err := d.add(p); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	d.actor.Role = "clerk"
	if err := d.add(ok()); !errors.Is(err, grading.ErrRole) {
		t.Errorf("by a clerk: %v", err)
	}
	if len(d.reg.Events()) != events {
		t.Error("a refusal wrote an event")
	}
}

// Q21: after 2025-03-20 the template of 2025; the day itself takes either.
func TestTemplate_Q21(t *testing.T) {
	for on, want := range map[string]error{"2025-03-19": nil, "2025-03-20": nil, "2025-03-21": grading.ErrEvidence} {
		d := newDesk(t)
		d.certified("civil-a", 3, 3, "2025-01-06")
		p := assessment("civil-a", day(t, on), 1)
		p.Assessment.Template, p.Assessment.Conclusion = grading.Template2021, grading.Excellent
		if err := d.add(p); !errors.Is(err, want) {
			t.Errorf("%s: %v", on, err)
		}
	}
}
