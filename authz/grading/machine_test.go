package grading_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Every step refuses what it must not be, and then nothing is written.
func TestTake_Refuses(t *testing.T) {
	type edit = func(*desk, *grading.Act)
	for name, c := range map[string]struct {
		after int // steps of the straight way before the one that is edited
		edit  edit
		want  error
	}{
		"no S pairs":                   {0, func(_ *desk, a *grading.Act) { a.Judgement.S = nil }, grading.ErrInvalid},
		"no judgement":                 {0, func(_ *desk, a *grading.Act) { a.Judgement = nil }, grading.ErrEvidence},
		"evidence of another step":     {0, func(_ *desk, a *grading.Act) { a.Review = review() }, grading.ErrEvidence},
		"X11-23 not the building unit": {0, func(d *desk, _ *grading.Act) { d.actor.Unit = string(d.provider) }, grading.ErrUnit},
		"an auditor":                   {0, func(d *desk, _ *grading.Act) { d.actor.Role = "auditor" }, grading.ErrRole},
		"tomorrow":                     {0, func(d *desk, a *grading.Act) { a.On = day(d.t, "2026-06-02") }, grading.ErrOrder},
		"no day":                       {0, func(_ *desk, a *grading.Act) { a.On = 0 }, grading.ErrOrder},
		"R2 filed without a review": {1, func(_ *desk, a *grading.Act) {
			*a = grading.Act{Object: a.Object, Event: grading.EventSubmit, On: a.On, Submission: submission(true)}
		}, grading.ErrState},
		"R2 a review without experts":        {1, func(_ *desk, a *grading.Act) { a.Review.Experts = nil }, grading.ErrEvidence},
		"R2 experts who disagree":            {1, func(_ *desk, a *grading.Act) { a.Review.Passed = false }, grading.ErrEvidence},
		"R2 a review without digest":         {1, func(_ *desk, a *grading.Act) { a.Review.Report = "" }, grading.ErrEvidence},
		"before its cause":                   {1, func(_ *desk, a *grading.Act) { a.On -= 2 }, grading.ErrOrder},
		"R3 neither authority nor reason":    {2, func(_ *desk, a *grading.Act) { a.Authority.NoneWhy = "" }, grading.ErrEvidence},
		"R3 authority and no authority":      {2, func(_ *desk, a *grading.Act) { a.Authority.Authority = "局" }, grading.ErrEvidence},
		"R3 an authority without its paper":  {2, func(_ *desk, a *grading.Act) { *a.Authority = grading.AuthorityApproval{Authority: "局"} }, grading.ErrEvidence},
		"R6 form four short and no day":      {3, func(_ *desk, a *grading.Act) { delete(a.Submission.Materials, "topology") }, grading.ErrEvidence},
		"a material that form four has not":  {3, func(_ *desk, a *grading.Act) { a.Submission.Materials["poem"] = digest }, grading.ErrEvidence},
		"the data survey of 2025 is missing": {3, func(_ *desk, a *grading.Act) { a.Submission.DataSurvey = "" }, grading.ErrEvidence},
		"a form number of another region":    {3, func(_ *desk, a *grading.Act) { a.Submission.FormNumber = "61010000001" }, grading.ErrEvidence},
		"the leader signed for himself":      {3, func(d *desk, _ *grading.Act) { d.boss = func(int) string { return "officer" } }, grading.ErrNotApproved},
		"certified without police": {4, func(_ *desk, a *grading.Act) {
			*a = grading.Act{Object: a.Object, Event: grading.EventCertify, On: a.On, Certificate: certificate("11010000001-00001")}
		}, grading.ErrState},
		"a number of 15 digits":       {5, func(_ *desk, a *grading.Act) { a.Certificate.Number = "1101000000100001"[:15] }, grading.ErrEvidence},
		"a number of another region":  {5, func(_ *desk, a *grading.Act) { a.Certificate.Number = "61010000001-00001" }, grading.ErrEvidence},
		"a number of another form":    {5, func(_ *desk, a *grading.Act) { a.Certificate.Number = "11010000002-00001" }, grading.ErrEvidence},
		"ends before its issue":       {5, func(_ *desk, a *grading.Act) { a.Certificate.ValidUntil = a.On }, grading.ErrOrder},
		"X14-30 more is held by then": {5, func(d *desk, _ *grading.Act) { d.reg.Hold("civil-a", mustLabel(4, 4)) }, grading.ErrBelowHoldings},
		"renewal of what is not certified": {3, func(_ *desk, a *grading.Act) {
			*a = grading.Act{Object: a.Object, Event: grading.EventRenew, On: a.On, Certificate: certificate("11010000001-00001")}
		}, grading.ErrState},
		"an event that nobody knows":  {3, func(_ *desk, a *grading.Act) { a.Event = "bless" }, grading.ErrState},
		"an object that nobody knows": {3, func(_ *desk, a *grading.Act) { a.Object = "civil-z" }, grading.ErrNotFound},
	} {
		d := newDesk(t)
		d.open(d.object("civil-a"))
		way := d.way("civil-a", 3, 3, "2026-03-02")
		d.run(way[:c.after]...)
		a := way[c.after]
		c.edit(d, &a)
		before, events := d.see("civil-a"), len(d.reg.Events())
		if err := d.take(a); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if after := d.see("civil-a"); after.Revision != before.Revision || len(d.reg.Events()) != events {
			t.Errorf("%s: something was written", name)
		}
	}
}

