package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestClosingPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/closing", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Contains(page, "closing.") || strings.Count(page, "/answer") != 1 || strings.Count(page, "/drop") != 1 || !strings.Contains(page, "/seen") {
		t.Errorf("%s", page)
	}
	for _, bad := range []string{"kind=announcement&mode=end&at=明天&reason=x", "kind=hand_over&reported=x", "kind=announcement&reason=" + url.QueryEscape("样例\u202e")} {
		if w := h.ask(http.MethodPost, "/console/closing", formType, bad); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", bad, w.Code, d.acted)
		}
	}
	for path, in := range map[string]string{
		"/console/closing": "kind=announcement&mode=end&at=2027-01-01&reason=" + url.QueryEscape("样例"), "/console/closing/e-2/answer": "digest=ab&pin=x&answer=yes",
		"/console/closing/e-2/drop": "", "/console/closing/seen": "",
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	all := strings.Join(d.acted, "\n")
	// A day begins at midnight in China.
	for _, want := range []string{"closing announcement end 2026-12-31T16:00:00Z 样例", "answer e-2 true ab", "drop e-2", "seen"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %s", want, all)
		}
	}
}
