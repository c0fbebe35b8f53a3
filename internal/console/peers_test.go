package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPeersPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/peers", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Contains(page, "peer.") || strings.Count(page, "/withdraw") != 1 || strings.Count(page, "/list") != 1 || strings.Count(page, "/answer") != 1 {
		t.Errorf("%s", page)
	}
	const pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
	good := url.Values{
		"domain": {"city"}, "name": {"样例平台"}, "kind": {"city"}, "operator": {"110"}, "anchors": {pem + pem}, "hosts": {"city.example"}, "level": {"2"}, "actions": {"copy forward"},
		"purposes": {"p"}, "stale": {"24"}, "systems": {"sys-1 a.city.example 110 样例局 样例系统\r\n\r\n"}, "pairs": {pem + pem}, "from": {"2026-01-01"}, "until": {"2026-12-31"}, "reason": {"样例"},
	}
	for name, c := range map[string]struct{ field, value string }{
		"level": {"level", "x"}, "level of another size": {"level", "258"}, "no day": {"from", ""}, "text that turns": {"name", "样例\u202e"}, "hours": {"stale", "-1"},
		"a system without a unit": {"systems", "sys-1 a.city.example"}, "a system that turns": {"systems", "sys-1 a.city.example 110 样例\u202e 系统"}, "half a pair": {"pairs", pem}, "no pair": {"pairs", "x"},
	} {
		bad := url.Values{}
		for k, v := range good {
			bad[k] = v
		}
		bad.Set(c.field, c.value)
		if w := h.ask(http.MethodPost, "/console/peers", formType, bad.Encode()); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", name, w.Code, d.acted)
		}
	}
	for path, in := range map[string]string{
		"/console/peers": good.Encode(), "/console/peers/d-1/answer": "digest=ab&pin=x&answer=yes", "/console/peers/d-2/withdraw": "reason=" + url.QueryEscape("样例"),
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	body, kind := form("list", `C:\lists\a.crl`, []byte("crl"))
	if w := h.ask(http.MethodPost, "/console/peers/city/list", kind, body.String()); w.Code != http.StatusSeeOther {
		t.Errorf("list: %d", w.Code)
	}
	all := strings.Join(d.acted, "\n")
	for _, want := range []string{"peer city city 样例平台 2 24h0m0s 2025-12-31T16:00:00Z 2026-12-31T16:00:00Z [{sys-1 样例系统 a.city.example 110 样例局 0\x00 0\x00}] 2", "answer d-1 true ab", "withdraw d-2 样例", "list city a.crl crl"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %q", want, all)
		}
	}
}