func mustLabel(s, a uint8) level.Label {
	l, err := level.New(3, s, a)
	if err != nil {
		panic(err)
	}
	return l
}

// An approval is over this act, at this revision, and no other.
func TestTake_SignatureIsOverTheAct(t *testing.T) {
	d := newDesk(t)
	d.open(d.object("civil-a"))
	way := d.way("civil-a", 3, 3, "2026-03-02")
	d.run(way[:3]...)
	submit := way[3]
	if _, _, err := d.Take(t.Context(), submit, d.actor); !errors.Is(err, grading.ErrNotApproved) {
		t.Fatalf("unsigned: %v", err)
	}
	d.sign(submit)
	other := submit
	other.Submission = submission(true)
	other.Submission.Organ = "别处"
	if _, _, err := d.Take(t.Context(), other, d.actor); !errors.Is(err, grading.ErrNotApproved) {
		t.Errorf("another act: %v", err)
	}
	if _, _, err := d.Take(t.Context(), submit, d.actor); err != nil {
		t.Fatal(err)
	}
	d.run(way[4], grading.Act{Object: "civil-a", Event: grading.EventCorrect, On: way[4].On, Notice: &grading.Notice{Number: "补-1", Reason: "缺页", Report: digest}})
	submit.On = way[5].On
	if _, _, err := d.Take(t.Context(), submit, d.actor); !errors.Is(err, grading.ErrNotApproved) {
		t.Errorf("the old signature again: %v", err)
	}
	d.run(submit, grading.Act{Object: "civil-a", Event: grading.EventTakeUp, On: submit.On, Acceptance: way[4].Acceptance}, way[5])
	if d.see("civil-a").State != grading.StateCertified {
		t.Error("not certified after the correction")
	}
}

// GB/T 22240-2020 ch. 8: the version in force stays until the new one is certified.
func TestChange_OldVersionStaysInForce(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2026-01-05")
	d.held = []grading.Held{{ID: "h", Provider: string(d.provider), Label: mustLabel(2, 2)}}
	d.reg.Hold("civil-a", mustLabel(2, 2))
	on := day(t, "2026-04-01")
	change := grading.Act{
		Object: "civil-a", Event: grading.EventChange, On: on, Judgement: judgement(2, 3), Review: review(),
		Cause: &grading.Cause{Reason: "服务范围变化", Major: true, Report: digest},
	}
	if err := d.take(change); !errors.Is(err, grading.ErrConsent) {
		t.Fatalf("R14 without consent: %v", err)
	}
	change.Consents = []grading.Consent{{Provider: d.provider, Report: digest}}
	lower := change
	lower.Judgement = judgement(1, 3)
	if err := d.take(lower); !errors.Is(err, grading.ErrBelowHoldings) {
		t.Fatalf("R14 below what is held: %v", err)
	}
	d.run(change)
	if got := d.see("civil-a"); got.State != grading.StateExpertReview || got.Work.Version != 2 || got.InForce.Version != 1 {
		t.Fatalf("%+v", got)
	}
	way := d.way("civil-a", 2, 3, "2026-04-01")
	way[5].Certificate = certificate("11010000001-00001")
	for _, a := range way[2:5] {
		d.run(a)
		if r := d.record("civil-a"); r.Grade.String() != "S3A3" || r.State != grading.StateCertified {
			t.Fatalf("after %s: %s %s", a.Event, r.Grade, r.State)
		}
	}
	d.run(way[5])
	if r := d.record("civil-a"); r.Grade.String() != "S2A3" || r.Version != 3 {
		t.Errorf("%+v", r)
	}
	if want := []level.Grade{{S: 2, A: 3}}; !slices.Contains(d.asked, want[0]) {
		t.Errorf("the decision point was asked about %v", d.asked)
	}
}

