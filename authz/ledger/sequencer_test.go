package ledger_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

var bg = context.Background()

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// gate holds commits back until it is opened.
type gate struct {
	ledger.Store
	open    chan struct{}
	batches atomic.Int64
}

func (g *gate) AppendBatch(ctx context.Context, b ledger.Batch) error {
	if len(b.Entries) > 0 {
		g.batches.Add(1)
		select {
		case <-g.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.Store.AppendBatch(ctx, b)
}

func TestGroupCommit(t *testing.T) {
	g := &gate{Store: ledgertest.NewMemory(t), open: make(chan struct{})}
	q := ledgertest.Start(t, g)
	const n = 200
	var wg sync.WaitGroup
	var seqs [n]uint64
	for i := range n {
		wg.Go(func() {
			r, err := q.Append(bg, ledgertest.Event(fmt.Sprint("g-", i)))
			if err != nil {
				t.Error(err)
			}
			seqs[i] = r.Seq
		})
	}
	time.Sleep(20 * time.Millisecond)
	close(g.open)
	wg.Wait()
	if b := g.batches.Load(); b > n/4 {
		t.Errorf("%d entries took %d batches", n, b)
	}
	slices.Sort(seqs[:])
	for i, s := range seqs {
		if s != uint64(i) {
			t.Fatalf("sequence numbers %v", seqs)
		}
	}
}

// TestBackPressure: a full queue makes callers wait; a caller that leaves gets
// its context's error, and no entry is lost or written twice.
func TestBackPressure(t *testing.T) {
	m := ledgertest.NewMemory(t)
	g := &gate{Store: m, open: make(chan struct{})}
	q := ledgertest.Start(t, g, func(c *ledger.Config) { c.MaxQueue, c.MaxBatch = 2, 2 })
	ctx, cancel := context.WithCancel(bg)
	var wg sync.WaitGroup
	var gone atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			if _, err := q.Append(ctx, ledgertest.Event(fmt.Sprint("p-", i))); errors.Is(err, context.Canceled) {
				gone.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	wg.Wait()
	if gone.Load() != 20 {
		t.Fatalf("%d callers left", gone.Load())
	}
	close(g.open)
	for i := range 20 { // the second try, by the same ids
		_, err := q.Append(bg, ledgertest.Event(fmt.Sprint("p-", i)))
		ok(t, err)
	}
	ok(t, q.Close(bg))
	if h, _ := m.Head(bg, 0); h.Size != 20 {
		t.Fatalf("%d entries", h.Size)
	}
}

func TestIdempotency(t *testing.T) {
	g := &gate{Store: ledgertest.NewMemory(t), open: make(chan struct{})}
	q := ledgertest.Start(t, g)
	first, second := ledgertest.Event("same"), ledgertest.Event("same")
	second.Purpose = "another act"
	var wg sync.WaitGroup
	for range 3 { // in one batch
		wg.Go(func() {
			if r, err := q.Append(bg, first); err != nil || r.Seq > 1 {
				t.Errorf("%v, %v", r, err)
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	close(g.open)
	wg.Wait()
	r, err := q.Append(bg, first)
	ok(t, err)
	_, err = q.Append(bg, second)
	wantErr(t, err, ledger.ErrIDReused)
	if q.Head().Size != 1 || r.Seq != 0 {
		t.Fatalf("%d entries, receipt %+v", q.Head().Size, r)
	}
	_, err = q.Append(bg, ledger.Event{ID: "x"})
	wantErr(t, err, ledger.ErrInvalidEvent)
}

// TestOutboxAndDirectUnderOneID: the committed act wins over the append.
func TestOutboxAndDirectUnderOneID(t *testing.T) {
	m := ledgertest.NewMemory(t)
	g := &gate{Store: m, open: make(chan struct{})}
	q := ledgertest.Start(t, g, func(c *ledger.Config) { c.Poll = time.Hour })
	hold := make(chan error, 1)
	go func() { _, err := q.Append(bg, ledgertest.Event("hold")); hold <- err }()
	time.Sleep(10 * time.Millisecond)
	ok(t, m.Enqueue(bg, ledgertest.Pending(t, "a"), ledgertest.Pending(t, "b")))
	other := ledgertest.Event("a")
	other.Purpose = "another act"
	refused, same, integrated := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { _, err := q.Append(bg, other); refused <- err }()
	go func() { _, err := q.Append(bg, ledgertest.Event("b")); same <- err }()
	go func() { _, err := q.Integrate(bg, "a"); integrated <- err }()
	time.Sleep(10 * time.Millisecond)
	close(g.open)
	ok(t, <-hold)
	wantErr(t, <-refused, ledger.ErrIDReused)
	ok(t, <-same)
	ok(t, <-integrated)
	if out, _ := m.Outbox(bg, 9); len(out) != 0 || q.Head().Size != 3 {
		t.Fatalf("outbox %v, %d entries", out, q.Head().Size)
	}
}

// TestOutboxPoll: a row that nobody announced is found.
func TestOutboxPoll(t *testing.T) {
	m := ledgertest.NewMemory(t)
	ok(t, m.Enqueue(bg, ledgertest.Pending(t, "before")))
	q := ledgertest.Start(t, m, func(c *ledger.Config) { c.Poll = 5 * time.Millisecond })
	ok(t, m.Enqueue(bg, ledgertest.Pending(t, "during")))
	for q.Head().Size < 2 {
		time.Sleep(time.Millisecond)
	}
	// Rows left at the end are integrated by Close.
	ok(t, m.Enqueue(bg, ledgertest.Pending(t, "end")))
	ok(t, q.Close(bg))
	if h, _ := m.Head(bg, 0); h.Size != 3 {
		t.Fatalf("%d entries", h.Size)
	}
}

func TestBadOutboxRowStops(t *testing.T) {
	for name, row := range map[string]ledger.Pending{
		"no event": {ID: "x", Body: []byte("{}"), Salt: make([]byte, 32)},
		"other id": {ID: "x", Body: ledgertest.Pending(t, "y").Body, Salt: make([]byte, 32)},
		"no salt":  {ID: "x", Body: ledgertest.Pending(t, "x").Body},
	} {
		m := ledgertest.NewMemory(t)
		q := ledgertest.Start(t, m)
		ok(t, m.Enqueue(bg, row))
		_, err := q.Integrate(bg, "x")
		var corrupt *ledger.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Code != ledger.CodeOutbox || q.Healthy() == nil {
			t.Fatalf("%s: %v", name, err)
		}
		if out, _ := m.Outbox(bg, 9); len(out) != 1 {
			t.Fatalf("%s: the row is gone", name)
		}
	}
}

func TestClose(t *testing.T) {
	m := ledgertest.NewMemory(t)
	q := ledgertest.Start(t, m)
	_, err := q.Append(bg, ledgertest.Event("a"))
	ok(t, err)
	ok(t, q.Close(bg))
	ok(t, q.Close(bg)) // twice does no harm
	_, err = q.Append(bg, ledgertest.Event("b"))
	wantErr(t, err, ledger.ErrClosed)
	_, err = q.Integrate(bg, "a")
	wantErr(t, err, ledger.ErrClosed)
	_, err = q.Checkpoint(bg)
	wantErr(t, err, ledger.ErrClosed)
	h, err := m.Head(bg, 0)
	ok(t, err)
	if n, err := ledger.ParseNote(h.Checkpoint); err != nil || n.Size != 1 {
		t.Fatalf("no checkpoint after Close: %v", err)
	}
}

// TestCloseGivesUp: a store that hangs does not hold the process.
func TestCloseGivesUp(t *testing.T) {
	g := &gate{Store: ledgertest.NewMemory(t), open: make(chan struct{})}
	q := ledgertest.Start(t, g)
	hung := make(chan error, 1)
	go func() { _, err := q.Append(bg, ledgertest.Event("a")); hung <- err }()
	time.Sleep(10 * time.Millisecond)
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	wantErr(t, q.Close(ctx), context.DeadlineExceeded)
	if err := <-hung; err == nil {
		t.Fatal("an entry that was not written was acknowledged")
	}
}

// TestClock: header time never goes back, and nothing is signed while the
// clock stands before the last entry (attack 14).
func TestClock(t *testing.T) {
	m := ledgertest.NewMemory(t)
	var now atomic.Int64
	now.Store(1_800_000_000_000)
	q := ledgertest.Start(t, m, func(c *ledger.Config) { c.Now = func() time.Time { return time.UnixMilli(now.Load()) } })
	_, err := q.Append(bg, ledgertest.Event("a"))
	ok(t, err)
	now.Add(-60_000)
	_, err = q.Append(bg, ledgertest.Event("b")) // Memory checks the law
	ok(t, err)
	_, err = q.Checkpoint(bg)
	wantErr(t, err, ledger.ErrClock)
	now.Add(60_000)
	_, err = q.Checkpoint(bg)
	ok(t, err)
	now.Store(1 << 60)
	_, err = q.Append(bg, ledgertest.Event("c"))
	wantErr(t, err, ledger.ErrClock)
	if q.Healthy() == nil {
		t.Fatal("healthy without a clock")
	}
	now.Store(1_800_000_060_000)
}

func TestCheckpoint(t *testing.T) {
	m := ledgertest.NewMemory(t)
	q := ledgertest.Start(t, m)
	_, err := q.Checkpoint(bg)
	wantErr(t, err, ledger.ErrEmpty)
	_, err = q.Append(bg, ledgertest.Event("a"))
	ok(t, err)
	first, err := q.Checkpoint(bg)
	ok(t, err)
	again, err := q.Checkpoint(bg)
	ok(t, err)
	if string(first) != string(again) {
		t.Fatal("one head was signed twice")
	}
	none := ledgertest.Start(t, ledgertest.NewMemory(t), func(c *ledger.Config) { c.Signer, c.Origin = nil, "" })
	_, err = none.Checkpoint(bg)
	wantErr(t, err, ledger.ErrNoSigner)
	ok(t, none.Close(bg))
}

func TestCheckpointByInterval(t *testing.T) {
	m := ledgertest.NewMemory(t)
	q := ledgertest.Start(t, m, func(c *ledger.Config) { c.CheckpointEvery = 5 * time.Millisecond })
	_, err := q.Append(bg, ledgertest.Event("a"))
	ok(t, err)
	for q.Head().Checkpoint == nil {
		time.Sleep(time.Millisecond)
	}
	ok(t, q.Healthy())
}

func TestNewRefusesConfig(t *testing.T) {
	m := ledgertest.NewMemory(t)
	for name, cfg := range map[string]ledger.Config{
		"empty":      {},
		"no clock":   {Store: m, Rand: rand.Reader},
		"no rand":    {Store: m, Now: time.Now},
		"bad origin": {Store: m, Now: time.Now, Rand: rand.Reader, Signer: ledgertest.NewKey(t), Origin: "ledger"},
	} {
		if _, err := ledger.New(bg, cfg); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

// TestCheckpointFenced: a leader that was replaced signs nothing into the head
// of the next one, and learns that it was replaced.
func TestCheckpointFenced(t *testing.T) {
	m := ledgertest.NewMemory(t)
	old := ledgertest.Start(t, m)
	_, err := old.Append(bg, ledgertest.Event("a"))
	ok(t, err)
	ledgertest.Start(t, m)
	_, err = old.Checkpoint(bg)
	wantErr(t, err, ledger.ErrFenced)
	wantErr(t, old.Healthy(), ledger.ErrFenced)
	if h, _ := m.Head(bg, 0); h.Checkpoint != nil {
		t.Fatal("the note was stored")
	}
}
