package ledgertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Event returns a valid event with this id.
func Event(id string) ledger.Event {
	return ledger.Event{
		ID: id, Type: "test.thing.done", Class: ledger.ClassAccess,
		Time:    time.Date(2026, 3, 1, 8, 0, 0, 123e6, time.UTC),
		Actor:   ledger.Actor{Kind: "system", ID: "sys-1", Unit: "11330000MB0000000X"},
		Object:  ledger.Object{Kind: "resource", ID: "库表/不动产登记"},
		Outcome: ledger.Success, Decision: "allow", Reasons: []string{"core.ok"},
		Details: map[string]string{"n": id},
	}
}

// Pending returns a valid outbox row with this id.
func Pending(tb testing.TB, id string) ledger.Pending {
	tb.Helper()
	p, err := ledger.NewPending(Event(id), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// IDs returns prefix-0 … prefix-(n-1).
func IDs(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return ids
}

// writer is the smallest honest writer of a shard: it makes true batches by
// hand, so that a store is tested without the Sequencer.
type writer struct {
	head ledger.Head
	tree *ledger.Tree
}

var errMoved = errors.New("leaves do not give the root of the head")

// newWriter loads a shard.
func newWriter(tb testing.TB, s ledger.Store, shard uint32) *writer {
	tb.Helper()
	w, err := loadWriter(s, shard)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func loadWriter(s ledger.Store, shard uint32) (*writer, error) {
	head, err := s.Head(context.Background(), shard)
	if err != nil {
		return nil, err
	}
	leaves, err := s.Leaves(context.Background(), shard, 0, head.Size)
	if err != nil {
		return nil, err
	}
	tree := ledger.NewTree()
	for i := 0; i+ledger.HashSize <= len(leaves); i += ledger.HashSize {
		tree.Append(ledger.Hash(leaves[i:]))
	}
	root := tree.Root()
	if tree.Size() != head.Size || !bytes.Equal(root[:], head.Root) {
		return nil, errMoved
	}
	return &writer{head: head, tree: tree}, nil
}

// batch extends the shard by one entry for each id; the writer itself moves on
// only by commit.
func (w *writer) batch(tb testing.TB, ids ...string) ledger.Batch {
	tb.Helper()
	var pending []ledger.Pending
	for _, id := range ids {
		pending = append(pending, Pending(tb, id))
	}
	return w.batchOf(pending...)
}

func (w *writer) batchOf(pending ...ledger.Pending) ledger.Batch {
	b := ledger.Batch{Old: w.head, New: w.head}
	tree := w.tree.Clone()
	for _, p := range pending {
		h := ledger.Header{
			Shard: w.head.Shard, Epoch: w.head.Epoch, Seq: b.New.Size, Time: b.New.Time + 1,
			Class: ledger.ClassAccess, Prev: ledger.Hash(b.New.LastLeaf), Commit: ledger.BodyCommit(p.Salt, p.Body),
		}
		raw := h.Append(nil)
		leaf := ledger.LeafHash(raw)
		tree.Append(leaf)
		root := tree.Root()
		b.New.Size, b.New.Time, b.New.LastLeaf, b.New.Root = b.New.Size+1, h.Time, leaf[:], root[:]
		b.Entries = append(b.Entries, ledger.Entry{
			ID: p.ID, Shard: h.Shard, Seq: h.Seq, Leaf: leaf[:], Header: raw, Salt: p.Salt, Body: p.Body,
		})
	}
	return b
}

// commit sends b and moves on.
func (w *writer) commit(tb testing.TB, s ledger.Store, b ledger.Batch) {
	tb.Helper()
	if err := s.AppendBatch(context.Background(), b); err != nil {
		tb.Fatal(err)
	}
	for _, e := range b.Entries {
		w.tree.Append(ledger.Hash(e.Leaf))
	}
	note := w.head.Checkpoint
	w.head = b.New
	w.head.Checkpoint = note
}
