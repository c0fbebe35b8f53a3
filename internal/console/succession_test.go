package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestSuccessionPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/succession", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Contains(page, "succession.") || strings.Count(page, "/withdraw") != 1 || strings.Count(page, "/answer") != 1 || !strings.Contains(page, "SM3 ab") {
		t.Errorf("%s", page)
	}
	for name, in := range map[string][]string{"no reason": {"reason", " "}, "text that turns": {"reason", "a\u202eb"}, "no moment": {"reason", "a", "switch_at", "morgen"}} {
		body, media := parts(t, "made", "", nil, in...)
		if w := h.ask(http.MethodPost, "/console/succession", media, body); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", name, w.Code, d.acted)
		}
	}
	if w := h.ask(http.MethodPost, "/console/succession/x/answer", formType, "digest=ab&pin=x&answer=yes"); w.Code != http.StatusNotFound {
		t.Errorf("no number: %d", w.Code)
	}
	for path, in := range map[string]string{
		"/console/succession/2/answer":   "digest=ab&pin=x&answer=yes",
		"/console/succession/2/withdraw": "reason=" + url.QueryEscape("样例"),
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	body, media := parts(t, "made", "roots.json", []byte("{}"), "reason", "样例", "roots", "yes", "switch_at", "2026-06-02T08:00")
	if w := h.ask(http.MethodPost, "/console/succession", media, body); w.Code != http.StatusSeeOther {
		t.Errorf("prepare: %d", w.Code)
	}
	body, media = parts(t, "made", "roots.json", make([]byte, maxRoots+1), "reason", "样例", "roots", "yes")
	if w := h.ask(http.MethodPost, "/console/succession", media, body); w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", w.Code)
	}
	all := strings.Join(d.acted, "\n")
	for _, want := range []string{"prepare true 2026-06-02T00:00:00Z 样例 {}", "answer generation 2 true ab", "withdraw generation 2 样例"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %s", want, all)
		}
	}
}
