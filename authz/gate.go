package authz

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds of an officer's module.
const (
	sitePackage = "data.yinxin.site"
	siteMax     = 64 << 10
)

// GateFinding is one thing an officer's module may not do. Rule is an id whose
// text stands in the catalogue ("authz.gate.data"); Line counts from 1.
type GateFinding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Rule   string `json:"rule"`
	Detail string `json:"detail,omitempty"`
}

// GateError lists every finding of CheckSite, in order of line.
type GateError struct{ Findings []GateFinding }

func (e *GateError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = strings.TrimSpace(fmt.Sprintf("%s:%d: %s %s", f.File, f.Line, f.Rule, f.Detail))
	}
	return "authz: site policy refused: " + strings.Join(lines, "; ")
}

// CheckSite is the gate before the officers' compiler. It returns a *GateError
// for a module outside package yinxin.site, one that reads anything but input,
// replaces values with `with`, calls a builtin outside the allow-list, orders
// values of different types, lacks the one result `out`, or does not compile.
// The gate explains; what keeps the core safe is that a decision is an AND.
func CheckSite(file string, src []byte) error {
	_, err := parseSite(file, src, capabilities())
	return err
}

type gate struct {
	file     string
	findings []GateFinding
}

func (g *gate) add(loc *ast.Location, rule, detail string) {
	line := 1
	if loc != nil {
		line = loc.Row
	}
	g.findings = append(g.findings, GateFinding{g.file, line, rule, detail})
}

func (g *gate) err() error {
	if len(g.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(g.findings, func(a, b GateFinding) int { return a.Line - b.Line })
	return &GateError{slices.Compact(g.findings)}
}

func parseSite(file string, src []byte, caps *ast.Capabilities) (*ast.Module, error) {
	g := &gate{file: file}
	if len(src) > siteMax {
		g.add(nil, "authz.gate.size", fmt.Sprintf("%d > %d", len(src), siteMax))
		return nil, g.err()
	}
	m, err := ast.ParseModuleWithOpts(file, string(src), ast.ParserOptions{Capabilities: caps, RegoVersion: ast.RegoV1})
	if err != nil {
		g.addAll("authz.gate.parse", err)
		return nil, g.err()
	}
	if m == nil {
		g.add(nil, "authz.gate.parse", "empty module")
		return nil, g.err()
	}
	g.structure(m)
	g.reads(m)
	g.calls(m)
	g.result(m)
	if len(g.findings) > 0 {
		return nil, g.err()
	}
	c := ast.NewCompiler().WithCapabilities(caps)
	if c.Compile(map[string]*ast.Module{file: m.Copy()}); c.Failed() {
		g.addAll("authz.gate.compile", c.Errors)
	}
	return m, g.err()
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

func (g *gate) structure(m *ast.Module) {
	if m.Package.Path.String() != sitePackage {
		g.add(m.Package.Location, "authz.gate.package", m.Package.Path.String())
	}
	for _, imp := range m.Imports {
		if imp.Path.String() != "rego.v1" {
			g.add(imp.Location, "authz.gate.import", imp.Path.String())
		}
	}
}

// reads: input only. Any mention of `data` is refused, also a bare one, so
// that no path can be computed out of it; local rules are named without it.
func (g *gate) reads(m *ast.Module) {
	for _, r := range m.Rules {
		ast.WalkVars(r, func(v ast.Var) bool {
			if v == ast.DefaultRootDocument.Value.(ast.Var) {
				g.add(r.Location, "authz.gate.data", "")
			}
			return false
		})
		ast.WalkWiths(r, func(w *ast.With) bool {
			g.add(w.Location, "authz.gate.with", "")
			return false
		})
	}
}

// calls: local functions and the allow-list; and no ordering against a
// constant that is no number, which Rego would answer by the order of types.
func (g *gate) calls(m *ast.Module) {
	var local []string
	for _, r := range m.Rules {
		local = append(local, r.Head.Ref().String())
	}
	check := func(loc *ast.Location, op *ast.Term, args []*ast.Term) {
		name := op.String()
		if !slices.Contains(allowedBuiltins(), name) && !slices.Contains(local, name) {
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

// result: `out` is one complete rule with exactly one default.
func (g *gate) result(m *ast.Module) {
	defaults := 0
	for _, r := range m.Rules {
		if len(r.Head.Ref()) == 0 || r.Head.Ref()[0].String() != "out" {
			continue
		}
		if len(r.Head.Ref()) > 1 || r.Head.Key != nil || len(r.Head.Args) > 0 || r.Head.Value == nil {
			g.add(r.Location, "authz.gate.out", "out must be one value")
		}
		if r.Default {
			defaults++
		}
	}
	if defaults != 1 {
		g.add(m.Package.Location, "authz.gate.out", fmt.Sprintf("%d defaults for out", defaults))
	}
}
