package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// fixture is the fixture as its people wrote it.
func fixture(t *testing.T) domain.Bundle {
	t.Helper()
	b, err := domain.ReadFolder(os.DirFS("testdata/records"))
	ok(t, err)
	return b
}

// api calls as the owning system; out may be nil.
func (c certified) api(t *testing.T, method, path string, in, out any) (int, string) {
	t.Helper()
	raw, err := json.Marshal(in)
	ok(t, err)
	req, err := http.NewRequest(method, "https://"+c.cfg.Public+path, bytes.NewReader(raw))
	ok(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	ok(t, err)
	text := body(t, resp)
	if resp.StatusCode < 400 && out != nil {
		ok(t, json.Unmarshal([]byte(text), out))
	}
	return resp.StatusCode, text
}

// approved proposes a bundle by the API and has the leader sign it at the console.
func (c certified) approved(t *testing.T, b domain.Bundle, leader identity.Person) (v wire.DomainVersion) {
	t.Helper()
	if status, text := c.api(t, "POST", wire.PathDomains, b, &v); status != http.StatusCreated || v.State != "proposed" {
		t.Fatalf("%d %s", status, text)
	}
	c.answers(t, v, leader)
	return v
}

func (c certified) answers(t *testing.T, v wire.DomainVersion, leader identity.Person) {
	t.Helper()
	desk := c.sits(leader)
	if page := desk.get("/console/domains", http.StatusOK); !strings.Contains(page, "record") || !strings.Contains(page, v.Digest) {
		t.Errorf("the leader does not see what to sign: %s", page)
	}
	desk.post("/console/domains/"+v.ID+"/answer", http.StatusSeeOther, "digest", v.Digest, "pin", townPIN, "answer", "yes")
}

// TestApplicationDomains: X11-24a, an agency's own system decides by its own rules, from
// the proposal over its certificate to the replay of a decision, and every request of
// the AuthZEN certification scenario is answered by the running house.
func TestApplicationDomains(t *testing.T) {
	w := newKeyTown(t)
	dir, _, _ := w.enrolled("app")
	leader := w.certified(w.unit, identity.RoleUnitLeader)
	c := certified{w, w.holder(dir), dir}
	question := "{" + alice + "," + reads + "," + record1 + "}"
	if status, _ := c.ask(t, authzen.PathEvaluation, question); status != http.StatusForbidden {
		t.Fatalf("a type of nobody: %d", status)
	}
	first := c.approved(t, fixture(t), leader)
	t.Run("basic", c.basic)
	t.Run("batch", c.batch)
	t.Run("search", c.search)
	t.Run("paging", c.paging)
	t.Run("discovery", c.discovery)
	t.Run("replay", func(t *testing.T) { c.replays(t, question) })
	t.Run("desk", func(t *testing.T) { c.desks(t, leader) })
	t.Run("catalogue", c.coreFirst)
	t.Run("refused", c.refusedBundles)
	t.Run("life", func(t *testing.T) { c.life(t, first, leader, question) })
}

// newest is the newest entry of a type.
func (c certified) newest(t *testing.T, kind string) ledger.Entry {
	t.Helper()
	entries, err := c.store.Ledger().Entries(bg, 0, 0, c.Ledger.Head().Size)
	ok(t, err)
	for _, e := range slices.Backward(entries) {
		if ev, err := ledger.Decode(e.Body); err == nil && ev.Type == kind {
			return e
		}
	}
	t.Fatalf("no %s", kind)
	return ledger.Entry{}
}

// replays: the record of a domain's decision comes out again byte for byte, from the
// store alone.
func (c certified) replays(t *testing.T, question string) {
	for _, q := range []string{question, "{" + bob + "," + writes + "," + record1 + "}"} {
		status, out := c.ask(t, authzen.PathEvaluation, q)
		id, _ := out["context"].(map[string]any)["id"].(string)
		if status != 200 || id == "" {
			t.Fatalf("%d %v", status, out)
		}
		got, err := Replay(bg, c.cfg, id)
		ok(t, err)
		if !got.Same || len(got.Differs) != 0 || got.Decision.Allow != out["decision"] {
			t.Errorf("%+v", got)
		}
		ev, err := ledger.Decode(got.Recorded)
		ok(t, err)
		if ev.Actor.ID != "civil-a" || ev.Actor.Certificate == "" || ev.Details["subject"] == "" || ev.Details["domain"] != "records" {
			t.Errorf("%+v", ev)
		}
	}
}

// coreFirst: what the catalogue lists is the house's to decide about, whatever a domain
// says, from the moment at which it is listed.
func (c certified) coreFirst(t *testing.T) {
	_, _, err := c.Sharing.RegisterResource(bg, sharing.Resource{
		ID: "record-2", Name: "样例", Provider: c.unit, Label: level.Label{Level: 1, RequiredS: 1, RequiredA: 1}, ShareType: sharing.ShareUnconditional,
		Regime: sharing.RegimeBeijing2017, Items: []string{"x"}, SecrecyReview: "保审1",
	}, c.actor(c.admin))
	ok(t, err)
	body := "{" + alice + "," + reads + `,"resource":{"type":"record","id":"record-2"}}`
	if status, _ := c.ask(t, authzen.PathEvaluation, body); status != http.StatusForbidden { // user/alice is none of the house's subjects
		t.Errorf("the domain answered for the catalogue: %d", status)
	}
	status, out := c.ask(t, authzen.PathSearch+"resource", "{"+alice+","+reads+`,"resource":{"type":"record"}}`)
	if results, _ := out["results"].([]any); status != 200 || len(results) != 1 {
		t.Errorf("%d %v", status, out)
	}
	for _, kind := range []string{"resource", "holding", "system"} {
		b := fixture(t)
		b.Domain, b.Resources = "other", []string{kind}
		if status, text := c.api(t, "POST", wire.PathDomains, b, nil); status != http.StatusUnprocessableEntity || !strings.Contains(text, "domain.reserved") {
			t.Errorf("%s: %d %s", kind, status, text)
		}
	}
	if status, text := c.api(t, "POST", wire.PathDomains, fixture(t), nil); status != http.StatusUnprocessableEntity || !strings.Contains(text, "domain.reserved") {
		t.Errorf("an id of the catalogue in its data: %d %s", status, text)
	}
}

// desks: the unit's administrator proposes, its leader answers in the words that he saw,
// and nobody else does either; the house's auditor reads.
func (c certified) desks(t *testing.T, leader identity.Person) {
	person := func(p identity.Person) console.Person { return console.Person{ID: p.ID, Unit: string(p.Agency)} }
	elsewhere := c.certified(identity.USCC(c.cfg.USCC), identity.RoleUnitLeader)
	admin, lead, other, auditor := person(c.admin), person(leader), person(elsewhere), person(c.auditor)
	raw, err := fixture(t).Canonical()
	ok(t, err)
	for _, p := range []console.Person{lead, other, auditor} {
		wantErr(t, c.Desk.ProposeDomain(bg, p, raw), console.ErrForbidden)
	}
	ok(t, c.Desk.ProposeDomain(bg, admin, raw))
	first := func(p console.Person) console.DomainLine {
		t.Helper()
		list, err := c.Desk.Domains(bg, p)
		ok(t, err)
		return list.Versions[0]
	}
	v := first(lead)
	if v.State != domain.Proposed || !v.MayAnswer || len(v.Bundle.Modules) != 1 || v.AskedBy != c.admin.ID || v.Follows == "" {
		t.Fatalf("%+v", v)
	}
	if first(admin).MayAnswer || !first(admin).MayEnd || first(auditor).MayAnswer || first(auditor).MayEnd {
		t.Error("who may answer")
	}
	if list, err := c.Desk.Domains(bg, other); err != nil || len(list.Versions) != 0 || list.MayPropose {
		t.Errorf("another unit's leader sees %+v, %v", list, err)
	}
	_, err = c.Desk.Domains(bg, person(c.officer))
	wantErr(t, err, console.ErrForbidden)
	no := console.Answer{Digest: v.Digest, PIN: townPIN, Reason: "样例"}
	wantErr(t, c.Desk.AnswerDomain(bg, admin, v.ID, no), console.ErrForbidden)
	wantErr(t, c.Desk.AnswerDomain(bg, other, v.ID, no), domain.ErrNotFound)
	wantErr(t, c.Desk.WithdrawDomain(bg, other, v.ID, "样例"), domain.ErrNotFound)
	wantErr(t, c.Desk.AnswerDomain(bg, lead, v.ID, console.Answer{Digest: "00", PIN: townPIN, Yes: true}), approval.ErrInvalid)
	ok(t, c.Desk.AnswerDomain(bg, lead, v.ID, no))
	wantErr(t, c.Desk.AnswerDomain(bg, lead, v.ID, no), console.ErrAnswered)
	if v := first(lead); v.State != domain.Refused || v.MayRestore {
		t.Errorf("%+v", v)
	}
	wantErr(t, c.Desk.RestoreDomain(bg, admin, v.ID), domain.ErrState)
}

// refusedBundles: what the gate, the tests or the register refuse is told with file and
// line, and leaves nothing behind.
func (c certified) refusedBundles(t *testing.T) {
	other := func(edit func(*domain.Bundle)) domain.Bundle {
		b := fixture(t)
		b.Domain, b.Resources, b.Data = "other", []string{"file"}, nil
		b.Tests, b.Cases = nil, []domain.Case{{Name: "yes", Allow: true}, {Name: "no"}}
		for i := range b.Cases {
			b.Cases[i].Subject, b.Cases[i].Resource = domain.Entity{Type: "user", ID: "u"}, domain.Entity{Type: "file", ID: "f"}
			b.Cases[i].Action.Name = []string{"read", "write"}[i]
		}
		b.Modules = map[string]string{"a.rego": "package yinxin.app\n\ndefault allow := false\n\nallow if input.action.name == \"read\"\n"}
		edit(&b)
		return b
	}
	module := func(line string) func(*domain.Bundle) {
		return func(b *domain.Bundle) { b.Modules["a.rego"] += "\n" + line + "\n" }
	}
	before, err := c.Domains.Versions(bg, "")
	ok(t, err)
	for name, tc := range map[string]struct {
		bundle domain.Bundle
		status int
		want   string
	}{
		"http.send":           {other(module(`allow if http.send({"method": "get", "url": "http://127.0.0.1"})`)), 422, "a.rego:7"},
		"another's data":      {other(module(`allow if data.other.x`)), 422, "authz.gate.data"},
		"a loop":              {other(module("allow if {\n\tx := \"" + strings.Repeat("a,", 200) + "\"\n\ty := split(x, \",\")\n\tcount([1 | y[_]; y[_]; y[_]; y[_]; y[_]]) < 0\n}")), 422, "domain"},
		"a case that fails":   {other(func(b *domain.Bundle) { b.Cases[1].Allow = true; b.Cases[0].Allow = false }), 422, "domain.refused"},
		"no case that denies": {other(func(b *domain.Bundle) { b.Cases = b.Cases[:1] }), 422, "domain.invalid"},
		"allow is a text":     {other(func(b *domain.Bundle) { b.Modules["a.rego"] = "package yinxin.app\n\ndefault allow := \"true\"\n" }), 422, "neither true nor false"},
		"another system":      {other(func(b *domain.Bundle) { b.System = "somebody" }), 403, "domain.forbidden"},
		"a path for a name":   {other(func(b *domain.Bundle) { b.Modules["../a.rego"] = "" }), 422, "domain.invalid"},
		"a type of another":   {other(func(b *domain.Bundle) { b.Resources = []string{"file", "record"} }), 409, "domain.taken"},
	} {
		if status, text := c.api(t, "POST", wire.PathDomains, tc.bundle, nil); status != tc.status || !strings.Contains(text, tc.want) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, _ := c.api(t, "POST", wire.PathDomains, map[string]string{"domain": strings.Repeat("x", domain.MaxBundle)}, nil); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large bundle: %d", status)
	}
	after, err := c.Domains.Versions(bg, "")
	ok(t, err)
	if len(after) != len(before) {
		t.Errorf("%d versions, %d before", len(after), len(before))
	}
}

// life: a second version replaces the first, the first comes back by another signature,
// and a withdrawal acts at once.
func (c certified) life(t *testing.T, first wire.DomainVersion, leader identity.Person, question string) {
	b := fixture(t)
	b.Data = json.RawMessage(strings.ReplaceAll(string(b.Data), `"record-2"`, `"record-3"`))
	b.Modules["records.rego"] = strings.ReplaceAll(b.Modules["records.rego"], `input.action.name == "read"`, `input.action.name == "read"`+"\n\tinput.subject.id == \"bob\"")
	b.Tests, b.Cases = nil, b.Cases[1:2]
	b.Cases = append(b.Cases, domain.Case{Name: "bob reads", Allow: true, Subject: domain.Entity{Type: "user", ID: "bob"}, Resource: domain.Entity{Type: "record", ID: "record-1"}})
	b.Cases[1].Action.Name = "read"
	second := c.approved(t, b, leader)
	if status, out := c.ask(t, authzen.PathEvaluation, question); status != 200 || out["decision"] != false {
		t.Errorf("by the second version: %d %v", status, out)
	} else if codes := out["context"].(map[string]any)["reason_codes"]; !slices.Equal(codes.([]any), []any{domain.CodeDenied}) {
		t.Errorf("%v", codes)
	}
	if status, text := c.api(t, "POST", wire.PathDomains+"/"+first.ID+"/restoration", struct{}{}, nil); status != http.StatusUnprocessableEntity || !strings.Contains(text, "domain.reserved") {
		t.Errorf("a version that came into conflict with the catalogue came back: %d %s", status, text)
	}
	tlsRoot, sm2Root := c.Roots()
	own, err := agent.Open(agent.Config{URL: "https://" + c.cfg.Public, Dir: c.dir, TLSRoot: tlsRoot, SM2Root: sm2Root})
	ok(t, err)
	defer own.Close()
	all, err := own.Domains(bg)
	if err != nil || len(all) != 3 || all[2].State != "replaced" || all[0].State != "in_force" {
		t.Errorf("%+v", all)
	}
	if v, err := own.WithdrawDomain(bg, second.ID, "样例"); err != nil || v.State != "withdrawn" || v.Reason != "样例" {
		t.Errorf("%+v %v", v, err)
	}
	if status, _ := c.ask(t, authzen.PathEvaluation, question); status != http.StatusForbidden {
		t.Errorf("after its withdrawal: %d", status)
	}
	again, err := own.RestoreDomain(bg, second.ID)
	if err != nil || again.Digest != second.Digest || again.Restores != second.ID {
		t.Fatalf("%+v %v", again, err)
	}
	if status, _ := c.ask(t, authzen.PathEvaluation, question); status != http.StatusForbidden {
		t.Errorf("before the second signature: %d", status)
	}
	c.answers(t, again, leader)
	if status, out := c.ask(t, authzen.PathEvaluation, strings.Replace(question, "alice", "bob", 1)); status != 200 || out["decision"] != true {
		t.Errorf("restored: %d %v", status, out)
	}
	raw, err := own.DomainBundle(bg, again.ID)
	ok(t, err)
	if bundle, err := domain.Parse(raw); err != nil || bundle.Digest() != again.Digest {
		t.Errorf("%s %v", raw, err)
	}
	if ev, err := ledger.Decode(c.newest(t, "authz.domain.approved").Body); err != nil || ev.Payload != again.Digest || ev.Actor.ID != leader.ID || ev.Details["approval"] == "" {
		t.Errorf("%+v %v", ev, err)
	}
}
