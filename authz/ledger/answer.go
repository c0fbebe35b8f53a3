package ledger

import (
	"bytes"
	"errors"
	"fmt"
)

// answer gives every caller of items its receipt. Entries stand in the order
// of items.
func (s *Sequencer) answer(items []*work, entries []Entry) {
	for i, w := range items {
		r := result{receipt: receiptOf(entries[i])}
		w.answer(r)
		s.answerWaiting(w.id, r)
	}
}

func (w *work) answer(r result) {
	for _, ch := range w.waiters {
		ch <- r // each has room for its one answer
	}
	w.waiters = nil
}

// answerWaiting answers those who wait in Integrate.
func (s *Sequencer) answerWaiting(id string, r result) {
	s.mu.Lock()
	list := s.waiting[id]
	delete(s.waiting, id)
	s.mu.Unlock()
	for _, ch := range list {
		ch <- r
	}
}

// answerAsked answers Integrate for ids that a complete read of the outbox did
// not show: they are in the ledger already, or nowhere.
func (s *Sequencer) answerAsked(asked []string, complete bool) {
	if !complete {
		return
	}
	for _, id := range asked {
		s.mu.Lock()
		open := len(s.waiting[id]) > 0
		s.mu.Unlock()
		if !open {
			continue
		}
		e, err := s.cfg.Store.EntryByID(s.ctx, id)
		if err != nil {
			s.answerWaiting(id, result{err: fmt.Errorf("ledger: entry %s: %w", id, err)})
			continue
		}
		s.answerWaiting(id, result{receipt: receiptOf(e)})
	}
}

// dropKnown answers the items that stand in the ledger already and returns the
// others. Another event under a known id is refused; when its act has been
// committed through the outbox there is nobody to refuse, so the sequencer
// stops rather than lose it.
func (s *Sequencer) dropKnown(items []*work) ([]*work, error) {
	var rest []*work
	for i, w := range items {
		e, err := s.cfg.Store.EntryByID(s.ctx, w.id)
		switch {
		case errors.Is(err, ErrNotFound):
			rest = append(rest, w)
			continue
		case err != nil:
			return append(rest, items[i:]...), fmt.Errorf("ledger: looking for entry %s: %w", w.id, err)
		}
		r := result{receipt: receiptOf(e)}
		if e.Body != nil && !bytes.Equal(e.Body, w.body) { // an erased body cannot be compared
			if w.outbox {
				return append(rest, items[i:]...), &CorruptError{Code: CodeOutbox, Detail: "two events under id " + w.id}
			}
			r = result{err: fmt.Errorf("%w: %s", ErrIDReused, w.id)}
		}
		w.answer(r)
		s.answerWaiting(w.id, r)
	}
	return rest, nil
}

// giveUp answers the callers of items with an error and returns it.
func (s *Sequencer) giveUp(items []*work, err error) error {
	for _, w := range items {
		w.answer(result{err: err})
	}
	return err
}
