//go:build !race

package authz

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/policies"
)

// floorScore is the share of mutants that the tests of the core must notice.
const floorScore = 0.95

// knownSurvivors are changes that change no decision, each with its reason.
func knownSurvivors() map[string]string {
	return map[string]string{
		"core/agreement.rego drop `uncovered != set()`":            "saves time only: no fault without an uncovered source",
		"core/lattice.rego drop `input.action == \"regrade\"`":     "holdings are read for a re-grading only",
		"core/sharing.rego drop `src.regime != \"beijing-2017\"`":  "the other regime's rule says the same code in other words",
		"core/grants.rego drop `input.subject.type == \"person\"`": "by_person says it again, roles being a person's; it stands first for the engine",
		"core/agreement.rego change constant 1":                    "the sign between two parts of a detail",
		"core/sharing.rego change constant 2":                      "the other regime's rule says the same code in other words",
		"core/sharing.rego drop `input.target.known == true`":      "handover says it again; it stands first for the engine",
	}
}

// Change the core in every small way: drop a rule, drop or negate a condition,
// swap a comparison, change a constant. The cases that officers read, and the
// product that the reference answers, must notice: a change that nobody misses
// is untested law.
func TestCoreMutantsAreNoticed(t *testing.T) {
	caps := sandbox.Capabilities()
	mods, _, err := coreModules(policies.Files(), caps)
	if err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // much garbage, little to keep
	exam := newExam(t)
	all := mutants(mods)
	fates := make([]fate, len(all))
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := w; i < len(all); i += runtime.GOMAXPROCS(0) {
				q, err := prepare(t.Context(), "x = data.yinxin.core.deny", caps, all[i].mods...)
				if err != nil {
					fates[i] = stillborn // the program would not start
					continue
				}
				fates[i] = exam.take(func(in ast.Value) []string {
					return codesOf(readCore(evaluate(t.Context(), q, in, time.Second)), guardCore)
				})
			}
		})
	}
	wg.Wait()
	var alive []string
	count := map[fate]int{}
	for i, m := range all {
		count[fates[i]]++
		if fates[i] == survived {
			reason := knownSurvivors()[m.name]
			alive = append(alive, m.name)
			t.Logf("survives at line %d: %s (%s)", m.row, m.name, cmp.Or(reason, "nobody misses it"))
		}
	}
	killed, tried := count[byCases]+count[byProduct], len(all)-count[stillborn]
	score := float64(killed) / float64(tried)
	t.Logf("%d mutants, %d do not compile, %d noticed by the cases, %d by the product only, %d survive: score %.3f",
		len(all), count[stillborn], count[byCases], count[byProduct], len(alive), score)
	if score < floorScore {
		t.Fatalf("the tests of the core notice less than %.2f", floorScore)
	}
}

type fate int

const (
	survived fate = iota
	stillborn
	byCases
	byProduct
)

// exam is the questions with their right answers, the cases first.
type exam struct {
	cases, product []question
}

type question struct {
	in   ast.Value
	want []string
}