// The organ finds the level wrong: a filing does not carry on, a certificate does.
func TestLevelWrong(t *testing.T) {
	wrong := func(d *desk, on string) grading.Act {
		return grading.Act{
			Object: "civil-a", Event: grading.EventLevelWrong, On: day(t, on), Judgement: judgement(4, 3),
			Notice: &grading.Notice{Number: "错-1", Reason: "定级偏低", Report: digest},
		}
	}
	d := newDesk(t)
	d.open(d.object("civil-a"))
	d.run(d.way("civil-a", 3, 3, "2026-03-02")[:5]...)
	d.run(wrong(d, "2026-03-06"))
	if r := d.record("civil-a"); r.State != grading.StateSuperseded || grading.Operating(r, d.now) == nil {
		t.Errorf("it operates on a wrong level: %+v", r)
	}
	d.run(d.way("civil-a", 4, 3, "2026-03-06")[1:]...)
	if r := d.record("civil-a"); r.Grade.String() != "S4A3" || r.State != grading.StateCertified {
		t.Errorf("%+v", r)
	}

	d = newDesk(t)
	d.certified("civil-a", 3, 3, "2026-01-05")
	d.run(grading.Act{
		Object: "civil-a", Event: grading.EventChange, On: day(t, "2026-03-02"), Judgement: judgement(3, 4), Review: review(),
		Cause: &grading.Cause{Reason: "范围变化", Report: digest},
	})
	d.run(d.way("civil-a", 3, 4, "2026-03-02")[2:5]...)
	d.run(wrong(d, "2026-03-06"))
	if r := d.record("civil-a"); r.Grade.String() != "S3A3" || grading.Operating(r, d.now) != nil {
		t.Errorf("the version in force fell: %+v", r)
	}
}

func TestRetire(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2026-01-05")
	gone := grading.Act{
		Object: "civil-a", Event: grading.EventRetire, On: day(t, "2026-05-06"),
		Retirement: &grading.Retirement{Reason: "业务并入新系统", Data: "migrated", Report: digest},
	}
	d.held = []grading.Held{{ID: "h", Provider: string(d.provider), Label: mustLabel(1, 1)}}
	if err := d.take(gone); !errors.Is(err, grading.ErrInUse) {
		t.Errorf("with holdings: %v", err)
	}
	d.held, d.certs = nil, 1
	if err := d.take(gone); !errors.Is(err, grading.ErrInUse) {
		t.Errorf("with certificates: %v", err)
	}
	d.certs = 0
	bad := gone
	bad.Retirement = &grading.Retirement{Reason: "r", Data: "lost", Report: digest}
	if err := d.take(bad); !errors.Is(err, grading.ErrEvidence) {
		t.Errorf("data lost: %v", err)
	}
	d.run(gone)
	if r := d.record("civil-a"); r.State != grading.StateRetired || grading.Operating(r, d.now) == nil {
		t.Errorf("%+v", r)
	}
	if err := d.take(gone); !errors.Is(err, grading.ErrState) {
		t.Errorf("twice: %v", err)
	}
	if due, err := d.Due(t.Context(), d.now, 100000, grading.DueFilter{}); err != nil || len(due) != 0 {
		t.Errorf("limits of a retired object: %v, %v", due, err)
	}
}

// R13, 高风险 7.2.1.1: a platform never below what it carries.
func TestHosting(t *testing.T) {
	d := newDesk(t)
	cloud := d.object("cloud")
	cloud.Kind = grading.KindCloud
	d.open(cloud)
	guest := d.object("civil-a")
	guest.CarriedBy = []string{"cloud"}
	d.open(guest)
	propose := func(id string, s, a uint8) grading.Act { return d.way(id, s, a, "2026-01-05")[0] }
	if err := d.take(propose("civil-a", 2, 2)); !errors.Is(err, grading.ErrHost) {
		t.Errorf("on an ungraded platform: %v", err)
	}
	d.run(d.way("cloud", 2, 2, "2026-01-05")...)
	if err := d.take(propose("civil-a", 2, 3)); !errors.Is(err, grading.ErrHost) {
		t.Errorf("level 3 on level 2: %v", err)
	}
	d.run(propose("civil-a", 2, 2))
	down := grading.Act{Object: "cloud", Event: grading.EventChange, On: day(t, "2026-02-03"), Judgement: judgement(1, 1), Review: review(), Cause: &grading.Cause{Reason: "r", Report: digest}}
	if err := d.take(down); !errors.Is(err, grading.ErrHost) {
		t.Errorf("a platform lowered below what it will carry: %v", err)
	}
	retire := grading.Act{Object: "cloud", Event: grading.EventRetire, On: day(t, "2026-02-03"), Retirement: &grading.Retirement{Reason: "r", Data: "migrated", Report: digest}}
	if err := d.take(retire); !errors.Is(err, grading.ErrInUse) {
		t.Errorf("a platform retired under its guests: %v", err)
	}
}

