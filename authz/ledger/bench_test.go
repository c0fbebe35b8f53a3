package ledger_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

// BenchmarkAppend is the sequencer over memory, that is without a disk: what
// it costs beside the store.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			m := ledgertest.NewMemory(b)
			m.Trusting = true
			q := ledgertest.Start(b, m)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						if _, err := q.Append(bg, ledgertest.Event(fmt.Sprint("b-", i))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// headers makes n chained headers, as an export has them.
func headers(n int) []byte {
	out := make([]byte, 0, n*ledger.HeaderSize)
	var prev ledger.Hash
	for i := range n {
		h := ledger.Header{Epoch: 1, Seq: uint64(i), Time: 1, Class: ledger.ClassAccess, Prev: prev}
		out = h.Append(out)
		prev = ledger.LeafHash(out[len(out)-ledger.HeaderSize:])
	}
	return out
}

// BenchmarkVerifyStructure prints the ratio of header, chain and tree to raw
// SM3 over what has to be hashed, a leaf and a node an entry: design §10 wants
// 0.5 on one core and 1.8 times that on two.
func BenchmarkVerifyStructure(b *testing.B) {
	const n = 1 << 17
	raw := headers(n)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			var plain, full time.Duration
			for b.Loop() { // interleaved, so that load on the machine hits both
				t := time.Now()
				h := sm3.New()
				var sum [sm3.Size]byte
				var node [1 + 2*sm3.Size]byte
				for i := 0; i+ledger.HeaderSize < len(raw); i += ledger.HeaderSize {
					for _, in := range [][]byte{raw[i : i+1+ledger.HeaderSize], node[:]} {
						h.Reset()
						h.Write(in)
						h.Sum(sum[:0])
					}
				}
				plain += time.Since(t)
				t = time.Now()
				if faults, _ := ledger.CheckStructure(raw, workers); faults != 0 {
					b.Fatalf("%d faults", faults)
				}
				full += time.Since(t)
			}
			b.ReportMetric(float64(plain)/float64(full), "×raw-SM3(limit-0.5)")
			b.ReportMetric(float64(n*b.N)/full.Seconds(), "entries/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkVerifyExport is the whole way of `ledger verify`: text, bodies and
// all, on all cores.
func BenchmarkVerifyExport(b *testing.B) {
	q := ledgertest.Start(b, ledgertest.NewMemory(b))
	const n = 8192
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := q.Append(bg, ledgertest.Event(fmt.Sprint("x-", i))); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	var out bytes.Buffer
	ok(b, q.Export(bg, &out))
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		if r := verify(b, out.Bytes(), ledger.Policy{}); r.Faults != 0 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkStart is a start on a million entries in memory; design §10 wants
// the whole start in 2 s, the reading included.
func BenchmarkStart(b *testing.B) {
	const n = 1 << 20
	leaves := bytes.Repeat(headers(1)[:ledger.HashSize], n)
	for b.Loop() {
		ledger.RootOf(leaves)
	}
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "×faster-than-2s")
}
