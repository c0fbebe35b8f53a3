package ledgertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

func outbox(t *testing.T, s Store) {
	var all []ledger.Pending
	for i := range 7 { // ids fall while the order of commit rises
		all = append(all, Pending(t, fmt.Sprint("p", 9-i)))
	}
	ok(t, s.Enqueue(bg, all[:3]...))
	ok(t, s.Enqueue(bg, all[3:]...))
	got, err := s.Outbox(bg, 4)
	ok(t, err)
	if !reflect.DeepEqual(got, all[:4]) {
		t.Fatalf("outbox is not oldest first: %v", got)
	}
	w := newWriter(t, s, 0)
	stale := newWriter(t, s, 0)
	b := w.batchOf(all[:2]...)
	b.OutboxIDs = []string{all[0].ID, all[1].ID}
	w.commit(t, s, b)
	late := stale.batchOf(all[2])
	late.OutboxIDs = []string{all[2].ID}
	wantErr(t, s.AppendBatch(bg, late), ledger.ErrFenced)
	got, err = s.Outbox(bg, 100)
	ok(t, err)
	if !reflect.DeepEqual(got, all[2:]) {
		t.Fatalf("outbox after a batch: %v", got)
	}
	// Rows whose entry is there already, and rows that are gone.
	b = w.batchOf(all[2])
	b.OutboxIDs = []string{all[0].ID, all[2].ID, all[3].ID}
	w.commit(t, s, b)
	b = w.batchOf()
	b.OutboxIDs = []string{all[4].ID, "never-there"}
	w.commit(t, s, b)
	got, err = s.Outbox(bg, 100)
	ok(t, err)
	if !reflect.DeepEqual(got, all[5:]) {
		t.Fatalf("outbox at the end: %v", got)
	}
}

func checkpoints(t *testing.T, s Store) {
	w := newWriter(t, s, 0)
	w.commit(t, s, w.batch(t, IDs("a", 5)...))
	key := NewKey(t)
	set := func(epoch, size uint64) ([]byte, error) {
		note, err := ledger.SignNote(rand.Reader, ledger.Note{Origin: Origin, Size: size}, key)
		ok(t, err)
		return note, s.SetCheckpoint(bg, 0, epoch, size, note)
	}
	_, err := set(1, 6)
	wantErr(t, err, ledger.ErrFenced) // more than there is
	_, err = set(2, 3)
	wantErr(t, err, ledger.ErrFenced)
	for _, size := range []uint64{3, 5} {
		note, err := set(1, size)
		ok(t, err)
		w.head.Checkpoint = note
		_, err = set(1, size)
		wantErr(t, err, ledger.ErrFenced)
		_, err = set(1, size-1)
		wantErr(t, err, ledger.ErrFenced)
	}
	w.commit(t, s, w.batch(t, "b")) // a batch leaves the checkpoint alone
	h, err := s.Head(bg, 0)
	ok(t, err)
	if !reflect.DeepEqual(h, w.head) {
		t.Fatalf("head %+v, want %+v", h, w.head)
	}
	if h, _ := s.Head(bg, 1); h.Checkpoint != nil {
		t.Fatal("another shard got the checkpoint")
	}
}

func cancelled(t *testing.T, s Store) {
	w := newWriter(t, s, 0)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if err := s.AppendBatch(ctx, w.batch(t, "a")); err == nil {
		t.Fatal("a cancelled append succeeded")
	}
	if err := s.SetCheckpoint(ctx, 0, 1, 0, []byte("note")); err == nil {
		t.Fatal("a cancelled checkpoint succeeded")
	}
	checkAll(t, s, w, nil)
}

func reopen(t *testing.T, s Store) {
	w := newWriter(t, s, 0)
	b := w.batch(t, IDs("a", 9)...)
	w.commit(t, s, b)
	rest := []ledger.Pending{Pending(t, "q2"), Pending(t, "q1")}
	ok(t, s.Enqueue(bg, rest...))
	note, err := ledger.SignNote(rand.Reader, ledger.Note{Origin: Origin, Size: 9}, NewKey(t))
	ok(t, err)
	ok(t, s.SetCheckpoint(bg, 0, 1, 9, note))
	w.head.Checkpoint = note
	s = s.Reopen(t)
	checkAll(t, s, w, b.Entries)
	got, err := s.Outbox(bg, 9)
	ok(t, err)
	if !reflect.DeepEqual(got, rest) {
		t.Fatalf("outbox after a reopening: %v", got)
	}
	w.commit(t, s, w.batch(t, "next"))
}

// concurrent lets 8 writers race on one head. Each success is one step of one
// chain; who loses is told so and has changed nothing.
func concurrent(t *testing.T, s Store) {
	const writers, wins = 8, 6
	var fenced atomic.Int64
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := 0; i < wins; {
				w, err := loadWriter(s, 0)
				if errors.Is(err, errMoved) {
					continue // head and leaves are two reads; another writer came between
				}
				if err != nil {
					t.Errorf("writer %d: %v", n, err)
					return
				}
				err = s.AppendBatch(bg, w.batch(t, fmt.Sprintf("w%d-%d-a", n, i), fmt.Sprintf("w%d-%d-b", n, i)))
				switch {
				case err == nil:
					i++
				case errors.Is(err, ledger.ErrFenced):
					fenced.Add(1)
				default:
					t.Errorf("writer %d: %v", n, err)
					return
				}
			}
		})
	}
	wg.Wait()
	w := newWriter(t, s, 0)
	if w.head.Size != writers*wins*2 {
		t.Fatalf("%d entries, want %d", w.head.Size, writers*wins*2)
	}
	entries, err := s.Entries(bg, 0, 0, w.head.Size)
	ok(t, err)
	prev := make([]byte, ledger.HashSize)
	for i, e := range entries {
		h, err := ledger.ParseHeader(e.Header)
		ok(t, err)
		if h.Seq != uint64(i) || h.Prev != ledger.Hash(prev) {
			t.Fatalf("entry %d breaks the chain", i)
		}
		prev = e.Leaf
	}
	t.Logf("%d batches, %d fenced", writers*wins, fenced.Load())
}
