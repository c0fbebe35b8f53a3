package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/signer"
)

func (d *deskOf) consentOf() ConsentLine {
	return ConsentLine{Consent: sharing.Consent{
		ID: "c-1", Resource: "r-1", ResourceName: "低保名单\u202e", Provider: "11110100MB00000015", ProviderName: "样例区民政局", Consumer: "11110100MB00000023",
		Title: "年度报告", Purpose: "引用统计数", NotBefore: at, NotAfter: at.AddDate(0, 1, 0), Digest: strings.Repeat("ab", 32), AskedAt: at, State: sharing.ConsentAsked,
	}, State: sharing.ConsentAsked, ConsumerName: "样例街道", AskedWho: "样例经办人"}
}

func (d *deskOf) Consents(_ context.Context, _ Person, find string) (ConsentList, error) {
	l := ConsentList{MayAsk: true, More: true, Resources: []ResourceLine{{"r-1", "低保名单", "样例区民政局"}}}
	for _, s := range []sharing.ConsentState{sharing.ConsentAsked, sharing.ConsentGiven, sharing.ConsentRefused, sharing.ConsentWithdrawn, sharing.ConsentExpired} {
		c := d.consentOf()
		c.State = s
		l.Ours, l.Others = append(l.Ours, c), append(l.Others, c)
	}
	if find == "没有" {
		l.Resources = nil
	}
	return l, nil
}

func (d *deskOf) Consent(_ context.Context, _ Person, id string) (ConsentView, error) {
	if id != "c-1" {
		return ConsentView{}, sharing.ErrNotFound
	}
	return ConsentView{ConsentLine: d.consentOf(), Answer: &Answered{By: "样例领导", At: at, Yes: true}, MayAnswer: true, MayWithdraw: true}, nil
}

func (d *deskOf) AskConsent(_ context.Context, _ Person, f ConsentForm) (string, error) {
	return "c-1", d.act("ask %s %s %s %s %s %s", f.Resource, f.Title, f.Purpose, f.Document, f.From.Format(time.RFC3339), f.Until.Format(time.RFC3339))
}
func (d *deskOf) AnswerConsent(_ context.Context, _ Person, id string, a Answer) error {
	return d.act("consent %s %v", id, a.Yes)
}
func (d *deskOf) WithdrawConsent(_ context.Context, _ Person, id, reason string) error {
	return d.act("withdraw %s %s", id, reason)
}

// BJ17-19b: what the clerk asks for goes to the house as it was typed; of a
// document only its digest does.
func TestConsentForm(t *testing.T) {
	h, d := newDesk(t)
	fields := []string{"resource", "r-1", "title", " 年度  报告 ", "purpose", "引用统计数", "until", "2026-08-01"}
	doc := map[string]string{"document": "bytes"}
	for name, c := range map[string]struct {
		files  map[string]string
		fields []string
		code   int
		want   string
	}{
		"a series":     {nil, fields, http.StatusSeeOther, "ask r-1 年度 报告 引用统计数  0001-01-01T00:00:00Z 2026-08-01T00:00:00+08:00"},
		"one document": {doc, append(fields, "from", "2026-07-02"), http.StatusSeeOther, "ask r-1 年度 报告 引用统计数 " + signer.Digest([]byte("bytes")) + " 2026-07-02T00:00:00+08:00 2026-08-01T00:00:00+08:00"},
		"no end":       {nil, fields[:6], http.StatusBadRequest, ""},
		"no day":       {nil, append(fields[:6:6], "until", "bald"), http.StatusBadRequest, ""},
		"no title":     {nil, append([]string{"title", " "}, append(fields[:2:2], fields[4:]...)...), http.StatusBadRequest, ""},
		"a turned one": {nil, append([]string{"title", "a\u202eb"}, append(fields[:2:2], fields[4:]...)...), http.StatusBadRequest, ""},
	} {
		d.acted = nil
		body, mediaType := several(t, c.files, c.fields...)
		w := h.ask(http.MethodPost, "/console/consents", mediaType, body)
		if got := strings.Join(d.acted, "; "); w.Code != c.code || got != c.want {
			t.Errorf("%s: %d %q", name, w.Code, got)
		}
	}
	if w := h.ask(http.MethodGet, "/console/consents/other", "", ""); w.Code != http.StatusNotFound {
		t.Errorf("an unknown one: %d", w.Code)
	}
	for path, want := range map[string]string{
		"/console/consents?find=%E6%B2%A1%E6%9C%89": h.words.Get("desk.consent.no_resource").Zh, "/console/consents": h.words.Get("desk.consent.more").Zh,
		"/console/consents/c-1": "低保名单\uFFFD", "/console/uses": `type="checkbox" name="consents" value="c-1"`,
	} {
		if page := h.ask(http.MethodGet, path, "", "").Body.String(); !strings.Contains(page, want) || strings.Contains(page, "\u202e") {
			t.Errorf("%s does not show %s: %s", path, want, page)
		}
	}
	// Chosen on the form of a use, each by its own box.
	d.acted = nil
	body, mediaType := several(t, doc, "seal", "1", "title", "x", "consents", "c-1", "consents", "c-2")
	if h.ask(http.MethodPost, "/console/uses", mediaType, body); strings.Join(d.cited, " ") != "c-1 c-2" {
		t.Errorf("%v", d.cited)
	}
}
