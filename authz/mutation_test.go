package authz

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/policies"
)

// Drop each rule of the core in turn: some case must notice. A rule that no
// case misses is untested law.
func TestEveryCoreRuleIsNeeded(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the core once a rule")
	}
	caps := sandbox.Capabilities()
	mods, _, err := coreModules(policies.Files(), caps)
	if err != nil {
		t.Fatal(err)
	}
	type judged struct {
		in   ast.Value
		want []string
	}
	var all []judged
	for _, c := range allCases(t) {
		m := newWorld(t, c.Facts)
		p, _ := newPDP(t, m, nil)
		r := normalise(c.request(t))
		snap, err := p.facts.Load(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, judged{p.input.build(newView(r, snap, m.Now)), c.Deny})
	}
	dropped := 0
	for i, m := range mods {
		for j, rule := range m.Rules {
			mutant := slices.Clone(mods)
			mutant[i] = m.Copy()
			mutant[i].Rules = slices.Delete(mutant[i].Rules, j, j+1)
			mutant[i].Annotations = nil
			q, err := prepare(t.Context(), "x = data.yinxin.core.deny", caps, mutant...)
			if err != nil {
				continue // the core does not even compile without it
			}
			dropped++
			if !slices.ContainsFunc(all, func(c judged) bool {
				return !slices.Equal(codesOf(readCore(evaluate(t.Context(), q, c.in, 1e9)), guardCore), c.want)
			}) {
				t.Errorf("%s:%d: nothing misses %s", rule.Location.File, rule.Location.Row, rule.Head)
			}
		}
	}
	t.Logf("%d rules dropped, each missed", dropped)
}
