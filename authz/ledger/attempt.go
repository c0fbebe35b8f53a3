package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// attempts of one commit before its callers are told that its fate is unknown.
const attempts = 5

// attempt is a batch whose fate the store did not tell.
type attempt struct {
	batch Batch
	tree  *Tree
}

// build makes the batch that extends the head by items.
func (s *Sequencer) build(items []*work, rows []string) (*attempt, error) {
	now := max(s.cfg.Now().UnixMilli(), s.head.Time)
	if now <= 0 || now > maxTimeMs {
		return nil, ErrClock
	}
	if s.head.Size+uint64(len(items)) > maxSeq {
		return nil, fmt.Errorf("ledger: shard %d is full", s.cfg.Shard)
	}
	b := Batch{Old: s.head, New: s.head, Entries: make([]Entry, len(items)), OutboxIDs: rows}
	tree, h := s.tree.Clone(), newHasher()
	prev := Hash(s.head.LastLeaf)
	headers := make([]byte, 0, len(items)*HeaderSize)
	for i, w := range items {
		hd := Header{
			Shard: s.head.Shard, Epoch: s.head.Epoch, Seq: s.head.Size + uint64(i), Time: now,
			Class: w.class, Prev: prev, Commit: w.commit, Policy: w.policy,
		}
		headers = hd.Append(headers)
		raw := headers[i*HeaderSize:]
		prev = h.leaf(raw)
		tree.Append(prev)
		b.Entries[i] = Entry{
			ID: w.id, Shard: hd.Shard, Seq: hd.Seq, Leaf: bytes.Clone(prev[:]),
			Header: raw, Salt: w.salt, Body: w.body,
		}
	}
	if len(items) > 0 {
		root := tree.Root()
		b.New.Size, b.New.Time, b.New.LastLeaf, b.New.Root = tree.Size(), now, prev[:], root[:]
	}
	return &attempt{batch: b, tree: tree}, nil
}

func (s *Sequencer) advance(a *attempt) {
	s.mu.Lock()
	s.head = a.batch.New
	s.mu.Unlock()
	s.tree, s.doubt = a.tree, nil
}

// note keeps the trouble that Healthy tells.
func (s *Sequencer) note(err error) {
	s.mu.Lock()
	s.trouble = err
	s.mu.Unlock()
}

// pause waits before a retry; false when the sequencer was cancelled.
func (s *Sequencer) pause(n int) bool {
	t := time.NewTimer(s.cfg.Retry << n)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// errAgain: the head moved to a batch of our own that had been in doubt.
var errAgain = errors.New("ledger: head caught up, build again")

// try commits one batch and finds out what happened when the store does not
// say. The same batch is sent again, byte for byte, so the last leaf of the
// head tells whether it was this one that was committed (attack 37).
func (s *Sequencer) try(a *attempt) error {
	for n := 0; ; n++ {
		err := s.cfg.Store.AppendBatch(s.ctx, a.batch)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrDuplicate) && n == 0 && s.doubt == nil {
			return ErrDuplicate
		}
		head, herr := s.cfg.Store.Head(s.ctx, s.cfg.Shard)
		switch {
		case herr != nil:
		case sameHead(head, a.batch.New) && len(a.batch.Entries) > 0:
			return nil
		case s.doubt != nil && sameHead(head, s.doubt.batch.New):
			s.advance(s.doubt)
			return errAgain
		case !sameHead(head, s.head):
			return ErrFenced
		case errors.Is(err, ErrDuplicate):
			return ErrDuplicate
		}
		if n == attempts-1 || !s.pause(n) {
			// A transaction may still be on its way inside the database, so the
			// batch stays in mind even if the head has not moved.
			if len(a.batch.Entries) > 0 {
				s.doubt = a
			}
			// Not wrapped: a fence that could not be looked into is not yet a fence.
			return fmt.Errorf("%w: %v", ErrUnknown, err)
		}
	}
}

func sameHead(a, b Head) bool {
	return a.Epoch == b.Epoch && a.Size == b.Size && bytes.Equal(a.LastLeaf, b.LastLeaf) && bytes.Equal(a.Root, b.Root)
}

func receiptOf(e Entry) Receipt {
	return Receipt{EntryID: e.ID, Shard: e.Shard, Seq: e.Seq, Leaf: e.Leaf, Promise: Integrated}
}
