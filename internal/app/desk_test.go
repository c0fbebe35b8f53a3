package app

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// TestDesk walks the whole story with browsers: from an empty house to a sealed
// document in the hands of its clerk, and to a seal that nobody trusts any more.
func TestDesk(t *testing.T) {
	o := openBureau(t)
	o.makeSeal(t)
	t.Run("approved", func(t *testing.T) { approvedUse(t, o) })
	t.Run("refused", func(t *testing.T) { refusedUse(t, o) })
	t.Run("strangers", func(t *testing.T) { strangers(t, o) })
	t.Run("changed", func(t *testing.T) { changedDocument(t, o) })
	t.Run("batch", func(t *testing.T) { approvedBatch(t, o) })
	t.Run("batch refused", func(t *testing.T) { refusedBatch(t, o) })
	t.Run("interrupted", func(t *testing.T) { interruptedSealing(t, o) })
	t.Run("bounds", func(t *testing.T) { bounds(t, o) })
	t.Run("archived", func(t *testing.T) { archivedUse(t, o) })
	t.Run("imported", func(t *testing.T) { importedSeal(t, o) })
	t.Run("people", func(t *testing.T) { peoplePage(t, o) })
	t.Run("own", func(t *testing.T) { ownPage(t, o) })
	t.Run("life", func(t *testing.T) { endOfSeal(t, o) })
	for _, pin := range []string{o.leader.pin, o.clerk.pin, o.ra.pin, o.keeper.pin} {
		if strings.Contains(o.log.String(), pin) {
			t.Error("the log holds a PIN")
		}
	}
	if found := inClear(t, o.h.cfg.Dir, o.leader.pin, o.ra.pin); len(found) > 0 {
		t.Errorf("a PIN stands in %v", found)
	}
}

func approvedUse(t *testing.T, o *bureau) {
	doc := notice(t, "关于样例的通知")
	use := o.clerk.send("/console/uses", http.StatusSeeOther, "document", "../通知.ofd", doc, "seal", testSeal, "title", "关于样例的通知", "place", "keyword", "keyword", "样例区政务信息办公室")
	id := filepath.Base(use)
	if found := inClear(t, filepath.Join(o.h.cfg.Dir, dirBlobs), "OFD.xml", "PK\x03\x04", "通知.ofd"); len(found) > 0 {
		t.Errorf("the document stands in clear in %v", found)
	}
	// The same form again makes no second request; a place that is not there none at all.
	o.clerk.send("/console/uses", http.StatusConflict, "document", "b.ofd", doc, "seal", testSeal, "title", "x")
	o.clerk.send("/console/uses", http.StatusUnprocessableEntity, "document", "b.ofd", notice(t, "另一份"), "seal", testSeal, "title", "x", "place", "keyword", "keyword", "没有这几个字")
	o.clerk.post(use+"/seal", http.StatusConflict) // not approved yet
	if page := o.clerk.get(use, http.StatusOK); strings.Contains(page, `name="pin"`) {
		t.Error("the requester is asked for an answer")
	}
	page := o.leader.get(use, http.StatusOK)
	if !regexp.MustCompile(`→ 页 1 \([0-9.]+, [0-9.]+\) mm`).MatchString(page) {
		t.Error("the leader does not see where the text is on which the stamp will stand")
	}
	if !strings.Contains(page, signer.Digest(doc)) || !strings.Contains(page, "data:image/svg") || !strings.Contains(o.leader.get("/console/uses", http.StatusOK), use) {
		t.Error("the leader does not see what is to be approved")
	}
	if code, got, head := o.leader.do(http.MethodGet, use+"/document", "", nil); code != http.StatusOK || got != string(doc) || !strings.HasPrefix(head.Get("Content-Disposition"), "attachment") || strings.Contains(head.Get("Content-Disposition"), "..") {
		t.Errorf("the leader's copy: %d %v", code, head)
	}
	digest := o.leader.digest(page)
	o.leader.post(use+"/answer", http.StatusForbidden, "digest", digest, "pin", "not-the-pin", "answer", "yes")
	o.leader.post(use+"/answer", http.StatusConflict, "digest", strings.Repeat("0", 64), "pin", o.leader.pin, "answer", "yes")
	o.leader.post(use+"/answer", http.StatusBadRequest, "digest", digest, "pin", o.leader.pin, "answer", "perhaps")
	if u, err := o.h.Signer.Use(bg, id); err != nil || u.State != signer.UseRequested {
		t.Fatalf("moved by a form that was refused: %v %v", u.State, err)
	}
	o.leader.post(use+"/answer", http.StatusSeeOther, "digest", digest, "pin", o.leader.pin, "answer", "yes")
	o.leader.post(use+"/answer", http.StatusConflict, "digest", digest, "pin", o.leader.pin, "answer", "yes") // the form again
	o.leader.post(use+"/answer", http.StatusConflict, "digest", digest, "pin", o.leader.pin, "answer", "no", "reason", "改主意")
	o.leader.post(use+"/seal", http.StatusForbidden)
	o.clerk.get(use+"/sealed", http.StatusGone)
	o.clerk.post(use+"/seal", http.StatusSeeOther)
	o.clerk.post(use+"/seal", http.StatusGone)
	if page := o.clerk.get(use, http.StatusOK); !strings.Contains(page, `class="verdict valid"`) {
		t.Errorf("the clerk is not shown the verdict: %s", alert(page))
	}
	o.leader.get(use+"/sealed", http.StatusForbidden)
	for range 2 { // a download that broke off is repeated
		code, got, _ := o.clerk.do(http.MethodGet, use+"/sealed", "", nil)
		rep, err := o.h.Verify(bg, []byte(got))
		if code != http.StatusOK || err != nil || rep.Verdict != verify.Valid {
			t.Fatalf("the sealed document: %d %s %v", code, rep.Verdict, err)
		}
	}
	if got := drafts(t, o.h, id); !slices.Equal(got, []string{id + ".fetched"}) {
		t.Errorf("kept: %v", got)
	}
}

