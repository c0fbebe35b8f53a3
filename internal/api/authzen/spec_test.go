package authzen

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func zipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The rules of the Authorization API 1.0 by the headings of its text, beside those
// that TestEvaluation and TestCertificationScenario hold.
func TestAuthorizationAPI(t *testing.T) {
	member := func(key, value string) string {
		return strings.TrimSuffix(readOK, "}") + `,"` + key + `":` + value + `}`
	}
	h := serve(t, &register{})
	page := func(value string) string { return strings.TrimSuffix(resources, "}") + `,"page":` + value + `}` }
	for name, tc := range map[string]struct {
		path, body string
		headers    []string
		status     int
		want       string
	}{
		"Subject: properties MAY hold null":                          {PathEvaluation, strings.Replace(readOK, `"id":"a1"`, `"id":"a1","properties":{"x":null,"y":[1]}`, 1), nil, 200, `"decision":true`},
		"Subject: properties is an object":                           {PathEvaluation, strings.Replace(readOK, `"id":"a1"`, `"id":"a1","properties":[]`, 1), nil, 400, "subject.properties must be an object"},
		"Action: properties is an object":                            {PathEvaluation, strings.Replace(readOK, `"name":"read"`, `"name":"read","properties":"x"`, 1), nil, 400, "action.properties must be an object"},
		"Resource: properties is an object":                          {PathEvaluation, strings.Replace(readOK, `"id":"r3"`, `"id":"r3","properties":7`, 1), nil, 400, "resource.properties must be an object"},
		"Context is an object":                                       {PathEvaluation, member("context", `[]`), nil, 400, "context must be an object"},
		"Decision: deny is 200":                                      {PathEvaluation, readWeak, nil, 200, `"decision":false`},
		"Evaluations: empty list is one request":                     {PathEvaluations, member("evaluations", `[]`), nil, 200, `{"decision":true`},
		"Evaluations: options without a list":                        {PathEvaluations, member("options", `{"evaluations_semantic":"deny_on_first_deny","x":1}`), nil, 200, `{"decision":true`},
		"Default values: any omitted key MUST be top-level":          {PathEvaluations, `{"evaluations":[` + readOK + `,{"subject":{"type":"system","id":"a1"}}]}`, nil, 200, `"error":{"status":400,"message":"action is required"}`},
		"Evaluations semantics: exactly one of the values":           {PathEvaluations, member("options", `{"evaluations_semantic":7}`), nil, 400, "must be a string"},
		"Pagination: limit is non-negative":                          {PathSearch + "resource", page(`{"limit":-1}`), nil, 400, "0 or more"},
		"Pagination: limit 0 gives none, and where to go on":         {PathSearch + "resource", page(`{"limit":0}`), nil, 200, `{"results":[],"page":{"next_token":"ey`},
		"Pagination: additional keys and properties":                 {PathSearch + "resource", page(`{"properties":{"sort":"id"},"x":1}`), nil, 200, `"results":[{"id":"r1"`},
		"Search: id of the searched entity MUST be ignored":          {PathSearch + "resource", strings.Replace(resources, `"type":"resource"`, `"type":"resource","id":["x"]`, 1), nil, 200, `"id":"r1"`},
		"Search: action key is not read":                             {PathSearch + "action", strings.Replace(readOK, `{"name":"read"}`, `7`, 1), nil, 200, `{"name":"read"}`},
		"Transport: Content-Type application/json":                   {PathEvaluation, readOK, []string{"Content-Type", "application/yaml"}, 400, "Content-Type"},
		"Transport: charset UTF-8":                                   {PathEvaluation, readOK, []string{"Content-Type", `Application/JSON; charset="UTF-8"`}, 200, `"decision":true`},
		"Transport: no other charset":                                {PathEvaluation, readOK, []string{"Content-Type", "application/json; charset=gbk"}, 400, "UTF-8"},
		"Transport: Accept of anything":                              {PathEvaluation, readOK, []string{"Accept", "text/html"}, 200, `"decision":true`},
		"JSON: unknown fields MUST be ignored, everywhere":           {PathEvaluation, strings.ReplaceAll(readOK, `"id"`, `"x":{"y":[null]},"id"`), nil, 200, `"decision":true`},
		"JSON: order means nothing":                                  {PathEvaluation, `{"resource":{"id":"r3","type":"resource"},"action":{"name":"read"},"subject":{"id":"a1","type":"system"}}`, nil, 200, `"decision":true`},
		"JSON payload: names unique after escapes":                   {PathEvaluation, member(`\u0061ction`, `{"name":"x"}`), nil, 400, "twice"},
		"JSON payload: no unpaired surrogates":                       {PathEvaluation, member("x", `"\ud800"`), nil, 400, "half a character"},
		"JSON payload: no lone low surrogate":                        {PathEvaluation, member("x", `"\uDC00"`), nil, 400, "half a character"},
		"JSON payload: a high one and a letter":                      {PathEvaluation, member("x", `"\ud83dA"`), nil, 400, "half a character"},
		"JSON payload: a pair":                                       {PathEvaluation, member("x", `"\ud83d\ude00 \\ud800"`), nil, 200, `"decision":true`},
		"JSON payload: numbers of double precision":                  {PathEvaluation, member("x", `1e400`), nil, 400, "out of the range"},
		"JSON payload: NaN":                                          {PathEvaluation, member("x", `NaN`), nil, 400, "not valid JSON"},
		"JSON payload: a large number that is one":                   {PathEvaluation, member("x", `1e300`), nil, 200, `"decision":true`},
		"JSON payload: a byte order mark":                            {PathEvaluation, "\ufeff" + readOK, nil, 400, "not valid JSON"},
		"Errors: an error message string":                            {PathEvaluation, `{}`, nil, 400, "subject is required\n"},
		"Errors: as JSON for whom asks for it":                       {PathEvaluation, `{}`, []string{"Accept", "text/html, application/json;q=0.5"}, 400, `{"status":400,"message":"subject is required"}`},
		"Errors: not for whom does not":                              {PathEvaluation, `{}`, []string{"Accept", "application/json;q=0"}, 400, "subject is required\n"},
		"Request Identification: also on errors":                     {PathEvaluation, `{`, []string{"X-Request-ID", "bfe9eb29-ab87"}, 400, "JSON"},
		"Denial of Service: nested JSON":                             {PathEvaluation, member("x", strings.Repeat("[", 1000)+strings.Repeat("]", 1000)), nil, 400, "deep"},
		"Denial of Service: payload size":                            {PathEvaluation, member("x", `"`+strings.Repeat("x", 10<<20)+`"`), nil, 413, "larger"},
		"Denial of Service: a bomb":                                  {PathEvaluation, zipped(t, member("x", `"`+strings.Repeat("x", 10<<20)+`"`)), []string{"Content-Encoding", "gzip"}, 413, "larger"},
		"Content-Encoding gzip (RFC 9110 8.4)":                       {PathEvaluation, zipped(t, readOK), []string{"Content-Encoding", "GZIP"}, 200, `"decision":true`},
		"Content-Encoding that is not":                               {PathEvaluation, readOK, []string{"Content-Encoding", "gzip"}, 400, "could not be read"},
		"Content-Encoding cut":                                       {PathEvaluation, zipped(t, readOK)[:40], []string{"Content-Encoding", "gzip"}, 400, "could not be read"},
		"Content-Encoding unknown (RFC 9110 15.5.16)":                {PathEvaluation, readOK, []string{"Content-Encoding", "br"}, 415, "gzip"},
		"Content-Encoding twice":                                     {PathEvaluation, zipped(t, readOK), []string{"Content-Encoding", "gzip, gzip"}, 415, "gzip"},
		"Capabilities: a decision carries its digests and its place": {PathEvaluation, readOK, nil, 200, `"digests":{"engine":"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(h, tc.path, "a1", tc.body, tc.headers...)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
				t.Fatalf("%d %.400s", w.Code, w.Body)
			}
			if w.Code == 200 && (w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes())) {
				t.Fatalf("%v %s", w.Header(), w.Body)
			}
			for i := 0; i+1 < len(tc.headers); i += 2 {
				if tc.headers[i] == "X-Request-ID" && w.Header().Get("X-Request-ID") != tc.headers[i+1] {
					t.Fatalf("%v", w.Header())
				}
			}
		})
	}
}

// Pagination: "all entities and pagination parameters MUST be identical to the
// preceding request. PDPs SHOULD return an error when any has been changed."
func TestPageSizeStays(t *testing.T) {
	h := serve(t, &register{more: 10})
	ask := func(page string) (int, found, string) {
		t.Helper()
		w := post(h, PathSearch+"resource", "a1", strings.TrimSuffix(resources, "}")+`,"page":`+page+`}`)
		var out found
		if w.Code == 200 {
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
		}
		return w.Code, out, out.Page.NextToken
	}
	for _, limit := range []int{0, 3, 100000} {
		_, _, token := ask(fmt.Sprintf(`{"limit":%d}`, limit))
		if limit > 100 {
			if token != "" {
				t.Fatal("more than there is")
			}
			continue
		}
		for page, status := range map[string]int{
			`{"token":"` + token + `"}`:                              200,
			fmt.Sprintf(`{"token":"%s","limit":%d}`, token, limit):   200,
			fmt.Sprintf(`{"token":"%s","limit":%d}`, token, limit+1): 400,
		} {
			if code, out, _ := ask(page); code != status || code == 200 && len(out.Results) != limit {
				t.Errorf("%s: %d, %d results", page, code, len(out.Results))
			}
		}
	}
}

// 429: one caller's questions do not take the decision point from others.
func TestQuestionsAtOnce(t *testing.T) {
	b := &busy{most: 2, of: map[string]int{}}
	one, ok1 := b.enter("a1")
	two, ok2 := b.enter("a1")
	three, ok3 := b.enter("a1")
	other, ok4 := b.enter("b1")
	if !ok1 || !ok2 || ok3 || !ok4 {
		t.Fatal(ok1, ok2, ok3, ok4)
	}
	three()
	if _, ok := b.enter("a1"); ok {
		t.Fatal("who was not let in made room")
	}
	one()
	two()
	other()
	if len(b.of) != 0 {
		t.Fatalf("%v", b.of)
	}

	reg := &register{waits: make(chan struct{}), entered: make(chan struct{}, maxAtOnce)}
	h := serve(t, reg)
	var all sync.WaitGroup
	for range maxAtOnce {
		all.Go(func() {
			if w := post(h, PathEvaluation, "a1", readOK); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	for range maxAtOnce {
		<-reg.entered
	}
	for path, body := range map[string]string{PathEvaluation: readOK, PathEvaluations: readOK, PathSearch + "resource": resources, PathOPA: opaRead} {
		if w := post(h, path, "a1", body); w.Code != 429 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "true") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	close(reg.waits)
	all.Wait()
	if w := post(h, PathEvaluation, "a1", readOK); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// HTTP/2 over TLS, as Envoy and Go clients speak it.
func TestOverHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(serve(t, &register{}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+PathEvaluation, strings.NewReader(readOK))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Test-Caller", "a1")
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Fatal(resp.Proto, resp.Status)
	}
}
