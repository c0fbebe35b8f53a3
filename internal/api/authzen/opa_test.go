package authzen

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
)

const opaRead = `{"input":{"subject_type":"system","subject_id":"a1","action":"read","resource":"r3"}}`

func TestOPA(t *testing.T) {
	with := func(members string) string { return strings.TrimSuffix(opaRead, "}}") + "," + members + "}}" }
	for name, tc := range map[string]struct {
		caller, body string
		status       int
		want         string
		events       int
	}{
		"permit":             {"a1", opaRead, 200, `{"decision_id":"d-1","result":{"allow":true,"id":"d-1"`, 1},
		"deny is 200":        {"a1", strings.Replace(opaRead, `"a1"`, `"a2"`, 1), 200, `"result":{"allow":false,"id":"d-1","reason_codes":["E04_system_mlps"]`, 1},
		"X11-30 lower label": {"a1", strings.Replace(with(`"target_label":{"level":1,"required_s":1,"required_a":1}`), "read", "relabel", 1), 200, "E10_label_lowered", 1},
		"unknown members":    {"a1", with(`"grade":5,"now":0`), 200, `"allow":true`, 1},
		"no resource":        {"a1", strings.Replace(opaRead, `,"resource":"r3"`, "", 1), 200, "E01_unknown_resource", 1},
		"not authenticated":  {"", opaRead, 401, `{"code":"unauthorized"`, 0},
		"another agency":     {"b1", opaRead, 403, `{"code":"unauthorized"`, 0},
		"no input":           {"a1", `{}`, 400, `input is required`, 0},
		"input a list":       {"a1", `{"input":[]}`, 400, `invalid_parameter`, 0},
		"no subject":         {"a1", `{"input":{"subject_type":"system","action":"read"}}`, 400, "input.subject_id is required", 0},
		"level a string":     {"a1", with(`"target_label":{"level":"3","required_s":3,"required_a":3}`), 400, "small integer", 0},
		"a null source":      {"a1", with(`"sources":[null]`), 400, "empty member", 0},
		"member twice":       {"a1", with(`"action":"copy"`), 400, "twice", 0},
		"10 MB":              {"a1", with(`"purpose":"` + strings.Repeat("x", 10<<20) + `"`), 413, "invalid_parameter", 0},
	} {
		reg := &register{}
		w := post(serve(t, reg), PathOPA, tc.caller, tc.body)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) || len(reg.events) != tc.events ||
			w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %.300s, %d events", name, w.Code, w.Body, len(reg.events))
		}
	}
	reg := &register{}
	h := serve(t, reg)
	reg.failing = errors.New("secret detail")
	if w := post(h, PathOPA, "a1", opaRead); w.Code != 500 || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "allow") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Every member of authz.Request arrives, by its own JSON: a member that got
// lost on the way would be a rule that is not asked.
func TestInputIsTheRequest(t *testing.T) {
	var want authz.Request
	full := `{"id":"q","subject_type":"person","subject_id":"p","action":"merge","resource":"r","target":"t",
		"target_label":{"level":3,"required_s":2,"required_a":1,"tags":["personal"]},"sources":["s"],"carriers":["c"],
		"purpose":"relief","fields":["name"],"new_grade":{"s":3,"a":2},"cited_in":"doc-1"}`
	if err := json.Unmarshal([]byte(full), &want); err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeOf(want).NumField() {
		if reflect.TypeOf(want).Field(i).Tag.Get("json") == "-" {
			continue // who asks is not what is asked
		}
		if reflect.ValueOf(want).Field(i).IsZero() {
			t.Fatalf("the sample lacks %s", reflect.TypeOf(want).Field(i).Name)
		}
	}
	body, err := parse([]byte(`{"input":` + full + `}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := mapInput(body)
	if err != nil || !reflect.DeepEqual(got.Request, want) {
		t.Fatalf("%v %+v", err, got.Request)
	}
}

// What clients of OPA send beside {"input": …}: parameters, other paths, gzip.
func TestDataAPI(t *testing.T) {
	reg := &register{}
	h := serve(t, reg)
	for name, tc := range map[string]struct {
		method, path, caller, body string
		headers                    []string
		status                     int
		want                       string
		events                     int
	}{
		"parameters of OPA":           {"POST", PathOPA + "?pretty=true&metrics&explain=full&instrument&strict-builtin-errors", "a1", opaRead, nil, 200, `"allow":true`, 1},
		"a slash more":                {"POST", PathOPA + "/", "a1", opaRead, nil, 200, `"allow":true`, 1},
		"the boolean by its path":     {"POST", PathOPA + "/allow", "a1", opaRead, nil, 200, `,"result":true}`, 1},
		"a denial by its path":        {"POST", PathOPA + "/allow", "a1", strings.Replace(opaRead, `"a1"`, `"a2"`, 1), nil, 200, `,"result":false}`, 1},
		"what is not defined":         {"POST", "/v1/data/yinxin/other", "a1", opaRead, nil, 200, "{}\n", 0},
		"another package":             {"POST", "/v1/data/system/main", "a1", opaRead, nil, 200, "{}\n", 0},
		"nobody asks elsewhere":       {"POST", "/v1/data/yinxin/other", "", opaRead, nil, 401, `{"code":"unauthorized"`, 0},
		"gzip":                        {"POST", PathOPA, "a1", zipped(t, opaRead), []string{"Content-Encoding", "gzip"}, 200, `"allow":true`, 1},
		"a bomb":                      {"POST", PathOPA, "a1", zipped(t, strings.Repeat(" ", 10<<20)+opaRead), []string{"Content-Encoding", "gzip"}, 413, "invalid_parameter", 0},
		"a question in the address":   {"GET", PathOPA + "?input={}", "a1", "", nil, 405, "", 0},
		"policies are not to be read": {"GET", "/v1/policies", "a1", "", nil, 404, "", 0},
		"nor to be written":           {"PUT", "/v1/data/yinxin", "a1", "{}", nil, 405, "", 0},
	} {
		before := len(reg.events)
		r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Test-Caller", tc.caller)
		for i := 0; i+1 < len(tc.headers); i += 2 {
			r.Header.Set(tc.headers[i], tc.headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if n := len(reg.events) - before; w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) || n != tc.events {
			t.Errorf("%s: %d %.300s, %d events", name, w.Code, w.Body, n)
		}
	}
}