func refusedUse(t *testing.T, o *bureau) {
	use := o.ask(t, "不同意的文件")
	page := o.leader.get(use, http.StatusOK)
	o.leader.post(use+"/answer", http.StatusBadRequest, "digest", o.leader.digest(page), "pin", o.leader.pin, "answer", "no") // no reason
	o.leader.answers(use, use+"/answer", http.StatusSeeOther, false)
	if page := o.clerk.get(use, http.StatusOK); !strings.Contains(page, "不同意") || len(drafts(t, o.h, filepath.Base(use))) > 0 {
		t.Error("a refusal is not told, or its document is kept")
	}
	o.clerk.post(use+"/seal", http.StatusGone)
	o.clerk.get(use+"/document", http.StatusGone)
}

// strangers: another unit sees nothing, another post does nothing, and no form
// that is refused changes anything.
func strangers(t *testing.T, o *bureau) {
	use := o.ask(t, "别人的文件")
	id, seal := filepath.Base(use), "/console/seals/"+testSeal
	digest := o.leader.digest(o.leader.get(use, http.StatusOK))
	nobody := &counter{t: t, web: o.clerk.web, base: o.clerk.base}
	answer := []string{"digest", digest, "pin", o.other.pin, "answer", "yes"}
	for _, c := range []struct {
		name string
		who  *counter
		path string
		form []string // nil: a page
		want int
	}{
		{"another unit's leader, the request", o.other, use, nil, http.StatusNotFound},
		{"… its document", o.other, use + "/document", nil, http.StatusNotFound},
		{"… its answer", o.other, use + "/answer", answer, http.StatusNotFound},
		{"… its sealing", o.other, use + "/seal", []string{}, http.StatusNotFound},
		{"… its sealed document", o.other, use + "/sealed", nil, http.StatusNotFound},
		{"… the seal", o.other, seal, nil, http.StatusNotFound},
		{"… suspends it", o.other, seal + "/acts/suspend", []string{"reason", "x"}, http.StatusNotFound},
		{"the clerk answers", o.clerk, use + "/answer", []string{"digest", digest, "pin", o.clerk.pin, "answer", "yes"}, http.StatusForbidden},
		{"the clerk suspends", o.clerk, seal + "/acts/suspend", []string{"reason", "x"}, http.StatusForbidden},
		{"the clerk reports", o.clerk, seal + "/acts/compromise", []string{"reason", "x", "since", "2026-01-01T00:00"}, http.StatusForbidden},
		{"the leader files", o.leader, seal + "/acts/file", []string{}, http.StatusConflict},
		{"the leader settles by an act", o.leader, seal + "/acts/approve", []string{}, http.StatusBadRequest},
		{"the keeper looks at uses", o.keeper, "/console/uses", nil, http.StatusForbidden},
		{"… opens one", o.keeper, use, nil, http.StatusForbidden},
		{"… answers one", o.keeper, use + "/answer", answer, http.StatusForbidden},
		{"… certifies", o.keeper, "/console/certificates/seal-" + testSeal, answer, http.StatusForbidden},
		{"… registers people", o.keeper, "/console/people", []string{"name", "某人", "role", "unit_leader", "unit", o.h.cfg.USCC, "title", "x"}, http.StatusForbidden},
		{"the officer looks at seals", o.ra, "/console/seals", nil, http.StatusForbidden},
		{"the administrator asks for a seal", o.sysadmin, "/console/uses", nil, http.StatusForbidden},
		{"the administrator makes an auditor", o.sysadmin, "/console/people", []string{"name", "某人", "role", "auditor", "unit", o.h.cfg.USCC, "title", "x"}, http.StatusBadRequest},
		{"nobody, a page", nobody, "/console/uses", nil, http.StatusSeeOther},
		{"nobody, an answer", nobody, use + "/answer", answer, http.StatusSeeOther},
		{"an unknown notice", o.clerk, "/console/compromise/notices/none", []string{}, http.StatusNotFound},
		{"an unknown request", o.clerk, "/console/uses/..%2f..%2fyinxin", nil, http.StatusNotFound},
		{"an unknown order", o.ra, "/console/certificates/person-none", answer, http.StatusNotFound},
	} {
		before := o.h.Ledger.Head().Size
		if c.form == nil {
			c.who.get(c.path, c.want)
		} else {
			c.who.post(c.path, c.want, c.form...)
		}
		reads := uint64(0)
		if c.name == "the clerk answers" {
			reads = 1 // is shown the own request again
		}
		if after := o.h.Ledger.Head().Size; after != before+reads {
			t.Errorf("%s: left %d entries on the ledger", c.name, after-before)
		}
	}
	u, err := o.h.Signer.Use(bg, id)
	ok(t, err)
	e, err := o.h.Life.Seal(bg, testSeal)
	ok(t, err)
	if u.State != signer.UseRequested || e.State != signer.SealActive {
		t.Errorf("the request is %s, the seal %s", u.State, e.State)
	}
	// A post from another site: the browser says so.
	req, err := http.NewRequest(http.MethodPost, o.leader.base+use+"/answer", strings.NewReader(url.Values{"digest": {digest}, "pin": {o.leader.pin}, "answer": {"yes"}}.Encode()))
	ok(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.AddCookie(o.leader.cookie)
	r, err := o.leader.web.Do(req)
	ok(t, err)
	if body(t, r); r.StatusCode != http.StatusForbidden {
		t.Errorf("an answer from another site: %s", r.Status)
	}
}

// changedDocument: what is kept was exchanged. It can be refused, not approved.
func changedDocument(t *testing.T, o *bureau) {
	use := o.ask(t, "会被调换的文件")
	id := filepath.Base(use)
	digest := o.leader.digest(o.leader.get(use, http.StatusOK))
	other, err := os.ReadFile(draftFile(o.h, filepath.Base(o.ask(t, "调换的文件"))+".asked"))
	ok(t, err)
	p := draftFile(o.h, id+".asked")
	ok(t, os.WriteFile(p, other, 0o600))
	o.leader.post(use+"/answer", http.StatusConflict, "digest", digest, "pin", o.leader.pin, "answer", "yes")
	if page := o.leader.get(use, http.StatusOK); !strings.Contains(page, "与批准用印的不一致") || strings.Contains(page, "data:image/svg") {
		t.Error("the exchanged document is shown")
	}
	ok(t, os.WriteFile(p, []byte("no envelope"), 0o600))
	o.leader.get(use, http.StatusOK)
	o.leader.answers(use, use+"/answer", http.StatusSeeOther, false)
}

func bounds(t *testing.T, o *bureau) {
	many := []string{"seal", testSeal, "title", "x"}
	o.clerk.send("/console/uses", http.StatusBadRequest, "document", "a.ofd", nil, many...)
	o.clerk.send("/console/uses", http.StatusUnprocessableEntity, "document", "a.ofd", []byte("no document"), many...)
	o.clerk.send("/console/uses", http.StatusBadRequest, "document", "a.ofd", notice(t, "y"), "seal", testSeal, "title", "反\u202e转")
	o.clerk.send("/console/uses", http.StatusNotFound, "document", "a.ofd", notice(t, "y"), "seal", "99999999999999", "title", "x")
	o.clerk.send("/console/uses", http.StatusUnprocessableEntity, "document", "a.ofd", notice(t, "y"), "seal", testSeal, "title", "x", "consents", "no-such-consent")
	o.clerk.send("/console/uses", http.StatusBadRequest, "document", "a.ofd", notice(t, "y"), append(many, strings.Fields(strings.Repeat("a b ", 40))...)...)
	o.clerk.send("/console/seals", http.StatusBadRequest, "picture", "a.png", []byte("no picture"), "id", "11010000000002", "name", "x", "kind", "special", "purpose", "x", "picture_filing", "1")
	o.clerk.send("/console/seals", http.StatusConflict, "picture", "", nil, "id", "11010000000002", "name", "x", "kind", "special", "purpose", "x", "until", time.Now().AddDate(0, 6, 0).Format("2006-01-02"))
	o.clerk.send("/console/seals", http.StatusConflict, "picture", "", nil, "id", testSeal, "name", "x", "kind", "special", "purpose", "x")
	for _, name := range drafts(t, o.h, "") {
		if strings.HasSuffix(name, ".new") {
			t.Errorf("%s is left of a request that was refused", name)
		}
	}
}

func peoplePage(t *testing.T, o *bureau) {
	form := []string{"unit", o.h.cfg.USCC, "name", "样例新人", "role", "clerk", "title", "科员"}
	first := linkForm.FindString(o.sysadmin.post("/console/people", http.StatusOK, form...))
	again := linkForm.FindString(o.sysadmin.post("/console/people", http.StatusOK, form...)) // the form sent twice
	if n := strings.Count(o.sysadmin.get("/console/people", http.StatusOK), "样例新人"); first == "" || again == first || n != 1 {
		t.Errorf("%d persons", n)
	}
	o.sysadmin.post("/console/people", http.StatusConflict, "unit", o.h.cfg.USCC, "name", "样例新人", "role", "unit_leader", "title", "x")
	newcomer := sits(t, o.h, again, "pin-of-newcomer")
	o.sysadmin.post("/console/people", http.StatusConflict, form...)
	// Back another day, by number and PIN.
	number := numberForm.FindStringSubmatch(newcomer.get("/console/", http.StatusOK))[1]
	newcomer.post("/console/leave", http.StatusSeeOther)
	newcomer.get("/console/uses", http.StatusSeeOther)
	newcomer.post("/console/back", http.StatusForbidden, "person", number, "pin", "not-the-pin")
	newcomer.post("/console/back", http.StatusForbidden, "person", "nobody", "pin", newcomer.pin)
	newcomer.post("/console/back", http.StatusSeeOther, "person", number, "pin", newcomer.pin)
	// An officer who refuses a certificate.
	order := orderForm.FindStringSubmatch(o.ra.get("/console/certificates", http.StatusOK))
	o.ra.answers("/console/certificates", "/console/certificates/"+order[1], http.StatusSeeOther, false)
	if strings.Contains(o.ra.get("/console/certificates", http.StatusOK), order[1]) {
		t.Error("a refused certificate still waits")
	}
}

// endOfSeal: suspended at once, back with the leader's signature only, reported,
// never again.
func endOfSeal(t *testing.T, o *bureau) {
	at := "/console/seals/" + testSeal
	state := func(want signer.SealState) {
		t.Helper()
		if e, err := o.h.Life.Seal(bg, testSeal); err != nil || e.State != want {
			t.Errorf("the seal is %s, want %s (%v)", e.State, want, err)
		}
	}
	o.keeper.post(at+"/acts/suspend", http.StatusBadRequest) // no reason
	o.keeper.post(at+"/acts/suspend", http.StatusSeeOther, "reason", "遗失介质")
	state(signer.SealSuspended)
	o.clerk.send("/console/uses", http.StatusConflict, "document", "a.ofd", notice(t, "停用后"), "seal", testSeal, "title", "x")
	for _, yes := range []bool{false, true} {
		o.keeper.post(at+"/acts/ask", http.StatusSeeOther, "wanted", "resume", "reason", "已找回")
		o.keeper.post(at+"/acts/ask", http.StatusConflict, "wanted", "resume", "reason", "已找回")
		o.leader.answers(at, at+"/answer", http.StatusSeeOther, yes)
	}
	state(signer.SealActive)
	o.keeper.post(at+"/acts/ask", http.StatusBadRequest, "wanted", "authorise", "reason", "限制", "user", "nobody", "total", "1")
	o.keeper.post(at+"/acts/ask", http.StatusSeeOther, "wanted", "authorise", "reason", "限制", "total", "1")
	o.leader.answers(at, at+"/answer", http.StatusSeeOther, true)
	if e, err := o.h.Life.Seal(bg, testSeal); err != nil || e.Authorisation.Total != 1 {
		t.Errorf("%+v %v", e.Authorisation, err)
	}
	o.leader.post(at+"/acts/compromise", http.StatusBadRequest, "reason", "疑似泄露") // no moment
	o.leader.post(at+"/acts/compromise", http.StatusSeeOther, "reason", "疑似泄露", "since", time.Now().Add(-time.Hour).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02T15:04"))
	state(signer.SealSuspended)
	if page := o.leader.get("/console/compromise", http.StatusOK); !strings.Contains(page, "疑似泄露") || !strings.Contains(page, "已吊销") {
		t.Errorf("the report is not shown: %s", alert(page))
	}
	if page := o.other.get("/console/compromise", http.StatusOK); strings.Contains(page, "疑似泄露") {
		t.Error("a unit that did not rely on the key reads the report")
	}
	o.keeper.post(at+"/acts/ask", http.StatusConflict, "wanted", "resume", "reason", "没事了")
	o.keeper.post(at+"/acts/cancel", http.StatusSeeOther, "reason", "密钥失控")
	state(signer.SealCancelled)
	o.keeper.get(at, http.StatusOK)
}

// ownPage: a person sees posts and certificate, and changes the PIN.
func ownPage(t *testing.T, o *bureau) {
	page := o.leader.get("/console/me", http.StatusOK)
	number := numberForm.FindStringSubmatch(page)[1]
	person, err := o.h.rooms.Identity.Person(bg, number)
	ok(t, err)
	if !strings.Contains(page, signer.Digest(person.CertDER)) || !strings.Contains(page, "主管领导") || !strings.Contains(page, o.h.cfg.Organization) {
		t.Error("posts or certificate are not shown")
	}
	elsewhere := &counter{t: t, web: o.leader.web, base: o.leader.base, pin: o.leader.pin}
	cookie, _, err := o.h.Signin.Login(bg, number, o.leader.pin)
	ok(t, err)
	elsewhere.cookie = &http.Cookie{Name: o.leader.cookie.Name, Value: cookie}
	elsewhere.get("/console/me", http.StatusOK)
	const pin = "the-new-pin-of-the-leader"
	o.leader.post("/console/me/pin", http.StatusForbidden, "old", "not-the-pin", "pin", pin, "pin2", pin)
	o.leader.post("/console/me/pin", http.StatusBadRequest, "old", o.leader.pin, "pin", pin, "pin2", pin+"x")
	o.leader.post("/console/me/pin", http.StatusBadRequest, "old", o.leader.pin, "pin", "1234", "pin2", "1234")
	elsewhere.get("/console/me", http.StatusOK)
	if page := o.leader.post("/console/me/pin", http.StatusOK, "old", o.leader.pin, "pin", pin, "pin2", pin); !strings.Contains(page, "PIN 已更换") || strings.Contains(page, pin) {
		t.Error("the change is not told, or the PIN shown")
	}
	elsewhere.get("/console/me", http.StatusSeeOther)
	use := o.ask(t, "换 PIN 之后")
	o.leader.answers(use, use+"/answer", http.StatusForbidden, true) // by the old PIN
	o.leader.pin = pin
	o.leader.answers(use, use+"/answer", http.StatusSeeOther, true)
}
