package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// 西政办发〔2014〕14号 art. 13: a unit that has not named section and person who
// answer for shared information seals no agreement; such units are listed to
// whoever fills the posts. 京政发〔2017〕37号 art. 32: so are those without a first
// responsible person.
func TestX14_13_BJ17_32_NobodyNamedNoAgreement(t *testing.T) {
	w := newTown(t, 3)
	provider, consumer, office := w.units[0], w.units[1], w.units[2]
	w.resource("res-1", provider)
	a, err := sharing.Draft(sharing.Agreement{
		ID: "agr-1", Resource: "res-1", Provider: provider.unit, Consumer: consumer.unit, Office: office.unit, Purposes: []string{"assist"},
		Fields: []string{"x"}, NotBefore: w.at, NotAfter: w.at.AddDate(1, 0, 0), Sample: true,
	})
	ok(t, err)
	w.sign(AgreementSubject(a, consumer.unit, consumer.clerk.ID), consumer.leader, true)

	own := identity.USCC(w.cfg.USCC)
	admin := console.Person{ID: w.person(own, identity.RoleSystemAdmin).ID, Unit: w.cfg.USCC}
	contact, first := w.words.Get("role.sharing_contact").Zh, w.words.Get("role.first_responsible").Zh
	lacking := func(role string) (units []string) {
		t.Helper()
		list, err := w.Desk.Staff(bg, admin, "")
		ok(t, err)
		for _, l := range list.Lacks {
			for _, u := range l.Units {
				if l.Role == role {
					units = append(units, u.ID)
				}
			}
		}
		return units
	}
	// The town's units have named somebody, the house has not; nobody has a first.
	if got := lacking(contact); !slices.Equal(got, []string{w.cfg.USCC}) {
		t.Errorf("without a contact: %v", got)
	}
	if got := lacking(first); len(got) != 4 {
		t.Errorf("without a first responsible person: %v", got)
	}
	post := w.postOf(consumer.clerk, identity.RoleSharingContact)
	if post.Title != "样例信息科" {
		t.Errorf("the section is %q", post.Title)
	}
	ok(t, w.Desk.EndPost(bg, admin, consumer.clerk.ID, post.ID))
	w.at = w.at.Add(time.Second)
	if got := lacking(contact); !slices.Contains(got, string(consumer.unit)) {
		t.Errorf("after the end of the post: %v", got)
	}
	before := w.Ledger.Head().Size
	_, err = w.SealAgreement(bg, w.actor(consumer.clerk), a, consumer.seal)
	wantErr(t, err, identity.ErrNoContact)
	if n := w.Ledger.Head().Size - before; n != 0 {
		t.Errorf("the refusal left %d entries of a use of seal", n)
	}

	// The page names one of the unit's own people, with the section, without a link.
	form := console.PostForm{Name: consumer.leader.Name, Unit: string(consumer.unit), Role: string(identity.RoleSharingContact), Title: "样例综合科"}
	if _, err := w.Desk.Hire(bg, w.as(consumer.leader), form); !errors.Is(err, console.ErrForbidden) {
		t.Errorf("named by the leader: %v", err)
	}
	for _, role := range []identity.Role{identity.RoleSharingContact, identity.RoleFirstResponsible} {
		form.Role = string(role)
		made, err := w.Desk.Hire(bg, admin, form)
		if err != nil || made.URL != "" {
			t.Errorf("%s: %+v, %v", role, made, err)
		}
		if _, err := w.Desk.Hire(bg, admin, form); !errors.Is(err, console.ErrRepeated) {
			t.Errorf("%s, named twice: %v", role, err)
		}
	}
	if got := w.postOf(consumer.leader, identity.RoleSharingContact); got.Title != "样例综合科" {
		t.Errorf("named as %+v", got)
	}
	if got := append(lacking(contact), lacking(first)...); slices.Contains(got, string(consumer.unit)) {
		t.Errorf("still listed: %v", got)
	}
	w.at = w.at.Add(time.Second)
	s, err := w.SealAgreement(bg, w.actor(consumer.clerk), a, consumer.seal)
	ok(t, err)
	_, err = sharing.AddSeal(a, s)
	ok(t, err)
}

func (w *town) as(p identity.Person) console.Person {
	return console.Person{ID: p.ID, Unit: string(p.Agency)}
}

