package app

import (
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

const (
	raSystem = "civil-ra"
	raHost   = "civil.ra.internal"
)

var (
	enrolmentForm = regexp.MustCompile(`action="/console/(?:requests|enrolments)/([0-9a-f-]{36})/`)
	tokenForm     = regexp.MustCompile(`<pre tabindex="0">([A-Za-z0-9_-]{43})</pre>`)
)

// TestRegistration walks a request through its browsers: the agency's
// administrator, the leader who checks, the officer who approves, and the offices
// that record what the gate asks for.
func TestRegistration(t *testing.T) {
	o := openBureau(t)
	unit := identity.USCC(o.h.cfg.USCC)
	hire := func(name string, role identity.Role) (*counter, string) {
		page := o.sysadmin.post("/console/people", http.StatusOK, "unit", string(unit), "name", name, "role", string(role), "title", "样例")
		c := sits(t, o.h, linkForm.FindString(page), "pin-of-"+string(role))
		people, err := o.h.rooms.Identity.Holders(bg, unit, role)
		ok(t, err)
		return c, people[len(people)-1].ID
	}
	admin, adminID := hire("样例业务系统管理员", identity.RoleAgencySysadmin)
	office, _ := hire("样例信息办人员", identity.RoleInformationOffice)
	_, _, err := o.h.Identity.RegisterSystem(bg, identity.System{ID: raSystem, Name: "样例业务系统", Agency: unit, Hosts: []string{raHost}, Sample: true}, o.h.service())
	ok(t, err)

	ask := []string{"system", raSystem, "common_name", "样例业务系统", "host", raHost}
	admin.post("/console/requests", http.StatusUnprocessableEntity, append(ask, "host", "evil.example")...)
	o.ra.get("/console/requests", http.StatusForbidden)
	o.clerk.post("/console/requests", http.StatusForbidden, ask...)
	o.other.get("/console/enrolments", http.StatusForbidden)
	admin.post("/console/requests", http.StatusSeeOther, ask...)
	admin.post("/console/requests", http.StatusConflict, ask...) // open already
	id := enrolmentForm.FindStringSubmatch(admin.get("/console/requests", http.StatusOK))[1]

	e := "/console/enrolments/" + id
	evidence := func(who *counter, want int, pairs ...string) {
		t.Helper()
		who.send(e+"/check", want, "scan", "授权书.pdf", []byte("扫描件"), append([]string{"uscc_method", "register", "letter_method", "original", "handler_method", "original"}, pairs...)...)
	}
	evidence(o.leader, http.StatusBadRequest, "uscc", "11110102MB1234567M")
	evidence(o.clerk, http.StatusForbidden, "uscc", string(unit))
	evidence(o.leader, http.StatusSeeOther, "uscc", string(unit), "letter", "授权〔2026〕1号", "handler", "11010119900307001X")
	digest := o.ra.digest(o.ra.get("/console/enrolments", http.StatusOK))
	if page := o.leader.get("/console/enrolments", http.StatusOK); strings.Contains(page, `name="pin"`) {
		t.Error("the one who checked is asked to approve")
	}
	o.leader.post(e+"/answer", http.StatusForbidden, "digest", digest, "pin", o.leader.pin, "answer", "yes")

	// The gate: what it misses is recorded on its page, each kind by its office
	// (acceptance_ca_test.go has the clauses).
	refused := func() {
		t.Helper()
		o.ra.post(e+"/answer", http.StatusConflict, "digest", digest, "pin", o.ra.pin, "answer", "yes")
	}
	record := func(who *counter, want int, kind, on string) {
		t.Helper()
		who.send("/console/clearances", want, "report", "报告.pdf", []byte("报告"), "system", raSystem, "kind", kind, "number", "样例 1 号", "result", "passed", "on", on, "by", "样例单位")
	}
	today := workday.Of(o.h.now()).String()
	refused()
	o.clerk.get("/console/clearances", http.StatusForbidden)
	record(o.clerk, http.StatusForbidden, "build_acceptance", today)
	record(office, http.StatusForbidden, "build_acceptance", today)
	record(o.ra, http.StatusForbidden, "security_review", today)
	record(o.ra, http.StatusBadRequest, "build_acceptance", workday.Of(o.h.now().AddDate(0, 0, 2)).String())
	record(o.ra, http.StatusSeeOther, "build_acceptance", today)
	refused()
	record(office, http.StatusSeeOther, "security_review", today)
	refused() // ungraded
	page := office.get("/console/clearances?system="+raSystem, http.StatusOK)
	moment := regexp.MustCompile(`name="recorded" value="([^"]+)"`).FindStringSubmatch(page)
	if moment == nil {
		t.Fatal("the review cannot be withdrawn")
	}
	withdraw := []string{"system", raSystem, "kind", "security_review", "recorded", moment[1], "reason", "记错系统"}
	o.ra.post("/console/clearances/withdraw", http.StatusForbidden, withdraw...)
	office.post("/console/clearances/withdraw", http.StatusSeeOther, withdraw...)
	office.post("/console/clearances/withdraw", http.StatusConflict, withdraw...)
	if page := o.ra.get("/console/enrolments", http.StatusOK); !strings.Contains(page, "记错系统") {
		t.Error("the officer is not shown what is missing")
	}
	record(office, http.StatusSeeOther, "security_review", today)
	now := o.h.now()
	_, _, err = o.h.Grading.Register(bg, grading.Record{
		System: raSystem, Version: 1, Grade: level.Grade{S: 2, A: 2}, Reason: "样例定级", State: grading.StateSubmitted, BuildingUnit: unit, DecidedOn: now.AddDate(0, 0, -1), Sample: true,
	}, o.h.PersonActor(adminID, unit))
	ok(t, err)
	if until, err := o.h.gate.MayIssue(bg, raSystem, ca.PurposeProduction); err != nil || until.IsZero() || until.After(now.AddDate(0, 0, 60)) {
		t.Errorf("filed, not certified: until %s, %v", until, err)
	}

	o.ra.post(e+"/answer", http.StatusForbidden, "digest", digest, "pin", "not-the-pin", "answer", "yes")
	o.ra.post(e+"/answer", http.StatusConflict, "digest", strings.Repeat("0", 64), "pin", o.ra.pin, "answer", "yes")
	o.ra.post(e+"/answer", http.StatusSeeOther, "digest", digest, "pin", o.ra.pin, "answer", "yes")
	o.ra.post(e+"/refuse", http.StatusConflict, "reason", "改主意")
	r := "/console/requests/" + id
	o.ra.post(r+"/token", http.StatusForbidden)
	first := tokenForm.FindStringSubmatch(admin.post(r+"/token", http.StatusOK))
	second := tokenForm.FindStringSubmatch(admin.post(r+"/token", http.StatusOK))
	if first == nil || second == nil || first[1] == second[1] {
		t.Fatal("no token, or the same again")
	}
	if strings.Contains(admin.get("/console/requests", http.StatusOK), second[1]) {
		t.Error("the token is shown twice")
	}
	if _, err := o.h.CA.Authorize(bg, first[1]); !errors.Is(err, ca.ErrToken) {
		t.Errorf("the first token: %v", err)
	}
	_, err = o.h.CA.Authorize(bg, second[1])
	ok(t, err)

	t.Run("import", func(t *testing.T) { importRequests(t, o, admin, string(unit)) })
	for _, secret := range []string{second[1], "11010119900307001X"} {
		if found := inClear(t, o.h.cfg.Dir, secret); len(found) > 0 || strings.Contains(o.log.String(), secret) {
			t.Errorf("%.6s… stands in %v, or in the log", secret, found)
		}
	}
}

func importRequests(t *testing.T, o *bureau, admin *counter, unit string) {
	file := []byte("agency,system,common_name,organization,hosts,purpose\n" + unit + "," + raSystem + ",样例业务系统," + o.h.cfg.Organization + "," + raHost + ",test\n")
	before := o.h.Ledger.Head().Size
	admin.send("/console/requests/import", http.StatusOK, "file", "a.csv", file)
	if after := o.h.Ledger.Head().Size; after != before {
		t.Errorf("the dry run left %d entries", after-before)
	}
	admin.send("/console/requests/import", http.StatusUnprocessableEntity, "file", "a.csv", append(file, []byte(unit+",ghost,x,y,ghost.internal,\n")...), "confirm", "yes")
	for range 2 { // the second time adds nothing
		admin.send("/console/requests/import", http.StatusOK, "file", "a.csv", file, "confirm", "yes")
	}
	if after := o.h.Ledger.Head().Size; after != before+1 {
		t.Errorf("%d entries for one import and its repetition", after-before)
	}
	id := filepath.Base(enrolmentForm.FindStringSubmatch(admin.get("/console/requests", http.StatusOK))[1])
	admin.post("/console/requests/"+id+"/withdraw", http.StatusSeeOther)
	if r, err := o.h.RA.Request(bg, id); err != nil || r.State != ca.RequestWithdrawn || !r.Test() {
		t.Errorf("%+v, %v", r, err)
	}
}
