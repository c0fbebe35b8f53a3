//go:build !race

package authz

import (
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The reference and the core say the same codes for a product of questions: each
// base with each action and each one change of a fact or of the question, and
// each base with each pair of changes. Together they reach every rule.
func TestReferenceAgreesOnTheProduct(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // much garbage, little to keep
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	all := product(t, p, m)
	var questions, permitted, differences atomic.Int64
	var wg sync.WaitGroup
	var known sync.Map // of a pair, the second may change nothing
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := w; i < len(all); i += runtime.GOMAXPROCS(0) {
				r, s := all[i].ask(t, p)
				if _, again := known.LoadOrStore(sumOf(t, r, s), true); again {
					continue
				}
				questions.Add(1)
				want := reference(r, s, m.Now)
				got := codesOf(readCore(evaluate(t.Context(), p.core, p.input.build(newView(r, s, m.Now)), time.Minute)), guardCore)
				if len(got) == 0 {
					permitted.Add(1)
				}
				if !slices.Equal(got, want) && differences.Add(1) <= 10 {
					t.Errorf("%s: core %v, reference %v", all[i].name, got, want)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d questions, %d permitted, %d differences", questions.Load(), permitted.Load(), differences.Load())
	if permitted.Load() == 0 {
		t.Fatal("the product permits nothing")
	}
}
