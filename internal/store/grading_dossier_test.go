package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// desk is the procedure over a store; whoever is asked agrees, so that only the
// store stands between an act and a wrong row.
type desk struct {
	*grading.Procedure
	rooms *store.Rooms
	asked int
}

func (d *desk) Approved(_ context.Context, _, id, _ string) (string, string, error) {
	d.asked++
	return "ap", "leader" + id[len(id)-1:], nil
}
func (d *desk) HeldBy(context.Context, string) ([]grading.Held, error) { return nil, nil }
func (d *desk) LiveCertificates(context.Context, string) (int, error)  { return 0, nil }
func (d *desk) MayRegrade(context.Context, string, level.Grade) error  { return nil }
func (d *desk) Agency(context.Context, identity.USCC) (identity.Agency, error) {
	return identity.Agency{}, nil
}
func (d *desk) System(context.Context, string) (identity.System, error) {
	return identity.System{Agency: gradedUnit}, nil
}

const gradedUnit identity.USCC = "11110102999900011L"

var (
	sum     = strings.Repeat("0a", 32)
	officer = ledger.Actor{Kind: "person", ID: "p-1", Unit: string(gradedUnit), Role: string(identity.RoleSecurityOfficer)}
)

func newDesk(t testing.TB, s *store.Store) *desk {
	t.Helper()
	d := &desk{rooms: s.Rooms(nil)}
	cal, err := workday.Load()
	ok(t, err)
	d.Procedure, err = grading.NewProcedure(grading.ProcedureConfig{
		Dossiers: d.rooms.Grading, Registry: d.rooms.Grading, Directory: d, Approver: d, Decider: d, Holdings: d, Certificates: d,
		Calendar: cal, Profile: grading.Notice2025(), Regions: []string{"110100"},
		Now: func() time.Time { return day(31) }, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	ok(t, err)
	return d
}

func object(id string, hosts ...string) grading.Object {
	return grading.Object{
		ID: id, Name: "低保'系统", Kind: grading.KindSystem, Owner: gradedUnit, BuildingUnit: gradedUnit, Secrecy: grading.SecrecyNone,
		CarriedBy: hosts, Business: "社会救助", Description: "受理", Scope: "全区", Audience: "both", Coverage: "MAN",
		Network: grading.NetworkPrivate, Phase: grading.PhaseOperating, OperationSince: workday.On(2024, 1, 8), Cloud: "planned",
	}
}

func judged(d grading.Degree) *grading.Judgement {
	pairs := []grading.Pair{{Object: grading.Order, Degree: d, Reason: "理由"}}
	return &grading.Judgement{S: pairs, A: pairs, Report: sum}
}

// way to a certificate: general is level 2, serious 3, extreme 4.
func way(id string, degree grading.Degree, number string) []grading.Act {
	at := workday.On(2026, 3, 2)
	materials := map[string]string{}
	for _, m := range grading.Materials() {
		materials[m] = sum
	}
	return []grading.Act{
		{Object: id, Event: grading.EventPropose, On: at, Judgement: judged(degree)},
		{Object: id, Event: grading.EventReview, On: at, Review: &grading.ExpertReview{Experts: []string{"甲"}, Passed: true, Opinion: "同意", Report: sum}},
		{Object: id, Event: grading.EventAuthority, On: at, Authority: &grading.AuthorityApproval{NoneWhy: "无主管部门"}},
		{Object: id, Event: grading.EventSubmit, On: at, Submission: &grading.Submission{Organ: "市公安局", UnitForm: sum, SystemForm: sum, GradingForm: sum, DataSurvey: sum, Materials: materials}},
		{Object: id, Event: grading.EventTakeUp, On: at + 1, Acceptance: &grading.Acceptance{Receipt: "受-1", Report: sum}},
		{Object: id, Event: grading.EventCertify, On: at + 2, Certificate: &grading.FilingCertificate{Number: number, Report: sum}},
	}
}

func (d *desk) open(t testing.TB, o grading.Object) {
	t.Helper()
	_, _, err := d.Open(bg, o, officer)
	ok(t, err)
}

func (d *desk) run(t testing.TB, acts ...grading.Act) {
	t.Helper()
	for _, a := range acts {
		if _, _, err := d.Take(bg, a, officer); err != nil {
			t.Fatalf("%s of %s: %v", a.Event, a.Object, err)
		}
	}
}

func assessed(id string, n int) grading.Paper {
	return grading.Paper{
		ID: fmt.Sprint(id, "-", n), Object: id, Kind: grading.PaperAssessment, On: workday.On(2026, 3, 20), Report: fmt.Sprintf("%064x", n),
		Assessment: &grading.Assessment{Agency: "测评", AgencyNo: "1", Template: grading.Template2025, ReportNo: fmt.Sprint(n), Rate: 7000, Conclusion: grading.Conform},
	}
}

func TestGradingProcedure_IsKeptWhole(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s)
		d.open(t, object("civil-a"))
		d.run(t, way("civil-a", grading.Serious, "11010000001-00001")...)
		before := count(t, s, "ledger_outbox")
		paper, _, err := d.Add(bg, assessed("civil-a", 1), officer)
		ok(t, err)
		if n := count(t, s, "ledger_outbox"); n != before+1 {
			t.Errorf("%d events", n-before)
		}
		grace := grading.Act{Object: "civil-a", Event: grading.EventGrace, On: workday.On(2026, 3, 30), Grace: &grading.Grace{Until: workday.On(2026, 5, 1), Reason: "排期"}}
		d.run(t, grace)
		got, err := d.Dossier(bg, "civil-a")
		if err != nil || got.State != grading.StateCertified || got.Revision != 9 || got.ValidUntil != workday.On(2030, 3, 4) || got.InForce.Grade.String() != "S3A3" {
			t.Fatalf("%+v, %v", got, err)
		}
		r, err := d.rooms.Grading.Grading(bg, "civil-a")
		if err != nil || r.Version != 4 || r.State != grading.StateCertified || workday.Of(r.AssessedOn) != paper.On || workday.Of(r.GraceUntil) != workday.On(2026, 5, 2) {
			t.Fatalf("%+v, %v", r, err)
		}
		steps, err := d.rooms.Grading.History(bg, "civil-a")
		if err != nil || len(steps) != 7 || !reflect.DeepEqual(steps[6].Act, grace) || len(steps[6].Approvals) != 2 {
			t.Fatalf("%+v, %v", steps, err)
		}
		papers, err := d.rooms.Grading.Papers(bg, "civil-a")
		if err != nil || len(papers) != 1 || !reflect.DeepEqual(papers[0], paper) || papers[0].Warnings[0] != "R17_rate" {
			t.Fatalf("%+v, %v", papers, err)
		}
		due, err := d.Due(bg, day(31), 10000, grading.DueFilter{Unit: gradedUnit, Rule: "R9"})
		if err != nil || len(due) != 1 || due[0].Due != workday.On(2030, 3, 4) || due[0].Opens != workday.On(2029, 12, 4) || due[0].Calendar == "" || due[0].Profile != "notice-2025/1" {
			t.Fatalf("%+v, %v", due, err)
		}
		all, err := d.rooms.Grading.Objects(bg, grading.Filter{Unit: gradedUnit, Level: 3, State: grading.StateCertified, Kind: grading.KindSystem, Flagged: true})
		if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], got.Summary()) || all[0].Flags[0] != "XA18-09_private_network" {
			t.Fatalf("%+v, %v", all, err)
		}
		if none, err := d.rooms.Grading.Objects(bg, grading.Filter{After: "civil-a"}); err != nil || len(none) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
		totals, err := d.rooms.Grading.Totals(bg)
		if err != nil || len(totals) != 1 || totals[0] != (grading.Total{Owner: gradedUnit, State: grading.StateCertified, Level: 3, Objects: 1, Flagged: 1}) {
			t.Errorf("%+v, %v", totals, err)
		}
		_, err = d.Dossier(bg, "ghost")
		wantErr(t, err, grading.ErrNotFound)
	})
}

