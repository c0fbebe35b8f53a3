//go:build unix

package authz

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// floorPerSecond is the budget of design §10 for a decision in process.
const floorPerSecond = 8000

// sink records nothing: the ledger has a budget of its own.
type sink struct{ n atomic.Uint64 }

func (s *sink) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	return ledger.Receipt{EntryID: ev.ID, Seq: s.n.Add(1)}, nil
}

// manyResources is the sample world with n resources, each under an agreement
// of A; certificates in the seals have the size of real ones.
func manyResources(b *testing.B, n, memo int, recorder Recorder) (*memory, *PDP) {
	m := newWorld(b, nil)
	res, ag := m.ResourceByID["low-income"], m.AgreementByID["ag-a"]
	for i := range ag.Seals {
		ag.Seals[i].CertDER, ag.Seals[i].Signature = make([]byte, 600), make([]byte, 71)
	}
	m.ResourceByID, m.AgreementByID = make(map[string]sharing.Resource, n), make(map[string]sharing.Agreement, n)
	for i := range n {
		res.ID, ag.ID = fmt.Sprintf("res-%06d", i), fmt.Sprintf("ag-%06d", i)
		ag.Resource = res.ID
		m.ResourceByID[res.ID], m.AgreementByID[ag.ID] = res, ag
	}
	p, err := New(b.Context(), Config{
		Facts:    NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m}),
		Recorder: recorder, Memo: memo, Now: func() time.Time { return m.Now },
	})
	if err != nil {
		b.Fatal(err)
	}
	return m, p
}

// report prints the rate by the clock and, because a shared machine gives a
// process less than its cores, the processor time of one decision and the rate
// that two cores would reach with it.
func report(b *testing.B, before time.Duration) {
	rate := float64(b.N) / b.Elapsed().Seconds()
	used := float64(processor()-before) / float64(b.N)
	b.ReportMetric(rate, "decisions/s")
	b.ReportMetric(rate/floorPerSecond, "x_floor")
	b.ReportMetric(used/1e3, "cpu-us/op")
	b.ReportMetric(2e9/used/floorPerSecond, "x_floor_two_cores")
}

// processor is the time that this process has had.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func forward(i int) Request {
	l := level.Label{Level: 3, RequiredS: 3, RequiredA: 3, Tags: []level.Tag{level.TagPersonal}}
	return Request{
		SubjectType: SubjectSystem, SubjectID: "civil-p", Action: ActionForward, Resource: fmt.Sprintf("res-%06d", i),
		Target: "civil-a", Purpose: "relief", Fields: []string{"name"}, Carriers: []string{"hub"}, TargetLabel: &l,
	}
}

// All three guards, facts from a fake store of 100,000 resources, record to a
// sink; 64 callers.
func BenchmarkDecide(b *testing.B) { decideMany(b, NoMemo, 100_000, &sink{}) }

// The same for 2,000 questions in turn, results of guard and core kept: site, facts, digests and
// record are made anew each time.
func BenchmarkDecideMemo(b *testing.B) { decideMany(b, 0, 2000, &sink{}) }

// The budget of design §10 but for the disk: the real sequencer over a store in
// memory. internal/store has the same over SQLite.
func BenchmarkDecideLedger(b *testing.B) {
	for name, c := range map[string]struct{ memo, hot int }{"all guards": {NoMemo, 100_000}, "memo": {0, 2000}} {
		b.Run(name, func(b *testing.B) {
			m := ledgertest.NewMemory(b)
			m.Trusting = true
			seq, err := ledger.New(b.Context(), ledger.Config{Store: m, Now: time.Now, Rand: rand.Reader})
			if err != nil {
				b.Fatal(err)
			}
			decideMany(b, c.memo, c.hot, seq)
			b.StopTimer()
			if err := seq.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// decideMany asks about the first hot of 100,000 resources in turn.
func decideMany(b *testing.B, memo, hot int, recorder Recorder) {
	_, p := manyResources(b, 100_000, memo, recorder)
	if _, err := p.Decide(b.Context(), forward(0)); err != nil { // the fake store makes its index
		b.Fatal(err)
	}
	var next atomic.Uint64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	before := processor()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d, err := p.Decide(b.Context(), forward(int(next.Add(7919)%uint64(hot))))
			if err != nil || !d.Allow {
				b.Error(err, d.Reasons)
				return
			}
		}
	})
	report(b, before)
}

// Each guard alone and the parts around them, on one core.
func BenchmarkGuards(b *testing.B) {
	m, p := manyResources(b, 1, NoMemo, &sink{})
	r := forward(0)
	snap, err := p.facts.Load(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	v := newView(r, snap, m.Now)
	in := p.input.build(v)
	for name, step := range map[string]func() []finding{
		"level":           func() []finding { return p.judgeLevel(v) },
		"core":            func() []finding { return readCore(evaluate(b.Context(), p.core, in, p.timeout)) },
		"site":            func() []finding { return readSite(evaluate(b.Context(), p.site, in, p.timeout)) },
		"input":           func() []finding { p.input.build(v); return nil },
		"facts":           func() []finding { _, _ = p.facts.Load(b.Context(), r); return nil },
		"digest of facts": func() []finding { _, _, _ = read(snap); return nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := processor()
			for b.Loop() {
				if fs := step(); len(fs) > 0 {
					b.Fatal(fs)
				}
			}
			report(b, before)
		})
	}
}
