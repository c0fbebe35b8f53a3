package grading_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// A record from before the dossier stays in force until a version is certified.
func TestAdopted_StaysInForce(t *testing.T) {
	prepare := func() *desk {
		d := newDesk(t)
		old := grading.Record{
			System: "civil-a", Version: 1, Grade: level.Grade{S: 3, A: 3}, Reason: "旧系统迁入", State: grading.StateCertified, BuildingUnit: d.unit,
			Filing: "11010000001-00001", DecidedOn: day(t, "2024-01-08").Start(), ValidUntil: day(t, "2028-01-02").Start(),
		}
		_, err := d.reg.AddGrading(t.Context(), old, ledger.Event{
			ID: "old", Type: "grading.record.registered", Class: ledger.ClassAdmin, Time: start, Actor: d.actor,
			Object: ledger.Object{Kind: "grading", ID: "civil-a"}, Outcome: ledger.Success,
		})
		must(t, err)
		d.open(d.object("civil-a"))
		return d
	}
	d := prepare()
	d.held = []grading.Held{{ID: "h", Provider: string(d.provider), Label: mustLabel(2, 2)}}
	way := d.way("civil-a", 2, 3, "2026-03-02")
	if err := d.take(way[0]); !errors.Is(err, grading.ErrConsent) {
		t.Errorf("R14: lower than the record in force without consent: %v", err)
	}
	way[0].Consents = []grading.Consent{{Provider: d.provider, Report: digest}}
	d.run(way[:5]...)
	if r := d.record("civil-a"); r.Version != 1 {
		t.Errorf("a filing replaced it: %+v", r)
	}
	d.run(way[5])
	if r := d.record("civil-a"); r.Version != 2 || r.Grade.String() != "S2A3" || d.see("civil-a").Adopted != nil {
		t.Errorf("%+v", r)
	}

	d = prepare()
	d.run(grading.Act{Object: "civil-a", Event: grading.EventRetire, On: day(t, "2026-05-06"), Retirement: &grading.Retirement{Reason: "停用", Data: "destroyed", Report: digest}})
	if r := d.record("civil-a"); r.State != grading.StateRetired || r.Version != 2 {
		t.Errorf("%+v", r)
	}
}

// GB/T 22240-2020 ch. 7, 8: a change to level 1 needs no filing, the unit confirms it.
func TestChange_ToLevel1(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2026-01-05")
	on := day(t, "2026-03-02")
	d.run(grading.Act{Object: "civil-a", Event: grading.EventChange, On: on, Judgement: judgement(1, 1), Review: review(), Cause: &grading.Cause{Reason: "业务缩减", Report: digest}})
	if got := d.see("civil-a"); got.State != grading.StateProposed {
		t.Fatalf("%s", got.State)
	}
	d.run(grading.Act{Object: "civil-a", Event: grading.EventConfirm, On: on})
	if r := d.record("civil-a"); r.Grade.String() != "S1A1" || r.State != grading.StateConfirmed || !r.ValidUntil.IsZero() {
		t.Errorf("%+v", r)
	}
	// And up again: level 1 stays in force meanwhile.
	d.run(grading.Act{Object: "civil-a", Event: grading.EventChange, On: on, Judgement: judgement(2, 2), Cause: &grading.Cause{Reason: "扩展", Report: digest}})
	d.run(d.way("civil-a", 2, 2, "2026-03-02")[1:5]...)
	if r := d.record("civil-a"); r.Grade.String() != "S1A1" {
		t.Errorf("%+v", r)
	}
}

// Whatever wrote a dossier, a certificate is not taken for one that lacks its
// evidence or whose grade was not judged.
func TestCertify_LooksAtTheWholeDossier(t *testing.T) {
	for name, spoil := range map[string]func(*grading.Grading){
		"no review":                    func(g *grading.Grading) { g.Review = nil },
		"no authority":                 func(g *grading.Grading) { g.Authority = nil },
		"no acceptance":                func(g *grading.Grading) { g.Acceptance = nil },
		"R1 a grade that was typed in": func(g *grading.Grading) { g.Grade = level.Grade{S: 2, A: 3} },
	} {
		d := newDesk(t)
		d.open(d.object("civil-a"))
		way := d.way("civil-a", 3, 3, "2026-03-02")
		d.run(way[:5]...)
		bad := d.see("civil-a")
		work := *bad.Work
		spoil(&work)
		bad.Work = &work
		bad.Revision++
		_, err := d.store.Put(t.Context(), grading.Entry{Dossier: bad}, ledger.Event{
			ID: "spoilt", Type: "test.dossier.spoilt", Class: ledger.ClassAdmin, Time: start, Actor: d.actor,
			Object: ledger.Object{Kind: "graded_object", ID: "civil-a"}, Outcome: ledger.Success,
		})
		must(t, err)
		if err := d.take(way[5]); !errors.Is(err, grading.ErrEvidence) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertify_RegionWithoutAFormNumber(t *testing.T) {
	for number, want := range map[string]error{"61010000001-00001": grading.ErrEvidence, "1101000000100001": nil} {
		d := newDesk(t)
		d.open(d.object("civil-a"))
		way := d.way("civil-a", 3, 3, "2026-03-02")
		way[3].Submission.FormNumber = ""
		way[5].Certificate.Number = number
		d.run(way[:5]...)
		if err := d.take(way[5]); !errors.Is(err, want) {
			t.Errorf("%s: %v", number, err)
		}
	}
}

// One document under two numbers is one report.
func TestAssessment_OneDocumentTwoNumbers_R8(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 3, 3, "2025-06-05")
	p := assessment("civil-a", day(t, "2025-11-20"), 1)
	must(t, d.add(p))
	p.Assessment.ReportNo = fmt.Sprint(p.Assessment.ReportNo, "-2")
	if err := d.add(p); !errors.Is(err, grading.ErrExists) {
		t.Errorf("%v", err)
	}
}
