package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// maxBatchBytes bounds the memory of one commit; a single event always fits.
const maxBatchBytes = 8 << 20

// run is the loop: wait, gather, commit, until Close or a halt.
func (s *Sequencer) run() {
	defer close(s.done)
	defer s.background.Wait()
	poll := time.NewTicker(s.cfg.Poll)
	defer poll.Stop()
	var due <-chan time.Time
	if s.cfg.CheckpointEvery > 0 && s.cfg.Signer != nil {
		t := time.NewTicker(s.cfg.CheckpointEvery)
		defer t.Stop()
		due = t.C
	}
	for {
		var first *work
		select {
		case first = <-s.queue:
		case <-s.wake:
		case <-poll.C:
			s.setDirty()
		case <-due:
			// Custody may be slow; the chain does not wait for a signature.
			s.background.Go(s.signDue)
			continue
		case <-s.quit:
			s.drain()
			return
		}
		// Let the callers that the last commit released come in.
		runtime.Gosched()
		if err := s.round(first); err != nil {
			s.halt(err)
			return
		}
	}
}

// drain commits what waited when the sequencer was closed.
func (s *Sequencer) drain() {
	s.setDirty()
	for s.ctx.Err() == nil {
		more, err := s.roundOnce(nil)
		if err != nil {
			s.halt(err)
			return
		}
		if !more && len(s.queue) == 0 {
			return
		}
	}
}

func (s *Sequencer) setDirty() {
	s.mu.Lock()
	s.dirty = true
	s.mu.Unlock()
}

// round commits until the outbox is empty. Its error is final.
func (s *Sequencer) round(first *work) error {
	for {
		more, err := s.roundOnce(first)
		if err != nil || !more {
			return err
		}
		first = nil
		select {
		case <-s.quit: // drain goes on
			return nil
		default:
		}
	}
}

// roundOnce gathers and commits one batch. more: the outbox may hold further
// rows.
func (s *Sequencer) roundOnce(first *work) (more bool, err error) {
	items, index := s.gather(first)
	s.mu.Lock()
	look := s.dirty
	s.dirty = false
	asked := make([]string, 0, len(s.waiting))
	if look {
		// Snapshot before the read: what is asked for now was committed before.
		for id := range s.waiting {
			asked = append(asked, id)
		}
	}
	s.mu.Unlock()
	var rows []string
	if look {
		pending, err := s.cfg.Store.Outbox(s.ctx, s.cfg.MaxBatch)
		if err != nil {
			s.note(fmt.Errorf("ledger: reading the outbox: %w", err))
			look = false // the next poll looks again
		}
		if rows, items, err = merge(pending, items, index); err != nil {
			return false, s.giveUp(items, err)
		}
	}
	if len(items) == 0 && len(rows) == 0 {
		s.answerAsked(asked, look)
		return false, nil
	}
	ok, err := s.commit(items, rows)
	if err != nil {
		return false, err
	}
	full := len(rows) == s.cfg.MaxBatch
	if ok && look && !full {
		s.answerAsked(asked, true)
	}
	// After a failure the rows wait for the next poll.
	return ok && full, nil
}

// merge adds outbox rows to the items. The outbox wins over a direct append of
// another event under its id: its act has been committed.
func merge(pending []Pending, items []*work, index map[string]*work) (rows []string, all []*work, err error) {
	for _, p := range pending {
		w, err := workOf(p)
		if err != nil {
			return nil, items, err
		}
		rows = append(rows, p.ID)
		same := index[p.ID]
		if same == nil {
			index[p.ID] = w
			items = append(items, w)
			continue
		}
		if !bytes.Equal(same.body, w.body) {
			if same.outbox {
				return nil, items, &CorruptError{Code: CodeOutbox, Detail: "two events under id " + p.ID}
			}
			same.answer(result{err: fmt.Errorf("%w: %s", ErrIDReused, p.ID)})
			*same = *w
		}
		same.outbox = true
	}
	return rows, items, nil
}

// gather takes what is queued. Two appends of one id become one entry.
func (s *Sequencer) gather(first *work) (items []*work, index map[string]*work) {
	index = map[string]*work{}
	size := 0
	for next := first; ; {
		if next == nil {
			select {
			case next = <-s.queue:
			default:
				return items, index
			}
		}
		if same := index[next.id]; same == nil {
			index[next.id] = next
			items = append(items, next)
		} else if bytes.Equal(same.body, next.body) {
			same.waiters = append(same.waiters, next.waiters...)
		} else {
			next.answer(result{err: fmt.Errorf("%w: %s", ErrIDReused, next.id)})
		}
		if size += len(next.body); len(items) >= s.cfg.MaxBatch || size >= maxBatchBytes {
			return items, index
		}
		next = nil
	}
}

// workOf opens an outbox row. A row that NewPending did not make stops the
// sequencer: integrating it would break the chain, skipping it would lose it.
func workOf(p Pending) (*work, error) {
	e, err := Decode(p.Body)
	if err != nil || e.ID != p.ID || len(p.Salt) != SaltSize {
		return nil, &CorruptError{Code: CodeOutbox, Detail: "row " + p.ID}
	}
	return &work{
		id: p.ID, body: p.Body, salt: p.Salt, class: e.Class, outbox: true,
		policy: policyHash(e.Policy), commit: BodyCommit(p.Salt, p.Body),
	}, nil
}

func policyHash(digest string) (h Hash) {
	if raw, err := hex.DecodeString(digest); err == nil {
		copy(h[:], raw)
	}
	return h
}

// commit writes items and answers their callers; ok says that it was written.
// Its error is final.
func (s *Sequencer) commit(items []*work, rows []string) (ok bool, err error) {
	for n := 0; ; n++ {
		if len(items) == 0 && len(rows) == 0 {
			return true, nil
		}
		var a *attempt
		if a, err = s.build(items, rows); err == nil {
			err = s.try(a)
		}
		if err == nil {
			s.advance(a)
			s.answer(items, a.batch.Entries)
			s.note(nil)
			return true, nil
		}
		if errors.Is(err, ErrDuplicate) && n < attempts {
			if items, err = s.dropKnown(items); err == nil {
				continue
			}
		}
		if errors.Is(err, errAgain) && n < attempts {
			continue
		}
		s.giveUp(items, err)
		var corrupt *CorruptError
		if errors.Is(err, ErrFenced) || errors.As(err, &corrupt) {
			return false, err
		}
		s.note(err) // the rows stay in the outbox; Integrate goes on waiting
		return false, nil
	}
}
