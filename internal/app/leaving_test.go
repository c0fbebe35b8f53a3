package app

import (
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/signer"
)

var numberForm = regexp.MustCompile(`<dd class="mono">([0-9a-f-]{36})</dd>`)

// Design §1: a leaver's grants and keys end the same day. A clerk who holds a
// certificate, a session, a key under a PIN and an open request leaves; after the
// one click none of it is there, and everybody else has what he had.
func TestALeaversGrantsAndKeysEndTheSameDay(t *testing.T) {
	o := openBureau(t)
	o.makeSeal(t)
	h := o.h
	who := func(c *counter) string { return numberForm.FindStringSubmatch(c.get("/console/", http.StatusOK))[1] }
	clerk, admin, leader := who(o.clerk), who(o.sysadmin), who(o.leader)
	use := filepath.Base(o.clerk.send("/console/uses", http.StatusSeeOther, "document", "a.ofd", notice(t, "离岗之前"), "seal", testSeal, "title", "离岗之前"))
	before, err := h.rooms.Identity.Person(bg, clerk)
	ok(t, err)
	if len(before.CertDER) == 0 {
		t.Fatal("the clerk has no certificate")
	}
	left := "/console/people/" + clerk + "/left"
	for name, c := range map[string]struct {
		who  *counter
		path string
		want int
		sure string
	}{
		"a leader":              {o.leader, left, http.StatusForbidden, "yes"},
		"the clerk himself":     {o.clerk, left, http.StatusForbidden, "yes"},
		"not confirmed":         {o.sysadmin, left, http.StatusBadRequest, ""},
		"the administrator":     {o.sysadmin, "/console/people/" + admin + "/left", http.StatusForbidden, "yes"},
		"nobody":                {o.sysadmin, "/console/people/nobody/left", http.StatusNotFound, "yes"},
		"a post of nobody":      {o.sysadmin, "/console/people/nobody/posts/none/end", http.StatusNotFound, "yes"},
		"a post, by the leader": {o.leader, "/console/people/" + clerk + "/posts/none/end", http.StatusForbidden, "yes"},
	} {
		t.Run(name, func(t *testing.T) { c.who.post(c.path, c.want, "unit", h.cfg.USCC, "sure", c.sure) })
	}
	o.clerk.get("/console/uses", http.StatusOK) // nothing of that took effect
	o.sysadmin.post(left, http.StatusSeeOther, "unit", h.cfg.USCC, "sure", "yes")

	o.clerk.get("/console/uses", http.StatusSeeOther) // the session
	o.clerk.post("/console/back", http.StatusForbidden, "person", clerk, "pin", o.clerk.pin)
	if holds, err := h.holds(bg, clerk, identity.USCC(h.cfg.USCC), identity.RoleClerk); holds || err != nil {
		t.Errorf("the post: %v, %v", holds, err)
	}
	certs, err := h.rooms.CA.CertificatesOfPerson(bg, clerk)
	if err != nil || len(certs) != 1 || certs[0].State != ca.StateRevoked || certs[0].Reason != ca.ReasonAffiliationChanged {
		t.Errorf("the certificate: %+v, %v", certs, err)
	}
	if _, err := h.custody.people.Open(bg, personKey(clerk), o.clerk.pin); !errors.Is(err, keys.ErrDestroyed) {
		t.Errorf("the key: %v", err)
	}
	if _, _, err := h.Signin.Open(bg, clerk, o.clerk.pin); !errors.Is(err, signin.ErrPIN) {
		t.Errorf("the PIN: %v", err)
	}
	if _, err := h.PersonOrder(bg, clerk); !errors.Is(err, identity.ErrLeft) {
		t.Errorf("another certificate: %v", err)
	}
	if u, err := h.Signer.Use(bg, use); err != nil || u.State != signer.UseLapsed {
		t.Errorf("the open request: %s, %v", u.State, err)
	}
	o.leader.get("/console/uses", http.StatusOK)
	if p, err := h.rooms.Identity.Person(bg, leader); err != nil || !p.LeftAt.IsZero() {
		t.Errorf("the leader: %v, %v", p.LeftAt, err)
	}
	page := o.sysadmin.get("/console/people", http.StatusOK)
	if !strings.Contains(page, "已离岗") || strings.Contains(page, left) {
		t.Error("the page does not show who has left")
	}
	o.sysadmin.post(left, http.StatusConflict, "unit", h.cfg.USCC, "sure", "yes")

	size := h.Ledger.Head().Size
	ok(t, h.endLeavers(bg)) // nothing is left to end
	if now := h.Ledger.Head().Size; now != size {
		t.Errorf("%d events about a leaver who has nothing", now-size)
	}
	o.threeHoldEachOther(t, who)
}

