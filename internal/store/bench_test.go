package store_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// segment is the least that makes entries durable: one file, one write and one
// fdatasync a batch, nothing that could be looked up. Behind the same Sequencer
// it does equal hashing, so that the ratio to it is the price of a database.
type segment struct {
	f    *os.File
	head ledger.Head
}

func (s *segment) Head(context.Context, uint32) (ledger.Head, error) { return s.head, nil }

func (s *segment) AppendBatch(_ context.Context, b ledger.Batch) error {
	var buf []byte
	for _, e := range b.Entries {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(len(e.Header)+len(e.Salt)+len(e.Body)))
		buf = append(append(append(append(buf, e.Leaf...), e.Header...), e.Salt...), e.Body...)
	}
	if _, err := s.f.Write(buf); err != nil {
		return err
	}
	s.head = b.New
	return syscall.Fdatasync(int(s.f.Fd()))
}

func (s *segment) Outbox(context.Context, int) ([]ledger.Pending, error) { return nil, nil }
func (s *segment) Entries(context.Context, uint32, uint64, uint64) ([]ledger.Entry, error) {
	return nil, nil
}
func (s *segment) EntryByID(context.Context, string) (ledger.Entry, error) {
	return ledger.Entry{}, ledger.ErrNotFound
}
func (s *segment) Leaves(context.Context, uint32, uint64, uint64) ([]byte, error) { return nil, nil }
func (s *segment) SetCheckpoint(context.Context, uint32, uint64, uint64, []byte) error {
	return nil
}

func newSegment(tb testing.TB) *segment {
	f, err := os.Create(filepath.Join(tb.TempDir(), "segment"))
	ok(tb, err)
	tb.Cleanup(func() { _ = f.Close() })
	root := ledger.NewTree().Root()
	return &segment{f, ledger.Head{Epoch: 1, LastLeaf: make([]byte, ledger.HashSize), Root: root[:]}}
}

func sequencer(tb testing.TB, s ledger.Store) *ledger.Sequencer {
	q, err := ledger.New(bg, ledger.Config{Store: s, Now: time.Now, Rand: rand.Reader})
	ok(tb, err)
	tb.Cleanup(func() { ok(tb, q.Close(bg)) })
	return q
}

// decision is an event of the usual size, 478 bytes as in reference/ledger.md.
func decision(n int64) ledger.Event {
	return ledger.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Type: "authz.decision.made", Class: ledger.ClassAccess, Time: time.Now(),
		Actor:  ledger.Actor{Kind: "system", ID: "civil-a", Unit: string(provider), Certificate: "5f3a9c0d11e24b7a"},
		Object: ledger.Object{Kind: "resource", ID: fmt.Sprint("res-", n%100000)}, Action: "read", Purpose: "relief",
		Outcome: ledger.Success, Decision: "allow", Reasons: []string{"core.allowed"}, Agreement: "agr-0001",
		Payload: "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0", Target: "civil-b",
	}
}

// load lets callers do acts for a while and returns acts a second.
func load(tb testing.TB, callers int, d time.Duration, act func(int64) error) float64 {
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(start) < d {
				if err := act(n.Add(1)); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

// BenchmarkLedgerAppend512 prints the ratios of design §10 (floors: 0.35 on
// SQLite, 0.25 on PostgreSQL): the median of five interleaved rounds of one run.
func BenchmarkLedgerAppend512(b *testing.B) {
	const rounds = 5
	stores := map[string]*ledger.Sequencer{"raw": sequencer(b, newSegment(b))}
	for name, address := range engines {
		stores[name] = sequencer(b, open(b, migrated(b, address(b))).Ledger())
	}
	for b.Loop() {
		rates := map[string][]float64{}
		for range rounds {
			for name, q := range stores {
				rates[name] = append(rates[name], load(b, 512, 700*time.Millisecond, func(n int64) error {
					_, err := q.Append(bg, decision(n))
					return err
				}))
			}
		}
		for name := range stores {
			ratios := make([]float64, rounds)
			for i := range ratios {
				ratios[i] = rates[name][i] / rates["raw"][i]
			}
			slices.Sort(rates[name])
			slices.Sort(ratios)
			b.ReportMetric(rates[name][rounds/2], name+"/s")
			b.ReportMetric(ratios[rounds/2], name+":raw")
		}
	}
}

// BenchmarkAct64 is a row with its event, integrated, by 64 callers: one commit
// for row and outbox, and a share in the sequencer's next one.
func BenchmarkAct64(b *testing.B) {
	for name, address := range engines {
		b.Run(name, func(b *testing.B) {
			s := open(b, migrated(b, address(b)))
			r := s.Rooms(sequencer(b, s.Ledger()))
			for b.Loop() {
				b.ReportMetric(load(b, 64, time.Second, func(int64) error {
					id := uuid.Must(uuid.NewV7()).String()
					_, err := r.Transfers.AddTransfer(bg, transfer(b, id), event("transfer", id))
					return err
				}), "acts/s")
			}
		})
	}
}

// BenchmarkLeaves is the store's part of a start with 1 M entries: at worst
// every entry came alone.
func BenchmarkLeaves(b *testing.B) {
	for name, address := range engines {
		for _, batch := range []int{1, 256} {
			b.Run(fmt.Sprintf("%s/batches of %d", name, batch), func(b *testing.B) {
				s := open(b, migrated(b, address(b)))
				const n = 1_000_000
				fill := fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
					INSERT INTO ledger_leaves (shard, first_seq, leaves) SELECT 0, i * %d, ? FROM c`, n/batch-1, batch)
				ok(b, s.Exec(bg, fill, make([]byte, 32*batch)))
				for b.Loop() {
					got, err := s.Ledger().Leaves(bg, 0, 0, n)
					if err != nil || len(got) != n/batch*batch*32 {
						b.Fatal(len(got), err)
					}
				}
			})
		}
	}
}
