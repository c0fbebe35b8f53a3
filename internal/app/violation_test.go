package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// BJ17-33: a breach suspends at the next decision, with its code and clause; only the
// leader of the unit that recorded it resumes, by a signature, and not the one who asks.
func TestBreachSuspendsTheNextDecision(t *testing.T) {
	w := newTown(t, 2)
	provider, consumer := w.units[0], w.units[1]
	w.resource("res-1", provider)
	suspended := func() string {
		t.Helper()
		d, err := w.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectAgency, SubjectID: string(consumer.unit), Action: authz.ActionRead, Resource: "res-1", Purpose: "assist"})
		ok(t, err)
		i := slices.IndexFunc(d.Reasons, func(r authz.Reason) bool { return r.Code == "E28_suspended" })
		if i < 0 {
			return ""
		}
		if !slices.Contains(d.Reasons[i].Clauses, "BJ17-33") || d.Allow {
			t.Errorf("%+v", d)
		}
		return d.Reasons[i].Detail
	}
	if got := suspended(); got != "" {
		t.Fatalf("suspended before: %s", got)
	}
	clerk, leader := console.Person{ID: provider.clerk.ID, Unit: string(provider.unit)}, console.Person{ID: provider.leader.ID, Unit: string(provider.unit)}
	stranger := console.Person{ID: consumer.clerk.ID, Unit: string(consumer.unit)}
	v := sharing.Violation{
		Ground: sharing.GroundMisuse, Unit: consumer.unit, Provider: provider.unit, Resource: "res-1", Evidence: strings.Repeat("a", 64), Note: "擅自扩大使用范围", Due: workday.Of(w.now()) + 10,
	}
	wantErr(t, w.Desk.RecordViolation(bg, stranger, v), sharing.ErrNotProvider)
	ok(t, w.Desk.RecordViolation(bg, clerk, v))
	list, err := w.Desk.Violations(bg, leader)
	if err != nil || len(list.Rows) != 1 || list.Rows[0].MayAnswer || !list.Rows[0].MayAsk {
		t.Fatalf("%+v, %v", list, err)
	}
	id := list.Rows[0].ID
	if got := suspended(); got != id {
		t.Errorf("recorded: %q", got)
	}
	if seen, err := w.Desk.Violations(bg, stranger); err != nil || len(seen.Rows) != 1 || seen.Rows[0].MayAsk {
		t.Errorf("the unit itself sees %+v, %v", seen, err)
	}
	ok(t, w.Desk.AskViolation(bg, clerk, id, "已整改"))
	_, _, err = w.Violations.Settle(bg, w.actor(provider.clerk), id)
	if err == nil {
		t.Error("settled without a signature")
	}
	asked, err := w.Violations.Violation(bg, id)
	ok(t, err)
	usurped := w.ViolationSubject(asked)
	usurped.Unit = consumer.unit
	w.refusedAnswer(usurped, consumer.leader)
	if got := suspended(); got != id {
		t.Errorf("asked: %q", got)
	}
	w.sign(w.ViolationSubject(asked), provider.leader, true)
	_, _, err = w.Violations.Settle(bg, w.actor(provider.leader), id)
	ok(t, err)
	if got := suspended(); got != "" {
		t.Errorf("settled: %q", got)
	}
}