// X11-23, XA18-13, XA18-17: no operation without acceptance and a grade.
func TestX11_23_XA18_13_Operate(t *testing.T) {
	d := newDesk(t)
	o := d.object("civil-a")
	o.Phase, o.OperationSince = grading.PhasePlanned, 0
	d.open(o)
	way := d.way("civil-a", 3, 3, "2026-03-02")
	operate := grading.Act{Object: "civil-a", Event: grading.EventOperate, On: way[2].On}
	accept := grading.Act{Object: "civil-a", Event: grading.EventAccept, On: way[0].On, Build: &grading.BuildAcceptance{By: "验收组", Passed: true, Report: digest}}
	if err := d.take(operate); !errors.Is(err, grading.ErrState) {
		t.Errorf("planned only: %v", err)
	}
	failed := accept
	failed.Build = &grading.BuildAcceptance{By: "验收组", Report: digest}
	if err := d.take(failed); !errors.Is(err, grading.ErrEvidence) {
		t.Errorf("failed acceptance: %v", err)
	}
	d.run(way[0], accept)
	if err := d.take(operate); !errors.Is(err, grading.ErrState) {
		t.Errorf("no grade decided: %v", err)
	}
	if err := d.take(accept); !errors.Is(err, grading.ErrOrder) && !errors.Is(err, grading.ErrState) {
		t.Errorf("accepted twice: %v", err)
	}
	d.run(way[1], way[2], operate)
	if got := d.see("civil-a"); got.Object.Phase != grading.PhaseOperating || got.Object.OperationSince != operate.On {
		t.Errorf("%+v", got.Object)
	}
}

func TestRenewAndGrace(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2023-06-05") // issued before 2025: ends 2028-01-01 (R8)
	if got := d.see("civil-a"); got.ValidUntil != day(t, "2028-01-01") {
		t.Fatalf("valid until %s", got.ValidUntil)
	}
	renew := func(on string, until string) grading.Act {
		c := certificate("11010000001-00001")
		if until != "" {
			c.ValidUntil = day(t, until)
		}
		return grading.Act{Object: "civil-a", Event: grading.EventRenew, On: day(t, on), Certificate: c}
	}
	d.now = day(t, "2028-03-01").Start()
	for on, want := range map[string]error{"2027-09-30": grading.ErrOrder, "2028-01-02": grading.ErrOrder} {
		if err := d.take(renew(on, "")); !errors.Is(err, want) {
			t.Errorf("R9 renewed on %s: %v", on, err)
		}
	}
	other := renew("2027-10-08", "")
	other.Certificate.Number = "11010000001-00002"
	if err := d.take(other); !errors.Is(err, grading.ErrEvidence) {
		t.Errorf("another number: %v", err)
	}
	d.run(renew("2027-10-01", "2031-01-01"))
	if got := d.see("civil-a"); got.ValidUntil != day(t, "2031-01-01") || !d.record("civil-a").ValidUntil.Equal(day(t, "2031-01-02").Start()) {
		t.Errorf("valid until %s", got.ValidUntil)
	}

	grace := grading.Act{Object: "civil-a", Event: grading.EventGrace, On: day(t, "2028-03-01"), Grace: &grading.Grace{Until: day(t, "2028-05-30"), Reason: "测评机构排期"}}
	long := grace
	long.Grace = &grading.Grace{Until: day(t, "2028-05-31"), Reason: "r"}
	if err := d.take(long); !errors.Is(err, grading.ErrEvidence) {
		t.Errorf("91 days: %v", err)
	}
	d.boss = func(int) string { return "one" }
	if err := d.take(grace); !errors.Is(err, grading.ErrNotApproved) {
		t.Errorf("one person twice: %v", err)
	}
	if !grading.AssessedAt(d.record("civil-a"), grading.Notice2025(), d.now).Lapsed {
		t.Error("never assessed since 2023 and not lapsed")
	}
	d.boss = func(n int) string { return []string{"", "one", "two"}[n] }
	d.run(grace)
	r, end := d.record("civil-a"), day(t, "2028-05-31").Start()
	if grading.AssessedAt(r, grading.Notice2025(), end.Add(-1)).Lapsed || !grading.AssessedAt(r, grading.Notice2025(), end).Lapsed {
		t.Errorf("a grace ends by itself: %+v", r)
	}
}
