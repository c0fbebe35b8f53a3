package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Store is what a store shows to the suite.
type Store interface {
	ledger.Store
	// Enqueue commits pending events to the outbox in one transaction, in this
	// order, as a mutating method of the store does.
	Enqueue(ctx context.Context, pending ...ledger.Pending) error
	// Reopen closes the store and opens the same data again.
	Reopen(tb testing.TB) Store
}

// Run is the conformance suite. open gives an empty store each time and cleans
// it up with tb.Cleanup.
func Run(t *testing.T, open func(tb testing.TB) Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Store)
	}{
		{"a new shard is empty", newShard},
		{"entries are read back as written", readBack},
		{"a stale head is fenced", staleHead},
		{"a take-over fences the leader before", takeOver},
		{"a duplicate id writes nothing", duplicates},
		{"the outbox keeps its order and goes with its batch", outbox},
		{"a checkpoint only moves forward", checkpoints},
		{"a cancelled call writes nothing", cancelled},
		{"everything survives a reopening", reopen},
		{"compare-and-set is exact with 8 writers", concurrent},
		{"a sequencer integrates direct and outbox entries once", sequenced},
		{"a second sequencer fences the first", fenced},
		{"failed and failed-but-persisted commits", faults},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var bg = context.Background()

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newShard(t *testing.T, s Store) {
	root := ledger.NewTree().Root()
	for _, shard := range []uint32{0, 7, 1<<31 + 5} {
		for range 2 {
			h, err := s.Head(bg, shard)
			ok(t, err)
			if h.Shard != shard || h.Epoch != 1 || h.Size != 0 || h.Time != 0 || h.Checkpoint != nil ||
				!bytes.Equal(h.Root, root[:]) || !bytes.Equal(h.LastLeaf, make([]byte, ledger.HashSize)) {
				t.Fatalf("shard %d: head %+v", shard, h)
			}
		}
	}
	es, err := s.Entries(bg, 0, 0, 10)
	ok(t, err)
	leaves, err := s.Leaves(bg, 0, 0, 10)
	ok(t, err)
	if len(es)+len(leaves) != 0 {
		t.Fatal("an empty shard has entries")
	}
	_, err = s.EntryByID(bg, "nobody")
	wantErr(t, err, ledger.ErrNotFound)
}

func readBack(t *testing.T, s Store) {
	w := newWriter(t, s, 3)
	var all []ledger.Entry
	big := Event("big")
	big.Purpose = strings.Repeat("档", 20000) // near the 64 KiB limit
	body, err := ledger.Encode(big)
	ok(t, err)
	for i := range 3 {
		b := w.batch(t, IDs(fmt.Sprint("b", i), 5)...)
		if i == 1 {
			b = w.batchOf(ledger.Pending{ID: "big", Body: body, Salt: bytes.Repeat([]byte{0}, ledger.SaltSize)})
		}
		w.commit(t, s, b)
		all = append(all, b.Entries...)
	}
	checkAll(t, s, w, all)
	got, err := s.Entries(bg, 3, 4, 7)
	ok(t, err)
	if !reflect.DeepEqual(got, all[4:7]) {
		t.Fatalf("entries 4 to 7: %v", got)
	}
	for _, r := range [][2]uint64{{11, 20}, {5, 5}, {6, 5}} {
		got, err := s.Entries(bg, 3, r[0], r[1])
		ok(t, err)
		leaves, err := s.Leaves(bg, 3, r[0], r[1])
		ok(t, err)
		if len(got)+len(leaves) != 0 {
			t.Fatalf("range %v is not empty", r)
		}
	}
	// What a reader does to its copy is its own affair.
	got[0].Body[0] ^= 1
	got[0].Leaf[0] ^= 1
	checkAll(t, s, w, all)
	if es, _ := s.Entries(bg, 0, 0, 9); len(es) != 0 {
		t.Fatal("entries show up in another shard")
	}
}

// checkAll compares everything that can be read of w's shard.
func checkAll(t *testing.T, s ledger.Store, w *writer, all []ledger.Entry) {
	t.Helper()
	h, err := s.Head(bg, w.head.Shard)
	ok(t, err)
	if !reflect.DeepEqual(h, w.head) {
		t.Fatalf("head\n%+v, want\n%+v", h, w.head)
	}
	got, err := s.Entries(bg, w.head.Shard, 0, h.Size+5)
	ok(t, err)
	if len(got) != len(all) {
		t.Fatalf("%d entries, want %d", len(got), len(all))
	}
	var leaves []byte
	for i := range all {
		if !reflect.DeepEqual(got[i], all[i]) {
			t.Fatalf("entry %d\n%+v, want\n%+v", i, got[i], all[i])
		}
		e, err := s.EntryByID(bg, all[i].ID)
		ok(t, err)
		if !reflect.DeepEqual(e, all[i]) {
			t.Fatalf("entry by id %s differs", all[i].ID)
		}
		leaves = append(leaves, all[i].Leaf...)
	}
	gotLeaves, err := s.Leaves(bg, w.head.Shard, 0, h.Size+5)
	ok(t, err)
	if !bytes.Equal(gotLeaves, leaves) {
		t.Fatal("leaves differ from the entries")
	}
}

func staleHead(t *testing.T, s Store) {
	w := newWriter(t, s, 0)
	stale := w.batch(t, "late")
	first := w.batch(t, "a", "b")
	w.commit(t, s, first)
	wantErr(t, s.AppendBatch(bg, stale), ledger.ErrFenced)
	wantErr(t, s.AppendBatch(bg, first), ledger.ErrFenced) // duplicate too: the head is looked at first
	ahead := w.batch(t, "c")
	ahead.Old.Size++
	wantErr(t, s.AppendBatch(bg, ahead), ledger.ErrFenced)
	for _, epoch := range []uint64{0, 2} {
		b := w.batch(t, "c")
		b.Old.Epoch = epoch
		wantErr(t, s.AppendBatch(bg, b), ledger.ErrFenced)
	}
	checkAll(t, s, w, first.Entries)
}

func takeOver(t *testing.T, s Store) {
	w := newWriter(t, s, 0)
	first := w.batch(t, "a")
	w.commit(t, s, first)
	zombie := newWriter(t, s, 0)
	other := newWriter(t, s, 1)
	take := w.batch(t)
	take.New.Epoch++
	w.commit(t, s, take)
	wantErr(t, s.AppendBatch(bg, zombie.batch(t, "z")), ledger.ErrFenced)
	wantErr(t, s.SetCheckpoint(bg, 0, zombie.head.Epoch, 1, []byte("note")), ledger.ErrFenced)
	second := w.batch(t, "b")
	w.commit(t, s, second)
	checkAll(t, s, w, append(first.Entries, second.Entries...))
	other.commit(t, s, other.batch(t, "o")) // another shard does not notice
}

func duplicates(t *testing.T, s Store) {
	w := newWriter(t, s, 0)
	first := w.batch(t, "a", "b")
	w.commit(t, s, first)
	ok(t, s.Enqueue(bg, Pending(t, "p")))
	for name, ids := range map[string][]string{
		"last of a batch": {"c", "d", "a"}, "first of a batch": {"b", "c"}, "twice in a batch": {"c", "c"},
	} {
		b := w.batch(t, ids...)
		b.OutboxIDs = []string{"p"}
		if err := s.AppendBatch(bg, b); !errors.Is(err, ledger.ErrDuplicate) {
			t.Fatalf("%s: got %v, want ErrDuplicate", name, err)
		}
	}
	o := newWriter(t, s, 9)
	wantErr(t, s.AppendBatch(bg, o.batch(t, "a")), ledger.ErrDuplicate) // an id is unique over all shards
	if out, err := s.Outbox(bg, 9); err != nil || len(out) != 1 {
		t.Fatalf("a refused batch took its outbox row: %v, %v", out, err)
	}
	checkAll(t, s, w, first.Entries)
	second := w.batch(t, "c", "d")
	w.commit(t, s, second)
	checkAll(t, s, w, append(first.Entries, second.Entries...))
}
