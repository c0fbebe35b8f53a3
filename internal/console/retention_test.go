package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestRetentionPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/retention", "", "").Body.String()
	if strings.Contains(strings.ReplaceAll(page, `value="escrow:civil-a/p`+"\u202e", ""), "\u202e") || strings.Contains(page, "retention.") || strings.Count(page, "/answer") != 1 || strings.Count(page, "/lift") != 1 {
		t.Errorf("%s", page)
	}
	for path, bad := range map[string]string{
		"/console/retention": "item=x&reason=y", "/console/retention/holds": "scope=x&id=y&document=z&reason=r", "/console/retention/r-1/answer": "digest=ab&answer=yes",
	} {
		if w := h.ask(http.MethodPost, path, formType, bad); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", path, w.Code, d.acted)
		}
	}
	if w := h.ask(http.MethodPost, "/console/retention/holds", formType, "scope=all&id=y&document=z&reason=r"); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
		t.Errorf("a hold of everything with an id: %d", w.Code)
	}
	reason := "reason=" + url.QueryEscape("样例")
	for path, in := range map[string]string{
		"/console/retention": "item=escrow:civil-a/p&item=person:aa:bb&" + reason, "/console/retention/r-1/answer": "digest=ab&pin=x&answer=yes", "/console/retention/r-1/drop": "",
		"/console/retention/holds": "scope=system&id=civil-a&document=d&" + reason, "/console/retention/holds/h-1/lift": reason,
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	all := strings.Join(d.acted, "\n")
	for _, want := range []string{"purge [{escrow civil-a/p} {person aa:bb}] 样例", "answer r-1 true ab", "drop r-1", "hold  civil-a  d 样例", "lift h-1 样例"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %s", want, all)
		}
	}
}