func newExam(t *testing.T) exam {
	t.Helper()
	var e exam
	p, _ := newPDP(t, newWorld(t, nil), nil)
	for _, c := range allCases(t) {
		m := newWorld(t, c.Facts)
		own, _ := newPDP(t, m, nil)
		r := normalise(c.request(t))
		snap, err := own.facts.Load(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		v := newView(r, snap, m.Now)
		e.cases = append(e.cases, question{p.input.build(v), c.lawCodes()})
	}
	m := newWorld(t, nil)
	p, _ = newPDP(t, m, nil)
	i := 0
	for _, v := range product(t, p, m) {
		i++
		if v.pair || v.foreign && (i%2 > 0 || usesContent(v.base.Action) && i%8 > 0) { // most are noticed by the own action of a base
			continue
		}
		r, s := v.ask(t, p)
		e.product = append(e.product, question{p.input.build(newView(r, s, m.Now)), reference(r, s, m.Now)})
	}
	return e
}

func (e exam) take(answer func(ast.Value) []string) fate {
	wrong := func(q question) bool { return !slices.Equal(answer(q.in), q.want) }
	switch {
	case slices.ContainsFunc(e.cases, wrong):
		return byCases
	case slices.ContainsFunc(e.product, wrong):
		return byProduct
	}
	return survived
}

// mutant is the core with one change.
type mutant struct {
	name string // file and change: lines move
	row  int
	mods []*ast.Module
}

func mutants(mods []*ast.Module) (all []mutant) {
	for i, m := range mods {
		for j, rule := range m.Rules {
			add := func(what string, change func(m *ast.Module)) {
				with := slices.Clone(mods)
				with[i] = m.Copy()
				with[i].Annotations = nil
				change(with[i])
				all = append(all, mutant{rule.Location.File + " " + what, rule.Location.Row, with})
			}
			add("drop the rule", func(m *ast.Module) { m.Rules = slices.Delete(m.Rules, j, j+1) })
			for k, e := range rule.Body {
				mutateExpr(e, k, len(rule.Body), func(what string, change func(r *ast.Rule)) {
					add(what+" `"+string(e.Location.Text)+"`", func(m *ast.Module) { change(m.Rules[j]) })
				})
			}
			for n := range constants(rule) {
				add(fmt.Sprintf("change constant %d", n), func(m *ast.Module) { constants(m.Rules[j])[n]() })
			}
		}
	}
	return all
}

func mutateExpr(e *ast.Expr, k, of int, add func(string, func(*ast.Rule))) {
	if term, is := e.Terms.(*ast.Term); is && term.Equal(ast.BooleanTerm(true)) {
		return // a body that the parser made
	}
	if of > 1 {
		add("drop", func(r *ast.Rule) { r.Body = slices.Delete(r.Body, k, k+1) })
	} else {
		add("drop", func(r *ast.Rule) { r.Body = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true))) })
	}
	if _, declares := e.Terms.(*ast.SomeDecl); declares || e.IsAssignment() {
		return
	}
	add("negate", func(r *ast.Rule) { r.Body[k].Negated = !r.Body[k].Negated })
	if !e.IsCall() {
		return
	}
	for _, to := range map[string][]string{
		"equal": {"neq"}, "neq": {"equal"}, "lt": {"lte", "gt"}, "lte": {"lt"}, "gt": {"gte", "lt"}, "gte": {"gt", "lte", "equal"},
	}[e.Operator().String()] {
		add(to+" for", func(r *ast.Rule) { r.Body[k].SetOperator(ast.RefTerm(ast.VarTerm(to))) })
	}
}

// constants are the ways to change one constant of a rule: a boolean turned, a
// number one more, another word, a set without one of its members.
func constants(rule *ast.Rule) (changes []func()) {
	add := func(change func()) { changes = append(changes, change) }
	var visit func(term *ast.Term) bool
	visit = func(term *ast.Term) bool {
		switch v := term.Value.(type) {
		case ast.Ref:
			return true // names, not constants
		case ast.Object: // so are keys; and a detail is text for people
			v.Foreach(func(k, e *ast.Term) {
				if !k.Equal(ast.StringTerm("detail")) {
					ast.WalkTerms(e, visit)
				}
			})
			return true
		case ast.Boolean:
			if term.Location != nil && string(term.Location.Text) == v.String() {
				add(func() { term.Value = !v })
			}
		case ast.Number:
			n, _ := v.Int()
			add(func() { term.Value = ast.IntNumberTerm(n + 1).Value })
		case ast.String:
			add(func() { term.Value = v + "x" })
		case ast.Set:
			for _, member := range v.Slice() {
				add(func() { term.Value = v.Diff(ast.NewSet(member)) })
			}
			return true
		}
		return false
	}
	if rule.Head.Key != nil {
		ast.WalkTerms(rule.Head.Key, visit)
	}
	if rule.Head.Value != nil && rule.Head.Key == nil {
		ast.WalkTerms(rule.Head.Value, visit)
	}
	ast.WalkTerms(rule.Body, visit)
	return changes
}
