package app

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// grantsOnPages: X11-24a, X11-24b from the page of the unit's clerk to the answer of
// the decision point, through every way in which a grant stops to count.
func (w *town) grantsOnPages() {
	t := w.t
	o, far := w.units[0], w.units[1]
	own := identity.USCC(w.cfg.USCC)
	guard, auditor := w.certified(own, identity.RoleSecurityOfficer), w.certified(own, identity.RoleAuditor)
	deputy := w.certified(o.unit, identity.RoleRecordsOfficer)
	w.resource("res-g", o)
	_, _, err := w.Identity.RegisterSystem(bg, identity.System{ID: "town-a", Name: "样例系统", Agency: o.unit}, w.service())
	ok(t, err)
	_, _, err = w.Grading.Register(bg, w.gradeOf("town-a", o, 1, 2), w.actor(o.leader))
	ok(t, err)
	clerk, leader := visitor(o.clerk), visitor(o.leader)

	// reads is what the decision point says: "" or the codes.
	reads := func() string {
		t.Helper()
		d, err := w.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectPerson, SubjectID: o.clerk.ID, Action: authz.ActionRead, Resource: "res-g", Target: "town-a", Purpose: "relief"})
		ok(t, err)
		var codes []string
		for _, r := range d.Reasons {
			codes = append(codes, strings.TrimPrefix(r.Code, "E30_grant."))
		}
		if got := slices.ContainsFunc(d.Obligations, func(o authz.Obligation) bool { return o.Kind == authz.ObligeReview }); d.Allow {
			return map[bool]string{true: "under review", false: "opens"}[got]
		}
		return strings.Join(codes, " ")
	}
	says := func(want string) {
		t.Helper()
		if got := reads(); got != want {
			t.Errorf("the decision point says %q, want %q", got, want)
		}
	}
	form := console.GrantForm{
		Person: o.clerk.ID, Role: "clerk", Need: "低保复核", Acts: []level.Act{level.Read}, Purposes: []string{"relief"}, Resources: []string{"res-g"}, Systems: []string{"town-a"},
		Level: 1, Until: w.at.AddDate(0, 1, 0),
	}
	answer := func(p console.Person, id string, yes bool, want error) {
		t.Helper()
		v, err := w.Desk.Grant(bg, leader, id)
		ok(t, err)
		reason := map[bool]string{false: "不同意"}[yes]
		if err := w.Desk.AnswerGrant(bg, p, id, console.Answer{Digest: v.Sum, PIN: townPIN, Yes: yes, Reason: reason}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}

	says("none")
	if _, err := w.Desk.ProposeGrant(bg, leader, form); !errors.Is(err, grant.ErrForbidden) {
		t.Errorf("the leader proposed: %v", err)
	}
	list, err := w.Desk.Grants(bg, clerk)
	ok(t, err)
	if !list.MayPropose || list.All || len(list.People) != 3 || len(list.Leaders) != 1 || !slices.Equal(list.Purposes, []string{"relief"}) {
		t.Errorf("%+v", list)
	}
	id, err := w.Desk.ProposeGrant(bg, clerk, form)
	ok(t, err)
	says("unsigned")
	for _, p := range []console.Person{visitor(far.leader), visitor(far.clerk), visitor(w.keeper)} {
		if _, err := w.Desk.Grant(bg, p, id); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("somebody else sees it: %v", err)
		}
		answer(p, id, true, grant.ErrNotFound)
	}
	answer(clerk, id, true, console.ErrForbidden)
	answer(visitor(guard), id, true, console.ErrForbidden)
	if err := w.Desk.AnswerGrant(bg, leader, id, console.Answer{Digest: strings.Repeat("0", 64), PIN: townPIN, Yes: true}); !errors.Is(err, approval.ErrInvalid) {
		t.Errorf("signed what the page did not show: %v", err)
	}
	answer(leader, id, true, nil)
	answer(leader, id, true, console.ErrAnswered)
	says("opens")

	// The row alone opens nothing.
	w.rewritten(id, "level", `"level":1`, `"level":2`, func() { says("unsigned") })

	// Stopped at once by the security officer; lifted, then ended by the leader.
	for _, yes := range []bool{false, true} {
		if err := w.Desk.SuspendGrant(bg, clerk, id, "核查"); !errors.Is(err, grant.ErrForbidden) {
			t.Errorf("the clerk suspended: %v", err)
		}
		ok(t, w.Desk.SuspendGrant(bg, visitor(guard), id, "核查"))
		says("suspended")
		answer(visitor(guard), id, yes, console.ErrForbidden)
		answer(leader, id, yes, nil)
		says(map[bool]string{false: "opens", true: "none"}[yes])
	}

	// A deputy signs until the day that the leader named.
	ok(t, w.Desk.Delegate(bg, clerk, console.DelegationForm{Leader: o.leader.ID, Deputy: deputy.ID, Reason: "出差", Until: w.at}))
	list, err = w.Desk.Grants(bg, leader)
	ok(t, err)
	if len(list.Delegations) != 1 || !list.Delegations[0].MayAnswer {
		t.Fatalf("%+v", list.Delegations)
	}
	ok(t, w.Desk.AnswerDelegation(bg, leader, list.Delegations[0].ID, console.Answer{Digest: list.Delegations[0].Digest, PIN: townPIN, Yes: true}))
	id, err = w.Desk.ProposeGrant(bg, clerk, form)
	ok(t, err)
	answer(visitor(deputy), id, true, nil)
	says("opens")
	second, err := w.Desk.ProposeGrant(bg, clerk, form)
	ok(t, err)
	w.at = w.at.AddDate(0, 0, 2)
	answer(visitor(deputy), second, true, console.ErrForbidden)
	says("opens") // what was signed in time stands
	ok(t, w.Desk.WithdrawGrant(bg, clerk, second, "不再需要"))

	// An emergency: two persons at once, reviewed by leader and auditor.
	ok(t, w.Desk.SuspendGrant(bg, visitor(guard), id, "核查"))
	urgent := form
	urgent.Emergency, urgent.Hours, urgent.Need = true, 2*time.Hour, "突发火情核对住户"
	id, err = w.Desk.ProposeGrant(bg, clerk, urgent)
	ok(t, err)
	answer(leader, id, true, console.ErrForbidden)
	answer(visitor(guard), id, true, nil)
	says("under review")
	watch, err := w.Desk.Grants(bg, visitor(auditor))
	ok(t, err)
	if !watch.All || watch.MayPropose || len(watch.Reviews) != 1 || watch.Reviews[0].Overdue {
		t.Errorf("%+v", watch.Reviews)
	}
	w.at = watch.Reviews[0].Review.Due
	if watch, err = w.Desk.Grants(bg, visitor(auditor)); err != nil || !watch.Reviews[0].Overdue {
		t.Errorf("not flagged: %v", err)
	}
	says("period suspended")
	ok(t, w.Desk.AuditGrant(bg, visitor(auditor), id, "属实"))
	answer(leader, id, true, nil)
	if watch, err = w.Desk.Grants(bg, visitor(auditor)); err != nil || len(watch.Reviews) != 0 {
		t.Errorf("%+v, %v", watch.Reviews, err)
	}

	// Who leaves loses all of it the same day, on the register too.
	gone := w.certified(o.unit, identity.RoleClerk)
	mine := form
	mine.Person = gone.ID
	id, err = w.Desk.ProposeGrant(bg, clerk, mine)
	ok(t, err)
	answer(leader, id, true, nil)
	ok(t, w.PersonLeaves(bg, w.service(), gone.ID))
	if v, err := w.Desk.Grant(bg, leader, id); err != nil || v.State != grant.Ended {
		t.Errorf("%s, %v", v.State, err)
	}
}

// rewritten changes the stored terms of a grant behind the house's back, looks, and
// puts them back.
func (w *town) rewritten(id, what, old, by string, look func()) {
	w.t.Helper()
	swap := func(old, by string) {
		w.t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(w.cfg.Dir, fileStore))
		ok(w.t, err)
		defer func() { ok(w.t, db.Close()) }()
		res, err := db.Exec("UPDATE authz_grant SET body = REPLACE(body, ?, ?) WHERE id = ?", old, by, id)
		ok(w.t, err)
		if n, err := res.RowsAffected(); n != 1 || err != nil {
			w.t.Fatalf("%s: %d rows, %v", what, n, err)
		}
	}
	swap(old, by)
	look()
	swap(by, old)
}
