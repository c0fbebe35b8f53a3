//go:build !race

package authz

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/level/leveltest"
)

// The sealed guard and the core agree on each lattice rule for every question of
// the bounded world. The guard is asked each question. The core is not: for each
// code the rules that can reach it name only a part of the input, so questions
// that differ in nothing else have one answer, which is evaluated once. That the
// parts of the input come from the dimensions one by one is itself checked.
func TestGuardAndCoreAgreeOnTheWholeWorld(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // much garbage, little to keep
	u := universe{World: leveltest.New(), m: newWorld(t, nil)}
	var tables []*truth
	evaluated := 0
	for _, code := range []string{
		level.CodeUnknownAction, level.CodeSystemGrade, level.CodeLabelLowered, level.CodeTargetSystem,
		level.CodeCarrier, level.CodeBelowHoldings, level.CodePublish,
	} {
		tab := u.truthOf(t, code)
		t.Logf("%s: %d rules, %d evaluations of the core, %d denials among them", code, tab.rules, tab.evaluated, tab.denials)
		if tab.denials == 0 || tab.denials == tab.evaluated {
			t.Errorf("%s does not separate", code)
		}
		evaluated += tab.evaluated
		tables = append(tables, tab)
	}
	var differences atomic.Int64
	asked := u.Each(func(p leveltest.Point, q *level.Question) {
		found := level.Check(*q)
		for _, tab := range tables {
			guard := slices.ContainsFunc(found, func(f level.Finding) bool { return f.Code == tab.code })
			if core := tab.denies(p); guard != core && differences.Add(1) <= 10 {
				t.Errorf("%+v: guard %v, core %s %v", *q, found, tab.code, core)
			}
		}
	})
	t.Logf("%d questions, each compared for %d codes; %d evaluations of the core; %d differences", asked, len(tables), evaluated, differences.Load())
}

// universe puts the points of the world to the decision point.
type universe struct {
	leveltest.World
	m *memory
}

// dimensions of a point but for the act.
const dimensions = 7

// samples are the random points on which the factoring is checked for each code.
const samples = 400

func values(p *leveltest.Point) [dimensions]*int {
	return [dimensions]*int{&p.First, &p.Second, &p.Result, &p.Subject, &p.Target, &p.Carrier, &p.Consent}
}

func (u universe) sizes() [dimensions]int {
	n, g := len(u.Labels), len(u.Grades)
	return [dimensions]int{n, n + 1, n + 1, g, g, g, 2}
}

// truth is what the core says for one code, by act and class of each dimension.
type truth struct {
	code                      string
	rules, evaluated, denials int
	classes                   [][dimensions][]int // act, dimension, value: class
	examples                  [][dimensions][]int // act, dimension, class: a value
	stride                    [][dimensions]int
	denied                    [][]bool
}

func (tab *truth) index(p leveltest.Point) (i int) {
	for d, v := range values(&p) {
		i += tab.classes[p.Act][d][*v] * tab.stride[p.Act][d]
	}
	return i
}

func (tab *truth) denies(p leveltest.Point) bool { return tab.denied[p.Act][tab.index(p)] }

func (u universe) truthOf(t *testing.T, code string) *truth {
	s := sliceCore(t, code)
	tab := &truth{
		code: code, rules: s.rules, classes: make([][dimensions][]int, len(u.Acts)), examples: make([][dimensions][]int, len(u.Acts)),
		stride: make([][dimensions]int, len(u.Acts)), denied: make([][]bool, len(u.Acts)),
	}
	type task struct {
		p  leveltest.Point
		to *bool
	}
	var tasks []task
	for act := range u.Acts {
		size := 1
		for d, n := range u.sizes() {
			tab.classes[act][d], tab.examples[act][d] = u.classesOf(t, s, act, d, n)
			tab.stride[act][d] = size
			size *= len(tab.examples[act][d])
		}
		tab.denied[act] = make([]bool, size)
		for i := range size {
			p := leveltest.Point{Act: act}
			for d, v := range values(&p) {
				*v = tab.examples[act][d][i/tab.stride[act][d]%len(tab.examples[act][d])]
			}
			tasks = append(tasks, task{p, &tab.denied[act][i]})
		}
	}
	tab.evaluated = len(tasks)
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := w; i < len(tasks); i += runtime.GOMAXPROCS(0) {
				x, err := evaluate(t.Context(), s.query, s.prune(u.input(t, tasks[i].p)), time.Minute)
				set, ok := x.([]any)
				if err != nil || !ok {
					t.Errorf("%s: %v %v", code, x, err)
				}
				*tasks[i].to = len(set) > 0
			}
		})
	}
	wg.Wait()
	for _, task := range tasks {
		if *task.to {
			tab.denials++
		}
	}
	u.factors(t, s, tab)
	return tab
}

