package app

import (
	"errors"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// reclassOnPages: X11-30, BJ17-26b from the page of the provider's clerk to what the
// decision point says about a copy of another unit. It follows grantsOnPages, whose
// resource and system it goes on with.
func (w *town) reclassOnPages() {
	t := w.t
	o, far := w.units[0], w.units[1]
	clerk, leader := visitor(o.clerk), visitor(o.leader)
	_, _, err := w.Sharing.RegisterHolding(bg, sharing.Holding{
		ID: "copy-g", System: "town-a", Agency: o.unit, Resource: "res-g", Label: level.Label{Level: 1, RequiredS: 1, RequiredA: 1}, Payload: strings.Repeat("ab", 32),
	}, w.actor(o.clerk))
	ok(t, err)
	reads := func(want ...string) {
		t.Helper()
		d, err := w.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectSystem, SubjectID: "town-a", Action: authz.ActionRead, Resource: "copy-g", Purpose: "relief"})
		ok(t, err)
		var codes []string
		for _, r := range d.Reasons {
			codes = append(codes, r.Code)
		}
		if !slices.Equal(codes, want) {
			t.Errorf("the decision point says %v, want %v", codes, want)
		}
	}
	label := func(want level.Label) {
		t.Helper()
		r, err := w.rooms.Sharing.Resource(bg, "res-g")
		ok(t, err)
		h, err := w.rooms.Sharing.Holding(bg, "copy-g")
		ok(t, err)
		if r.Label.String() != want.String() || h.Label.String() != want.String() {
			t.Errorf("the catalogue says %s, the copy %s, want %s", r.Label, h.Label, want)
		}
	}
	newest := func() console.ReclassLine {
		t.Helper()
		list, err := w.Desk.Reclassified(bg, leader, "", "")
		ok(t, err)
		return list.Acts[0]
	}
	answer := func(p console.Person, yes bool, want error) {
		t.Helper()
		a, reason := newest(), map[bool]string{false: "不同意"}[yes]
		if err := w.Desk.AnswerReclass(bg, p, a.ID, console.Answer{Digest: a.Digest, PIN: townPIN, Yes: yes, Reason: reason}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	low, top := level.Label{Level: 1, RequiredS: 1, RequiredA: 1}, level.Label{Level: 3, RequiredS: 3, RequiredA: 1}
	form := console.ReclassForm{Resource: "res-g", To: top, Ground: "数据安全法第二十一条", Due: w.at.AddDate(0, 0, 10)}
	reads()
	for name, p := range map[string]console.Person{"a stranger": visitor(far.clerk), "the leader": leader} {
		if err := w.Desk.Reclassify(bg, p, form); !errors.Is(err, reclass.ErrForbidden) {
			t.Errorf("%s changed it: %v", name, err)
		}
	}

	// One person raises, at once; above the system's grade nothing opens any more.
	ok(t, w.Desk.Reclassify(bg, clerk, form))
	label(top)
	reads(level.CodeSystemGrade)
	if a := newest(); a.State != reclass.Raised || !a.Raises || a.Copies != 1 || !a.MayAnswer {
		t.Errorf("%+v", a)
	}
	mine, err := w.Desk.Reclassified(bg, clerk, "res-g", "")
	ok(t, err)
	if len(mine.Notices) != 1 || mine.Notices[0].Kind != reclass.Remove || len(mine.Resources) != 1 {
		t.Fatalf("%+v", mine)
	}
	if err := w.Desk.FollowedLabel(bg, clerk, mine.Notices[0].ID, strings.Repeat("cd", 32), "已销毁"); !errors.Is(err, reclass.ErrKept) {
		t.Errorf("said to be gone: %v", err)
	}
	answer(visitor(far.leader), true, reclass.ErrNotFound)
	answer(clerk, true, console.ErrForbidden)
	answer(leader, false, nil) // a no lowers nothing
	label(top)
	reads(level.CodeSystemGrade)

	// Down: a ground, a new review, and two persons.
	form.To = low
	if err := w.Desk.Reclassify(bg, clerk, form); !errors.Is(err, reclass.ErrGround) {
		t.Errorf("without a review: %v", err)
	}
	form.Review = "保审1" // the one that gave the present label
	if err := w.Desk.Reclassify(bg, clerk, form); !errors.Is(err, reclass.ErrGround) {
		t.Errorf("with an old review: %v", err)
	}
	form.Review = "保审2"
	ok(t, w.Desk.Reclassify(bg, clerk, form))
	label(top)
	a := newest()
	if err := w.Desk.AnswerReclass(bg, leader, a.ID, console.Answer{Digest: strings.Repeat("0", 64), PIN: townPIN, Yes: true}); !errors.Is(err, approval.ErrInvalid) {
		t.Errorf("signed what the page did not show: %v", err)
	}
	if _, _, err := w.Reclass.Settle(bg, a.ID, w.actor(o.leader)); !errors.Is(err, reclass.ErrNotSigned) {
		t.Errorf("took effect unsigned: %v", err)
	}
	answer(leader, true, nil)
	label(low)
	reads()
	if r, err := w.rooms.Sharing.Resource(bg, "res-g"); err != nil || r.SecrecyReview != "保审2" {
		t.Errorf("%+v, %v", r, err)
	}

	// What keepers did is on record.
	mine, err = w.Desk.Reclassified(bg, clerk, "", "res-g")
	ok(t, err)
	if len(mine.Resources) != 0 { // it is the first page's last
		t.Errorf("%+v", mine.Resources)
	}
	if len(mine.Notices) != 2 || mine.Notices[0].Kind != reclass.Relabel {
		t.Fatalf("%+v", mine.Notices)
	}
	if err := w.Desk.FollowedLabel(bg, visitor(far.clerk), mine.Notices[0].ID, strings.Repeat("cd", 32), "已标注"); !errors.Is(err, reclass.ErrForbidden) {
		t.Errorf("another unit answered: %v", err)
	}
	on, err := w.Reclass.On(bg, "town-a", "", 9)
	ok(t, err)
	if len(on) != 2 || on[0].Kind != reclass.Remove {
		t.Fatalf("the system sees %+v", on)
	}
	system := func(id string, of office) ledger.Actor {
		return ledger.Actor{Kind: "system", ID: id, Unit: string(of.unit)}
	}
	if _, _, err := w.Reclass.Acknowledge(bg, on[0].ID, strings.Repeat("cd", 32), "已标注", system("town-b", far)); !errors.Is(err, reclass.ErrForbidden) {
		t.Errorf("another system answered: %v", err)
	}
	_, _, err = w.Reclass.Acknowledge(bg, on[0].ID, strings.Repeat("cd", 32), "已标注", system("town-a", o)) // it may stay by now
	ok(t, err)
	ok(t, w.Desk.FollowedLabel(bg, clerk, on[1].ID, strings.Repeat("cd", 32), "已标注"))
	if a := newest(); a.Copies != 1 || a.Done != 1 || a.Late != 0 || a.MayAnswer {
		t.Errorf("%+v", a)
	}
	form.To, form.Review = level.Label{Level: 1, RequiredS: 1, RequiredA: 1, Tags: []level.Tag{level.TagPublicDisclosure}}, "保审3"
	ok(t, w.Desk.Reclassify(bg, clerk, form)) // opening it is a lowering
	if a := newest(); a.State != reclass.Proposed {
		t.Errorf("%+v", a)
	}
	answer(leader, false, nil)
	label(low)
}

// regradeInTheHouse: X14-30 through the decision point, for provider, consumer and
// carrier: each refusal is on the ledger, with its code.
func (w *town) regradeInTheHouse() {
	t := w.t
	o, far := w.units[0], w.units[1]
	unit := map[string]office{"town-a": o, "town-b": far, "town-hub": w.units[2]}
	for id, of := range unit {
		if id == "town-a" { // graded already
			continue
		}
		_, _, err := w.Identity.RegisterSystem(bg, identity.System{ID: id, Name: "样例系统", Agency: of.unit}, w.service())
		ok(t, err)
		_, _, err = w.Grading.Register(bg, w.gradeOf(id, of, 1, 2), w.actor(of.leader))
		ok(t, err)
	}
	way := exchange.Transfer{
		ID: "way-1", FromSystem: "town-a", ToSystem: "town-b", Sender: string(o.unit), Receiver: string(far.unit), Resource: "res-g", Purpose: "relief",
		Label: level.Label{Level: 2, RequiredS: 2, RequiredA: 2}, Name: "a.ofd", Document: strings.Repeat("ab", 32), EnvelopeSM3: strings.Repeat("cd", 32), Blob: "transfer/way-1",
		Decision: "d", State: exchange.StateSent, SentAt: w.at, Carriers: []string{"town-hub"},
	}
	move := func(t2 exchange.Transfer, do func(ledger.Event) error) {
		t.Helper()
		ok(t, do(ledger.Event{
			ID: newID(), Type: "exchange.transfer.moved", Class: ledger.ClassAccess, Time: w.now(), Actor: w.service(), Object: ledger.Object{Kind: "transfer", ID: t2.ID}, Outcome: ledger.Success,
		}))
	}
	move(way, func(ev ledger.Event) error { _, err := w.rooms.Transfers.AddTransfer(bg, way, ev); return err })
	for id, of := range unit {
		_, _, err := w.Regrade(bg, w.gradeOf(id, of, 2, 1), w.actor(of.leader))
		var no *DeniedError
		if !errors.As(err, &no) || len(no.Decision.Reasons) != 1 || no.Decision.Reasons[0].Code != level.CodeBelowHoldings || no.Decision.Receipt.EntryID == "" {
			t.Errorf("%s: %v", id, err)
		}
	}
	way.State, way.ReceivedAt = exchange.StateReceived, w.at
	move(way, func(ev ledger.Event) error {
		_, err := w.rooms.Transfers.MoveTransfer(bg, way, []exchange.State{exchange.StateSent}, ev)
		return err
	})
	serves := func(id, system string) {
		t.Helper()
		r, err := w.rooms.Sharing.Resource(bg, "res-g")
		ok(t, err)
		r.ID, r.Label = id, level.Label{Level: 2, RequiredS: 2, RequiredA: 2}
		ok(t, second(w.rooms.Sharing.PutEntries(bg, []sharing.Entry{{Resource: r, Metadata: sharing.Metadata{Code: "307.01/000077", System: system}}}, sharing.Change{By: o.clerk.ID, Unit: o.unit, Why: "样例", At: w.at}, ledger.Event{
			ID: newID(), Type: "sharing.catalogue.imported", Class: ledger.ClassAdmin, Time: w.now(), Actor: w.service(), Object: ledger.Object{Kind: "resource", ID: id}, Outcome: ledger.Success,
		})))
	}
	serves("res-served", "town-a") // the provider's role: by the catalogue, with nothing on its way
	_, _, err := w.Regrade(bg, w.gradeOf("town-a", o, 2, 1), w.actor(o.leader))
	var no *DeniedError
	if !errors.As(err, &no) || len(no.Decision.Reasons) != 1 || no.Decision.Reasons[0].Code != level.CodeBelowHoldings {
		t.Errorf("below what it serves: %v", err)
	}
	serves("res-served", "")
	for id, of := range unit {
		_, _, err := w.Regrade(bg, w.gradeOf(id, of, 2, 1), w.actor(of.leader))
		ok(t, err)
	}
}

func second[T any](_ T, err error) error { return err }

func (w *town) gradeOf(system string, of office, version int, grade uint8) grading.Record {
	return grading.Record{
		System: system, Version: version, Grade: level.Grade{S: grade, A: grade}, Reason: "样例定级", State: grading.StateCertified, BuildingUnit: of.unit,
		Filing: "11010026002-00009", DecidedOn: w.at.AddDate(0, -2, 0), AssessedOn: w.at.AddDate(0, -1, 0), ValidUntil: w.at.AddDate(1, 0, 0), Sample: true,
	}
}
