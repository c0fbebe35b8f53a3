package demo

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// 西政办发〔2011〕8号 art. 24: a person opens information by a post and by a grant with
// its need and its end, which counts from the signature of the own unit's leader
// in charge; requester and approver are two; what stops it acts at once.
func TestX11_24a_X11_24b_GrantsOfPersons(t *testing.T) {
	d := demo(t)
	w, a := d.walk, d.walk.agencies[unitA]
	guard := joins(t, d, identity.RoleSecurityOfficer)
	holder, clerk, leader := a.clerk.ID, visits(a.clerk), visits(a.leader)
	form := console.GrantForm{
		Person: holder, Role: string(identity.RoleClerk), Need: "样例：低保复核", Acts: []level.Act{level.Read}, Purposes: []string{purposeAssist},
		Resources: []string{resNotice}, Systems: []string{a.system.ID}, Level: 3, Until: w.now().AddDate(0, 1, 0),
	}
	says := func(name, code string, more ...any) decided {
		t.Helper()
		return decides(t, d, map[string]asking{name: {act: authz.ActionRead, person: holder, res: resNotice, facts: assist(append([]any{"target_system", a.system.ID}, more...)...), code: code}})[name]
	}
	says("a post alone", "E30_grant.none")
	for name, change := range map[string]func(*console.GrantForm){
		"without need":           func(f *console.GrantForm) { f.Need = " " },
		"without end":            func(f *console.GrantForm) { f.Until = time.Time{} },
		"of no duty":             func(f *console.GrantForm) { f.Purposes = []string{"marketing"} },
		"of a post not held":     func(f *console.GrantForm) { f.Role = string(identity.RoleUnitLeader) },
		"for an administrator":   func(f *console.GrantForm) { f.Person, f.Role = guard.ID, string(identity.RoleSecurityOfficer) },
		"for another unit's":     func(f *console.GrantForm) { f.Person = w.agencies[unitB].clerk.ID },
		"in a post that is none": func(f *console.GrantForm) { f.Role = "friend" },
	} {
		f := form
		change(&f)
		if id, err := w.house.Desk.ProposeGrant(bg, clerk, f); err == nil {
			t.Errorf("proposed %s: %s", name, id)
		}
	}
	id, err := w.house.Desk.ProposeGrant(bg, visits(a.sysadmin), form)
	ok(t, err)
	says("proposed", "E30_grant.unsigned")
	sign := func(p person, yes bool) error {
		v, err := w.house.Desk.Grant(bg, leader, id)
		ok(t, err)
		return w.house.Desk.AnswerGrant(bg, visits(p), id, console.Answer{Digest: v.Sum, PIN: p.pin, Yes: yes, Reason: map[bool]string{false: "样例"}[yes]})
	}
	for _, p := range []person{a.sysadmin, a.clerk, w.agencies[unitB].leader, w.agencies[office].leader, guard, w.ra} {
		if err := sign(p, true); err == nil {
			t.Errorf("%s of %s signed", p.Name, p.Agency)
		}
	}
	says("signed by everybody else", "E30_grant.unsigned")
	ok(t, sign(a.leader, true))
	got := map[string]decided{
		"signed":        says("signed", ""),
		"another act":   decides(t, d, map[string]asking{"copy": {act: authz.ActionCopy, person: holder, res: resNotice, facts: assist("target_system", a.system.ID), code: "E30_grant.none"}})["copy"],
		"another one's": decides(t, d, map[string]asking{"leader": {act: authz.ActionRead, person: a.leader.ID, res: resNotice, facts: assist("target_system", a.system.ID), code: "E30_grant.none"}})["leader"],
	}
	if g := got["signed"].Event.Details["grants"]; g != id {
		t.Errorf("the record rests on grant %q, want %s", g, id)
	}
	replays(t, d, got)

	// What an auditor repeats: who approved, with which key, holding which post then.
	v, err := w.house.Desk.Grant(bg, leader, id)
	ok(t, err)
	said, err := w.house.Approvals.Verified(bg, approval.KindGrant, id, v.Digest)
	if err != nil || said.Approver != a.leader.ID || said.Approver == said.Subject.Requester || said.Subject.Unit != a.unit.USCC {
		t.Errorf("approved by %s at the request of %s: %v", said.Approver, said.Subject.Requester, err)
	}
	if v.Need == "" || v.Until.IsZero() {
		t.Errorf("in force without need or end: %+v", v.Grant)
	}

	if err := w.house.Desk.SuspendGrant(bg, clerk, id, "样例"); !errors.Is(err, grant.ErrForbidden) {
		t.Errorf("suspended by a clerk: %v", err)
	}
	ok(t, w.house.Desk.SuspendGrant(bg, visits(guard), id, "样例：核查"))
	says("suspended at once", "E30_grant.suspended")
	if err := sign(guard, true); err == nil {
		t.Error("the officer who suspended ended it")
	}
	ok(t, sign(a.leader, true))
	says("ended by the leader", "E30_grant.none")

	var kinds []string
	for _, ev := range recorded(t, d) {
		if ev.Object.ID == id && strings.HasPrefix(ev.Type, "authz.grant.") {
			kinds = append(kinds, strings.TrimPrefix(ev.Type, "authz.grant."))
		}
	}
	slices.Sort(kinds)
	if want := []string{"ended", "proposed", "signed", "suspended"}; !slices.Equal(kinds, want) {
		t.Errorf("on the ledger: %v, want %v", kinds, want)
	}
}

