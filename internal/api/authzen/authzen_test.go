package authzen

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	readOK   = `{"subject":{"type":"system","id":"a1"},"action":{"name":"read"},"resource":{"type":"resource","id":"r3"}}`
	readWeak = `{"subject":{"type":"system","id":"a2"},"action":{"name":"read"},"resource":{"type":"resource","id":"r3"}}`
)

// What a PEP sees, what must not be there, and how many decisions stand on the
// ledger afterwards.
func TestEvaluation(t *testing.T) {
	with := func(key, value string) string {
		return strings.TrimSuffix(readOK, "}") + `,"` + key + `":` + value + `}`
	}
	for name, tc := range map[string]struct {
		caller, body string
		status       int
		want, absent string
		events       int
	}{
		"permit":                          {"a1", readOK, 200, `{"decision":true,"context":{"id":"d-1"`, "reasons\":[{", 1},
		"permit says where it stands":     {"a1", readOK, 200, `"ledger":{"shard":4,"seq":1}`, "", 1},
		"permit binds":                    {"a1", readOK, 200, `{"kind":"label","value":"L3/S3A3"}`, "", 1},
		"deny is 200":                     {"a1", readWeak, 200, `"reason_codes":["E04_system_mlps"]`, `"decision":true`, 1},
		"deny binds to nothing":           {"a1", readWeak, 200, `"obligations":[]`, "watermark", 1},
		"unknown resource":                {"a1", strings.Replace(readOK, "r3", "r9", 1), 200, "E01_unknown_resource", `"decision":true`, 1},
		"unknown action":                  {"a1", strings.Replace(readOK, `"read"`, `"export"`, 1), 200, "E02_unknown_action", `"decision":true`, 1},
		"X11-30 lower label":              {"a1", strings.Replace(with("context", `{"target_label":{"level":1,"required_s":1,"required_a":1}}`), `"read"`, `"relabel"`, 1), 200, "E10_label_lowered", `"decision":true`, 1},
		"X11-30 weaker system":            {"a1", strings.Replace(with("context", `{"target_system":"a2"}`), `"read"`, `"store"`, 1), 200, "E12_target_system", `"decision":true`, 1},
		"label in properties":             {"a1", strings.Replace(readOK, `"name":"read"`, `"name":"derive","properties":{"target_label":{"level":1,"required_s":1,"required_a":1}}`, 1), 200, "E10_label_lowered", `"decision":true`, 1},
		"facts in properties are nothing": {"a2", strings.Replace(readWeak, `"id":"a2"`, `"id":"a2","properties":{"grade":{"s":5,"a":5},"s":5}`, 1), 200, "E04_system_mlps", `"decision":true`, 1},
		"unknown members are ignored":     {"a1", with("nonsense", `{"a":[1]}`), 200, `"decision":true`, "", 1},
		"null context is none":            {"a1", with("context", "null"), 200, `"decision":true`, "", 1},
		"own agency's other system":       {"a2", readOK, 200, `"decision":true`, "", 1},
		"own agency":                      {"a1", strings.Replace(readWeak, `"system","id":"a2"`, `"agency","id":"A"`, 1), 200, `"decision":false`, "", 1},
		"own person":                      {"a1", strings.Replace(readWeak, `"system","id":"a2"`, `"person","id":"zhang"`, 1), 200, "E20_unknown_subject", "", 1},

		"not authenticated":        {"", readOK, 401, "client certificate", "decision", 0},
		"another agency's subject": {"b1", readOK, 403, "own agency", "decision", 0},
		"unknown subject":          {"a1", strings.Replace(readOK, "a1", "a9", 1), 403, "own agency", "decision", 0},
		"unknown caller":           {"a9", readOK, 403, "own agency", "decision", 0},
		"unknown subject type":     {"a1", strings.Replace(readOK, `"system"`, `"robot"`, 1), 403, "own agency", "decision", 0},

		"empty body":             {"a1", "", 400, "empty", "decision", 0},
		"not JSON":               {"a1", "{", 400, "not valid JSON", "decision", 0},
		"array":                  {"a1", "[]", 400, "not a JSON object", "decision", 0},
		"trailing data":          {"a1", readOK + "{}", 400, "after the JSON", "decision", 0},
		"not UTF-8":              {"a1", strings.Replace(readOK, "a1", "a\xff", 1), 400, "UTF-8", "decision", 0},
		"duplicate member":       {"a1", with("action", `{"name":"store"}`), 400, "twice", "decision", 0},
		"duplicate inner member": {"a1", strings.Replace(readOK, `"id":"a1"`, `"id":"a2","id":"a1"`, 1), 400, "twice", "decision", 0},
		"nested too deep":        {"a1", with("x", strings.Repeat("[", 40)+strings.Repeat("]", 40)), 400, "deep", "decision", 0},
		"subject missing":        {"a1", `{"action":{"name":"read"},"resource":{"type":"r","id":"r3"}}`, 400, "subject is required", "decision", 0},
		"subject in capitals":    {"a1", strings.Replace(readOK, `"subject"`, `"Subject"`, 1), 400, "subject is required", "decision", 0},
		"subject.id missing":     {"a1", strings.Replace(readOK, `,"id":"a1"`, ``, 1), 400, "subject.id is required", "decision", 0},
		"subject.id a number":    {"a1", strings.Replace(readOK, `"a1"`, `1`, 1), 400, "subject.id must be a string", "decision", 0},
		"action a string":        {"a1", strings.Replace(readOK, `{"name":"read"}`, `"read"`, 1), 400, "action must be an object", "decision", 0},
		"action.name missing":    {"a1", strings.Replace(readOK, `"name"`, `"Name"`, 1), 400, "action.name is required", "decision", 0},
		"resource.type missing":  {"a1", strings.Replace(readOK, `"type":"resource",`, ``, 1), 400, "resource.type is required", "decision", 0},
		"level a string":         {"a1", with("context", `{"target_label":{"level":"3","required_s":3,"required_a":3}}`), 400, "target_label.level must be a small integer", "decision", 0},
		"level an array":         {"a1", with("context", `{"target_label":{"level":[],"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"level off the scale":    {"a1", with("context", `{"target_label":{"level":9,"required_s":3,"required_a":3}}`), 400, "invalid label", "decision", 0},
		"level with a point":     {"a1", with("context", `{"target_label":{"level":4.0,"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"level in tens":          {"a1", with("context", `{"target_label":{"level":4e0,"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"level null":             {"a1", with("context", `{"target_label":{"level":null,"required_s":3,"required_a":3}}`), 400, "target_label", "decision", 0},
		"level true":             {"a1", with("context", `{"target_label":{"level":true,"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"level an object":        {"a1", with("context", `{"target_label":{"level":{"a":1},"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"level missing":          {"a1", with("context", `{"target_label":{"required_s":3,"required_a":3}}`), 400, "target_label", "decision", 0},
		"level beyond a byte":    {"a1", with("context", `{"target_label":{"level":259,"required_s":3,"required_a":3}}`), 400, "target_label", "decision", 0},
		"level below zero":       {"a1", with("context", `{"target_label":{"level":-1,"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"level half":             {"a1", with("context", `{"target_label":{"level":2.5,"required_s":3,"required_a":3}}`), 400, "small integer", "decision", 0},
		"state secret":           {"a1", with("context", `{"target_label":{"level":3,"required_s":3,"required_a":3,"tags":["绝密"]}}`), 400, "state secrets", "decision", 0},
		"grade off the scale":    {"a1", with("context", `{"new_grade":{"s":0,"a":3}}`), 400, "invalid", "decision", 0},
		"sources not a list":     {"a1", with("context", `{"sources":"r1"}`), 400, "context.sources must be an array", "decision", 0},
		"a null source":          {"a1", with("context", `{"sources":[null]}`), 400, "empty member", "decision", 0},
		"purpose twice":          {"a1", strings.Replace(with("context", `{"purpose":"x"}`), `"name":"read"`, `"name":"read","properties":{"purpose":"y"}`, 1), 400, "purpose stands in", "decision", 0},
		"a NUL in an id":         {"a1", strings.Replace(readOK, "a1", "a\\u0000", 1), 400, "control character", "decision", 0},
		"a NUL in a list":        {"a1", with("context", `{"sources":["\u0000"]}`), 400, "control character", "decision", 0},
		"too large":              {"a1", with("x", `"`+strings.Repeat("x", maxBody)+`"`), 413, "larger", "decision", 0},
	} {
		t.Run(name, func(t *testing.T) {
			reg := &register{}
			w := post(serve(t, reg), PathEvaluation, tc.caller, tc.body, "X-Request-ID", "req 1/é")
			body := w.Body.String()
			if w.Code != tc.status || !strings.Contains(body, tc.want) || tc.absent != "" && strings.Contains(body, tc.absent) {
				t.Fatalf("%d %s", w.Code, body)
			}
			if len(reg.events) != tc.events {
				t.Fatalf("%d events", len(reg.events))
			}
			if w.Header().Get("X-Request-ID") != "req 1/é" || w.Header().Get("Cache-Control") != "no-store" {
				t.Fatalf("headers %v", w.Header())
			}
			if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Fatalf("headers %v", w.Header())
			}
		})
	}
}

func TestContentTypeAndMethod(t *testing.T) {
	h := serve(t, &register{})
	for _, ct := range []string{"text/plain", "", "application/json-patch+json", "multipart/form-data"} {
		if w := post(h, PathEvaluation, "a1", readOK, "Content-Type", ct); w.Code != 400 {
			t.Errorf("%q: %d", ct, w.Code)
		}
	}
	if w := post(h, PathEvaluation, "a1", readOK, "Content-Type", "application/json; charset=utf-8"); w.Code != 200 {
		t.Errorf("charset: %d", w.Code)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, PathEvaluation, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

// A store or ledger that fails is 500 without a cause, never a permit.
func TestFailureIsNoPermit(t *testing.T) {
	reg := &register{}
	h := serve(t, reg)
	reg.failing = errors.New("dial tcp 10.0.0.1: secret detail")
	w := post(h, PathEvaluation, "a1", readOK)
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "true") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestEvaluations(t *testing.T) {
	const subject, resource = `"subject":{"type":"system","id":"a1"}`, `"resource":{"type":"resource","id":"r3"}`
	const read = `"action":{"name":"read"}`
	weak := `{"subject":{"type":"system","id":"a2"}}`
	for name, tc := range map[string]struct {
		body   string
		want   string // a decision a letter: y, n; or e for an item with an error
		events int
	}{
		"execute_all is the default":        {`{` + subject + `,` + read + `,"evaluations":[{` + resource + `},` + strings.TrimSuffix(weak, "}") + `,` + resource + `},{` + resource + `}]}`, "yny", 3},
		"deny_on_first_deny":                {`{` + subject + `,` + read + `,` + resource + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{},` + weak + `,{}]}`, "yn", 2},
		"permit_on_first_permit":            {`{` + subject + `,` + read + `,` + resource + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[` + weak + `,{},{}]}`, "ny", 2},
		"an item replaces the whole entity": {`{` + subject + `,` + resource + `,"action":{"name":"read","properties":{"fields":["nothing"]}},"evaluations":[{` + read + `},{}]}`, "yn", 2},
		"but for names it must have":        {`{` + subject + `,` + read + `,` + resource + `,"evaluations":[{"resource":{"id":"r1"}},{"subject":{"type":"system"}},{"subject":{"type":7}}]}`, "yye", 2},
		"another's subject in an item":      {`{` + subject + `,` + read + `,` + resource + `,"evaluations":[{"subject":{"type":"system","id":"b1"}},{}]}`, "ey", 1},
		"an error stops at first deny":      {`{` + subject + `,` + read + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{},{` + resource + `}]}`, "e", 0},
	} {
		t.Run(name, func(t *testing.T) {
			reg := &register{}
			w := post(serve(t, reg), PathEvaluations, "a1", tc.body)
			var out struct {
				Decision    *bool `json:"decision"`
				Evaluations []struct {
					Decision bool `json:"decision"`
					Context  struct {
						Error *failure `json:"error"`
					} `json:"context"`
				} `json:"evaluations"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.Decision != nil {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			got := ""
			for _, e := range out.Evaluations {
				switch {
				case e.Decision:
					got += "y"
				case e.Context.Error != nil:
					got += "e"
				default:
					got += "n"
				}
			}
			if got != tc.want || len(reg.events) != tc.events {
				t.Fatalf("%s, %d events: %s", got, len(reg.events), w.Body)
			}
		})
	}
}

func TestEvaluationsAsAWhole(t *testing.T) {
	h := serve(t, &register{})
	many := strings.TrimSuffix(readOK, "}") + `,"evaluations":[` + strings.Repeat("{},", maxItems) + `{}]}`
	for body, status := range map[string]int{
		readOK: 200,
		strings.TrimSuffix(readOK, "}") + `,"evaluations":[]}`:                              200,
		strings.TrimSuffix(readOK, "}") + `,"evaluations":{}}`:                              400,
		strings.TrimSuffix(readOK, "}") + `,"evaluations":[1]}`:                             400,
		strings.TrimSuffix(readOK, "}") + `,"options":{"evaluations_semantic":"majority"}}`: 400,
		strings.TrimSuffix(readOK, "}") + `,"options":[]}`:                                  400,
		many: 400,
	} {
		if w := post(h, PathEvaluations, "a1", body); w.Code != status || status == 200 && !strings.HasPrefix(w.Body.String(), `{"decision":true`) {
			t.Errorf("%.60s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestMetadata(t *testing.T) {
	w := httptest.NewRecorder()
	serve(t, &register{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, PathMetadata, nil))
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatal(err, w.Code, w.Header())
	}
	for name, path := range map[string]string{
		"policy_decision_point": "", "access_evaluation_endpoint": "/access/v1/evaluation", "access_evaluations_endpoint": "/access/v1/evaluations",
		"search_subject_endpoint": "/access/v1/search/subject", "search_resource_endpoint": "/access/v1/search/resource",
		"search_action_endpoint": "/access/v1/search/action",
	} {
		if out[name] != "https://pdp.example.gov.cn"+path {
			t.Errorf("%s: %v", name, out[name])
		}
	}
	if list, ok := out["capabilities"].([]any); !ok || len(list) == 0 {
		t.Errorf("%v", out)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, id := range []string{"", "http://pdp", "https://pdp/", "https://pdp?x=1", "https://pdp#a", "://"} {
		if _, err := New(Config{Identifier: id}); !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := New(Config{Identifier: "https://pdp"}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(readOK))
	f.Add([]byte(`{"context":{"target_label":{"level":3}},"subject":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := parse(raw)
		if err != nil {
			return
		}
		r, err := mapEvaluation(body, "")
		if err == nil && (r.SubjectID == "" || r.Action == "" || r.Resource == "") {
			t.Fatalf("accepted %s", fmt.Sprintf("%+v", r))
		}
	})
}
