package store_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// The working size of a house.
const (
	manyResources  = 100_000
	manyAgreements = 10_000
	manySystems    = 5_000
)

// stocked makes a house of the working size behind the store's back: 115,000 acts
// would measure the disk. One resource in ten is shared under an agreement.
func stocked(b *testing.B, s *store.Store) *store.Rooms {
	b.Helper()
	r := s.Rooms(nil)
	for _, id := range []identity.USCC{provider, consumer, office} {
		a := agency(id)
		a.Duties = []string{"relief"}
		_, err := r.Identity.AddAgency(bg, a, event("agency", string(id)))
		ok(b, err)
	}
	of := map[string]identity.USCC{"p": provider, "c": consumer, "hub": office}
	for id, unit := range of {
		sys := system(id)
		sys.Agency = unit
		_, err := r.Identity.AddSystem(bg, sys, event("system", id))
		ok(b, err)
		_, err = r.Grading.AddGrading(bg, grading.Record{
			System: id, Version: 1, Grade: level.Grade{S: 3, A: 3}, Reason: "定级报告", State: grading.StateCertified,
			Filing: "11010213-00001", DecidedOn: day(1), ValidUntil: day(28),
		}, event("system", id))
		ok(b, err)
	}
	res := resource(b, "res")
	res.Label, res.ShareType, res.Regime, res.DefectNotice = label(b, 3, 3, 3), sharing.ShareProactive, sharing.RegimeXicheng2014, ""
	res.Items = []string{"name", "amount", "address", "telephone", "household", "income", "since", "until", "street", "remark"}
	_, err := r.Sharing.AddResource(bg, res, event("resource", "res"))
	ok(b, err)
	res.ID, res.ShareType = "terms", sharing.ShareOnApplication
	_, err = r.Sharing.AddResource(bg, res, event("resource", "terms"))
	ok(b, err)
	a := agreement("ag")
	a.Resource, a.DefectAck, a.Onward = "terms", "", nil
	for i, p := range []identity.USCC{provider, consumer, office} {
		a.Seals = append(a.Seals[:i], sharing.PartySeal{Party: p, SealID: "11010200000001", CertDER: make([]byte, 700), Signature: make([]byte, 71), At: day(1)})
	}
	_, err = r.Sharing.AddAgreement(bg, a, event("agreement", "ag"))
	ok(b, err)
	copies := func(table, columns, pick, where string, n int) {
		b.Helper()
		const numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
		into := fmt.Sprintf("INSERT INTO %s (%s) ", table, columns)
		ok(b, s.Exec(bg, into+numbers+"SELECT "+pick+" FROM n, "+table+" AS o WHERE "+where, n))
	}
	const rest = "name, provider, label_level, label_s, label_a, label_tags, share_type, regime, items, secrecy_review, basis, defect_notice, updated_at, sample"
	const terms = "provider, consumer, office, purposes, fields, onward, confidentiality, defect_ack, not_before, not_after, terminated, digest, seals, sample"
	copies("sharing_resource", "id, "+rest, "'res-' || (1000000 + i), "+rest, "o.id = CASE WHEN i % 10 = 0 THEN 'terms' ELSE 'res' END", manyResources)
	copies("sharing_agreement", "id, resource, "+terms, "'ag-' || i, 'res-' || (1000000 + i * 10), "+terms, "o.id = 'ag'", manyAgreements)
	const sys = "name, agency, hosts, addresses, sample, created_at"
	copies("identity_system", "id, "+sys, "'sys-' || i, "+sys, "o.id = 'c'", manySystems)
	return r
}

// Reading the facts of a decision alone, by 64 callers.
func BenchmarkFactsSQLite(b *testing.B) {
	s := open(b, migrated(b, engines["sqlite"](b)))
	rooms := stocked(b, s)
	begun := time.Now()
	ok(b, rooms.Index.Warm(bg))
	warm := time.Since(begun)
	facts := indexed(rooms)
	var next atomic.Uint64
	b.SetParallelism(32)
	b.ResetTimer()
	started := processorTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			snap, err := facts.Load(bg, asked(int(next.Add(1))%manyResources))
			if err != nil || len(snap.Missing) > 0 {
				b.Error(err, snap.Missing)
			}
		}
	})
	b.ReportMetric(float64(processorTime()-started)/float64(b.N)/1e3, "cpu-us/op")
	b.ReportMetric(warm.Seconds(), "warm-s")
}

func asked(i int) authz.Request {
	return authz.Request{
		SubjectType: authz.SubjectSystem, SubjectID: "p", Action: authz.ActionForward, Resource: fmt.Sprintf("res-%d", 1000000+i),
		Target: "c", Purpose: "relief", Fields: []string{"name"}, Carriers: []string{"hub"},
	}
}

// The budget of design §10: all three guards, 64 callers, 100,000 resources,
// each answer after its entry and its facts are on the disk. "first" asks each
// question once, so that all facts are new to the archive; "again" asks among
// 1,000 questions whose facts are kept; "memo" lets the guards remember, too. Facts
// come from the memory that follows the store; heap-MB is what it holds.
func BenchmarkDecideSQLite(b *testing.B) {
	for _, c := range []struct {
		name        string
		memo, among int
	}{{"first", authz.NoMemo, manyResources}, {"again", authz.NoMemo, 1000}, {"memo", 0, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, migrated(b, engines["sqlite"](b)))
			rooms, before := stocked(b, s), heap()
			ok(b, rooms.Index.Warm(bg))
			held := heap() - before
			seq, err := ledger.New(bg, ledger.Config{Store: s.Ledger(), Now: time.Now, Rand: rand.Reader})
			ok(b, err)
			p, err := authz.New(bg, authz.Config{Facts: indexed(rooms), Recorder: seq, Archive: s.Decisions(), Memo: c.memo, Now: func() time.Time { return day(5) }})
			ok(b, err)
			ask := func(i int) {
				d, err := p.Decide(bg, asked(i%c.among))
				if err != nil || !d.Allow {
					b.Error(err, d.Reasons)
				}
			}
			if c.among <= 1000 {
				for i := range c.among {
					ask(i)
				}
			}
			var next atomic.Uint64
			b.SetParallelism(32)
			b.ResetTimer()
			started := processorTime()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(int(next.Add(1)))
				}
			})
			b.StopTimer()
			used := float64(processorTime()-started) / float64(b.N)
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "decisions/s")
			b.ReportMetric(rate/8000, "x_floor")
			b.ReportMetric(used/1e3, "cpu-us/op")
			b.ReportMetric(2e9/used/8000, "x_floor_two_cores")
			b.ReportMetric(float64(held)/(1<<20), "heap-MB")
			ok(b, seq.Close(bg))
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// processorTime is what this process has had: the rate by the clock says little on
// a machine that others use, too.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
