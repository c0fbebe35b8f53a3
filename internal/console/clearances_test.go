package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/workday"
	"github.com/yinxin-gov/yinxin/signer"
)

func clearanceOf() grading.Clearance {
	return grading.Clearance{
		System: "civil-a", Kind: grading.ClearanceAcceptance, Number: "验〔2026〕1号", Passed: true, On: workday.On(2026, time.June, 1), By: "样例信息办\u202e",
		Report: strings.Repeat("ab", 32), RecordedBy: "p-1", RecordedAt: at,
	}
}

func standingsOf() []grading.Standing {
	c, gone := clearanceOf(), clearanceOf()
	gone.WithdrawnAt, gone.WithdrawnBy, gone.Why = at, "p-1", "记错系统"
	return []grading.Standing{{Kind: grading.ClearanceAcceptance, Last: &c}, {Kind: grading.ClearanceReview, Last: &gone}, {Kind: grading.ClearanceReview}, {Kind: grading.ClearanceAcceptance, Dossier: true}}
}

func (d *deskOf) Clearances(_ context.Context, _ Person, system string) (ClearanceList, error) {
	out := ClearanceList{Systems: []Named{{"civil-a", "样例系统"}}, May: grading.ClearanceKinds()}
	if system == "civil-a" {
		out.System, out.Standings = out.Systems[0], standingsOf()
		out.Rows = []ClearanceLine{{Clearance: clearanceOf(), Recorder: "样例审核员", MayWithdraw: true}, {Clearance: *standingsOf()[1].Last, Recorder: "样例审核员", Withdrawer: "样例审核员"}}
	}
	return out, nil
}

func (d *deskOf) RecordClearance(_ context.Context, _ Person, c grading.Clearance) error {
	return d.act("record %s %s %s %v %s %s %s", c.System, c.Kind, c.Number, c.Passed, c.On, c.By, c.Report)
}

func (d *deskOf) WithdrawClearance(_ context.Context, _ Person, system string, kind grading.ClearanceKind, recorded time.Time, why string) error {
	return d.act("withdraw %s %s %v %s", system, kind, recorded.Equal(at), why)
}

// The report is read for its SM3; a record and its withdrawal say what the page showed.
func TestClearanceForms(t *testing.T) {
	h, d := newDesk(t)
	report := []byte("report")
	good := []string{"system", "civil-a", "kind", "security_review", "number", "审 1号", "result", "failed", "on", "2026-06-01", "by", "样例 单位"}
	send := func(data []byte, pairs ...string) (int, string) {
		d.acted = nil
		body, mediaType := parts(t, "report", "a.pdf", data, pairs...)
		return h.ask(http.MethodPost, "/console/clearances", mediaType, body).Code, strings.Join(d.acted, "; ")
	}
	if code, got := send(report, good...); code != http.StatusSeeOther || got != "record civil-a security_review 审 1号 false 2026-06-01 样例 单位 "+signer.Digest(report) {
		t.Errorf("%d %q", code, got)
	}
	for name, bad := range map[string][]string{"number": {"\u202e"}, "by": {" "}, "on": {"06/01/2026"}, "result": {"perhaps"}} {
		form := append([]string{}, good...)
		for i := 0; i < len(form); i += 2 {
			if form[i] == name {
				form[i+1] = bad[0]
			}
		}
		if code, got := send(report, form...); code != http.StatusBadRequest || got != "" {
			t.Errorf("%s: %d %q", name, code, got)
		}
	}
	if code, got := send(nil, good...); code != http.StatusBadRequest || got != "" {
		t.Errorf("no report: %d %q", code, got)
	}
	moment := ClearanceLine{Clearance: clearanceOf()}.Moment()
	for _, c := range []struct{ form, want string }{
		{"system=civil-a&kind=build_acceptance&recorded=" + moment + "&reason=a%0d%0ab", "withdraw civil-a build_acceptance true a b"},
		{"system=civil-a&kind=build_acceptance&recorded=" + moment, ""},
		{"system=civil-a&kind=build_acceptance&recorded=yesterday&reason=x", ""},
	} {
		d.acted = nil
		w := h.ask(http.MethodPost, "/console/clearances/withdraw", formType, c.form)
		if got := strings.Join(d.acted, "; "); got != c.want || (w.Code == http.StatusSeeOther) != (c.want != "") {
			t.Errorf("%s: %d %q", c.form, w.Code, got)
		}
	}
	page := h.ask(http.MethodGet, "/console/clearances?system=civil-a", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Count(page, "/console/clearances/withdraw") != 1 || !strings.Contains(page, "记错系统") {
		t.Error("the page of the records")
	}
	queue := h.ask(http.MethodGet, "/console/enrolments", "", "").Body.String()
	if !strings.Contains(queue, h.words.Get("clearance.missing").Zh) || !strings.Contains(queue, "验〔2026〕1号") {
		t.Error("the officer is not shown the records")
	}
}
