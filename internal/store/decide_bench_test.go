package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
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
)

// shelves is a Facts of any number of resources, each under an agreement: what
// a cache of facts answers. The budget counts the decision and its entry, not
// the queries behind the facts.
type shelves struct{}

func (shelves) Load(_ context.Context, r authz.Request) (authz.Snapshot, error) {
	party := func(id string, agency identity.USCC) *authz.Party {
		return &authz.Party{
			System: identity.System{ID: id, Name: "样例系统", Agency: agency, Hosts: []string{id + ".gov.internal"}, CreatedAt: day(1)},
			Agency: identity.Agency{USCC: agency, Name: "样例区单位", District: "110102", Duties: []string{"relief"}, CreatedAt: day(1)},
			Grading: &grading.Record{System: id, Version: 1, Grade: level.Grade{S: 3, A: 3}, Reason: "定级报告", State: grading.StateCertified,
				Filing: "11010213-00001", DecidedOn: day(1), ValidUntil: day(28)},
		}
	}
	sealed := func(p identity.USCC) sharing.PartySeal {
		return sharing.PartySeal{Party: p, SealID: "11010200000001", Signature: make([]byte, 71), At: day(1)}
	}
	return authz.Snapshot{
		Revision: 1, Subject: party("p", provider), Target: party("c", consumer), Carriers: []authz.Party{*party("hub", office)},
		Item: &authz.Item{Resource: sharing.Resource{
			ID: r.Resource, Name: "低保名单", Provider: provider, Label: level.Label{Level: 3, RequiredS: 3, RequiredA: 3, Tags: []level.Tag{level.TagPersonal}},
			ShareType: sharing.ShareOnApplication, Regime: sharing.RegimeXicheng2014, Items: []string{"name", "amount"}, SecrecyReview: "密审-1", UpdatedAt: day(1),
		}},
		Agreements: []sharing.Agreement{{
			ID: "ag-" + r.Resource, Resource: r.Resource, Provider: provider, Consumer: consumer, Office: office, Purposes: []string{"relief"},
			Fields: []string{"name"}, Confidentiality: "条款", NotBefore: day(1), NotAfter: day(28), Digest: strings.Repeat("c", 64),
			Seals: []sharing.PartySeal{sealed(provider), sealed(consumer), sealed(office)},
		}},
	}, nil
}

// The budget of design §10: all three guards, 64 callers, 100,000 resources,
// each answer after its entry and its facts are on the disk. "first" asks each
// question once, so that all facts are new to the archive; "again" asks among
// 1,000 questions whose facts are kept; "memo" lets the guards remember, too.
func BenchmarkDecideSQLite(b *testing.B) {
	for _, c := range []struct {
		name        string
		memo, among int
	}{{"first", authz.NoMemo, 100_000}, {"again", authz.NoMemo, 1000}, {"memo", 0, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, migrated(b, engines["sqlite"](b)))
			seq, err := ledger.New(bg, ledger.Config{Store: s.Ledger(), Now: time.Now, Rand: rand.Reader})
			ok(b, err)
			p, err := authz.New(bg, authz.Config{Facts: shelves{}, Recorder: seq, Archive: s.Decisions(), Memo: c.memo, Now: func() time.Time { return day(5) }})
			ok(b, err)
			ask := func(i int) {
				d, err := p.Decide(bg, authz.Request{
					SubjectType: authz.SubjectSystem, SubjectID: "p", Action: authz.ActionForward, Resource: fmt.Sprintf("res-%06d", i%c.among),
					Target: "c", Purpose: "relief", Fields: []string{"name"}, Carriers: []string{"hub"},
				})
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
			before := processorTime()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(int(next.Add(1)))
				}
			})
			b.StopTimer()
			used := float64(processorTime()-before) / float64(b.N)
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "decisions/s")
			b.ReportMetric(rate/8000, "x_floor")
			b.ReportMetric(used/1e3, "cpu-us/op")
			b.ReportMetric(2e9/used/8000, "x_floor_two_cores")
			ok(b, seq.Close(bg))
		})
	}
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
