package grading_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/grading/gradingtest"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// desk stands for everything around the procedure.
type desk struct {
	*grading.Procedure
	t        testing.TB
	reg      *gradingtest.Registry
	store    *gradingtest.Dossiers
	unit     identity.USCC
	provider identity.USCC
	actor    ledger.Actor
	now      time.Time

	signed map[string]string // subject id → digest, as approved
	boss   func(n int) string
	held   []grading.Held
	certs  int
	asked  []level.Grade
}

func (d *desk) Approved(_ context.Context, kind, id, digest string) (string, string, error) {
	if kind != "regrade" || d.signed[id] != digest {
		return "", "", errors.New("no approval")
	}
	return "ap-" + id, d.boss(int(id[len(id)-1] - '0')), nil
}
func (d *desk) HeldBy(context.Context, string) ([]grading.Held, error) { return d.held, nil }
func (d *desk) LiveCertificates(context.Context, string) (int, error)  { return d.certs, nil }
func (d *desk) MayRegrade(_ context.Context, _ string, to level.Grade) error {
	d.asked = append(d.asked, to)
	return nil
}

func day(t testing.TB, s string) workday.Date {
	t.Helper()
	d, err := workday.Parse(s)
	must(t, err)
	return d
}

func newDesk(t testing.TB, edit ...func(*grading.ProcedureConfig)) *desk {
	t.Helper()
	d := &desk{t: t, reg: &gradingtest.Registry{}, now: day(t, "2026-06-01").Start().Add(10 * time.Hour), signed: map[string]string{}}
	d.boss = func(n int) string { return fmt.Sprint("leader-", n) }
	d.store = gradingtest.New(d.reg)
	var err error
	d.unit, err = identity.SampleUSCC("110102", 1)
	must(t, err)
	d.provider, err = identity.SampleUSCC("110102", 2)
	must(t, err)
	d.actor = ledger.Actor{Kind: "person", ID: "officer", Unit: string(d.unit), Role: string(identity.RoleSecurityOfficer)}
	n := 0
	id := func() string { n++; return fmt.Sprintf("id-%d", n) }
	clock := func() time.Time { return d.now }
	dir := identitytest.New()
	people, err := identity.New(identity.Config{Register: dir, Now: func() time.Time { return start }, NewID: id})
	must(t, err)
	_, _, err = people.RegisterAgency(t.Context(), identity.Agency{USCC: d.unit, Name: "样例局", Kind: identity.KindOrgan, District: "110102"}, d.actor)
	must(t, err)
	for _, s := range []string{"civil-a", "civil-b"} {
		_, _, err = people.RegisterSystem(t.Context(), identity.System{ID: s, Name: "样例系统", Agency: d.unit}, d.actor)
		must(t, err)
	}
	cal, err := workday.Load()
	must(t, err)
	c := grading.ProcedureConfig{
		Dossiers: d.store, Registry: d.reg, Directory: dir, Approver: d, Decider: d, Holdings: d, Certificates: d,
		Calendar: cal, Profile: grading.Notice2025(), Regions: []string{"110100"}, Now: clock, NewID: id,
	}
	for _, e := range edit {
		e(&c)
	}
	d.Procedure, err = grading.NewProcedure(c)
	must(t, err)
	return d
}

func (d *desk) object(id string) grading.Object {
	return grading.Object{
		ID: id, Name: "低保系统", Kind: grading.KindSystem, Owner: d.unit, BuildingUnit: d.unit, Secrecy: grading.SecrecyNone,
		Business: "社会救助", Description: "受理与发放", Scope: "全区", Audience: "both", Coverage: "MAN", Network: grading.NetworkExtranet,
		Phase: grading.PhaseOperating, OperationSince: day(d.t, "2024-01-08"), Cloud: "planned", Sample: true,
	}
}

// judgement of a grade: order and national pairs reach every level but 1.
func judgement(s, a uint8) *grading.Judgement {
	pair := func(lv uint8) []grading.Pair {
		p := map[uint8]grading.Pair{
			1: {grading.Rights, grading.General, "理由"}, 2: {grading.Rights, grading.Serious, "理由"}, 3: {grading.Order, grading.Serious, "理由"},
			4: {grading.Order, grading.Extreme, "理由"}, 5: {grading.National, grading.Extreme, "理由"},
		}
		return []grading.Pair{p[lv]}
	}
	return &grading.Judgement{S: pair(s), A: pair(a), Report: digest}
}

