package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// 电子签名法 art. 19, 23, 24 on one house: its rules are published, its end is
// announced by two persons and bounds what is issued, and what is kept is purged
// by two persons years later.
func TestTheEndOfTheService(t *testing.T) {
	w := newTown(t, 0)
	own := identity.USCC(w.cfg.USCC)
	page := func(p identity.Person) console.Person { return console.Person{ID: p.ID, Unit: string(p.Agency)} }
	admin, clerk := w.certified(own, identity.RoleSystemAdmin), w.certified(own, identity.RoleClerk)
	r := chi.NewRouter()
	w.mountStatus(r)
	get := func(path, accept string) *httptest.ResponseRecorder {
		t.Helper()
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("Accept", accept)
		out := httptest.NewRecorder()
		r.ServeHTTP(out, req)
		if out.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, out.Code, out.Body)
		}
		return out
	}

	// The rules: no hole, what the house runs with, one version for one text.
	first := get("/pki/cps", "text/markdown").Body.String()
	for _, want := range []string{w.cfg.Organization, "第 1 版", "| sm2-sign |", w.Anchors(bg).SM2RootSM3, w.cfg.site().CPS} {
		if !strings.Contains(first, want) {
			t.Errorf("the statement does not say %q", want)
		}
	}
	if strings.Contains(first, "{{") {
		t.Errorf("a hole in the statement: %s", first)
	}
	html := get("/pki/cps?lang=en", "text/html").Body.String()
	if strings.Contains(html, "<script") || !strings.Contains(html, "Version 1,") || !strings.Contains(html, "<td>sm2-sign</td>") {
		t.Errorf("%.400s", html)
	}
	v, err := w.rooms.CA.CPS(bg)
	ok(t, err)
	if v.Number != 1 || len(v.SM3) != 64 {
		t.Errorf("%+v", v)
	}

	state := func() (out wire.Closing) {
		t.Helper()
		ok(t, json.Unmarshal(get(wire.PathClosing, "").Body.Bytes(), &out))
		return out
	}
	if state().Phase != "open" || w.Status(bg).Closing != nil {
		t.Errorf("%+v", state())
	}
	day := w.at.Add(100 * 24 * time.Hour).Truncate(time.Second)
	entry := closing.Act{Kind: closing.Announcement, Mode: closing.End, At: day, Reason: "机构撤并", Successor: "样例电子认证服务"}
	wantErr(t, w.Desk.ProposeClosing(bg, page(clerk), entry), closing.ErrForbidden)
	ok(t, w.Desk.ProposeClosing(bg, page(admin), entry))
	view, err := w.Desk.Closing(bg, page(w.officer))
	ok(t, err)
	line := view.Acts[0]
	answer := console.Answer{Digest: line.Sum, PIN: townPIN, Yes: true}
	wantErr(t, w.Desk.AnswerClosing(bg, page(admin), line.ID, answer), console.ErrForbidden)
	changed := answer
	changed.Digest = SM3Hex([]byte("another"))
	wantErr(t, w.Desk.AnswerClosing(bg, page(w.officer), line.ID, changed), approval.ErrInvalid)
	if state().Phase != "open" {
		t.Error("announced by one person")
	}
	ok(t, w.Desk.AnswerClosing(bg, page(w.officer), line.ID, answer))
	if now := state(); now.Phase != "closing" || !now.At.Equal(day) || now.Successor != entry.Successor || now.Announcement != line.Sum || w.Status(bg).Closing == nil {
		t.Errorf("%+v", now)
	}

	// Holders are told, and say that they know.
	view, err = w.Desk.Closing(bg, page(clerk))
	ok(t, err)
	if view.Mine != 1 || view.MayWrite || len(view.Acts) != 0 {
		t.Errorf("%+v", view)
	}
	ok(t, w.Desk.SeenClosing(bg, page(clerk)))
	view, err = w.Desk.Closing(bg, page(w.officer))
	ok(t, err)
	if view.Notices[closing.NoticeAcknowledged] != 1 || view.Notices[closing.NoticePending] == 0 {
		t.Errorf("%v", view.Notices)
	}

	// What is issued ends before the day; nothing is issued on it.
	late := w.certified(own, identity.RoleClerk)
	all, err := w.rooms.CA.CertificatesOfPerson(bg, late.ID)
	ok(t, err)
	crt, err := smx509.ParseCertificate(all[0].DER)
	ok(t, err)
	if !crt.NotAfter.Equal(day.Add(-time.Second)) {
		t.Errorf("a person's certificate until %s, the service ends %s", crt.NotAfter, day)
	}
	reported := closing.Act{Kind: closing.HandOver, Reason: "承接", Taker: "样例电子认证服务", Records: "证书库、注册资料、台账", Protocol: SM3Hex([]byte("协议")), Reported: w.at}
	ok(t, w.Desk.ProposeClosing(bg, page(w.officer), reported))
	view, err = w.Desk.Closing(bg, page(w.officer))
	ok(t, err)
	wantErr(t, w.Desk.AnswerClosing(bg, page(w.officer), view.Acts[0].ID, console.Answer{Digest: view.Acts[0].Sum, PIN: townPIN, Yes: true}), approval.ErrSelf)
	ok(t, w.Desk.DropClosing(bg, page(w.officer), view.Acts[0].ID))
	ok(t, w.Desk.ProposeClosing(bg, page(admin), reported))
	view, err = w.Desk.Closing(bg, page(w.officer))
	ok(t, err)
	ok(t, w.Desk.AnswerClosing(bg, page(w.officer), view.Acts[0].ID, console.Answer{Digest: view.Acts[0].Sum, PIN: townPIN, Yes: true}))

	w.at = day
	if state().Phase != "ended" {
		t.Errorf("%+v", state())
	}
	_, err = w.StepCA.ServerCertificate(bg, []string{"localhost"})
	wantErr(t, err, ca.ErrClosing)
	ok(t, w.CertStatus.BuildDue(bg))
	list, err := w.rooms.CA.PublishedCRL(bg, ca.IssuerID(w.anchors.sm2Issuing), "", false, 0)
	ok(t, err)
	end, err := w.rooms.CA.LastEnd(bg, ca.IssuerID(w.anchors.sm2Issuing))
	ok(t, err)
	if !list.NextUpdate.Equal(end) {
		t.Errorf("final list until %s, the last certificate ends %s", list.NextUpdate, end)
	}

	// Years later: by list, by two persons, not a second early.
	ref := retention.Ref{Class: retention.Person, ID: all[0].Issuer + ":" + all[0].Serial}
	w.at = all[0].NotAfter.AddDate(5, 0, 0).Add(-time.Second)
	_, _, err = w.Retention.Ask(bg, ledger.Actor{Kind: "person", ID: admin.ID, Unit: string(own)}, []retention.Ref{ref}, "到期")
	wantErr(t, err, retention.ErrEarly)
	w.at = w.at.Add(time.Second)
	_, _, err = w.Retention.Ask(bg, ledger.Actor{Kind: "person", ID: admin.ID, Unit: string(own)}, []retention.Ref{ref}, "到期")
	ok(t, err)
	acts, err := w.Retention.Acts(bg)
	ok(t, err)
	s := w.RetentionSubject(acts[0])
	if got, err := w.question(bg, s); err != nil || got != s {
		t.Errorf("the question of a purge: %+v, %v", got, err)
	}
	_, _, err = w.Retention.Settle(bg, ledger.Actor{Kind: "person", ID: w.officer.ID, Unit: string(own)}, acts[0].ID)
	wantErr(t, err, retention.ErrNotApproved)
}
