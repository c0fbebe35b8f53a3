package authz

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/yinxin-gov/yinxin/policies"
)

// coreSlice is the core cut down to the denials of one code and what they rest on.
type coreSlice struct {
	query rego.PreparedEvalQuery
	rules int
	reads map[string]bool // every name by which these rules look into a document
}

// sliceCore finds by the compiler's graph of dependencies which rules a denial
// with this code can reach. Nothing else of the core can change it.
func sliceCore(t *testing.T, code string) coreSlice {
	t.Helper()
	caps := capabilities()
	mods, _, err := coreModules(policies.Files(), caps)
	if err != nil {
		t.Fatal(err)
	}
	c := ast.NewCompiler().WithCapabilities(caps)
	byName, codes := map[string]*ast.Module{}, map[string]string{} // codes by place: compiling rewrites the heads
	for _, m := range mods {
		byName[m.Package.Location.File] = m.Copy()
		for _, r := range m.Rules {
			codes[r.Location.String()] = codeOfRule(r)
		}
	}
	if c.Compile(byName); c.Failed() {
		t.Fatal(c.Errors)
	}
	keep, s := map[string]bool{}, coreSlice{reads: map[string]bool{}}
	var visit func(*ast.Rule)
	visit = func(r *ast.Rule) {
		if at := r.Location.String(); !keep[at] {
			keep[at] = true
			ast.WalkTerms(r, func(term *ast.Term) bool { // any word of a rule may be a name, also in an object that it compares with
				if name, is := term.Value.(ast.String); is {
					s.reads[string(name)] = true
				}
				return false
			})
			for dep := range c.Graph.Dependencies(r) {
				visit(dep.(*ast.Rule))
			}
		}
	}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			if codes[r.Location.String()] == code {
				visit(r)
			}
		}
	}
	for i, m := range mods {
		mods[i] = m.Copy()
		mods[i].Annotations = nil
		mods[i].Rules = slices.DeleteFunc(mods[i].Rules, func(r *ast.Rule) bool { return !keep[r.Location.String()] })
		s.rules += len(mods[i].Rules)
	}
	if s.query, err = prepare(t.Context(), "x = data.yinxin.core.deny", caps, mods...); err != nil {
		t.Fatal(err)
	}
	return s
}

// codeOfRule is the code in the head of a denial, "" for any other rule.
func codeOfRule(r *ast.Rule) string {
	if name := r.Head.Ref()[0].String(); r.Head.Key == nil || name != "deny" && name != "fault" {
		return ""
	}
	o, is := r.Head.Key.Value.(ast.Object)
	if !is {
		return ""
	}
	code := o.Get(ast.StringTerm("code"))
	if code == nil {
		return ""
	}
	s, _ := code.Value.(ast.String)
	return string(s)
}

// prune takes out of an input what the slice has no name for: it cannot be read,
// so the slice says the same with and without it.
func (s coreSlice) prune(v ast.Value) ast.Value {
	switch v := v.(type) {
	case ast.Object:
		out := ast.NewObject()
		v.Foreach(func(k, e *ast.Term) {
			if name, is := k.Value.(ast.String); is && s.reads[string(name)] {
				out.Insert(k, ast.NewTerm(s.prune(e.Value)))
			}
		})
		return out
	case *ast.Array:
		out := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(e *ast.Term) { out = append(out, ast.NewTerm(s.prune(e.Value))) })
		return ast.NewArray(out...)
	}
	return v
}
