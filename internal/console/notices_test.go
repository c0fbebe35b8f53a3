package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestNoticesPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/notices", "", "").Body.String()
	for _, bad := range []string{"\u202e", "notify.page", "notify.kind", "notify.state", "notify.severity", "whsec_"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q stands on the page", bad)
		}
	}
	for _, want := range []string{"https://hook.example/in", "answered 503", "answered 422", "/c-1/test", "/c-1/pause", "/c-2/resume", "/c-2/remove", "/c-1/retry", "7 天"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	good := url.Values{"name": {"样例"}, "address": {"https://hook.example/in"}, "severity": {"warning"}, "kind": {"certificate.held", "certificate.revoked"}, "unit": {"u-1"}, "roots": {"PEM"}}
	for name, c := range map[string]struct{ field, value string }{
		"no name": {"name", " "}, "a name that turns": {"name", "a\u202eb"}, "no address": {"address", ""}, "an unknown severity": {"severity", "x"},
	} {
		bad := url.Values{}
		for k, v := range good {
			bad[k] = v
		}
		bad.Set(c.field, c.value)
		if w := h.ask(http.MethodPost, "/console/notices", formType, bad.Encode()); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", name, w.Code, d.acted)
		}
	}
	// The secret is on the answer to the form, and on no other page.
	w := h.ask(http.MethodPost, "/console/notices", formType, good.Encode())
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "whsec_eA==") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	good.Set("address", "tls://log.example:6514")
	posts := map[string]string{
		"/console/notices": good.Encode(), "/console/notices/c-1/test": "", "/console/notices/c-1/pause": "", "/console/notices/c-1/resume": "", "/console/notices/c-1/remove": "", "/console/notices/c-1/retry": "notice=n-1",
	}
	for path, in := range posts {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := h.ask(http.MethodPost, "/console/notices/c-1/explode", formType, ""); w.Code != http.StatusBadRequest {
		t.Errorf("an unknown act: %d", w.Code)
	}
	for _, want := range []string{
		"channel 样例 webhook https://hook.example/in u-1 [certificate.held certificate.revoked] warning 3", "channel 样例 syslog tls://log.example:6514 u-1 [certificate.held certificate.revoked] warning 3",
		"test c-1", "move c-1 paused", "move c-1 active", "move c-1 removed", "retry c-1 n-1",
	} {
		if !slices.Contains(d.acted, want) {
			t.Errorf("%q is missing in %q", want, d.acted)
		}
	}
}
