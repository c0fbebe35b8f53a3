// Package ledgertest is what tests of the ledger share: Memory, a store that
// checks the whole invariant of every batch; Faulty, a store that breaks on
// demand; and Run, the one conformance suite of every ledger.Store.
package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Memory is a ledger.Store in memory. A batch that breaks a law of the ledger
// fails the test that owns the store, whoever sent it: entries are immutable
// here and each new one is checked in full, so the whole history always holds.
type Memory struct {
	// Trusting leaves the checks out, for benchmarks.
	Trusting bool

	tb     testing.TB
	mu     sync.Mutex
	shards map[uint32]*shard
	byID   map[string]ledger.Entry
	outbox []ledger.Pending
}

type shard struct {
	head     ledger.Head
	noteSize uint64
	entries  []ledger.Entry
	leaves   []byte
	tree     *ledger.Tree
}

// NewMemory returns an empty store.
func NewMemory(tb testing.TB) *Memory {
	return &Memory{tb: tb, shards: map[uint32]*shard{}, byID: map[string]ledger.Entry{}}
}

func (m *Memory) shard(n uint32) *shard {
	s := m.shards[n]
	if s == nil {
		tree := ledger.NewTree()
		root := tree.Root()
		s = &shard{tree: tree, head: ledger.Head{Shard: n, Epoch: 1, LastLeaf: make([]byte, ledger.HashSize), Root: root[:]}}
		m.shards[n] = s
	}
	return s
}

// Head implements ledger.Backend.
func (m *Memory) Head(ctx context.Context, n uint32) (ledger.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copyHead(m.shard(n).head), ctx.Err()
}

// AppendBatch implements ledger.Backend.
func (m *Memory) AppendBatch(ctx context.Context, b ledger.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shard(b.Old.Shard)
	if s.head.Size != b.Old.Size || s.head.Epoch != b.Old.Epoch {
		return ledger.ErrFenced
	}
	ids := map[string]bool{}
	for _, e := range b.Entries {
		if _, dup := m.byID[e.ID]; dup || ids[e.ID] {
			return fmt.Errorf("entry %s: %w", e.ID, ledger.ErrDuplicate)
		}
		ids[e.ID] = true
	}
	tree := s.tree
	if !m.Trusting {
		tree = tree.Clone()
		if err := checkBatch(s.head, tree, b); err != nil {
			m.tb.Errorf("a batch breaks the ledger: %v", err)
			return err
		}
	}
	for _, e := range b.Entries {
		e = copyEntry(e)
		s.entries = append(s.entries, e)
		s.leaves = append(s.leaves, e.Leaf...)
		m.byID[e.ID] = e
	}
	note := s.head.Checkpoint
	s.head, s.tree = copyHead(b.New), tree
	s.head.Checkpoint = note
	m.deleteOutbox(b.OutboxIDs)
	return nil
}

func (m *Memory) deleteOutbox(ids []string) {
	gone := map[string]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	var rest []ledger.Pending
	for _, p := range m.outbox {
		if !gone[p.ID] {
			rest = append(rest, p)
		}
	}
	m.outbox = rest
}

// Outbox implements ledger.Backend.
func (m *Memory) Outbox(ctx context.Context, limit int) ([]ledger.Pending, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ledger.Pending
	for _, p := range m.outbox[:min(limit, len(m.outbox))] {
		out = append(out, ledger.Pending{ID: p.ID, Body: bytes.Clone(p.Body), Salt: bytes.Clone(p.Salt)})
	}
	return out, ctx.Err()
}

// Enqueue commits pending events, as a mutating method of a store does.
func (m *Memory) Enqueue(ctx context.Context, pending ...ledger.Pending) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range pending {
		m.outbox = append(m.outbox, ledger.Pending{ID: p.ID, Body: bytes.Clone(p.Body), Salt: bytes.Clone(p.Salt)})
	}
	return ctx.Err()
}

// Entries implements ledger.Reader.
func (m *Memory) Entries(ctx context.Context, n uint32, from, to uint64) ([]ledger.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.shard(n).entries
	to = min(to, uint64(len(all)))
	var out []ledger.Entry
	for seq := from; seq < to; seq++ {
		out = append(out, copyEntry(all[seq]))
	}
	return out, ctx.Err()
}

