package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/agent/sidecar"
	"github.com/yinxin-gov/yinxin/internal/api/envoy"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// asking puts a question with a body in the name of civil-a.
type asking func(t *testing.T, body string, headers ...string) (status int, answer string)

// doors are all ways to a decision with a body: of AuthZEN and of OPA, over mTLS and
// through the agent's socket.
func (w *keyTown) doors(t *testing.T, dir string) map[string]asking {
	t.Helper()
	tlsRoot, sm2Root := w.Roots()
	keeper, err := agent.Keep(agent.Config{URL: "https://" + w.cfg.Public, Dir: dir, System: "civil-a", TLSRoot: tlsRoot, SM2Root: sm2Root}, true)
	ok(t, err)
	t.Cleanup(keeper.Close)
	socket := sidecar.Decisions{House: keeper, Words: w.words, Log: w.cfg.Log}.Handler()
	own := w.holder(dir)
	out := map[string]asking{}
	for _, path := range []string{wire.PathEvaluation, wire.PathOPA} {
		request := func(t *testing.T, at, body string, headers []string) *http.Request {
			t.Helper()
			r, err := http.NewRequest(http.MethodPost, at+path, strings.NewReader(body))
			ok(t, err)
			r.Header.Set("Content-Type", "application/json")
			for i := 0; i+1 < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			return r
		}
		out["mTLS "+path] = func(t *testing.T, in string, headers ...string) (int, string) {
			r, err := own.Do(request(t, "https://"+w.cfg.Public, in, headers))
			ok(t, err)
			return r.StatusCode, body(t, r)
		}
		out["socket "+path] = func(t *testing.T, in string, headers ...string) (int, string) {
			rec := httptest.NewRecorder()
			socket.ServeHTTP(rec, request(t, "http://agent", in, headers))
			return rec.Code, rec.Body.String()
		}
	}
	return out
}

// badQuestions: at every door what is wrong is refused or denied with a code, never
// permitted, never a failure of ours (X14-29).
func (w *keyTown) badQuestions(t *testing.T, dir string) {
	deep, large := strings.Repeat("[", 5000)+strings.Repeat("]", 5000), strings.Repeat("x", 10<<20)
	for name, q := range w.doors(t, dir) {
		zen := strings.HasSuffix(name, wire.PathEvaluation)
		// wrap lays members over a question that is sound; label is where a target label goes.
		wrap := func(members string) string {
			if zen {
				return `{"subject":{"type":"system","id":"civil-a"},"action":{"name":"relabel"},"resource":{"type":"resource","id":"nothing"}` + members + `}`
			}
			return `{"input":{"subject_type":"system","subject_id":"civil-a","action":"relabel","resource":"nothing"` + members + `}}`
		}
		label := func(l string) string {
			if zen {
				return wrap(`,"context":{"target_label":` + l + `}`)
			}
			return wrap(`,"target_label":` + l)
		}
		for what, tc := range map[string]struct {
			body   string
			status int
			want   string // in the answer
		}{
			"sound, but unknown":        {wrap(""), 200, "E01_unknown_resource"},
			"an unknown action":         {strings.Replace(wrap(""), "relabel", "export", 1), 200, "E02_unknown_action"},
			"a target nobody knows":     {strings.Replace(label(`{"level":3,"required_s":3,"required_a":3}`), "relabel", "copy", 1), 200, "E01_unknown_resource"},
			"an unknown subject":        {strings.Replace(wrap(""), "civil-a", "nobody", 1), 403, "own agency"},
			"a level as a string":       {label(`{"level":"3","required_s":3,"required_a":3}`), 400, "small integer"},
			"a level as a list":         {label(`{"level":[],"required_s":3,"required_a":3}`), 400, "small integer"},
			"a level off the scale":     {label(`{"level":99,"required_s":3,"required_a":3}`), 400, "invalid"},
			"a huge level":              {label(`{"level":1e300,"required_s":3,"required_a":3}`), 400, "small integer"},
			"a number out of range":     {label(`{"level":1e999,"required_s":3,"required_a":3}`), 400, "out of the range"},
			"not a number":              {label(`{"level":NaN,"required_s":3,"required_a":3}`), 400, "not valid JSON"},
			"a negative level":          {label(`{"level":-1,"required_s":3,"required_a":3}`), 400, "small integer"},
			"a state secret":            {label(`{"level":3,"required_s":3,"required_a":3,"tags":["机密"]}`), 400, "secret"},
			"a time of the caller's":    {wrap(`,"now":"1999-01-01T00:00:00Z"`), 200, "E01_unknown_resource"},
			"deep JSON":                 {wrap(`,"x":` + deep), 400, "deep"},
			"10 MB":                     {wrap(`,"x":"` + large + `"`), 413, ""},
			"invalid UTF-8":             {wrap(`,"x":"` + "\xff\xfe" + `"`), 400, "UTF-8"},
			"half a character":          {wrap(`,"x":"\ud800"`), 400, "half a character"},
			"a NUL":                     {strings.Replace(wrap(""), "nothing", `no\u0000thing`, 1), 400, "control character"},
			"a member twice":            {wrap(`,"action":"read","action":"copy"`), 400, "twice"},
			"a question of many ids":    {strings.Replace(wrap(""), "nothing", strings.Repeat("n", 5000), 1), 200, "E00"},
			"a text that hides":         {strings.Replace(wrap(""), "nothing", "not\u202ehing", 1), 200, "E0"},
			"no JSON":                   {"decide!", 400, "not valid JSON"},
			"a list":                    {"[]", 400, "not a JSON object"},
			"nothing":                   {"", 400, "empty"},
			"two questions":             {wrap("") + wrap(""), 400, "after the JSON"},
			"a body that is not packed": {"", 400, ""},
		} {
			var headers []string
			if what == "a body that is not packed" {
				tc.body, headers = wrap(""), []string{"Content-Encoding", "gzip"}
			}
			status, answer := q(t, tc.body, headers...)
			if status != tc.status || !strings.Contains(answer, tc.want) || strings.Contains(answer, `"decision":true`) || strings.Contains(answer, `"allow":true`) {
				t.Errorf("%s: %s: %d %.300s", name, what, status, answer)
			}
		}
	}
}

// badPaths is the same for enforcement points that know paths only: what reaches the
// house as it stands in the request.
func (w *keyTown) badPaths(t *testing.T, dir string) {
	raw, err := os.ReadFile(filepath.Join(dir, agent.FileTLSCert))
	ok(t, err)
	own, shown := w.holder(dir), `Cert="`+url.PathEscape(string(raw[:bytes.Index(raw, []byte("-----END"))+len("-----END CERTIFICATE-----\n")]))+`"`
	for path, want := range map[string]int{
		"/../../console": 400, "//etc": 400, "/a%2fb": 400, "/a/%2e%2e/b": 400, "/%00": 400, "/a;x/..;/b": 400, "/%ff": 400, "/nothing": 403, "/" + strings.Repeat("a", 5000): 400,
	} {
		req, err := http.NewRequest(http.MethodGet, "https://"+w.cfg.Public, nil)
		ok(t, err)
		req.URL.Opaque = envoy.PathHTTP + path // as it is, not cleaned
		req.Header.Set("X-Forwarded-Client-Cert", shown)
		r, err := own.Do(req)
		ok(t, err)
		if answer := body(t, r); r.StatusCode != want || !strings.Contains(answer, `"decision":false,"code":"`+map[int]string{400: "path", 403: "route"}[want]) {
			t.Errorf("%.60s: %d %.200s", path, r.StatusCode, answer)
		}
	}
}
