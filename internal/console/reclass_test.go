package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/signer"
)

func (d *deskOf) Reclassified(_ context.Context, _ Person, find, after string) (ReclassList, error) {
	l := ReclassList{MayPropose: true, Resources: []LabelledResource{{"r-1", "低保名单", "L2/S2A1"}}}
	from, to := level.Label{Level: 3, RequiredS: 3, RequiredA: 3}, level.Label{Level: 2, RequiredS: 2, RequiredA: 2}
	for i, s := range []reclass.State{reclass.Proposed, reclass.InForce, reclass.Refused, reclass.Withdrawn, reclass.Raised, reclass.Disputed} {
		l.Acts = append(l.Acts, ReclassLine{
			Act:    reclass.Act{ID: "a-" + string(s), Resource: "r-1\u202e", From: from, To: to, Ground: "样例依据", Review: "密审-2", Due: at, AskedAt: at, Digest: strings.Repeat("ab", 32), State: s, EndReason: "有误"},
			Raises: i > 3, Asker: "样例经办人", Unit: "样例区民政局", Copies: 3, Done: 1, Late: 1, MayAnswer: true, MayWithdraw: true,
		})
	}
	n := reclass.Notice{ID: "a-1/h-1", Holding: "h-1", System: "civil-a", Kind: reclass.Relabel, Before: from, After: to, Due: at}
	l.Notices = []NoticeOfLabel{{n, true, true}}
	n.ID, n.Kind, n.DoneAt, n.Evidence, n.Note = "a-1/h-2", reclass.Remove, at, strings.Repeat("cd", 32), "已销毁"
	l.Notices = append(l.Notices, NoticeOfLabel{Notice: n})
	if l.Next = "r-1"; after != "" {
		l.Next, l.Resources[0].ID = "", "after "+after
	}
	if find == "没有" {
		l.Resources = nil
	}
	return l, nil
}

func (d *deskOf) Reclassify(_ context.Context, _ Person, f ReclassForm) error {
	return d.act("reclass %s %s %s %s %s", f.Resource, f.To, f.Ground, f.Review, f.Due.Format(time.RFC3339))
}
func (d *deskOf) AnswerReclass(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("reclass %s %v", id, a.Yes)
}
func (d *deskOf) WithdrawReclass(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}
func (d *deskOf) FollowedLabel(_ context.Context, _ Person, notice, evidence, note string) error {
	return d.act("followed %s %s %s", notice, evidence, note)
}

// X11-30: a label that is none never reaches the house.
func TestReclassForms(t *testing.T) {
	h, d := newDesk(t)
	base := "resource=r-1&level=2&s=2&a=1&tag=personal&ground=+a%0d%0ab&review=x&due=2026-08-01"
	for _, c := range []struct {
		path, form string
		code       int
		want       string
	}{
		{"", base, http.StatusSeeOther, "reclass r-1 L2/S2A1[personal] a b x 2026-08-01T00:00:00+08:00"},
		{"", strings.Replace(base, "level=2", "level=5", 1), http.StatusBadRequest, ""},
		{"", strings.Replace(base, "level=2", "level=2.0", 1), http.StatusBadRequest, ""},
		{"", strings.Replace(base, "s=2", "s=256", 1), http.StatusBadRequest, ""},
		{"", strings.Replace(base, "tag=personal", "tag=top_secret", 1), http.StatusBadRequest, ""},
		{"", strings.Replace(base, "ground=+a%0d%0ab", "ground=", 1), http.StatusBadRequest, ""},
		{"", strings.Replace(base, "&due=2026-08-01", "", 1), http.StatusBadRequest, ""},
		{"/a-1/answer", "pin=p&answer=yes", http.StatusSeeOther, "reclass a-1 true"},
		{"/a-1/withdraw", "reason=x", http.StatusSeeOther, "withdraw a-1 x"},
	} {
		d.acted = nil
		w := h.ask(http.MethodPost, "/console/reclass"+c.path, formType, c.form)
		if got := strings.Join(d.acted, "; "); w.Code != c.code || got != c.want {
			t.Errorf("%s %s: %d %q", c.path, c.form, w.Code, got)
		}
	}
	for name, c := range map[string]struct {
		files map[string]string
		code  int
		want  string
	}{
		"with a record": {map[string]string{"evidence": "proof"}, http.StatusSeeOther, "followed a-1/h-1 " + signer.Digest([]byte("proof")) + " 已销毁"},
		"without one":   {nil, http.StatusBadRequest, ""},
	} {
		d.acted = nil
		body, mediaType := several(t, c.files, "notice", "a-1/h-1", "reason", "已销毁")
		w := h.ask(http.MethodPost, "/console/reclass/notices", mediaType, body)
		if got := strings.Join(d.acted, "; "); w.Code != c.code || got != c.want {
			t.Errorf("%s: %d %q", name, w.Code, got)
		}
	}
	if page := h.ask(http.MethodGet, "/console/reclass?find=a%26b", "", "").Body.String(); !strings.Contains(page, `href="/console/reclass?find=a%26b&amp;after=r-1#new"`) {
		t.Error("no way on to the next resources")
	}
	if page := h.ask(http.MethodGet, "/console/reclass?after=r-1", "", "").Body.String(); !strings.Contains(page, `value="after r-1"`) || strings.Contains(page, "#new") {
		t.Error("not the page after it, or no end")
	}
	if page := h.ask(http.MethodGet, "/console/reclass?find=%E6%B2%A1%E6%9C%89", "", "").Body.String(); !strings.Contains(page, h.words.Get("desk.consent.no_resource").Zh) || strings.Contains(page, "\u202e") {
		t.Error("the page shows what a name hides, or no answer to a search")
	}
}
