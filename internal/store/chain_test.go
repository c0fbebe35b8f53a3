package store_test

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Rows, outbox, sequencer and chain together: what many callers did stands in
// the chain exactly once each, and a restart in the middle loses nothing.
func TestActsStandInTheChain(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			house(t, s) // 11 acts without a sequencer: durable, in the outbox
			start := func() *ledger.Sequencer {
				q, err := ledger.New(bg, ledger.Config{Store: s.Ledger(), Now: time.Now, Rand: rand.Reader})
				ok(t, err)
				return q
			}
			q := start()
			var wg sync.WaitGroup
			var mu sync.Mutex
			seqs := map[uint64]string{}
			for caller := range 8 {
				wg.Go(func() {
					r := s.Rooms(q)
					for n := range 10 {
						id := string(rune('a'+caller)) + string(rune('0'+n))
						got, err := r.Transfers.AddTransfer(bg, transfer(t, id), event("transfer", id))
						if err != nil || got.Promise < ledger.Integrated {
							t.Errorf("%s: %+v, %v", id, got, err)
							return
						}
						mu.Lock()
						if other, taken := seqs[got.Seq]; taken {
							t.Errorf("%s and %s both stand at %d", id, other, got.Seq)
						}
						seqs[got.Seq] = id
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			ok(t, q.Close(bg))
			if n := count(t, s, "ledger_outbox"); n != 0 {
				t.Fatalf("%d events never got a place", n)
			}
			ok(t, s.Close())

			s = open(t, url)
			q = start() // verifies head, root and last leaf
			defer func() { ok(t, q.Close(bg)) }()
			if size := q.Head().Size; size != 91 {
				t.Fatalf("%d entries for 91 acts", size)
			}
			for seq, id := range seqs {
				es, err := s.Ledger().Entries(bg, 0, seq, seq+1)
				ok(t, err)
				ev, err := ledger.Decode(es[0].Body)
				ok(t, err)
				if ev.Object.ID != id {
					t.Errorf("receipt of %s points at %s", id, ev.Object.ID)
				}
			}
		})
	}
}
