package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/domain"
)

func (d *deskOf) Domains(context.Context, Person) (DomainList, error) {
	asked := domain.Version{ID: "v-1", Domain: "assets", Name: "样例\u202e应用", Digest: "ab", System: "civil-a", Types: []string{"record"}, AskedBy: "p-1", AskedAt: at, State: domain.Proposed}
	over := asked
	over.ID, over.State, over.Approval, over.EndedBy, over.EndReason, over.EndedAt = "v-0", domain.Replaced, "a-1", "p-1", "样例", at
	return DomainList{MayPropose: true, Versions: []DomainLine{
		{Version: asked, Bundle: domain.Bundle{
			Actions: []string{"read"}, Subjects: []string{"user"}, Modules: map[string]string{"a.rego": "package yinxin.app\n# <b>\u202e"}, Cases: []domain.Case{{Name: "样例", Allow: true}},
		}, MayAnswer: true, MayEnd: true, By: "样例"},
		{Version: over, MayRestore: true},
	}}, nil
}

func (d *deskOf) ProposeDomain(_ context.Context, _ Person, bundle []byte) error {
	return d.act("propose %s", bundle)
}

func (d *deskOf) RestoreDomain(_ context.Context, _ Person, id string) error {
	return d.act("restore %s", id)
}

func (d *deskOf) AnswerDomain(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("domain %s %v %s", id, a.Yes, a.Digest)
}

func (d *deskOf) WithdrawDomain(_ context.Context, _ Person, id, reason string) error {
	return d.act("end %s %s", id, reason)
}

// A leader reads the very rules that he signs; what turns text is not shown.
func TestDomainsPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/domains", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Contains(page, "<b>") || strings.Contains(page, "domain.") || !strings.Contains(page, "package yinxin.app") ||
		strings.Count(page, "/answer") != 1 || strings.Count(page, "/withdraw") != 1 || strings.Count(page, "/restore") != 1 {
		t.Errorf("%s", page)
	}
	for path, in := range map[string]string{
		"/console/domains/v-1/answer": "digest=ab&pin=x&answer=yes", "/console/domains/v-0/restore": "", "/console/domains/v-1/withdraw": "reason=" + url.QueryEscape("样例"),
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	body, kind := form("bundle", "a.json", []byte("{}"))
	if w := h.ask(http.MethodPost, "/console/domains", kind, body.String()); w.Code != http.StatusSeeOther {
		t.Errorf("%d", w.Code)
	}
	body, kind = form("other", "a.json", []byte("{}"))
	if w := h.ask(http.MethodPost, "/console/domains", kind, body.String()); w.Code != http.StatusBadRequest {
		t.Errorf("no file: %d", w.Code)
	}
	all := strings.Join(d.acted, "\n")
	for _, want := range []string{"domain v-1 true ab", "restore v-0", "end v-1 样例", "propose {}"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %q", want, all)
		}
	}
}
