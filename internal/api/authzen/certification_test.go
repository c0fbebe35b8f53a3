package authzen

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// fixture is the Decider, the register and the catalogue of the OpenID AuthZEN
// certification scenario. Unlike the house it believes the properties that a
// caller sends, as the scenario demands; that is why it lives in a test.
type fixture struct{}

func property(q object, name, own string) string {
	var v any
	if !q.has(name) || json.Unmarshal(q[name], &v) != nil {
		return own
	}
	if b, is := v.(bool); is {
		return map[bool]string{true: "true", false: "false"}[b]
	}
	s, _ := v.(string)
	return s
}

func (fixture) allow(q Evaluation) bool {
	if !slices.Contains([]string{"alice", "bob"}, q.SubjectID) || !slices.Contains([]string{"record-1", "record-2"}, q.Resource) ||
		q.SubjectType != "user" || q.ResourceType != "record" {
		return false
	}
	role := property(q.SubjectProperties, "role", map[string]string{"bob": "admin"}[q.SubjectID])
	status := property(q.ResourceProperties, "status", map[string]string{"record-1": "active", "record-2": "archived"}[q.Resource])
	switch q.Action {
	case "read":
		return true
	case "write":
		return status == "archived" && role == "admin" || status == "active" && q.SubjectID == "alice"
	case "delete":
		return q.SubjectID == "alice" && property(q.ActionProperties, "soft", "") == "true"
	}
	return false
}

func (f fixture) Decide(_ context.Context, q Evaluation) (authz.Decision, error) {
	return authz.Decision{ID: "d", Allow: f.allow(q)}, nil
}

func (f fixture) Search(_ context.Context, s Search) (out authz.Found, _ error) {
	for _, c := range s.Candidates {
		q := s.Base
		switch s.Kind {
		case authz.SearchSubject:
			q.SubjectID = c
		case authz.SearchResource:
			q.Resource = c
		case authz.SearchAction:
			q.Action = authz.Action(c)
		}
		if out.Weighed++; f.allow(q) {
			out.Permitted = append(out.Permitted, c)
		}
		if len(out.Permitted) == s.Limit {
			break
		}
	}
	return out, nil
}

func (fixture) MayAsk(context.Context, string, string, string) (bool, error) { return true, nil }

func (fixture) Subjects(_ context.Context, _, kind, after string, limit int) ([]string, error) {
	return behind(map[string][]string{"user": {"alice", "bob"}}[kind], after, limit), nil
}

func (fixture) Resources(_ context.Context, _, kind, after string, limit int) ([]string, error) {
	return behind(map[string][]string{"record": {"record-1", "record-2"}}[kind], after, limit), nil
}