// 三员分立: the posts of the three are filled and ended by another of them, never by
// the system administrator, and the last holder stays until somebody follows.
func (o *bureau) threeHoldEachOther(t *testing.T, who func(*counter) string) {
	t.Helper()
	own := o.h.cfg.USCC
	security := sits(t, o.h, o.links[identity.RoleSecurityOfficer], "pin-of-security")
	auditor := sits(t, o.h, o.links[identity.RoleAuditor], "pin-of-auditor")
	leave := func(by, whom *counter, want int, says string) {
		t.Helper()
		page := by.post("/console/people/"+who(whom)+"/left", want, "unit", own, "sure", "yes")
		if !strings.Contains(page, says) {
			t.Errorf("%d, but not why: %s", want, alert(page))
		}
	}
	leave(o.sysadmin, auditor, http.StatusForbidden, "三员分立")
	leave(o.sysadmin, security, http.StatusForbidden, "三员分立")
	leave(auditor, o.sysadmin, http.StatusForbidden, "三员分立")
	leave(security, o.leader, http.StatusForbidden, "")
	leave(security, auditor, http.StatusConflict, "请先任命继任者")
	leave(security, o.sysadmin, http.StatusConflict, "请先任命继任者")
	security.post("/console/people", http.StatusBadRequest, "unit", own, "name", "样例", "role", "clerk", "title", "样例")
	security.post("/console/people", http.StatusBadRequest, "unit", o.unit, "name", "样例", "role", "auditor", "title", "样例")
	o.sysadmin.post("/console/people", http.StatusBadRequest, "unit", own, "name", "样例", "role", "auditor", "title", "样例")
	page := security.post("/console/people", http.StatusOK, "unit", own, "name", "样例继任审计员", "role", "auditor", "title", "样例")
	next := sits(t, o.h, linkForm.FindString(page), "pin-of-the-next")
	leave(security, auditor, http.StatusConflict, "请先任命继任者") // no certificate yet
	for range 3 {
		order := orderForm.FindStringSubmatch(o.ra.get("/console/certificates", http.StatusOK))
		if order == nil {
			t.Fatal("no certificate waits")
		}
		o.ra.answers("/console/certificates", "/console/certificates/"+order[1], http.StatusSeeOther, true)
	}
	left := who(auditor)
	leave(security, auditor, http.StatusSeeOther, "")
	if p, err := o.h.rooms.Identity.Person(bg, left); err != nil || p.LeftAt.IsZero() {
		t.Errorf("the auditor is still there: %v", err)
	}
	leave(security, next, http.StatusConflict, "请先任命继任者")
	leave(next, security, http.StatusConflict, "请先任命继任者")
}

// A system that nobody uses is warned, then held as a pair, and its resumption by
// two officers stands (issue 4, stale systems).
func TestAnUnusedSystemIsWarnedThenHeld(t *testing.T) {
	w := newTown(t, 0)
	own := identity.USCC(w.cfg.USCC)
	_, _, err := w.Identity.RegisterSystem(bg, identity.System{ID: "civil-x", Name: "样例系统", Agency: own, Hosts: []string{"x.gov.internal"}}, w.service())
	ok(t, err)
	sign, enc := w.paired("civil-x")
	start := w.at
	round := func(days, warned, held int) {
		t.Helper()
		w.at = start.AddDate(0, 0, days)
		done, err := w.Idle.Round(bg)
		if err != nil || len(done.Warned) != warned || len(done.Held) != held {
			t.Errorf("day %d: %+v, %v", days, done, err)
		}
	}
	round(80, 0, 0)
	w.used(bg, "civil-x")
	round(91, 0, 0)
	round(170, 1, 0)
	round(199, 0, 0)
	round(200, 0, 1)
	for _, c := range []ca.Certificate{sign, enc} {
		if now, err := w.CA.Status(bg, c.Issuer, c.Serial); err != nil || now.State != ca.StateHold {
			t.Errorf("%s is %s, %v", c.Kind, now.State, err)
		}
	}
	round(201, 0, 0)
	holds, err := w.rooms.CA.SuspensionsOf(bg, "civil-x")
	if err != nil || len(holds) != 1 || holds[0].HeldBy != "yinxin" {
		t.Fatalf("%+v, %v", holds, err)
	}
	second := w.certified(own, identity.RoleRAOfficer)
	x, _, err := w.CA.AskResume(bg, w.actor(w.officer), holds[0].ID, "恢复使用")
	ok(t, err)
	if _, _, err := w.CA.Resume(bg, w.actor(w.officer), x.ID); !errors.Is(err, ca.ErrNotApproved) && !errors.Is(err, ca.ErrSelf) {
		t.Errorf("resumed by one person: %v", err)
	}
	w.sign(approval.Subject{Kind: approval.KindCertificate, ID: x.Question(), Digest: ca.ResumptionDigest(x), Unit: own, Requester: w.officer.ID}, second, true)
	_, _, err = w.CA.Resume(bg, w.actor(second), x.ID)
	ok(t, err)
	round(202, 0, 0) // not held again the next day
}

// An act that broke off after its first commit is finished by the next start.
func TestALeaverIsFinishedAfterACrash(t *testing.T) {
	w := newTown(t, 1)
	p := w.certified(w.units[0].unit, identity.RoleUnitLeader)
	_, _, err := w.Identity.Leave(bg, p.ID, w.service())
	ok(t, err)
	ok(t, w.endLeavers(bg))
	if certs, err := w.rooms.CA.CertificatesOfPerson(bg, p.ID); err != nil || len(certs) != 1 || certs[0].State != ca.StateRevoked {
		t.Errorf("%+v, %v", certs, err)
	}
	if rec, err := w.custody.dir.Record(bg, personKey(p.ID)); err != nil || rec.DestroyedAt.IsZero() {
		t.Errorf("%+v, %v", rec, err)
	}
}
