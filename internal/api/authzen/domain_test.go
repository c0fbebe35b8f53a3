package authzen

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// app is an application domain of a1 for the type "file": it permits what a property
// of the question says, and remembers what it was asked.
type app struct {
	asked   []Evaluation
	failing error
}

func (a *app) Of(_ context.Context, resourceType, resource string) (Domain, error) {
	if resourceType != "file" || resource == "r3" { // which the catalogue lists
		return nil, a.failing
	}
	return a, a.failing
}

func (a *app) MayAsk(caller ledger.Actor) bool { return caller.ID == "a1" }

func (a *app) Decide(_ context.Context, q Evaluation) (authz.Decision, error) {
	a.asked = append(a.asked, q)
	return authz.Decision{ID: "app", Allow: string(q.SubjectProperties["role"]) == `"admin"`}, a.failing
}

func (a *app) Candidates(_ context.Context, kind authz.SearchKind, entityType, after string, limit int) ([]string, error) {
	return behind(map[string][]string{"subject user": {"u1", "u2"}, "resource file": {"f1", "f2"}, "action file": {"read"}}[string(kind)+" "+entityType], after, limit), a.failing
}

func (a *app) Search(_ context.Context, s Search) (authz.Found, error) {
	a.asked = append(a.asked, s.Base)
	return authz.Found{ID: "app", Permitted: s.Candidates, Weighed: len(s.Candidates)}, a.failing
}

// A question goes to the domain of its resource type, with its properties, and to
// nobody else; the house's own types and resources never do.
func TestDomainsAreAskedByType(t *testing.T) {
	const file = `{"subject":{"type":"user","id":"u1","properties":{"role":"admin"}},"action":{"name":"read","properties":{"purpose":1}},"resource":{"type":"file","id":"f1"},"context":{"purpose":"x","sources":"y"}}`
	for name, tc := range map[string]struct {
		caller, path, body string
		status             int
		want               string
		asked              int
	}{
		"its owner":                    {"a1", PathEvaluation, file, 200, `"decision":true,"context":{"id":"app"`, 1},
		"properties count":             {"a1", PathEvaluation, strings.Replace(file, "admin", "clerk", 1), 200, `"decision":false`, 1},
		"another system":               {"b1", PathEvaluation, file, 403, "another system's", 0},
		"an id of the catalogue":       {"a1", PathEvaluation, strings.Replace(file, `"f1"`, `"r3"`, 1), 400, "context.sources", 0},
		"a type of the house":          {"a1", PathEvaluation, readOK, 200, `"id":"d-1"`, 0},
		"a type of nobody":             {"a1", PathEvaluation, strings.Replace(readOK, `"type":"resource"`, `"type":"robot"`, 1), 200, `"id":"d-1"`, 0},
		"a batch, item by item":        {"a1", PathEvaluations, strings.TrimSuffix(readOK, "}") + `,"evaluations":[{},` + file + `]}`, 200, `"id":"app"`, 1},
		"subjects":                     {"a1", PathSearch + "subject", `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"file","id":"f1"}}`, 200, `[{"id":"u1","type":"user"},{"id":"u2","type":"user"}]`, 1},
		"resources":                    {"a1", PathSearch + "resource", `{"subject":{"type":"user","id":"u1"},"action":{"name":"read"},"resource":{"type":"file"}}`, 200, `[{"id":"f1","type":"file"},{"id":"f2","type":"file"}]`, 1},
		"actions":                      {"a1", PathSearch + "action", `{"subject":{"type":"user","id":"u1"},"resource":{"type":"file","id":"f1"}}`, 200, `[{"name":"read"}]`, 1},
		"another system finds nothing": {"b1", PathSearch + "resource", `{"subject":{"type":"user","id":"u1"},"action":{"name":"read"},"resource":{"type":"file"}}`, 200, `"results":[]`, 1},
		"the other surface has none":   {"a1", PathOPA, `{"input":{"subject_type":"system","subject_id":"a1","action":"read","resource":"f1"}}`, 200, "E01_unknown_resource", 0},
	} {
		a := &app{}
		w := post(serveWith(t, &register{}, a), tc.path, tc.caller, tc.body)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) || len(a.asked) != tc.asked {
			t.Errorf("%s: %d %s, asked %d times", name, w.Code, w.Body, len(a.asked))
		}
		for _, q := range a.asked {
			if q.Caller.ID != tc.caller {
				t.Errorf("%s: asked by %+v", name, q.Caller)
			}
		}
		a.failing = errors.New("secret detail")
		if w := post(serveWith(t, &register{}, a), PathEvaluation, "a1", file); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("a failing register: %d %s", w.Code, w.Body)
		}
	}
}