// certified starts the fixture behind real HTTPS.
func certified(t *testing.T) *httptest.Server {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	h, err := New(Config{
		Decider: fixture{}, MayAsk: fixture{}, Candidates: fixture{}, Actions: []string{"read", "write", "delete"}, Identifier: srv.URL,
		Caller: func(*http.Request) (ledger.Actor, bool) { return ledger.Actor{Kind: "system", ID: "harness"}, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = h
	return srv
}

// ask posts body and returns status and answer; every answer to a question is JSON.
func ask(t *testing.T, srv *httptest.Server, path, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-ID", "bfe9eb29")
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Request-ID") != "bfe9eb29" {
		t.Errorf("%s: X-Request-ID is lost", path)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	var out map[string]any
	if err := json.Unmarshal(raw.Bytes(), &out); err != nil || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %v %s", path, err, raw.Bytes())
	}
	return resp.StatusCode, out
}

const (
	alice    = `"subject":{"type":"user","id":"alice"}`
	bob      = `"subject":{"type":"user","id":"bob"}`
	admin    = `"subject":{"type":"user","id":"bob","properties":{"role":"admin"}}`
	record1  = `"resource":{"type":"record","id":"record-1"}`
	archived = `"resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}`
	read     = `"action":{"name":"read"}`
	write    = `"action":{"name":"write"}`
)

// Levels Basic Core and Basic Properties: the eight decisions, with and
// without a context, three times each.
func TestCertificationBasic(t *testing.T) {
	srv := certified(t)
	for name, tc := range map[string]struct {
		question string
		want     bool
	}{
		"1 alice reads":                 {alice + "," + read + "," + record1, true},
		"2 alice writes":                {alice + "," + write + "," + record1, true},
		"3 bob reads":                   {bob + "," + read + "," + record1, true},
		"4 bob writes":                  {bob + "," + write + "," + record1, false},
		"5 alice writes archived":       {alice + "," + write + "," + archived, false},
		"6 admin writes archived":       {admin + "," + write + "," + archived, true},
		"7 soft delete":                 {alice + `,"action":{"name":"delete","properties":{"soft":true}},` + record1, true},
		"8 hard delete":                 {alice + `,"action":{"name":"delete","properties":{"soft":false}},` + record1, false},
		"c-2-2-8 additional properties": {`"subject":{"type":"user","id":"alice","properties":{"department":"Sales","role":"manager"}},"action":{"name":"read","properties":{"method":"GET"}},"resource":{"type":"record","id":"record-1","properties":{"status":"active","owner":"bob"}}`, true},
		"c-2-2-9 unknown fields":        {alice + "," + read + "," + record1 + `,"foo":"bar","futureField":{"nested":true}`, true},
	} {
		for _, context := range []string{"", `,"context":{"time":"2025-06-27T18:03-07:00","ip":"192.168.1.1"}`} {
			for range 3 {
				status, out := ask(t, srv, PathEvaluation, "{"+tc.question+context+"}")
				if status != 200 || out["decision"] != tc.want {
					t.Errorf("%s: %d %v", name, status, out)
				}
			}
		}
	}
	for name, bad := range map[string]string{
		"c-2-4-1 no subject": "{" + read + "," + record1 + "}", "c-2-4-1 no action": "{" + alice + "," + record1 + "}",
		"c-2-4-1 no resource": "{" + alice + "," + read + "}", "c-2-4-2 no type": `{"subject":{"id":"alice"},` + read + "," + record1 + "}",
		"c-2-4-2 no id": `{"subject":{"type":"user"},` + read + "," + record1 + "}", "c-2-4-2 no name": "{" + alice + `,"action":{},` + record1 + "}",
		"c-2-4-2 no resource id": "{" + alice + "," + read + `,"resource":{"type":"record"}}`, "c-2-4-4 malformed": "{", "c-2-4-5 empty": "",
		"c-2-4-6 subject a string": `{"subject":"alice",` + read + "," + record1 + "}", "c-2-4-6 name a number": "{" + alice + `,"action":{"name":123},` + record1 + "}",
	} {
		if status, _ := ask(t, srv, PathEvaluation, bad); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// Levels Batch Core and Batch Properties.
func TestCertificationBatch(t *testing.T) {
	srv := certified(t)
	for name, tc := range map[string]struct {
		body string
		want []bool
	}{
		"c-3-2-1":                {alice + "," + read + `,"evaluations":[{` + record1 + `},{"resource":{"type":"record","id":"record-2"}}]`, []bool{true, true}},
		"c-3-2-2":                {bob + "," + record1 + `,"evaluations":[{` + read + `},{` + write + `}]`, []bool{true, false}},
		"c-3-2-3":                {alice + "," + write + `,"evaluations":[{"resource":{"type":"record","id":"record-1","properties":{"status":"active"}}},{` + archived + `}]`, []bool{true, false}},
		"c-3-2-4":                {write + "," + archived + `,"evaluations":[{` + alice + `},{` + admin + `}]`, []bool{false, true}},
		"c-3-2-5":                {`"evaluations":[{` + alice + "," + read + "," + record1 + `},{` + bob + "," + write + "," + record1 + `}]`, []bool{true, false}},
		"c-3-2-6":                {alice + "," + read + `,"context":{"time":"a"},"evaluations":[{` + record1 + `},{"resource":{"type":"record","id":"record-2"},"context":{"source":"b"}}]`, []bool{true, true}},
		"c-3-2-7":                {alice + "," + write + `,"resource":{"type":"record"},"evaluations":[{"resource":{"id":"record-1","properties":{"status":"active"}}},{` + archived + `}]`, []bool{true, false}},
		"c-3-4-1":                {alice + "," + read + `,"evaluations":[{` + record1 + `},{}]`, []bool{true, false}},
		"deny_on_first_deny":     {bob + "," + record1 + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{` + read + `},{` + write + `},{` + read + `}]`, []bool{true, false}},
		"permit_on_first_permit": {bob + "," + record1 + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{` + write + `},{` + read + `},{` + read + `}]`, []bool{false, true}},
	} {
		status, out := ask(t, srv, PathEvaluations, "{"+tc.body+"}")
		list, _ := out["evaluations"].([]any)
		var got []bool
		for _, e := range list {
			d, is := e.(map[string]any)["decision"].(bool)
			got = append(got, is && d)
		}
		if _, top := out["decision"]; status != 200 || top || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	for name, body := range map[string]string{"c-3-4-2": "", "c-3-4-3": `,"evaluations":[]`} {
		if status, out := ask(t, srv, PathEvaluations, "{"+alice+","+read+","+record1+body+"}"); status != 200 || out["decision"] != true {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
}

// Levels Search Core and Search Properties. The id of what is searched for,
// when it is sent, changes nothing.
func TestCertificationSearch(t *testing.T) {
	srv := certified(t)
	for name, tc := range map[string]struct {
		kind, body string
		want       []string
	}{
		"S1 who reads record-1":              {"subject", `"subject":{"type":"user"},` + read + "," + record1, []string{"alice", "bob"}},
		"S1 with an id":                      {"subject", alice + "," + read + "," + record1, []string{"alice", "bob"}},
		"S1 with a context":                  {"subject", `"subject":{"type":"user"},` + read + "," + record1 + `,"context":{"time":"a"}`, []string{"alice", "bob"}},
		"S2 what alice reads":                {"resource", alice + "," + read + `,"resource":{"type":"record"}`, []string{"record-1", "record-2"}},
		"S2 with an id":                      {"resource", alice + "," + read + `,"resource":{"type":"record","id":"record-9"}`, []string{"record-1", "record-2"}},
		"S3 what alice does on record-1":     {"action", alice + "," + record1, []string{"read", "write"}},
		"S3 with an action":                  {"action", alice + "," + record1 + `,"action":{"name":"delete","properties":{"soft":true}}`, []string{"read", "write"}},
		"S4 who writes archived record-2":    {"subject", `"subject":{"type":"user"},` + write + "," + archived, []string{"bob"}},
		"S5 what the admin writes":           {"resource", admin + "," + write + `,"resource":{"type":"record"}`, []string{"record-2"}},
		"S6 what the admin does on archived": {"action", admin + "," + archived, []string{"read", "write"}},
		"c-4-6-1 unknown subject":            {"action", `"subject":{"type":"user","id":"nonexistent-user"},` + record1, nil},
		"c-4-6-2 unknown type":               {"subject", `"subject":{"type":"spaceship"},` + read + "," + record1, nil},
	} {
		status, out := ask(t, srv, PathSearch+tc.kind, "{"+tc.body+"}")
		results, isList := out["results"].([]any)
		var got []string
		for _, e := range results {
			m, _ := e.(map[string]any)
			id, _ := m[map[bool]string{true: "name", false: "id"}[tc.kind == "action"]].(string)
			got = append(got, id)
			if kind, ok := m["type"].(string); tc.kind != "action" && (!ok || kind == "") {
				t.Errorf("%s: no type: %v", name, m)
			}
		}
		page, _ := out["page"].(map[string]any)
		if status != 200 || !isList || !slices.Equal(got, tc.want) || page["next_token"] != "" {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	for name, tc := range map[string][2]string{
		"c-4-7-1 no action": {"subject", `"subject":{"type":"user"},` + record1}, "c-4-7-1 no subject": {"resource", read + `,"resource":{"type":"record"}`},
		"c-4-7-1 no resource": {"action", alice}, "c-4-7-2 no resource id": {"subject", `"subject":{"type":"user"},` + read + `,"resource":{"type":"record"}`},
		"c-4-7-2 no subject id": {"resource", `"subject":{"type":"user"},` + read + `,"resource":{"type":"record"}`},
	} {
		if status, _ := ask(t, srv, PathSearch+tc[0], "{"+tc[1]+"}"); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// c-4-5: a page of one, then the rest by the token alone.
func TestCertificationPaging(t *testing.T) {
	srv := certified(t)
	question := `"subject":{"type":"user"},` + read + "," + record1
	token, got := "", []any{}
	for page := `,"page":{"limit":1}`; ; page = `,"page":{"token":"` + token + `"}` {
		status, out := ask(t, srv, PathSearch+"subject", "{"+question+page+"}")
		if status != 200 || len(out["results"].([]any)) > 1 {
			t.Fatalf("%d %v", status, out)
		}
		got = append(got, out["results"].([]any)...)
		if token = out["page"].(map[string]any)["next_token"].(string); token == "" {
			break
		}
	}
	if len(got) != 2 {
		t.Fatalf("%v", got)
	}
}

// Level Discovery: the document names the base URL it was found by.
func TestCertificationDiscovery(t *testing.T) {
	srv := certified(t)
	resp, err := srv.Client().Get(srv.URL + PathMetadata)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 || out["policy_decision_point"] != srv.URL {
		t.Fatal(err, resp.Status, out)
	}
	for _, name := range []string{"access_evaluation_endpoint", "access_evaluations_endpoint", "search_subject_endpoint", "search_resource_endpoint", "search_action_endpoint"} {
		url, _ := out[name].(string)
		if !strings.HasPrefix(url, "https://") {
			t.Errorf("%s: %q", name, url)
		}
		if status, _ := ask(t, srv, strings.TrimPrefix(url, srv.URL), ""); status != 400 {
			t.Errorf("%s: nobody is at %s", name, url)
		}
	}
}
