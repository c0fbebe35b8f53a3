package catest

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// AddOrder implements acmestore.Orders.
func (s *ACME) AddOrder(_ context.Context, o acmestore.Order, az []acmestore.Authorization, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Status != acmestore.Pending || o.Certificate != "" || len(az) == 0 {
		return ledger.Receipt{}, acmestore.ErrState
	}
	for _, z := range az {
		if len(z.Challenges) == 0 {
			return ledger.Receipt{}, acmestore.ErrState
		}
	}
	if _, dup := s.orders[o.ID]; dup {
		return ledger.Receipt{}, acmestore.ErrExists
	}
	if _, ok := s.accounts[o.Account]; !ok {
		return ledger.Receipt{}, acmestore.ErrNotFound
	}
	rc, err := s.enter("AddOrder", ev)
	if err != nil {
		return rc, err
	}
	s.orders[o.ID], s.sequence = o, append(s.sequence, o.ID)
	for _, z := range az {
		for _, c := range z.Challenges {
			c.Status, c.Authorization = acmestore.Pending, z.ID
			s.challenges[c.ID] = c
			s.byProof[z.ID] = append(s.byProof[z.ID], c.ID)
		}
		z.Status, z.Challenges = acmestore.Pending, nil
		s.proofs[z.ID] = z
	}
	return rc, nil
}

// Order implements acmestore.Orders.
func (s *ACME) Order(_ context.Context, id string) (acmestore.Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[id]
	if !ok {
		return o, acmestore.ErrNotFound
	}
	return o, nil
}

// OrdersOf implements acmestore.Orders.
func (s *ACME) OrdersOf(_ context.Context, account string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, id := range s.sequence {
		o := s.orders[id]
		if o.Account == account && (o.Status == acmestore.Pending || o.Status == acmestore.Ready) && len(ids) < 100 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// OrderOfCertificate implements acmestore.Orders.
func (s *ACME) OrderOfCertificate(_ context.Context, serial string) (acmestore.Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.Certificate == serial && serial != "" {
			return o, nil
		}
	}
	return acmestore.Order{}, acmestore.ErrNotFound
}

// MoveOrder implements acmestore.Orders.
func (s *ACME) MoveOrder(_ context.Context, id string, from, to acmestore.Status, problem []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[id]
	legal := from == acmestore.Pending && to == acmestore.Ready ||
		(from == acmestore.Pending || from == acmestore.Ready) && to == acmestore.Invalid
	if !legal || o.Status != from {
		return acmestore.ErrState
	}
	o.Status, o.Problem = to, problem
	s.orders[id] = o
	return nil
}

// ClaimOrder implements acmestore.Orders.
func (s *ACME) ClaimOrder(_ context.Context, id string, now, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.claims[id]; s.orders[id].Status != acmestore.Ready || ok && held.After(now) {
		return acmestore.ErrState
	}
	s.claims[id] = until
	return nil
}

// ReleaseOrder implements acmestore.Orders.
func (s *ACME) ReleaseOrder(_ context.Context, id string, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.claims[id]; !ok || !held.Equal(until) {
		return acmestore.ErrState
	}
	delete(s.claims, id)
	return nil
}

// FinishOrder implements acmestore.Orders.
func (s *ACME) FinishOrder(_ context.Context, id string, until time.Time, certificate string, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, held := s.orders[id], s.claims[id]
	if o.Status != acmestore.Ready || certificate == "" || until.IsZero() || !held.Equal(until) {
		return ledger.Receipt{}, acmestore.ErrState
	}
	for _, other := range s.orders {
		if other.Certificate == certificate {
			return ledger.Receipt{}, acmestore.ErrExists
		}
	}
	rc, err := s.enter("FinishOrder", ev)
	if err == nil {
		o.Status, o.Certificate = acmestore.Valid, certificate
		s.orders[id] = o
		delete(s.claims, id)
	}
	return rc, err
}

// Authorization implements acmestore.Challenges.
func (s *ACME) Authorization(_ context.Context, id string) (acmestore.Authorization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, ok := s.proofs[id]
	if !ok {
		return z, acmestore.ErrNotFound
	}
	for _, c := range s.byProof[id] {
		z.Challenges = append(z.Challenges, s.challenges[c])
	}
	return z, nil
}

// EndAuthorization implements acmestore.Challenges.
func (s *ACME) EndAuthorization(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.proofs[id]
	if z.Status != acmestore.Pending {
		return acmestore.ErrState
	}
	z.Status = acmestore.Invalid
	s.proofs[id] = z
	return nil
}

// Challenge implements acmestore.Challenges.
func (s *ACME) Challenge(_ context.Context, id string) (acmestore.Challenge, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.challenges[id]
	if !ok {
		return c, acmestore.ErrNotFound
	}
	return c, nil
}

// AnswerChallenge implements acmestore.Challenges.
func (s *ACME) AnswerChallenge(_ context.Context, c acmestore.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.challenges[c.ID]
	if old.Status != acmestore.Pending || c.Status != acmestore.Valid && c.Status != acmestore.Invalid {
		return acmestore.ErrState
	}
	old.Status, old.Validated, old.Problem = c.Status, c.Validated, c.Problem
	s.challenges[c.ID] = old
	if z := s.proofs[old.Authorization]; z.Status == acmestore.Pending {
		z.Status = c.Status
		s.proofs[z.ID] = z
	}
	return nil
}
