package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Rules are what the gate asks of every module of a source.
type Rules struct {
	Package string   `json:"package"`        // "yinxin.site"
	Data    string   `json:"data,omitempty"` // the one name below data that may be read; empty: nothing but input is
	Result  string   `json:"result"`         // one complete rule with exactly one default
	Also    []string `json:"also,omitempty"` // further rules whose values are wanted, if they have one
	Max     int      `json:"max"`            // bytes of one module
	tests   bool     // test rules only, with their own input
}

// testPrefix begins the name of every rule of a test file.
const testPrefix = "test_"

func (r Rules) forTests() Rules { r.tests = true; return r }

// Finding is one thing that a module may not do. Rule is an id whose text stands in
// the catalogue ("authz.gate.data"); Line counts from 1.
type Finding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Rule   string `json:"rule"`
	Detail string `json:"detail,omitempty"`
}

// GateError lists every finding, in order of file and line.
type GateError struct{ Findings []Finding }

func (e *GateError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = strings.TrimSpace(fmt.Sprintf("%s:%d: %s %s", f.File, f.Line, f.Rule, f.Detail))
	}
	return "authz: policy refused: " + strings.Join(lines, "; ")
}

type gate struct {
	file     string
	findings []Finding
}

// maxFindings bounds what a module can have said about it.
const (
	maxFindings = 50
	maxSaid     = 200
)

func (g *gate) add(loc *ast.Location, rule, detail string) {
	line, file := 1, g.file
	if loc != nil {
		line = loc.Row
		if file == "" {
			file = loc.File
		}
	}
	if len(g.findings) < maxFindings {
		g.findings = append(g.findings, Finding{file, line, rule, strings.ToValidUTF8(detail[:min(len(detail), maxSaid)], "")})
	}
}

func (g *gate) addAll(rule string, err error) {
	var list ast.Errors
	if !errors.As(err, &list) {
		g.add(nil, rule, err.Error())
		return
	}
	for _, e := range list {
		g.add(e.Location, rule, e.Message)
	}
}

