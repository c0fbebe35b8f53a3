package ledgertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Start runs a sequencer over a store and closes it with the test.
func Start(tb testing.TB, s ledger.Store, edit ...func(*ledger.Config)) *ledger.Sequencer {
	tb.Helper()
	cfg := ledger.Config{
		Store: s, Now: time.Now, Rand: rand.Reader, Origin: Origin, Signer: NewKey(tb),
		Poll: 50 * time.Millisecond, Retry: time.Millisecond,
	}
	for _, e := range edit {
		e(&cfg)
	}
	q, err := ledger.New(bg, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(bg, 5*time.Second)
		defer cancel()
		_ = q.Close(ctx) // tests that care close it themselves
	})
	return q
}

// sequenced lets callers append directly, twice, and through the outbox, and
// reads the whole shard back.
func sequenced(t *testing.T, s Store) {
	key := NewKey(t)
	q := Start(t, s, func(c *ledger.Config) { c.Signer, c.MaxBatch = key, 16 })
	const callers, each = 8, 12
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("direct-%d-%d", n, i)
				first, err := q.Append(bg, Event(id))
				again, err2 := q.Record(bg, Event(id))
				if err != nil || err2 != nil || first.Seq != again.Seq || first.Promise != ledger.Integrated {
					t.Errorf("append %s: %v, %v; %v, %v", id, first, err, again, err2)
				}
				id = fmt.Sprintf("row-%d-%d", n, i)
				if err := s.Enqueue(bg, Pending(t, id)); err != nil {
					t.Errorf("enqueue: %v", err)
				}
				r, err := q.Integrate(bg, id)
				if err != nil || r.EntryID != id {
					t.Errorf("integrate %s: %v, %v", id, r, err)
				}
				if again, err := q.Integrate(bg, id); err != nil || again.Seq != r.Seq {
					t.Errorf("integrate %s again: %v, %v", id, again, err)
				}
			}
		})
	}
	wg.Wait()
	_, err := q.Integrate(bg, "nowhere")
	wantErr(t, err, ledger.ErrNotFound)
	_, err = q.Checkpoint(bg)
	ok(t, err)
	ok(t, q.Close(bg))
	if out, err := s.Outbox(bg, 9); err != nil || len(out) != 0 {
		t.Fatalf("the outbox is not empty: %v, %v", out, err)
	}
	wantSize(t, s, callers*each*2)
	// A second start proves root, tail and checkpoint, and fences the first.
	s = s.Reopen(t)
	next := Start(t, s, func(c *ledger.Config) { c.Signer = key })
	r, err := next.Append(bg, Event("after"))
	ok(t, err)
	if r.Seq != callers*each*2 {
		t.Fatalf("seq %d after a restart", r.Seq)
	}
}

func wantSize(t *testing.T, s ledger.Store, n uint64) *writer {
	t.Helper()
	w := newWriter(t, s, 0)
	if w.head.Size != n {
		t.Fatalf("%d entries, want %d", w.head.Size, n)
	}
	return w
}

// fenced: a second leader takes over; the first one gets ErrFenced and stays
// down, and what it had acknowledged is still there.
func fenced(t *testing.T, s Store) {
	old := Start(t, s)
	_, err := old.Append(bg, Event("a"))
	ok(t, err)
	young := Start(t, s)
	_, err = old.Append(bg, Event("b"))
	wantErr(t, err, ledger.ErrFenced)
	_, err = old.Append(bg, Event("c"))
	wantErr(t, err, ledger.ErrFenced)
	wantErr(t, old.Healthy(), ledger.ErrFenced)
	wantErr(t, old.Close(bg), ledger.ErrFenced)
	r, err := young.Append(bg, Event("b"))
	ok(t, err)
	if r.Seq != 1 {
		t.Fatalf("seq %d, want 1", r.Seq)
	}
}

// faults: attack 37 over every order of three failures. Each acknowledged
// entry stands once, each refused one stands once after its second try.
func faults(t *testing.T, s Store) {
	f := &Faulty{Store: s}
	q := Start(t, f)
	var n uint64
	for _, plan := range [][]Fault{
		{Failed}, {Persisted}, {Failed, Persisted}, {Failed, Failed, None},
		{Failed, Failed, Failed, Failed, Failed}, {Failed, Failed, Failed, Failed, Persisted},
	} {
		for _, heads := range [][]Fault{nil, {Failed}, {Failed, Failed, Failed, Failed, Failed, Failed}} {
			for _, direct := range []bool{true, false} {
				n++
				id := fmt.Sprintf("f-%d", n)
				if !direct {
					// Before the plan: the poll must not use it up.
					ok(t, s.Enqueue(bg, Pending(t, id)))
				}
				f.Plan(plan, nil, heads)
				var r ledger.Receipt
				var err error
				for range 20 {
					if direct {
						r, err = q.Append(bg, Event(id))
					} else {
						r, err = q.Integrate(bg, id)
					}
					if !errors.Is(err, ledger.ErrUnknown) {
						break
					}
				}
				ok(t, err)
				e, err := s.EntryByID(bg, id)
				ok(t, err)
				if e.Seq != r.Seq || e.Seq != n-1 {
					t.Fatalf("plan %v, heads %v: seq %d, receipt %d, want %d", plan, heads, e.Seq, r.Seq, n-1)
				}
			}
		}
	}
	f.Plan(nil, []Fault{Persisted}, nil)
	_, err := q.Checkpoint(bg)
	ok(t, err)
	_, err = q.Append(bg, Event("last"))
	ok(t, err)
	f.Plan(nil, []Fault{Failed}, nil)
	_, err = q.Checkpoint(bg)
	wantErr(t, err, ErrInjected)
	_, err = q.Checkpoint(bg)
	ok(t, err)
	ok(t, q.Healthy())
	wantSize(t, s, n+1)
}