func TestGradingProcedure_TheStoreHoldsTheLine(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s)
		r := house(t, s)
		d.open(t, object("civil-a"))
		full := way("civil-a", grading.Serious, "11010000001-00001")
		d.run(t, full...)
		// Another object, the same certificate number or the same report.
		d.open(t, object("civil-b", "civil-a"))
		other := way("civil-b", grading.Serious, "1101000000100001")
		d.run(t, other[:5]...)
		_, _, err := d.Take(bg, other[5], officer)
		wantErr(t, err, grading.ErrExists)
		other[5].Certificate.Number = "11010000001-00002"
		d.run(t, other[5])
		_, _, err = d.Add(bg, assessed("civil-a", 1), officer)
		ok(t, err)
		twin := assessed("civil-b", 1)
		_, _, err = d.Add(bg, twin, officer)
		wantErr(t, err, grading.ErrExists)
		// R13: the host cannot fall below its guest, nor go.
		down := grading.Act{
			Object: "civil-a", Event: grading.EventChange, On: workday.On(2026, 3, 25), Judgement: judged(grading.General),
			Review: full[1].Review, Cause: &grading.Cause{Reason: "范围变化", Report: sum},
		}
		_, _, err = d.Take(bg, down, officer)
		wantErr(t, err, grading.ErrHost)
		gone := grading.Act{Object: "civil-a", Event: grading.EventRetire, On: workday.On(2026, 3, 25), Retirement: &grading.Retirement{Reason: "r", Data: "migrated", Report: sum}}
		_, _, err = d.Take(bg, gone, officer)
		wantErr(t, err, grading.ErrInUse)
		// X14 art. 30: the guest falls to 2 while it holds something of 3.
		down.Object, gone.Object = "civil-b", "civil-b"
		h := holding(t, "h-1")
		h.System, h.Label = "civil-b", label(t, 3, 3, 3, level.TagPersonal)
		_, err = r.Sharing.AddHolding(bg, h, event("holding", "h-1"))
		ok(t, err)
		_, _, err = d.Take(bg, gone, officer)
		wantErr(t, err, grading.ErrInUse)
		d.run(t, down)
		lower := way("civil-b", grading.General, "11010000001-00002")
		for i, a := range lower[2:5] {
			a.On = workday.On(2026, 3, 26) + workday.Date(i)
			d.run(t, a)
		}
		lower[5].On = workday.On(2026, 3, 30)
		before := snapshot(t, s)
		_, _, err = d.Take(bg, lower[5], officer)
		wantErr(t, err, grading.ErrBelowHoldings)
		same(t, s, before)
		// Nothing is typed in beside a dossier, nothing opened twice, no ghost host.
		typed := record(9, 3, 3)
		_, err = r.Grading.AddGrading(bg, typed, event("system", "civil-a"))
		wantErr(t, err, grading.ErrProcedure)
		_, _, err = d.Open(bg, object("civil-a"), officer)
		wantErr(t, err, grading.ErrExists)
		_, _, err = d.Open(bg, object("civil-c", "ghost"), officer)
		wantErr(t, err, grading.ErrHost)
	})
}

// Of several callers who saw one revision, one goes on.
func TestGradingProcedure_OneWinner(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s)
		d.open(t, object("civil-a"))
		seen, err := d.Dossier(bg, "civil-a")
		ok(t, err)
		seen.Revision++
		if won := race(t, grading.ErrConflict, func() error {
			_, err := d.rooms.Grading.Put(bg, grading.Entry{Dossier: seen}, event("graded_object", "civil-a"))
			return err
		}); won != 1 {
			t.Errorf("%d won", won)
		}
		first := event("graded_object", "civil-a")
		seen.Revision++
		_, err = d.rooms.Grading.Put(bg, grading.Entry{Dossier: seen}, first)
		ok(t, err)
		seen.Revision++
		if _, err = d.rooms.Grading.Put(bg, grading.Entry{Dossier: seen}, first); !errors.Is(err, ledger.ErrDuplicate) {
			t.Errorf("the same event: %v", err)
		}
	})
}
