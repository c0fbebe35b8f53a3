package sharingtest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Consents is sharing.ConsentStore in memory: it moves a consent along the
// arrows only, and never changes its terms. The zero Consents is ready.
type Consents struct {
	identitytest.Journal
	mu   sync.Mutex
	rows []sharing.Consent
}

var _ sharing.ConsentStore = (*Consents)(nil)

func (s *Consents) find(id string) int {
	return slices.IndexFunc(s.rows, func(c sharing.Consent) bool { return c.ID == id })
}

// AddConsent keeps what was asked once.
func (s *Consents) AddConsent(_ context.Context, c sharing.Consent, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(c.ID) >= 0 {
		return ledger.Receipt{}, sharing.ErrExists
	}
	if c.State != sharing.ConsentAsked || c.Requester == "" || ev.Object.ID != c.ID || ev.Payload != c.Digest || ev.Actor.ID != c.Requester {
		return ledger.Receipt{}, fmt.Errorf("row and event do not fit: %+v, %+v", c, ev)
	}
	rc, err := s.Record(ev)
	if err == nil {
		s.rows = append(s.rows, c)
	}
	return rc, err
}

// MoveConsent moves from a state along its arrow.
func (s *Consents) MoveConsent(_ context.Context, c sharing.Consent, from sharing.ConsentState, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(c.ID)
	if i < 0 {
		return ledger.Receipt{}, sharing.ErrNotFound
	}
	old := s.rows[i]
	if old.State != from {
		return ledger.Receipt{}, fmt.Errorf("%w: it is %s", sharing.ErrConsent, old.State)
	}
	type arrow [2]sharing.ConsentState
	if !slices.Contains([]arrow{
		{sharing.ConsentAsked, sharing.ConsentGiven}, {sharing.ConsentAsked, sharing.ConsentRefused}, {sharing.ConsentGiven, sharing.ConsentWithdrawn},
	}, arrow{from, c.State}) || c.Digest != old.Digest || c.Approval == "" || ev.Payload != c.Digest || ev.Object.ID != c.ID {
		return ledger.Receipt{}, fmt.Errorf("no such move: %+v, %+v", c, ev)
	}
	rc, err := s.Record(ev)
	if err == nil {
		s.rows[i] = c
	}
	return rc, err
}

// Consent returns ErrNotFound for an unknown one.
func (s *Consents) Consent(_ context.Context, id string) (sharing.Consent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(id); i >= 0 {
		return s.rows[i], nil
	}
	return sharing.Consent{}, fmt.Errorf("%w: consent %s", sharing.ErrNotFound, id)
}

// ConsentsOf lists both sides of a unit, newest first.
func (s *Consents) ConsentsOf(_ context.Context, unit identity.USCC) ([]sharing.Consent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sharing.Consent
	for _, c := range slices.Backward(s.rows) {
		if c.Provider == unit || c.Consumer == unit {
			out = append(out, c)
		}
	}
	return out, nil
}

// Tamper changes a stored consent behind the service's back.
func (s *Consents) Tamper(id string, edit func(*sharing.Consent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.rows[s.find(id)])
}