func review() *grading.ExpertReview {
	return &grading.ExpertReview{Experts: []string{"甲", "乙"}, Passed: true, Opinion: "同意", Report: digest}
}

func submission(materials bool) *grading.Submission {
	s := &grading.Submission{Organ: "市公安局", FormNumber: "11010000001", UnitForm: digest, SystemForm: digest, GradingForm: digest, DataSurvey: digest}
	if materials {
		s.Materials = map[string]string{}
		for _, m := range grading.Materials() {
			s.Materials[m] = digest
		}
	}
	return s
}

func certificate(n string) *grading.FilingCertificate {
	return &grading.FilingCertificate{Number: n, Report: digest}
}

// steps of the straight way to a certificate.
func (d *desk) way(id string, s, a uint8, on string) []grading.Act {
	at := day(d.t, on)
	return []grading.Act{
		{Object: id, Event: grading.EventPropose, On: at, Judgement: judgement(s, a)},
		{Object: id, Event: grading.EventReview, On: at + 1, Review: review()},
		{Object: id, Event: grading.EventAuthority, On: at + 2, Authority: &grading.AuthorityApproval{NoneWhy: "无主管部门"}},
		{Object: id, Event: grading.EventSubmit, On: at + 3, Submission: submission(true)},
		{Object: id, Event: grading.EventTakeUp, On: at + 4, Acceptance: &grading.Acceptance{Receipt: "受-1", Report: digest}},
		{Object: id, Event: grading.EventCertify, On: at + 5, Certificate: certificate("11010000001-00001")},
	}
}

// sign approves what a step asks for.
func (d *desk) sign(a grading.Act) {
	subjects, err := d.Ask(d.t.Context(), a)
	if err != nil {
		return // the step will say why
	}
	for _, s := range subjects {
		d.signed[s.ID] = s.Digest
	}
}

func (d *desk) take(a grading.Act) error {
	d.sign(a)
	_, _, err := d.Take(d.t.Context(), a, d.actor)
	return err
}

func (d *desk) run(acts ...grading.Act) {
	d.t.Helper()
	for _, a := range acts {
		if err := d.take(a); err != nil {
			d.t.Fatalf("%s: %v", a.Event, err)
		}
	}
}

func (d *desk) open(o grading.Object) {
	d.t.Helper()
	_, _, err := d.Open(d.t.Context(), o, d.actor)
	must(d.t, err)
}

func (d *desk) certified(id string, s, a uint8, on string) grading.Dossier {
	d.t.Helper()
	d.open(d.object(id))
	d.run(d.way(id, s, a, on)...)
	return d.see(id)
}

func (d *desk) see(id string) grading.Dossier {
	d.t.Helper()
	got, err := d.Dossier(d.t.Context(), id)
	must(d.t, err)
	return got
}

func (d *desk) record(id string) grading.Record {
	d.t.Helper()
	r, err := d.reg.Grading(d.t.Context(), id)
	must(d.t, err)
	return r
}

// The straight way, GB/T 22240-2020 ch. 6-7, and what the decision point reads.
func TestProcedure_DraftToCertified(t *testing.T) {
	d := newDesk(t)
	d.open(d.object("civil-a"))
	for i, a := range d.way("civil-a", 3, 2, "2026-03-02") {
		if _, err := d.reg.Grading(t.Context(), "civil-a"); (err == nil) != (i > 3) {
			t.Errorf("before %s: %v", a.Event, err)
		}
		d.run(a)
		if i == 3 {
			if r := d.record("civil-a"); r.State != grading.StateSubmitted || grading.Operating(r, d.now) != nil {
				t.Errorf("a filing: %+v", r)
			}
		}
	}
	got, r := d.see("civil-a"), d.record("civil-a")
	if got.State != grading.StateCertified || got.Work != nil || got.InForce.Version != 1 || got.ValidUntil != day(t, "2029-03-07") || got.InForce.Approver != "leader-1" {
		t.Errorf("%+v", got)
	}
	end := day(t, "2029-03-08").Start()
	if r.Version != 2 || r.Grade != (level.Grade{S: 3, A: 2}) || r.State != grading.StateCertified || !r.ValidUntil.Equal(end) || r.Filing != "11010000001-00001" {
		t.Errorf("%+v", r)
	}
	if grading.Operating(r, end.Add(-1)) != nil || grading.Operating(r, end) == nil {
		t.Error("the last day counts in full, the next not at all")
	}
	steps, err := d.store.History(t.Context(), "civil-a")
	if err != nil || len(steps) != 6 || steps[5].To != grading.StateCertified || steps[3].Approvals[0] == "" || steps[5].Revision != 7 {
		t.Errorf("%+v, %v", steps, err)
	}
	if n := len(d.reg.Events()); n != 7 {
		t.Errorf("%d events", n)
	}
	if err := r.Validate(); err != nil {
		t.Errorf("the record of the procedure: %v", err)
	}
	// What is filed by procedure is not typed in beside it.
	r.Version = 9
	if _, err := d.reg.AddGrading(t.Context(), r, ledger.Event{}); !errors.Is(err, grading.ErrProcedure) {
		t.Errorf("typed in: %v", err)
	}
}

