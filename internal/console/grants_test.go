package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
)

func (d *deskOf) grantOf() GrantLine {
	return GrantLine{Grant: grant.Grant{
		ID: "g-1", Unit: "11110100MB00000015", Person: "p-2", Role: identity.RoleClerk, Need: "低保复核\u202e", Actions: []level.Act{level.Read}, Purposes: []string{"relief"},
		Resources: []string{"r-1"}, Providers: []identity.USCC{"11110100MB00000023"}, Systems: []string{"civil-a"}, Level: 3, From: at, Until: at.AddDate(0, 1, 0),
		Emergency: true, Replaces: "g-0", Requester: "p-3", AskedAt: at, Digest: strings.Repeat("ab", 32), Approval: "ap-1", SettledAt: at, Suspensions: 1,
		Suspension: grant.Suspension{By: "p-7", Reason: "核查", At: at}, EndedAt: at, EndReason: "完成", Review: grant.Review{Due: at, At: at, Found: true, AuditAt: at, Note: "属实"},
	}, State: grant.Proposed, UnitName: "样例区民政局", Holder: "样例经办人", Asker: "样例管理员", Overdue: true}
}

func (d *deskOf) Grants(context.Context, Person) (GrantList, error) {
	l := GrantList{
		MayPropose: true, People: []Named{{"p-2", "样例经办人"}}, Leaders: []Named{{"p-5", "样例领导"}}, Systems: []Named{{"civil-a", "系统"}}, Roles: []string{"clerk"},
		Acts: []string{"read", "copy"}, Purposes: []string{"relief"}, Reviews: []GrantLine{d.grantOf()},
		Delegations: []DelegationLine{{Delegation: grant.Delegation{ID: "d-1", Reason: "出差", From: at, Until: at, Digest: strings.Repeat("cd", 32), EndedAt: at, EndReason: "返回"}, State: grant.InForce, LeaderName: "样例领导", DeputyName: "样例副职", MayAnswer: true, MayEnd: true}},
	}
	for _, s := range []grant.State{grant.Proposed, grant.InForce, grant.Refused, grant.Withdrawn, grant.Suspended, grant.Ended, grant.Replaced, grant.Expired} {
		g := d.grantOf()
		g.State = s
		l.Lines = append(l.Lines, g)
	}
	return l, nil
}

func (d *deskOf) Grant(_ context.Context, _ Person, id string) (GrantView, error) {
	if id != "g-1" {
		return GrantView{}, grant.ErrNotFound
	}
	return GrantView{GrantLine: d.grantOf(), Asks: "review", Sum: strings.Repeat("ef", 32), MayAnswer: true, MaySuspend: true, MayWithdraw: true, MayAudit: true}, nil
}

func (d *deskOf) ProposeGrant(_ context.Context, _ Person, f GrantForm) (string, error) {
	return "g-1", d.act("grant %s %s %s %v %v %v %v %v L%d %s %s %v %s %s", f.Person, f.Role, f.Need, f.Acts, f.Purposes, f.Resources, f.Providers, f.Systems, f.Level,
		f.From.Format(time.RFC3339), f.Until.Format(time.RFC3339), f.Emergency, f.Hours, f.Replaces)
}
func (d *deskOf) AnswerGrant(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("grant %s %v %s", id, a.Yes, a.Digest)
}
func (d *deskOf) SuspendGrant(_ context.Context, _ Person, id, reason string) error {
	return d.act("suspend %s %s", id, reason)
}
func (d *deskOf) WithdrawGrant(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}
func (d *deskOf) AuditGrant(_ context.Context, _ Person, id, note string) error {
	return d.act("audit %s %s", id, note)
}
func (d *deskOf) Delegate(_ context.Context, _ Person, f DelegationForm) error {
	return d.act("delegate %s %s %s %s", f.Leader, f.Deputy, f.Reason, f.Until.Format(time.RFC3339))
}
func (d *deskOf) AnswerDelegation(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("delegation %s %v", id, a.Yes)
}
func (d *deskOf) EndDelegation(_ context.Context, _ Person, id, reason string) error {
	return d.act("end %s %s", id, reason)
}

