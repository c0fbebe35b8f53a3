package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/api/authzen"
)

// certified runs the OpenID AuthZEN certification scenario against the served house,
// as the system that owns the domain of testdata/records: every request of the
// scenario, over TLS, at all levels.
type certified struct {
	*keyTown
	client *http.Client
	dir    string // of the system
}

// ask posts body and returns status and answer; every answer to a question is JSON.
func (c certified) ask(t *testing.T, path, body string) (int, map[string]any) {
	t.Helper()
	return c.post(t, path, body, "application/json", "bfe9eb29")
}

func (c certified) post(t *testing.T, path, body, kind, id string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.cfg.Public+path, strings.NewReader(body))
	ok(t, err)
	r.Header.Set("Content-Type", kind)
	if id != "" {
		r.Header.Set("X-Request-ID", id)
	}
	resp, err := c.client.Do(r)
	ok(t, err)
	defer resp.Body.Close()
	var raw bytes.Buffer
	_, err = raw.ReadFrom(resp.Body)
	ok(t, err)
	if id != "" && resp.Header.Get("X-Request-ID") != id {
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
	reads    = `"action":{"name":"read"}`
	writes   = `"action":{"name":"write"}`
)

// Levels Basic Core and Basic Properties: the eight decisions, with and
// without a context, twice each.
func (c certified) basic(t *testing.T) {
	for name, tc := range map[string]struct {
		question string
		want     bool
	}{
		"1 alice reads":                 {alice + "," + reads + "," + record1, true},
		"2 alice writes":                {alice + "," + writes + "," + record1, true},
		"3 bob reads":                   {bob + "," + reads + "," + record1, true},
		"4 bob writes":                  {bob + "," + writes + "," + record1, false},
		"5 alice writes archived":       {alice + "," + writes + "," + archived, false},
		"6 admin writes archived":       {admin + "," + writes + "," + archived, true},
		"7 soft delete":                 {alice + `,"action":{"name":"delete","properties":{"soft":true}},` + record1, true},
		"8 hard delete":                 {alice + `,"action":{"name":"delete","properties":{"soft":false}},` + record1, false},
		"c-2-2-8 additional properties": {`"subject":{"type":"user","id":"alice","properties":{"department":"Sales","role":"manager"}},"action":{"name":"read","properties":{"method":"GET"}},"resource":{"type":"record","id":"record-1","properties":{"status":"active","owner":"bob"}}`, true},
		"c-2-2-9 unknown fields":        {alice + "," + reads + "," + record1 + `,"foo":"bar","futureField":{"nested":true}`, true},
	} {
		for _, context := range []string{"", `,"context":{"time":"2025-06-27T18:03-07:00","ip":"192.168.1.1"}`} {
			for range 2 { // c-2-6
				status, out := c.ask(t, authzen.PathEvaluation, "{"+tc.question+context+"}")
				if status != 200 || out["decision"] != tc.want {
					t.Errorf("%s: %d %v", name, status, out)
				}
			}
		}
	}
	// c-2-4-3, c-2-5-2
	question := "{" + alice + "," + reads + "," + record1 + "}"
	if status, _ := c.post(t, authzen.PathEvaluation, question, "text/plain", "x"); status != 400 {
		t.Errorf("c-2-4-3: %d", status)
	}
	if status, out := c.post(t, authzen.PathEvaluation, question, "application/json", ""); status != 200 || out["decision"] != true {
		t.Errorf("c-2-5-2: %d %v", status, out)
	}
	for name, bad := range map[string]string{
		"c-2-4-1 no subject": "{" + reads + "," + record1 + "}", "c-2-4-1 no action": "{" + alice + "," + record1 + "}",
		"c-2-4-1 no resource": "{" + alice + "," + reads + "}", "c-2-4-2 no type": `{"subject":{"id":"alice"},` + reads + "," + record1 + "}",
		"c-2-4-2 no id": `{"subject":{"type":"user"},` + reads + "," + record1 + "}", "c-2-4-2 no name": "{" + alice + `,"action":{},` + record1 + "}",
		"c-2-4-2 no resource id": "{" + alice + "," + reads + `,"resource":{"type":"record"}}`, "c-2-4-4 malformed": "{", "c-2-4-5 empty": "",
		"c-2-4-6 subject a string": `{"subject":"alice",` + reads + "," + record1 + "}", "c-2-4-6 name a number": "{" + alice + `,"action":{"name":123},` + record1 + "}",
	} {
		if status, _ := c.ask(t, authzen.PathEvaluation, bad); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// Levels Batch Core and Batch Properties.
func (c certified) batch(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want []bool
	}{
		"c-3-2-1":                {alice + "," + reads + `,"evaluations":[{` + record1 + `},{"resource":{"type":"record","id":"record-2"}}]`, []bool{true, true}},
		"c-3-2-2":                {bob + "," + record1 + `,"evaluations":[{` + reads + `},{` + writes + `}]`, []bool{true, false}},
		"c-3-2-3":                {alice + "," + writes + `,"evaluations":[{"resource":{"type":"record","id":"record-1","properties":{"status":"active"}}},{` + archived + `}]`, []bool{true, false}},
		"c-3-2-4":                {writes + "," + archived + `,"evaluations":[{` + alice + `},{` + admin + `}]`, []bool{false, true}},
		"c-3-2-5":                {`"evaluations":[{` + alice + "," + reads + "," + record1 + `},{` + bob + "," + writes + "," + record1 + `}]`, []bool{true, false}},
		"c-3-2-6":                {alice + "," + reads + `,"context":{"time":"a"},"evaluations":[{` + record1 + `},{"resource":{"type":"record","id":"record-2"},"context":{"source":"b"}}]`, []bool{true, true}},
		"c-3-2-7":                {alice + "," + writes + `,"resource":{"type":"record"},"evaluations":[{"resource":{"id":"record-1","properties":{"status":"active"}}},{` + archived + `}]`, []bool{true, false}},
		"c-3-4-1":                {alice + "," + reads + `,"evaluations":[{` + record1 + `},{}]`, []bool{true, false}},
		"deny_on_first_deny":     {bob + "," + record1 + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{` + reads + `},{` + writes + `},{` + reads + `}]`, []bool{true, false}},
		"permit_on_first_permit": {bob + "," + record1 + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{` + writes + `},{` + reads + `},{` + reads + `}]`, []bool{false, true}},
	} {
		status, out := c.ask(t, authzen.PathEvaluations, "{"+tc.body+"}")
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
		if status, out := c.ask(t, authzen.PathEvaluations, "{"+alice+","+reads+","+record1+body+"}"); status != 200 || out["decision"] != true {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
}

// Levels Search Core and Search Properties. The id of what is searched for,
// when it is sent, changes nothing.
func (c certified) search(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, body string
		want       []string
	}{
		"S1 who reads record-1":              {"subject", `"subject":{"type":"user"},` + reads + "," + record1, []string{"alice", "bob"}},
		"S1 with an id":                      {"subject", alice + "," + reads + "," + record1, []string{"alice", "bob"}},
		"S1 with a context":                  {"subject", `"subject":{"type":"user"},` + reads + "," + record1 + `,"context":{"time":"a"}`, []string{"alice", "bob"}},
		"S2 what alice reads":                {"resource", alice + "," + reads + `,"resource":{"type":"record"}`, []string{"record-1", "record-2"}},
		"S2 with an id":                      {"resource", alice + "," + reads + `,"resource":{"type":"record","id":"record-9"}`, []string{"record-1", "record-2"}},
		"S3 what alice does on record-1":     {"action", alice + "," + record1, []string{"read", "write"}},
		"S3 with an action":                  {"action", alice + "," + record1 + `,"action":{"name":"delete","properties":{"soft":true}}`, []string{"read", "write"}},
		"S4 who writes archived record-2":    {"subject", `"subject":{"type":"user"},` + writes + "," + archived, []string{"bob"}},
		"S5 what the admin writes":           {"resource", admin + "," + writes + `,"resource":{"type":"record"}`, []string{"record-2"}},
		"S6 what the admin does on archived": {"action", admin + "," + archived, []string{"read", "write"}},
		"c-4-6-1 unknown subject":            {"action", `"subject":{"type":"user","id":"nonexistent-user"},` + record1, nil},
		"c-4-6-2 unknown type":               {"subject", `"subject":{"type":"spaceship"},` + reads + "," + record1, nil},
	} {
		status, out := c.ask(t, authzen.PathSearch+tc.kind, "{"+tc.body+"}")
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
		"c-4-7-1 no action": {"subject", `"subject":{"type":"user"},` + record1}, "c-4-7-1 no subject": {"resource", reads + `,"resource":{"type":"record"}`},
		"c-4-7-1 no resource": {"action", alice}, "c-4-7-2 no resource id": {"subject", `"subject":{"type":"user"},` + reads + `,"resource":{"type":"record"}`},
		"c-4-7-2 no subject id": {"resource", `"subject":{"type":"user"},` + reads + `,"resource":{"type":"record"}`},
	} {
		if status, _ := c.ask(t, authzen.PathSearch+tc[0], "{"+tc[1]+"}"); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// c-4-5: a page of one, then the rest by the token alone.
func (c certified) paging(t *testing.T) {
	question := `"subject":{"type":"user"},` + reads + "," + record1
	token, got := "", []any{}
	for page := `,"page":{"limit":1}`; ; page = `,"page":{"token":"` + token + `"}` {
		status, out := c.ask(t, authzen.PathSearch+"subject", "{"+question+page+"}")
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
func (c certified) discovery(t *testing.T) {
	resp, err := c.client.Get("https://" + c.cfg.Public + authzen.PathMetadata)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 || out["policy_decision_point"] != "https://"+c.cfg.Public {
		t.Fatal(err, resp.Status, out)
	}
	for _, name := range []string{"access_evaluation_endpoint", "access_evaluations_endpoint", "search_subject_endpoint", "search_resource_endpoint", "search_action_endpoint"} {
		url, _ := out[name].(string)
		if !strings.HasPrefix(url, "https://") {
			t.Errorf("%s: %q", name, url)
		}
		if status, _ := c.ask(t, strings.TrimPrefix(url, "https://"+c.cfg.Public), ""); status != 400 {
			t.Errorf("%s: nobody is at %s", name, url)
		}
	}
}