func (g *gate) err() error {
	if len(g.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(g.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return &GateError{slices.Compact(g.findings)}
}

// Parse is the gate before a compiler. It returns a *GateError for a module outside
// its package, one that reads anything but input and its own data, replaces values
// with `with`, calls a builtin outside the allow-list, orders values of different
// types, lacks the one result, or does not compile. The gate explains; what keeps
// the house safe is that a decision is an AND, and the process that this runs in.
func Parse(file string, src []byte, rules Rules) (*ast.Module, error) {
	caps := Capabilities()
	g := &gate{file: file}
	m := g.parse(string(src), rules, caps)
	if m != nil {
		g.calls(m, m.Rules)
		g.result(m.Rules, m.Package.Location, rules.Result)
	}
	if len(g.findings) > 0 {
		return nil, g.err()
	}
	return m, compiles(map[string]*ast.Module{file: m}, caps, nil)
}

// parseAll is the gate before several modules of one package; known are the rules of
// further ones, which they may call.
func parseAll(files map[string]string, rules Rules, caps *ast.Capabilities, known []*ast.Rule) (out map[string]*ast.Module, heads []*ast.Rule, err error) {
	all, out := &gate{}, map[string]*ast.Module{}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		g := &gate{file: name}
		if m := g.parse(files[name], rules, caps); m != nil {
			out[name], heads = m, append(heads, m.Rules...)
		}
		all.findings = append(all.findings, g.findings...)
	}
	for _, name := range names {
		if m := out[name]; m != nil {
			g := &gate{file: name}
			g.calls(m, slices.Concat(known, heads))
			all.findings = append(all.findings, g.findings...)
		}
	}
	if len(all.findings) == 0 && !rules.tests {
		all.result(heads, nil, rules.Result)
	}
	return out, heads, all.err()
}

// parse returns nil for what is no module.
func (g *gate) parse(src string, rules Rules, caps *ast.Capabilities) *ast.Module {
	if len(src) > rules.Max {
		g.add(nil, "authz.gate.size", fmt.Sprintf("%d > %d", len(src), rules.Max))
		return nil
	}
	m, err := ast.ParseModuleWithOpts(g.file, src, ast.ParserOptions{Capabilities: caps, RegoVersion: ast.RegoV1})
	if err != nil {
		g.addAll("authz.gate.parse", err)
		return nil
	}
	if m == nil {
		g.add(nil, "authz.gate.parse", "empty module")
		return nil
	}
	g.structure(m, rules)
	g.reads(m, rules)
	return m
}

func (g *gate) structure(m *ast.Module, rules Rules) {
	if m.Package.Path.String() != "data."+rules.Package {
		g.add(m.Package.Location, "authz.gate.package", m.Package.Path.String())
	}
	for _, imp := range m.Imports {
		if imp.Path.String() != "rego.v1" {
			g.add(imp.Location, "authz.gate.import", imp.Path.String())
		}
	}
	for _, r := range m.Rules {
		if name := r.Head.Ref().String(); rules.tests && !strings.HasPrefix(name, testPrefix) {
			g.add(r.Location, "authz.gate.test", name)
		}
	}
}

// reads: input, and the one name below data. Any other mention of `data` is refused,
// also a bare one, so that no path can be computed out of it; local rules are named
// without it.
func (g *gate) reads(m *ast.Module, rules Rules) {
	for _, r := range m.Rules {
		mentions, own := 0, 0
		ast.WalkVars(r, func(v ast.Var) bool {
			if v == ast.DefaultRootDocument.Value.(ast.Var) {
				mentions++
			}
			return false
		})
		ast.WalkRefs(r, func(ref ast.Ref) bool {
			if rules.Data != "" && len(ref) > 1 && ref[0].Equal(ast.DefaultRootDocument) && ref[1].Equal(ast.StringTerm(rules.Data)) {
				own++
			}
			return false
		})
		if mentions != own {
			g.add(r.Location, "authz.gate.data", "")
		}
		ast.WalkWiths(r, func(w *ast.With) bool {
			if target, is := w.Target.Value.(ast.Ref); !rules.tests || !is || !target[0].Equal(ast.InputRootDocument) {
				g.add(w.Location, "authz.gate.with", "")
			}
			return false
		})
	}
}

// calls: local functions and the allow-list; and no ordering against a
// constant that is no number, which Rego would answer by the order of types.
func (g *gate) calls(m *ast.Module, rules []*ast.Rule) {
	var local []string
	for _, r := range rules {
		local = append(local, r.Head.Ref().String())
	}
	allowed := Builtins()
	check := func(loc *ast.Location, op *ast.Term, args []*ast.Term) {
		name := op.String()
		if !slices.Contains(allowed, name) && !slices.Contains(local, name) {
			g.add(loc, "authz.gate.builtin", name)
		}
		if slices.Contains([]string{"lt", "lte", "gt", "gte"}, name) {
			for _, a := range args {
				if ast.IsConstant(a.Value) && !isNumber(a.Value) {
					g.add(loc, "authz.gate.order", a.String())
				}
			}
		}
	}
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() {
			check(e.Location, e.OperatorTerm(), e.Operands())
		}
		return false
	})
	ast.WalkTerms(m, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok && len(call) > 0 {
			check(t.Location, call[0], call[1:])
		}
		return false
	})
}

func isNumber(v ast.Value) bool {
	_, ok := v.(ast.Number)
	return ok
}

// result: one complete rule with exactly one default.
func (g *gate) result(rules []*ast.Rule, at *ast.Location, name string) {
	defaults := 0
	for _, r := range rules {
		if len(r.Head.Ref()) == 0 || r.Head.Ref()[0].String() != name {
			continue
		}
		if len(r.Head.Ref()) > 1 || r.Head.Key != nil || len(r.Head.Args) > 0 || r.Head.Value == nil {
			g.add(r.Location, "authz.gate.out", name+" must be one value")
		}
		if r.Default {
			defaults++
		}
	}
	if defaults != 1 {
		g.add(at, "authz.gate.out", fmt.Sprintf("%d defaults for %s", defaults, name))
	}
}
