package ledger

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"fmt"
	"math"
	"slices"
)

// tail is how many of the last entries are checked with their bodies at every
// start. The whole of a large shard is the work of the offline verifier.
const tail = 256

// page is how many leaves are read at once: 2 MiB.
const page = 1 << 16

// loaded is a shard that verified.
type loaded struct {
	head Head
	tree *Tree
	note *signedNote
}

type signedNote struct {
	Note
	text []byte
}

// load reads a shard and proves its head: the root over all stored leaves, the
// last entries in full, the signature of the stored checkpoint and that the
// shard continues it. Its error is a *CorruptError that names the first bad
// entry where it can.
func load(ctx context.Context, cfg Config) (*loaded, error) {
	head, err := cfg.Store.Head(ctx, cfg.Shard)
	if err != nil {
		return nil, fmt.Errorf("ledger: reading the head: %w", err)
	}
	bad := func(code, detail string) error {
		return &CorruptError{Shard: cfg.Shard, Code: code, Detail: detail}
	}
	if len(head.Root) != HashSize || len(head.LastLeaf) != HashSize || head.Shard != cfg.Shard {
		return nil, bad(CodeHead, "")
	}
	l := &loaded{head: head, tree: NewTree()}
	stop := uint64(math.MaxUint64) // the size at which the root must be that of the checkpoint
	if head.Checkpoint != nil {
		if l.note, err = loadNote(cfg, head); err != nil {
			return nil, err
		}
		stop = l.note.Size
	}
	last := make([]byte, HashSize)
	for l.tree.Size() < head.Size {
		from := l.tree.Size()
		to := min(head.Size, from+page)
		if from < stop {
			to = min(to, stop)
		}
		leaves, err := cfg.Store.Leaves(ctx, cfg.Shard, from, to)
		if err != nil {
			return nil, fmt.Errorf("ledger: reading leaves: %w", err)
		}
		if uint64(len(leaves)) != (to-from)*HashSize {
			return nil, locate(ctx, cfg, head, CodeHead)
		}
		l.tree.appendLeaves(leaves)
		last = leaves[len(leaves)-HashSize:]
		if to == stop && l.tree.Root() != l.note.Root {
			return nil, locate(ctx, cfg, head, CodeNoteSize)
		}
	}
	root := l.tree.Root()
	if !bytes.Equal(root[:], head.Root) || !bytes.Equal(last, head.LastLeaf) {
		return nil, locate(ctx, cfg, head, CodeRoot)
	}
	if more, err := cfg.Store.Leaves(ctx, cfg.Shard, head.Size, head.Size+1); err != nil || len(more) > 0 {
		if err == nil {
			err = bad(CodeHead, "entries stand after the head")
		}
		return nil, err
	}
	found, err := scan(ctx, cfg, head.Size-min(head.Size, tail), head)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return nil, found
	}
	return l, nil
}

// loadNote checks the stored checkpoint by itself.
func loadNote(cfg Config, head Head) (*signedNote, error) {
	bad := func(code string) error { return &CorruptError{Shard: cfg.Shard, Code: code} }
	n, err := ParseNote(head.Checkpoint)
	if err != nil {
		return nil, bad(CodeNoteForm)
	}
	if cfg.Origin != "" && n.Origin != cfg.Origin {
		return nil, bad(CodeNoteOrigin)
	}
	keys := slices.Clone(cfg.Keys)
	if cfg.Signer != nil {
		pub, ok := cfg.Signer.Public().(*ecdsa.PublicKey)
		if !ok {
			return nil, ErrKey
		}
		keys = append(keys, pub)
	}
	// Without any key (a node that only appends) the note is held against the
	// leaves alone.
	if len(keys) > 0 && !slices.ContainsFunc(keys, func(k *ecdsa.PublicKey) bool { return n.Verify(k) == nil }) {
		return nil, bad(CodeNoteSig)
	}
	if n.Size > head.Size {
		return nil, bad(CodeNoteSize)
	}
	return &signedNote{Note: n, text: head.Checkpoint}, nil
}

// locate reads every entry of a shard that does not verify, to name the first
// bad one. code is what is known without it.
func locate(ctx context.Context, cfg Config, head Head, code string) error {
	found, err := scan(ctx, cfg, 0, head)
	if err != nil {
		return err
	}
	if found == nil {
		found = &CorruptError{Shard: cfg.Shard, Code: code}
	}
	return found
}

// scan checks the entries from a position to the head and returns the first
// fault, nil when there is none.
func scan(ctx context.Context, cfg Config, from uint64, head Head) (*CorruptError, error) {
	const step = 1024
	fault := func(code string, seq uint64) (*CorruptError, error) {
		return &CorruptError{Shard: cfg.Shard, Code: code, Seq: &seq}, nil
	}
	var prev []byte
	if from > 0 {
		before, err := cfg.Store.Entries(ctx, cfg.Shard, from-1, from)
		if err != nil {
			return nil, fmt.Errorf("ledger: reading entries: %w", err)
		}
		if len(before) != 1 {
			return fault(CodeSeqGap, from-1)
		}
		prev = before[0].Header
	}
	for from < head.Size {
		to := min(head.Size, from+step)
		entries, err := cfg.Store.Entries(ctx, cfg.Shard, from, to)
		if err != nil {
			return nil, fmt.Errorf("ledger: reading entries: %w", err)
		}
		p := part{shard: cfg.Shard, begin: from, prev: prev, entries: entries, bodies: true}
		if f := p.firstFault(); f != nil {
			return fault(f.Code, *f.Seq)
		}
		if uint64(len(entries)) != to-from {
			return fault(CodeSeqGap, from+uint64(len(entries)))
		}
		prev, from = entries[len(entries)-1].Header, to
	}
	return nil, nil
}

// firstFault is the fault of the lowest sequence number. Here the stored leaf
// stands beside the header, so an edited header is told from its successor.
func (p *part) firstFault() *Finding {
	c := p.check()
	for i, e := range p.entries {
		if !bytes.Equal(e.Leaf, c.leaves[i*HashSize:(i+1)*HashSize]) {
			c.fail(CodeLeaf, p.begin+uint64(i))
		}
	}
	for _, seq := range c.broken {
		c.fail(CodeChain, seq)
	}
	if len(c.findings) == 0 {
		return nil
	}
	first := slices.MinFunc(c.findings, func(a, b Finding) int {
		return int(min(max(int64(*a.Seq)-int64(*b.Seq), -1), 1))
	})
	return &first
}
