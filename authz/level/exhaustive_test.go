//go:build !race

package level_test

import (
	"runtime/debug"
	"sync/atomic"
	"testing"

	. "github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/level/leveltest"
)

// Every question of the bounded world, against the law stated in plain numbers,
// without Label, Join or Dominates. The check runs both ways: nothing unlawful
// is permitted, nothing lawful is refused. `make test` asks
// them in its step without the race detector.
func TestExhaustiveBoundedWorld(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // much garbage, little to keep
	w := leveltest.New()
	var permitted atomic.Int64
	asked := w.Each(func(p leveltest.Point, q *Question) {
		got, want := len(Check(*q)) == 0, lawful(w, p)
		if got != want {
			t.Errorf("%+v: permitted %v, lawful %v: %v", *q, got, want, Check(*q))
			return
		}
		if !got {
			return
		}
		permitted.Add(1)
		handingOnIsKeeping(t, *q)
		eachSourceAlone(t, *q)
	})
	t.Logf("%d questions, %d permitted, 0 violations", asked, permitted.Load())
	if floor := 9_000_000; asked < floor {
		t.Fatalf("the world has fewer than %d questions", floor)
	}
	if n := permitted.Load(); n == 0 || n == int64(asked) {
		t.Fatal("the world does not separate")
	}
}

// handingOnIsKeeping: whoever may forward could keep a copy there, so forward
// never escapes E10 or E12.
func handingOnIsKeeping(t *testing.T, q Question) {
	if q.Act != Forward {
		return
	}
	q.Act = Copy
	if fs := Check(q); len(fs) > 0 {
		t.Errorf("forward is permitted, copy is not: %+v %v", q, fs)
	}
}

// eachSourceAlone: what may be made of two sources may be made of either.
func eachSourceAlone(t *testing.T, q Question) {
	if q.Act != Derive && q.Act != Merge {
		return
	}
	all := q.Sources
	for i := range all {
		q.Sources = all[i : i+1]
		if fs := Check(q); len(fs) > 0 {
			t.Errorf("permitted of %v, not of %v alone: %v", all, q.Sources, fs)
		}
	}
}

// lawful is the law in numbers.
func lawful(w leveltest.World, p leveltest.Point) bool {
	act := w.Acts[p.Act]
	src := need(w, p.First, p.Second-1, -1)
	end := need(w, p.First, p.Second-1, p.Result-1)
	subject, target, carrier := w.Grades[p.Subject], w.Grades[p.Target], w.Grades[p.Carrier]
	switch act {
	case "export":
		return false
	case Regrade:
		return target != nil && holds(target, src)
	}
	if p.Result > 0 { // the result is at least both sources in every component
		r := w.Vecs[p.Result-1]
		for k := range 3 {
			if r.N[k] < src.N[k] {
				return false
			}
		}
		if src.Personal && !r.Personal {
			return false
		}
	}
	writes := act == Copy || act == Derive || act == Merge || act == Forward || act == Store
	switch {
	case act == Relabel && p.Result == 0, act == Carry && subject == nil, writes && target == nil:
		return false
	case act == Publish && !src.Public && p.Consent == 0:
		return false
	case subject != nil && !holds(subject, src), carrier != nil && !holds(carrier, end):
		return false
	}
	return act == Publish || target == nil || holds(target, end)
}

// need is the component-wise maximum of the labels that are not negative.
func need(w leveltest.World, of ...int) leveltest.Vec {
	out := leveltest.Vec{Public: true}
	for _, i := range of {
		if i < 0 {
			continue
		}
		v := w.Vecs[i]
		for k := range 3 {
			out.N[k] = max(out.N[k], v.N[k])
		}
		out.Personal, out.Public = out.Personal || v.Personal, out.Public && v.Public
	}
	return out
}

func holds(g *[2]int, v leveltest.Vec) bool {
	return g[0] > 0 && g[1] > 0 && g[0] >= v.N[1] && g[1] >= v.N[2]
}