// classesOf sorts the values of one dimension by what the slice can see of them.
func (u universe) classesOf(t *testing.T, s coreSlice, act, dimension, n int) (classes, examples []int) {
	seen := map[string]int{}
	for i := range n {
		p := leveltest.Point{Act: act, Second: 1, Result: 1, Subject: 1, Target: 1, Carrier: 1}
		*values(&p)[dimension] = i
		key := s.prune(u.input(t, p)).String()
		class, known := seen[key]
		if !known {
			class = len(examples)
			seen[key], examples = class, append(examples, i)
		}
		classes = append(classes, class)
	}
	return classes, examples
}

// factors checks on random points that a question and the example that stands
// for it look the same to the slice, and that the whole core says what the slice
// says.
func (u universe) factors(t *testing.T, s coreSlice, tab *truth) {
	core, _ := newPDP(t, u.m, nil)
	rng := rand.New(rand.NewPCG(5, 3))
	for i := range samples {
		p := leveltest.Point{Act: rng.IntN(len(u.Acts))}
		example := p
		for d, n := range u.sizes() {
			v := rng.IntN(n)
			*values(&p)[d], *values(&example)[d] = v, tab.examples[p.Act][d][tab.classes[p.Act][d][v]]
		}
		in := u.input(t, p)
		if a, b := s.prune(in), s.prune(u.input(t, example)); a.Compare(b) != 0 {
			t.Fatalf("%s: %+v and its example %+v differ:\n%s\n%s", tab.code, p, example, a, b)
		}
		if i%10 > 0 {
			continue
		}
		all := codesOf(readCore(evaluate(t.Context(), core.core, in, time.Minute)), guardCore)
		if slices.Contains(all, tab.code) != tab.denies(p) {
			t.Fatalf("%+v: the core says %v, its slice %s %v", p, all, tab.code, tab.denies(p))
		}
	}
}

// input is what the core reads for p; the sealed guard reads p itself from the
// same facts.
func (u universe) input(t *testing.T, p leveltest.Point) ast.Value {
	v := u.view(p)
	if got, want := placeless(v.question()), placeless(u.Question(p)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v: the guard would be asked %+v, not %+v", p, got, want)
	}
	return newInputBuilder().build(v)
}

func placeless(q level.Question) level.Question {
	for _, p := range []*level.Place{q.Subject, q.Target} {
		if p != nil {
			p.ID = ""
		}
	}
	for i := range q.Carriers {
		q.Carriers[i].ID = ""
	}
	q.Sources, q.Holdings = slices.Clone(q.Sources), slices.Clone(q.Holdings)
	if q.NewGrade != nil && !q.NewGrade.Valid() {
		q.NewGrade = nil
	}
	q.Consent = q.Consent && q.Act == level.Publish
	return q
}

// view is a lawful use by agency A in all but what p says.
func (u universe) view(p leveltest.Point) view {
	q := u.Question(p)
	r := Request{SubjectType: SubjectAgency, SubjectID: "A", Action: Action(q.Act), Purpose: "relief", TargetLabel: q.Result, NewGrade: q.NewGrade}
	var s Snapshot
	s.Subject = &Party{Agency: u.m.AgencyByID["A"]}
	if q.Subject != nil {
		r.SubjectType, r.SubjectID, s.Subject = SubjectSystem, "s", u.party("s", q.Subject)
	}
	if q.Target != nil {
		r.Target, s.Target = "t", u.party("t", q.Target)
	}
	for i := range q.Carriers {
		r.Carriers, s.Carriers = []string{"c"}, []Party{*u.party("c", &q.Carriers[i])}
	}
	purposes := []string{"relief"}
	if p.Consent == 1 {
		purposes = append(purposes, PurposePublish)
	}
	var items []Item
	for i, l := range append(slices.Clone(q.Sources), q.Holdings...) {
		res, a := u.m.ResourceByID["low-income"], u.m.AgreementByID["ag-a"]
		res.ID, res.Label = []string{"r", "r2"}[i], l
		a.ID, a.Resource, a.Purposes = "ag-"+res.ID, res.ID, purposes
		items, s.Agreements = append(items, Item{Resource: res}), append(s.Agreements, a)
	}
	if q.Act == level.Regrade {
		s.Holdings, s.Agreements = items, nil
		return newView(r, s, u.m.Now)
	}
	r.Resource, s.Item = "r", &items[0]
	if s.Sources = items[1:]; len(s.Sources) > 0 {
		r.Sources = []string{"r2"}
	}
	return newView(r, s, u.m.Now)
}

func (u universe) party(id string, p *level.Place) *Party {
	out := &Party{System: identity.System{ID: id, Agency: "A"}, Agency: u.m.AgencyByID["A"]}
	if p.Grade.Valid() {
		out.Grading = &grading.Record{System: id, State: grading.StateCertified, Grade: p.Grade}
	}
	return out
}
