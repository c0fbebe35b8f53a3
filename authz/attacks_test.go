package authz

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/yinxin-gov/yinxin/policies"
)

// A query of the form `x == "permit"` has a result also when it is false, so that
// counting results permits everything. Only the string itself is a permit.
func TestResultSetIsNoPermit(t *testing.T) {
	deny := []byte(siteHead + "out := \"deny\" if true\n")
	rs, err := rego.New(rego.Query(`data.yinxin.site.out == "permit"`), rego.Module("site.rego", string(deny)), rego.SetRegoVersion(ast.RegoV1)).Eval(t.Context())
	if err != nil || len(rs) != 1 || rs.Allowed() {
		t.Fatalf("the trap is gone: %v %v", rs, err)
	}
	p, _ := newPDP(t, newWorld(t, nil), deny)
	d, err := p.Decide(t.Context(), lawful())
	if err != nil || d.Allow {
		t.Fatalf("%v %+v", err, d)
	}
	for _, x := range []any{false, true, nil, 1, "deny", "PERMIT", []any{"permit"}, map[string]any{"permit": true}} {
		if len(readSite(x, nil)) == 0 {
			t.Errorf("%v permits", x)
		}
	}
}

// In one compiler with the core, an officer's `package yinxin.core` would erase
// denials. Here not even a module that passed no gate can: it is compiled alone,
// and its answer is one of three that must all be yes.
func TestHostileSiteWithoutGate(t *testing.T) {
	for name, src := range map[string]string{
		"the core's package": "package yinxin.core\n\nimport rego.v1\n\nout := \"permit\"\n\ndeny := set()\n\nbears(_, _) := true\n\ndominates(_, _) := true\n",
		"with":               "package yinxin.site\n\nimport rego.v1\n\nout := \"permit\" if data.yinxin.core.deny == set() with input as {}\n\ndefault out := \"permit\"\n",
	} {
		m, err := ast.ParseModuleWithOpts("site.rego", src, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		hostile, err := prepare(t.Context(), "x = "+m.Package.Path.String()+".out", capabilities(), m)
		if err != nil {
			t.Fatal(err)
		}
		for title, c := range allCases(t) {
			p, _ := newPDP(t, newWorld(t, c.Facts), nil)
			p.site, p.siteAsks = hostile, true
			if d, err := p.Decide(t.Context(), c.request(t)); err != nil || d.Allow != c.Allow {
				t.Errorf("%s, %s: %v %v", name, title, d.Allow, err)
			}
		}
	}
}

// Rego orders every string above every number, so that a level "4" would dominate
// all. Whatever is asked, each part of the input has its one type.
func TestInputIsTyped(t *testing.T) {
	var str, num, yes, set, obj, arr ast.Value = ast.String(""), ast.Number("0"), ast.Boolean(true), ast.NewSet(), ast.NewObject(), ast.NewArray()
	types := map[string]ast.Value{
		"level": num, "s": num, "a": num, "now": num, "not_before": num, "not_after": num,
		"known": yes, "graded": yes, "expired": yes, "left": yes, "reviewed": yes, "public": yes, "ended": yes, "begun": yes, "terminated": yes,
		"confidential": yes, "stated": yes,
		"fields": set, "roles": set, "duties": set, "items": set, "tags": set, "onward": set, "purposes": set,
		"subject": obj, "target": obj, "result": obj, "new_grade": obj, "sealed": obj,
		"carriers": arr, "sources": arr, "agreements": arr, "holdings": arr,
		"action": str, "purpose": str, "type": str, "id": str, "agency": str, "system": str, "resource": str, "provider": str, "share": str,
		"regime": str, "defect": str, "holder": str, "agreement": str, "user": str, "consumer": str, "office": str, "defect_ack": str,
	}
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	seen := map[string]bool{}
	for _, one := range product(t, p, m) {
		if one.pair || one.foreign {
			continue
		}
		r, s := one.ask(t, p)
		ast.WalkTerms(ast.NewTerm(p.input.build(newView(r, s, m.Now))), func(term *ast.Term) bool {
			o, is := term.Value.(ast.Object)
			if !is {
				return false
			}
			sealed := o.Len() == 3 && o.Get(ast.StringTerm("office")) != nil // who sealed, by role
			o.Foreach(func(k, v *ast.Term) {
				name := string(k.Value.(ast.String))
				want, listed := types[name]
				if sealed {
					want, listed = yes, true
				}
				if listed && ast.ValueName(v.Value) != ast.ValueName(want) {
					t.Errorf("%s: %s is a %s", one.name, name, ast.ValueName(v.Value))
				}
				seen[name] = true
			})
			return false
		})
	}
	for name := range types {
		if !seen[name] {
			t.Errorf("nobody builds %s", name)
		}
	}
}

// `input.xs[_] != y` and `not input.xs[_] == y` ask whether some x differs, where
// the law means all: no condition of the core negates an iteration.
func TestCoreNegatesNoIteration(t *testing.T) {
	mods, _, err := coreModules(policies.Files(), capabilities())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mods {
		ast.WalkExprs(m, func(e *ast.Expr) bool {
			if e.Negated || e.IsCall() && slices.Contains([]string{"neq", "lt", "lte", "gt", "gte"}, e.Operator().String()) {
				ast.WalkVars(e, func(v ast.Var) bool {
					if v.IsWildcard() {
						t.Errorf("%s: %s", e.Location, e)
					}
					return false
				})
			}
			return false
		})
	}
}

// What a new engine brings is not allowed before somebody allows it.
func TestCapabilitiesAreAnAllowList(t *testing.T) {
	caps := capabilities()
	if len(caps.Builtins) != len(allowedBuiltins()) || len(caps.AllowNet) != 0 || caps.AllowNet == nil || len(caps.FutureKeywords) != 0 {
		t.Fatalf("%d builtins of %d, net %v, keywords %v", len(caps.Builtins), len(allowedBuiltins()), caps.AllowNet, caps.FutureKeywords)
	}
	for _, b := range caps.Builtins {
		if b.IsNondeterministic() {
			t.Errorf("%s is not deterministic", b.Name)
		}
	}
}