// EntryByID implements ledger.Reader.
func (m *Memory) EntryByID(ctx context.Context, id string) (ledger.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byID[id]
	if !ok {
		return ledger.Entry{}, ledger.ErrNotFound
	}
	return copyEntry(e), ctx.Err()
}

// Leaves implements ledger.Reader.
func (m *Memory) Leaves(ctx context.Context, n uint32, from, to uint64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.shard(n).leaves
	to = min(to, uint64(len(all)/ledger.HashSize))
	if from >= to {
		return nil, ctx.Err()
	}
	return bytes.Clone(all[from*ledger.HashSize : to*ledger.HashSize]), ctx.Err()
}

// SetCheckpoint implements ledger.CheckpointStore.
func (m *Memory) SetCheckpoint(ctx context.Context, n uint32, epoch, size uint64, note []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shard(n)
	if s.head.Epoch != epoch || size > s.head.Size {
		return ledger.ErrFenced
	}
	if s.head.Checkpoint != nil && s.noteSize >= size {
		return ledger.ErrFenced
	}
	s.head.Checkpoint, s.noteSize = bytes.Clone(note), size
	return nil
}

// Tamper lets a test edit stored entries behind the ledger's back.
func (m *Memory) Tamper(n uint32, edit func(head *ledger.Head, entries []ledger.Entry, leaves []byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shard(n)
	edit(&s.head, s.entries, s.leaves)
}

// Reopen implements Store: memory is its own disk.
func (m *Memory) Reopen(testing.TB) Store { return m }

// checkBatch proves every law of the ledger on a batch, from the definitions
// and not by the code that made it. It appends the leaves to tree.
func checkBatch(old ledger.Head, tree *ledger.Tree, b ledger.Batch) error {
	if b.New.Epoch < old.Epoch || b.New.Shard != old.Shard {
		return errors.New("epoch or shard of the head")
	}
	prev, last := ledger.Hash(old.LastLeaf), old.Time
	for i, e := range b.Entries {
		seq := old.Size + uint64(i)
		h, err := ledger.ParseHeader(e.Header)
		if err != nil {
			return fmt.Errorf("entry %d: %w", seq, err)
		}
		ev, err := ledger.Decode(e.Body)
		if err != nil {
			return fmt.Errorf("entry %d: %w", seq, err)
		}
		leaf := ledger.LeafHash(e.Header)
		switch {
		case e.Seq != seq || h.Seq != seq:
			return fmt.Errorf("entry %d: sequence number", seq)
		case e.Shard != old.Shard || h.Shard != old.Shard || h.Epoch != b.New.Epoch:
			return fmt.Errorf("entry %d: shard or epoch", seq)
		case h.Prev != prev:
			return fmt.Errorf("entry %d: chain", seq)
		case h.Time < last:
			return fmt.Errorf("entry %d: time goes back", seq)
		case !bytes.Equal(leaf[:], e.Leaf):
			return fmt.Errorf("entry %d: leaf", seq)
		case len(e.Salt) != ledger.SaltSize || h.Commit != ledger.BodyCommit(e.Salt, e.Body):
			return fmt.Errorf("entry %d: body commitment", seq)
		case e.ID != ev.ID || h.Class != ev.Class || ev.Policy != "" && fmt.Sprintf("%x", h.Policy) != ev.Policy:
			return fmt.Errorf("entry %d: header and body differ", seq)
		}
		prev, last = leaf, h.Time
		tree.Append(leaf)
	}
	root := tree.Root()
	if b.New.Size != tree.Size() || !bytes.Equal(b.New.Root, root[:]) || !bytes.Equal(b.New.LastLeaf, prev[:]) || b.New.Time != last {
		return errors.New("new head does not describe the entries")
	}
	return nil
}

func copyHead(h ledger.Head) ledger.Head {
	h.LastLeaf, h.Root, h.Checkpoint = bytes.Clone(h.LastLeaf), bytes.Clone(h.Root), bytes.Clone(h.Checkpoint)
	return h
}

func copyEntry(e ledger.Entry) ledger.Entry {
	e.Leaf, e.Header, e.Salt, e.Body = bytes.Clone(e.Leaf), bytes.Clone(e.Header), bytes.Clone(e.Salt), bytes.Clone(e.Body)
	return e
}
