package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAnchorsPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/anchors", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Contains(page, "anchor.") || !strings.Contains(page, "SHA-256") || strings.Count(page, "/withdraw") != 1 {
		t.Errorf("%s", page)
	}
	const pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
	good := url.Values{"service": {"样例机构"}, "licence": {"样例0001"}, "url": {"https://ca.example/"}, "from": {"2026-01-01"}, "until": {"2026-12-31"}, "certificate": {pem}, "reason": {"样例"}}
	for name, c := range map[string]struct{ field, value string }{
		"no service": {"service", ""}, "text that turns": {"licence", "样例\u202e"}, "no day": {"from", "昨天"}, "no certificate": {"certificate", "x"}, "two certificates": {"certificate", pem + pem}, "no reason": {"reason", " "},
	} {
		bad := url.Values{}
		for k, v := range good {
			bad[k] = v
		}
		bad.Set(c.field, c.value)
		if w := h.ask(http.MethodPost, "/console/anchors", formType, bad.Encode()); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", name, w.Code, d.acted)
		}
	}
	for path, in := range map[string]string{
		"/console/anchors": good.Encode(), "/console/anchors/t-1/answer": "digest=ab&pin=x&answer=yes", "/console/anchors/t-1/withdraw": "reason=" + url.QueryEscape("样例"),
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	all := strings.Join(d.acted, "\n")
	// Whole days in China, the last one too.
	for _, want := range []string{"anchor 样例机构 样例0001 https://ca.example/ 2025-12-31T16:00:00Z 2026-12-31T16:00:00Z 样例 3000", "answer t-1 true ab", "withdraw t-1 样例"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %s", want, all)
		}
	}
}
