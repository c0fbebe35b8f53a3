package console

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestRoutesPage(t *testing.T) {
	h, d := newDesk(t)
	page := h.ask(http.MethodGet, "/console/routes", "", "").Body.String()
	if strings.Contains(page, "\u202e") || strings.Contains(page, "route.") || strings.Count(page, "/withdraw") != 1 || strings.Count(page, "/answer") != 1 {
		t.Errorf("%s", page)
	}
	good := url.Values{"system": {"civil-a"}, "prefix": {" /births "}, "methods": {"get  head"}, "resource": {"births"}, "action": {"read"}, "purpose": {"relief"}, "fields": {"name id"}, "reason": {"样例"}}
	for name, c := range map[string]struct{ field, value string }{
		"no system": {"system", ""}, "no prefix": {"prefix", ""}, "text that turns": {"prefix", "/b\u202e"}, "no resource": {"resource", " "}, "no action": {"action", ""}, "no reason": {"reason", " "},
	} {
		bad := maps.Clone(good)
		bad.Set(c.field, c.value)
		if w := h.ask(http.MethodPost, "/console/routes", formType, bad.Encode()); w.Code != http.StatusBadRequest || len(d.acted) != 0 {
			t.Errorf("%s: %d %v", name, w.Code, d.acted)
		}
	}
	for path, in := range map[string]string{
		"/console/routes": good.Encode(), "/console/routes/r-1/answer": "digest=ab&pin=x&answer=no&reason=x", "/console/routes/r-1/withdraw": "reason=" + url.QueryEscape("样例"),
	} {
		if w := h.ask(http.MethodPost, path, formType, in); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	all := strings.Join(d.acted, "\n")
	for _, want := range []string{"route civil-a /births [GET HEAD] resource/births read relief [name id] 样例", "answer r-1 false ab", "withdraw r-1 样例"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %s", want, all)
		}
	}
}