// 西政办发〔2014〕14号 art. 29: break-glass is signed by a second person, lasts hours,
// binds to a review, and stands in a list until leader and auditor have looked.
func TestX14_29_BreakGlassIsSignedAndReviewed(t *testing.T) {
	d := demo(t)
	w, a := d.walk, d.walk.agencies[unitA]
	guard, auditor := joins(t, d, identity.RoleSecurityOfficer), joins(t, d, identity.RoleAuditor)
	form := console.GrantForm{
		Person: a.clerk.ID, Role: string(identity.RoleClerk), Need: "样例：突发火情核对住户", Acts: []level.Act{level.Read}, Purposes: []string{purposeAssist},
		Resources: []string{resNotice}, Systems: []string{a.system.ID}, Level: 3, Emergency: true, Hours: 2 * time.Hour,
	}
	long := form
	long.Hours = 30 * 24 * time.Hour
	if _, err := w.house.Desk.ProposeGrant(bg, visits(a.clerk), long); err == nil {
		t.Error("an emergency of a month")
	}
	id, err := w.house.Desk.ProposeGrant(bg, visits(a.clerk), form)
	ok(t, err)
	read := asking{act: authz.ActionRead, person: a.clerk.ID, res: resNotice, facts: assist("target_system", a.system.ID)}
	before := read
	before.code = "E30_grant.unsigned"
	decides(t, d, map[string]asking{"by one person": before})
	answer := func(p person) error {
		v, err := w.house.Desk.Grant(bg, visits(a.leader), id)
		ok(t, err)
		return w.house.Desk.AnswerGrant(bg, visits(p), id, console.Answer{Digest: v.Sum, PIN: p.pin, Yes: true})
	}
	if err := answer(a.clerk); err == nil {
		t.Error("who asked signed")
	}
	ok(t, answer(guard))
	got := decides(t, d, map[string]asking{"by two": read})["by two"]
	if !strings.HasPrefix(got.obliged(authz.ObligeReview), id+" ") {
		t.Errorf("not bound to a review: %v", got.Obligations)
	}
	waiting := func() bool {
		t.Helper()
		list, err := w.house.Desk.Grants(bg, visits(auditor))
		ok(t, err)
		return slices.ContainsFunc(list.Reviews, func(l console.GrantLine) bool { return l.ID == id })
	}
	if !waiting() {
		t.Error("it does not wait for a review")
	}
	ok(t, w.house.Desk.AuditGrant(bg, visits(auditor), id, "样例：属实"))
	if !waiting() {
		t.Error("the auditor alone reviewed it")
	}
	ok(t, answer(a.leader))
	if waiting() {
		t.Error("it still waits")
	}
}

// joins is a further person of the house with a key and a certificate.
func joins(t *testing.T, d *running, role identity.Role) person {
	t.Helper()
	p, err := d.walk.member(bg, d.walk.agencies[office], role, "样例"+string(role))
	ok(t, err)
	_, err = d.walk.certify(bg, p.ID)
	ok(t, err)
	return p
}

func visits(p person) console.Person {
	return console.Person{ID: p.ID, Unit: string(p.Agency)}
}
