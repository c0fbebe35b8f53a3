package ledger

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
)

// Outcomes of a checkpoint.
var (
	// ErrNoSigner: this sequencer has no key for checkpoints.
	ErrNoSigner = errors.New("ledger: no checkpoint key")
	// ErrEmpty: there is nothing to sign yet.
	ErrEmpty = errors.New("ledger: the shard has no entry")
	// ErrClock: the clock stands before the last entry, or nowhere near a date.
	// Nothing is signed at a time that cannot be.
	ErrClock = errors.New("ledger: the clock went back")
)

// Checkpoint returns a signed note over every entry that is committed now. The
// order is: entries durable, signature, compare-and-set into the head. When
// nothing was added since the last one, that one is returned: one head is
// signed once.
func (s *Sequencer) Checkpoint(ctx context.Context) ([]byte, error) {
	if err := s.stopped(); err != nil {
		return nil, err
	}
	return s.sign(ctx)
}

// signDue is the checkpoint of the interval.
func (s *Sequencer) signDue() {
	if _, err := s.sign(s.ctx); err != nil && !errors.Is(err, ErrEmpty) {
		s.mu.Lock()
		s.unsigned = err
		s.mu.Unlock()
	}
}

func (s *Sequencer) sign(ctx context.Context) ([]byte, error) {
	if s.cfg.Signer == nil {
		return nil, ErrNoSigner
	}
	s.signing.Lock()
	defer s.signing.Unlock()
	s.mu.Lock()
	head, last := s.head, s.last
	s.mu.Unlock()
	if head.Size == 0 {
		return nil, ErrEmpty
	}
	if last != nil {
		if last.Size == head.Size && last.Root == Hash(head.Root) {
			return last.text, nil
		}
		// The tree only grows by build, from a head that continued last: a
		// smaller one, or another one of the same size, is damage.
		if last.Size >= head.Size {
			err := &CorruptError{Shard: head.Shard, Code: CodeNoteSize, Detail: "head is not after the last checkpoint"}
			s.halt(err)
			return nil, err
		}
	}
	if s.cfg.Now().UnixMilli() < head.Time {
		return nil, ErrClock
	}
	text, err := SignNote(s.cfg.Rand, Note{Origin: s.cfg.Origin, Size: head.Size, Root: Hash(head.Root)}, s.cfg.Signer)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Store.SetCheckpoint(ctx, head.Shard, head.Epoch, head.Size, text); err != nil {
		if text, err = s.settle(ctx, head, text, err); err != nil {
			return nil, err
		}
	}
	n, err := ParseNote(text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last, s.unsigned = &signedNote{Note: n, text: text}, nil
	s.mu.Unlock()
	return text, nil
}

// settle finds out what a failed SetCheckpoint did. A note of ours over this
// very head, stored by this call or by one before it whose answer was lost, is
// the checkpoint.
func (s *Sequencer) settle(ctx context.Context, head Head, text []byte, cause error) ([]byte, error) {
	stored, err := s.cfg.Store.Head(ctx, head.Shard)
	if err != nil {
		return nil, fmt.Errorf("ledger: storing a checkpoint: %w", cause)
	}
	if stored.Epoch != head.Epoch {
		s.halt(ErrFenced)
		return nil, ErrFenced
	}
	if bytes.Equal(stored.Checkpoint, text) {
		return text, nil
	}
	pub, _ := s.cfg.Signer.Public().(*ecdsa.PublicKey)
	if n, err := ParseNote(stored.Checkpoint); err == nil && pub != nil &&
		n.Origin == s.cfg.Origin && n.Size == head.Size && n.Root == Hash(head.Root) && n.Verify(pub) == nil {
		return stored.Checkpoint, nil
	}
	return nil, fmt.Errorf("ledger: storing a checkpoint: %w", cause)
}