func TestProcedure_Level1IsSelfDecided(t *testing.T) {
	d := newDesk(t)
	d.open(d.object("civil-a"))
	on := day(t, "2026-03-02")
	d.run(grading.Act{Object: "civil-a", Event: grading.EventPropose, On: on, Judgement: judgement(1, 1)})
	if err := d.take(grading.Act{Object: "civil-a", Event: grading.EventReview, On: on, Review: review()}); !errors.Is(err, grading.ErrState) {
		t.Errorf("review of level 1: %v", err)
	}
	d.run(grading.Act{Object: "civil-a", Event: grading.EventConfirm, On: on})
	if r := d.record("civil-a"); r.State != grading.StateConfirmed || grading.Operating(r, d.now) != nil || r.Validate() != nil {
		t.Errorf("%+v", r)
	}
	// Level 2 is never confirmed by the unit alone.
	d.open(d.object("civil-b"))
	d.run(grading.Act{Object: "civil-b", Event: grading.EventPropose, On: on, Judgement: judgement(1, 2)})
	if err := d.take(grading.Act{Object: "civil-b", Event: grading.EventConfirm, On: on}); !errors.Is(err, grading.ErrState) {
		t.Errorf("level 2 confirmed: %v", err)
	}
}

func TestOpen_Refuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*desk, *grading.Object)
		actor func(*ledger.Actor)
		want  error
	}{
		"R18 a state secret":       {edit: func(_ *desk, o *grading.Object) { o.Secrecy = "机密" }, want: level.ErrStateSecret},
		"R18 not declared":         {edit: func(_ *desk, o *grading.Object) { o.Secrecy = "" }, want: level.ErrStateSecret},
		"no kind":                  {edit: func(_ *desk, o *grading.Object) { o.Kind = "terminal" }, want: grading.ErrInvalid},
		"runs and has no day":      {edit: func(_ *desk, o *grading.Object) { o.OperationSince = 0 }, want: grading.ErrInvalid},
		"runs since tomorrow":      {edit: func(d *desk, o *grading.Object) { o.OperationSince = workday.Of(d.now) + 1 }, want: grading.ErrOrder},
		"hosts itself":             {edit: func(_ *desk, o *grading.Object) { o.CarriedBy = []string{o.ID} }, want: grading.ErrInvalid},
		"R13 an unknown host":      {edit: func(_ *desk, o *grading.Object) { o.CarriedBy = []string{"cloud"} }, want: grading.ErrHost},
		"no such system":           {edit: func(_ *desk, o *grading.Object) { o.ID = "civil-z" }, want: identity.ErrNotFound},
		"a unit that nobody knows": {edit: func(d *desk, o *grading.Object) { o.Owner = d.provider }, want: identity.ErrNotFound},
		"X11-23 by another unit":   {actor: func(a *ledger.Actor) { a.Unit = "x" }, want: grading.ErrUnit},
		"by a clerk":               {actor: func(a *ledger.Actor) { a.Role = "clerk" }, want: grading.ErrRole},
		"by nobody":                {actor: func(a *ledger.Actor) { *a = ledger.Actor{} }, want: grading.ErrInvalid},
		"a network is no system":   {edit: func(_ *desk, o *grading.Object) { o.ID, o.Kind = "backbone", grading.KindNetwork }},
		"twice":                    {edit: func(d *desk, o *grading.Object) { d.open(d.object("civil-a")) }, want: grading.ErrExists},
	} {
		d := newDesk(t)
		o, actor := d.object("civil-a"), d.actor
		if c.edit != nil {
			c.edit(d, &o)
		}
		if c.actor != nil {
			c.actor(&actor)
		}
		if _, _, err := d.Open(t.Context(), o, actor); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
