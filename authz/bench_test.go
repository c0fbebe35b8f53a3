package authz

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
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
func manyResources(b *testing.B, n, memo int) (*memory, *PDP) {
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
		Facts:    NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m}),
		Recorder: &sink{}, Memo: cmp.Or(memo, NoMemo), Now: func() time.Time { return m.Now },
	})
	if err != nil {
		b.Fatal(err)
	}
	return m, p
}

func report(b *testing.B) {
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "decisions/s")
	b.ReportMetric(rate/floorPerSecond, "x_floor")
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
func BenchmarkDecide(b *testing.B) { decideMany(b, 0, 100_000) }

// The same for 2,000 questions in turn, results of guard and core kept: site, facts, digests and
// record are made anew each time.
func BenchmarkDecideMemo(b *testing.B) { decideMany(b, 8192, 2000) }

// decideMany asks about the first hot of 100,000 resources in turn.
func decideMany(b *testing.B, memo, hot int) {
	_, p := manyResources(b, 100_000, memo)
	if _, err := p.Decide(b.Context(), forward(0)); err != nil { // the fake store makes its index
		b.Fatal(err)
	}
	var next atomic.Uint64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d, err := p.Decide(b.Context(), forward(int(next.Add(7919)%uint64(hot))))
			if err != nil || !d.Allow {
				b.Error(err, d.Reasons)
				return
			}
		}
	})
	report(b)
}

// Each guard alone and the parts around them, on one core.
func BenchmarkGuards(b *testing.B) {
	m, p := manyResources(b, 1, 0)
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
			for b.Loop() {
				if fs := step(); len(fs) > 0 {
					b.Fatal(fs)
				}
			}
			report(b)
		})
	}
}
