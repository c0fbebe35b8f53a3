package route_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/authz/route/routetest"
)

// world is a unit A with an administrator and a leader, its system, and answers
// that somebody signed.
type world struct {
	*route.Service
	reg     *routetest.Register
	at      time.Time
	answers map[string]route.Answer // by digest
}

func (w *world) System(_ context.Context, id string) (identity.System, error) {
	of := map[string]identity.USCC{"gate-a": "A", "gate-b": "B"}[id]
	if of == "" {
		return identity.System{}, identity.ErrNotFound
	}
	return identity.System{ID: id, Agency: of}, nil
}

func (w *world) Holds(_ context.Context, person string, unit identity.USCC, roles ...identity.Role) (bool, error) {
	role := map[string]identity.Role{"admin": identity.RoleAgencySysadmin, "leader": identity.RoleUnitLeader, "clerk": identity.RoleClerk}[person]
	return unit == "A" && slices.Contains(roles, role), nil
}

func (w *world) Answer(_ context.Context, r route.Route) (route.Answer, error) {
	a, ok := w.answers[r.Digest()]
	if !ok {
		return route.Answer{}, route.ErrNotApproved
	}
	return a, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{reg: &routetest.Register{}, at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), answers: map[string]route.Answer{}}
	n := 0
	var err error
	w.Service, err = route.New(route.Config{
		Register: w.reg, Approver: w, Posts: w, Systems: w, Actions: []string{"read", "copy"}, Now: func() time.Time { return w.at },
		NewID: func() string { n++; return fmt.Sprintf("id-%03d", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func person(id string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: "A"} }

func births(change func(*route.Route)) route.Route {
	r := route.Route{System: "gate-a", Prefix: "/births", Type: route.Catalogue, Resource: "births", Action: "read", Reason: "样例"}
	if change != nil {
		change(&r)
	}
	return r
}

// force proposes, approves and settles.
func (w *world) force(t *testing.T, r route.Route) route.Route {
	t.Helper()
	r, _, err := w.Propose(t.Context(), person("admin"), r)
	if err != nil {
		t.Fatal(err)
	}
	w.answers[r.Digest()] = route.Answer{ID: "a-1", Yes: true}
	if r, _, err = w.Settle(t.Context(), person("leader"), r.ID); err != nil || r.State != route.InForce {
		t.Fatal(r.State, err)
	}
	return r
}

func TestRegisterInMemoryConforms(t *testing.T) {
	routetest.Run(t, func(*testing.T) route.Register { return &routetest.Register{} })
}

func TestProposeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		who    string
		change func(*route.Route)
		want   error
	}{
		"X11-24 a clerk":           {"clerk", nil, route.ErrForbidden},
		"X11-24 the leader itself": {"leader", nil, route.ErrForbidden},
		"another unit's system":    {"admin", func(r *route.Route) { r.System = "gate-b" }, route.ErrForbidden},
		"an unknown system":        {"admin", func(r *route.Route) { r.System = "gate-c" }, route.ErrInvalid},
		"no reason":                {"admin", func(r *route.Route) { r.Reason = "" }, route.ErrInvalid},
		"no resource":              {"admin", func(r *route.Route) { r.Resource = "" }, route.ErrInvalid},
		"an unknown action":        {"admin", func(r *route.Route) { r.Action = "export" }, route.ErrInvalid},
		"no path":                  {"admin", func(r *route.Route) { r.Prefix = "births" }, route.ErrInvalid},
		"an open end":              {"admin", func(r *route.Route) { r.Prefix = "/births/" }, route.ErrInvalid},
		"dots":                     {"admin", func(r *route.Route) { r.Prefix = "/a/../births" }, route.ErrInvalid},
		"a query":                  {"admin", func(r *route.Route) { r.Prefix = "/births?x" }, route.ErrInvalid},
		"encoded":                  {"admin", func(r *route.Route) { r.Prefix = "/%62irths" }, route.ErrInvalid},
		"a method in small":        {"admin", func(r *route.Route) { r.Methods = []string{"get"} }, route.ErrInvalid},
		"a field that hides":       {"admin", func(r *route.Route) { r.Fields = []string{"a\u202eb"} }, route.ErrInvalid},
	} {
		w := newWorld(t)
		if _, _, err := w.Propose(t.Context(), person(tc.who), births(tc.change)); !errors.Is(err, tc.want) || len(w.reg.Events()) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld(t)
	w.force(t, births(nil))
	for name, change := range map[string]func(*route.Route){
		"the same":        nil,
		"one method":      func(r *route.Route) { r.Methods = []string{"GET"} },
		"in another case": func(r *route.Route) { r.Prefix = "/Births" },
	} {
		if _, _, err := w.Propose(t.Context(), person("admin"), births(change)); !errors.Is(err, route.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// X11-24: nothing counts before the leader signed these words, nor afterwards.
func TestLife(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	none := func(when string) {
		t.Helper()
		if _, err := w.Match(ctx, "gate-a", "GET", "/births"); !errors.Is(err, route.ErrNotFound) {
			t.Fatalf("%s: %v", when, err)
		}
	}
	r, _, err := w.Propose(ctx, person("admin"), births(nil))
	if err != nil {
		t.Fatal(err)
	}
	none("proposed")
	if _, _, err := w.Settle(ctx, person("leader"), r.ID); !errors.Is(err, route.ErrNotApproved) {
		t.Fatal(err)
	}
	none("not signed")
	w.answers[r.Digest()] = route.Answer{ID: "a-1"}
	if got, _, err := w.Settle(ctx, person("leader"), r.ID); err != nil || got.State != route.Refused {
		t.Fatal(got.State, err)
	}
	none("refused")
	r = w.force(t, births(nil))
	if got, err := w.Match(ctx, "gate-a", "GET", "/births/2026?name=x"); err != nil || got.ID != r.ID {
		t.Fatal(got, err)
	}
	if _, _, err := w.Withdraw(ctx, person("clerk"), r.ID, "样例"); !errors.Is(err, route.ErrForbidden) {
		t.Fatal(err)
	}
	if _, _, err := w.Withdraw(ctx, person("leader"), r.ID, ""); !errors.Is(err, route.ErrInvalid) {
		t.Fatal(err)
	}
	if _, _, err := w.Withdraw(ctx, person("leader"), r.ID, "样例"); err != nil {
		t.Fatal(err)
	}
	none("withdrawn")
	if _, _, err := w.Withdraw(ctx, person("leader"), r.ID, "样例"); !errors.Is(err, route.ErrState) {
		t.Fatal(err)
	}
	if n := len(w.reg.Events()); n != 5 {
		t.Fatalf("%d events", n)
	}
}

// What a proxy and the program behind it may read in two ways stands for nothing.
func TestMatch(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for id, change := range map[string]func(*route.Route){
		"births":  nil,
		"secrets": func(r *route.Route) { r.Prefix, r.Methods = "/births/secret", []string{"POST"} },
		"写":       func(r *route.Route) { r.Prefix, r.Methods = "/写", []string{"PUT"} },
		"读":       func(r *route.Route) { r.Prefix, r.Methods = "/写", []string{"GET", "HEAD"} },
	} {
		r := births(change)
		r.Resource = id
		w.force(t, r)
	}
	for _, tc := range []struct{ system, method, path, want string }{
		{"gate-a", "GET", "/births", "births"},
		{"gate-a", "DELETE", "/births/1?x=/births/secret", "births"},
		{"gate-a", "GET", "/births;v=1", "births"},
		{"gate-a", "POST", "/births/secret/1", "secrets"},
		{"gate-a", "PUT", "/%E5%86%99/1", "写"},
		{"gate-a", "HEAD", "/写", "读"},
		{"gate-a", "GET", "/births/secret", ""}, // the longest prefix decides, also about methods
		{"gate-a", "GET", "/births/SECRET", ""},
		{"gate-a", "GET", "/Births", ""},
		{"gate-a", "GET", "/birthsx", ""},
		{"gate-a", "GET", "/", ""},
		{"gate-b", "GET", "/births", ""},
		{"", "GET", "/births", ""},
		{"gate-a", "POST", "/写", ""},
	} {
		got, err := w.Match(ctx, tc.system, tc.method, tc.path)
		if got.Resource != tc.want || (tc.want == "") != errors.Is(err, route.ErrNotFound) {
			t.Errorf("%s %s: %s %v", tc.method, tc.path, got.Resource, err)
		}
	}
	for _, path := range []string{
		"", "births", "http://x/births", "*", "/births/../births/secret", "/births/./secret", "/births//secret", "//births", "/births/%2e%2e/secret", "/births%2Fsecret",
		"/births%5csecret", "/births\\secret", "/births/%252e", "/births/..;/secret", "/births/%00", "/births\x00", "/births/%zz", "/births/\xff", "/births/%ff", "/births#x", "/births%3b/..",
		"/" + string(make([]byte, 5000)),
	} {
		if got, err := w.Match(ctx, "gate-a", "POST", path); !errors.Is(err, route.ErrPath) {
			t.Errorf("%.40q: %s %v", path, got.Resource, err)
		}
	}
}

// A register that cannot be read has no routes, and what is remembered is not for long.
func TestMatchFailsClosed(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.force(t, births(nil))
	if _, err := w.Match(ctx, "gate-a", "GET", "/births"); err != nil {
		t.Fatal(err)
	}
	w.reg.Fail = errors.New("away")
	w.at = w.at.Add(time.Second)
	if _, err := w.Match(ctx, "gate-a", "GET", "/births"); !errors.Is(err, w.reg.Fail) {
		t.Fatal(err)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("/births/1?x")
	f.Add("/births/%2e%2e/secret")
	w := &world{reg: &routetest.Register{}}
	s, err := route.New(route.Config{Register: w.reg, Approver: w, Posts: w, Systems: w, Actions: []string{"read"}, Now: time.Now, NewID: func() string { return "x" }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if r, err := s.Match(t.Context(), "gate-a", "GET", path); err == nil {
			t.Fatalf("%q is %+v", path, r)
		}
	})
}