// X11-24: what is proposed, signed and stopped goes to the house as it was typed.
func TestGrantForms(t *testing.T) {
	h, d := newDesk(t)
	base := "person=p-2&role=clerk&need=+a%0d%0ab&act=read&act=copy&purpose=relief&resources=r-1++r-2&providers=11110100MB00000023&system=civil-a&level=3"
	for _, c := range []struct {
		path, form string
		code       int
		want       string
	}{
		{"", base + "&until=2026-08-01", http.StatusSeeOther, "grant p-2 clerk a b [read copy] [relief] [r-1 r-2] [11110100MB00000023] [civil-a] L3 0001-01-01T00:00:00Z 2026-08-01T00:00:00+08:00 false 0s "},
		{"", base + "&emergency=yes&hours=4&replaces=g-0", http.StatusSeeOther, "grant p-2 clerk a b [read copy] [relief] [r-1 r-2] [11110100MB00000023] [civil-a] L3 0001-01-01T00:00:00Z 0001-01-01T00:00:00Z true 4h0m0s g-0"},
		{"", base, http.StatusBadRequest, ""},
		{"", base + "&emergency=yes", http.StatusBadRequest, ""},
		{"", base + "&emergency=yes&hours=999", http.StatusBadRequest, ""},
		{"", strings.Replace(base, "level=3", "level=x", 1) + "&until=2026-08-01", http.StatusBadRequest, ""},
		{"", strings.Replace(base, "need=+a%0d%0ab", "need=+", 1) + "&until=2026-08-01", http.StatusBadRequest, ""},
		{"", strings.Replace(base, "need=+a%0d%0ab", "need=a%E2%80%AEb", 1) + "&until=2026-08-01", http.StatusBadRequest, ""},
		{"/g-1/answer", "pin=p&answer=yes&digest=x", http.StatusSeeOther, "grant g-1 true x"},
		{"/g-1/answer", "answer=yes&digest=x", http.StatusBadRequest, ""},
		{"/g-1/suspend", "reason=a%0d%0ab", http.StatusSeeOther, "suspend g-1 a b"},
		{"/g-1/suspend", "reason=", http.StatusBadRequest, ""},
		{"/g-1/withdraw", "reason=x", http.StatusSeeOther, "withdraw g-1 x"},
		{"/g-1/audit", "reason=x", http.StatusSeeOther, "audit g-1 x"},
		{"/delegations", "leader=p-5&deputy=p-6&reason=x&until=2026-08-01", http.StatusSeeOther, "delegate p-5 p-6 x 2026-08-01T00:00:00+08:00"},
		{"/delegations", "leader=p-5&deputy=p-6&reason=x", http.StatusBadRequest, ""},
		{"/delegations", "leader=p-5&deputy=p-6&until=2026-08-01", http.StatusBadRequest, ""},
		{"/delegations/d-1/answer", "pin=p&answer=no", http.StatusSeeOther, "delegation d-1 false"},
		{"/delegations/d-1/end", "reason=x", http.StatusSeeOther, "end d-1 x"},
	} {
		d.acted = nil
		w := h.ask(http.MethodPost, "/console/grants"+c.path, formType, c.form)
		if got := strings.Join(d.acted, "; "); w.Code != c.code || got != c.want {
			t.Errorf("%s %s: %d %q", c.path, c.form, w.Code, got)
		}
	}
	if w := h.ask(http.MethodGet, "/console/grants/other", "", ""); w.Code != http.StatusNotFound {
		t.Errorf("an unknown one: %d", w.Code)
	}
	for path, want := range map[string]string{"/console/grants": h.words.Get("grant.overdue").Zh, "/console/grants/g-1": "低保复核\uFFFD"} {
		if page := h.ask(http.MethodGet, path, "", "").Body.String(); !strings.Contains(page, want) || strings.Contains(page, "\u202e") || strings.Contains(page, "grant.state.") {
			t.Errorf("%s does not show %s", path, want)
		}
	}
}