// postOf is the term of that role that a person holds now.
func (w *town) postOf(p identity.Person, role identity.Role) identity.Post {
	w.t.Helper()
	all, err := w.rooms.Identity.PostsOf(bg, p.ID)
	ok(w.t, err)
	for _, post := range all {
		if post.Role == role && post.HeldAt(w.at) {
			return post
		}
	}
	w.t.Fatalf("%s holds no post of %s", p.Name, role)
	return identity.Post{}
}

// 京办发〔2005〕17号 sec. 3: supervision (监察) is of a unit of its own, reads what the
// auditor reads, and writes nothing: whatever form of the console it sends is
// refused, it signs nothing and holds no other post.
func TestBJ05_3a_SupervisionOnlyReads(t *testing.T) {
	w := newTown(t, 1)
	unit := w.units[0].unit
	p := w.certified(unit, identity.RoleSupervision)
	handler, err := w.handler()
	ok(t, err)
	cookie := w.enters(handler, p)
	send := func(method, path, form string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "https://"+w.cfg.Public+path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(cookie)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec
	}
	for _, path := range []string{"/console/", "/console/ledger", "/console/history", "/console/expiring", "/console/statistics"} {
		if rec := send(http.MethodGet, path, ""); rec.Code != http.StatusOK {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}

	// Signing in, the own PIN, having read of the service's end, and what only reads
	// (sheets, a document that it brings itself) change nothing of the house's.
	own := []string{
		"/console/enter", "/console/back", "/console/leave", "/console/me/pin", "/console/closing/seen", "/console/verify", "/console/verify/page",
		"/console/expiring/export", "/console/history/export", "/console/statistics/export",
	}
	before, tried := w.Ledger.Head().Size, 0
	err = chi.Walk(handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method == http.MethodGet || !strings.HasPrefix(route, "/console/") || slices.Contains(own, route) || strings.HasSuffix(route, "*") {
			return nil
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(route)
		if rec := send(method, path, "pin="+townPIN+"&answer=yes&sure=yes&digest="+strings.Repeat("0", 64)); rec.Code != http.StatusForbidden {
			t.Errorf("%s %s: %d", method, path, rec.Code)
		}
		tried++
		return nil
	})
	ok(t, err)
	if n := w.Ledger.Head().Size - before; tried < 40 || n != 0 {
		t.Errorf("%d forms were tried, %d entries written", tried, n)
	}

	for _, kind := range []approval.Kind{
		approval.KindSealUse, approval.KindSeal, approval.KindCertificate, approval.KindGrant, approval.KindAgreement, approval.KindRelabel, approval.KindRegrade, approval.KindCitation,
		approval.KindAnchor, approval.KindClosing, approval.KindPurge, approval.KindAuthority, approval.KindPeer, approval.KindRecovery, approval.KindJudicial,
	} {
		s := approval.Subject{Kind: kind, ID: "x", Digest: strings.Repeat("0", 64), Unit: unit, Requester: w.units[0].clerk.ID}
		if _, _, err := w.Approve(bg, s, p.ID, townPIN, true, ""); err == nil {
			t.Errorf("signed a %s", kind)
		}
	}
	for _, role := range []identity.Role{identity.RoleClerk, identity.RoleUnitLeader, identity.RoleAuditor, identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleRAOfficer} {
		_, _, err := w.Identity.AssignPost(bg, identity.Post{Person: p.ID, Agency: unit, Role: role, Title: "x", From: w.at}, w.service())
		if !errors.Is(err, identity.ErrIncompatible) {
			t.Errorf("%s beside supervision: %v", role, err)
		}
	}
	// That it looked is on the ledger.
	all, err := w.store.Ledger().Entries(bg, 0, 0, w.Ledger.Head().Size)
	ok(t, err)
	seen := false
	for _, e := range all {
		ev, err := ledger.Decode(e.Body)
		ok(t, err)
		seen = seen || ev.Type == "console.ledger.read" && ev.Actor.ID == p.ID
	}
	if !seen {
		t.Error("the reading is not recorded")
	}
}

// enters signs a person in with number and PIN and returns the session's cookie.
func (w *town) enters(handler http.Handler, p identity.Person) *http.Cookie {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://"+w.cfg.Public+"/console/back", strings.NewReader(url.Values{"person": {p.ID}, "pin": {townPIN}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusSeeOther || len(rec.Result().Cookies()) == 0 {
		w.t.Fatalf("sign-in: %d", rec.Code)
	}
	return rec.Result().Cookies()[0]
}
