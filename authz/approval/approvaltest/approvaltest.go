// Package approvaltest holds the fake store of authz/approval for tests.
package approvaltest

import (
	"context"
	"fmt"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Store is approval.Store in memory: one answer a subject, with its event. The
// zero Store is ready.
type Store struct {
	identitytest.Journal
	mu   sync.Mutex
	rows map[string]approval.Approval
	cast []approval.Approval // votes
}

var (
	_ approval.Store     = (*Store)(nil)
	_ approval.VoteStore = (*Store)(nil)
)

// AddApproval keeps the first answer of a subject.
func (s *Store) AddApproval(_ context.Context, a approval.Approval, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := string(a.Subject.Kind) + "\x00" + a.Subject.ID
	if _, ok := s.rows[key]; ok {
		return ledger.Receipt{}, approval.ErrDecided
	}
	if !fits(a, ev) {
		return ledger.Receipt{}, fmt.Errorf("row and event do not fit: %+v", ev)
	}
	rc, err := s.Record(ev)
	if err == nil {
		if s.rows == nil {
			s.rows = map[string]approval.Approval{}
		}
		s.rows[key] = a
	}
	return rc, err
}

func fits(a approval.Approval, ev ledger.Event) bool {
	return a.ID != "" && len(a.Signature) > 0 && ev.Payload == a.Subject.Digest && ev.Actor.ID == a.Approver && ev.Object.ID == a.Subject.ID
}

// AddVote keeps the first answer of a person to a digest.
func (s *Store) AddVote(_ context.Context, a approval.Approval, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.cast {
		if old.Subject.Kind == a.Subject.Kind && old.Subject.ID == a.Subject.ID && old.Subject.Digest == a.Subject.Digest && old.Approver == a.Approver {
			return ledger.Receipt{}, approval.ErrDecided
		}
	}
	if !fits(a, ev) {
		return ledger.Receipt{}, fmt.Errorf("row and event do not fit: %+v", ev)
	}
	rc, err := s.Record(ev)
	if err == nil {
		s.cast = append(s.cast, a)
	}
	return rc, err
}

// VotesOf returns the answers of a subject in the order of their coming.
func (s *Store) VotesOf(_ context.Context, kind approval.Kind, subjectID string) (out []approval.Approval, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.cast {
		if a.Subject.Kind == kind && a.Subject.ID == subjectID {
			out = append(out, a)
		}
	}
	return out, nil
}

// Smuggle puts votes behind the service's back.
func (s *Store) Smuggle(votes ...approval.Approval) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cast = append(s.cast, votes...)
}

// ApprovalOf returns ErrNotFound for a subject without an answer.
func (s *Store) ApprovalOf(_ context.Context, kind approval.Kind, subjectID string) (approval.Approval, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.rows[string(kind)+"\x00"+subjectID]
	if !ok {
		return approval.Approval{}, approval.ErrNotFound
	}
	return a, nil
}

// Tamper changes a stored answer behind the service's back.
func (s *Store) Tamper(kind approval.Kind, subjectID string, edit func(*approval.Approval)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := string(kind) + "\x00" + subjectID
	a := s.rows[key]
	edit(&a)
	s.rows[key] = a
}
