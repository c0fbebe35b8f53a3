// Package tokentest has a store of access tokens in memory, the suite that every
// store of them must pass, and a house around a token service: keys, a clock and
// a register that a test changes.
package tokentest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// Store is a token.Store in memory. It refuses an act whose event no ledger
// would take.
type Store struct {
	mu     sync.Mutex
	keys   []token.Key
	grants map[string]token.Grant
	Events []ledger.Event
	Fail   error // of every read, when set
}

var _ token.Store = (*Store)(nil)

// NewStore is empty.
func NewStore() *Store { return &Store{grants: map[string]token.Grant{}} }

func (s *Store) record(ev ledger.Event) (ledger.Receipt, error) {
	if _, err := ledger.Encode(ev); err != nil {
		return ledger.Receipt{}, err
	}
	s.Events = append(s.Events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// AddKey implements token.Store.
func (s *Store) AddKey(_ context.Context, k token.Key, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, had := range s.keys {
		if had.KID == k.KID || had.Algorithm == k.Algorithm && had.Number == k.Number {
			return ledger.Receipt{}, fmt.Errorf("%w: token key %q", token.ErrExists, k.KID)
		}
	}
	s.keys = append(s.keys, k)
	slices.SortStableFunc(s.keys, func(a, b token.Key) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Number, b.Number))
	})
	return s.record(ev)
}

// Keys implements token.Store.
func (s *Store) Keys(context.Context) ([]token.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), s.Fail
}

// AddGrant implements token.Store.
func (s *Store) AddGrant(_ context.Context, g token.Grant, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.grants[g.ID]; ok {
		return ledger.Receipt{}, fmt.Errorf("%w: token %q", token.ErrExists, g.ID)
	}
	s.grants[g.ID] = g
	return s.record(ev)
}

// Grant implements token.Store.
func (s *Store) Grant(_ context.Context, id string) (token.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.grants[id]
	if !ok && s.Fail == nil {
		return token.Grant{}, fmt.Errorf("%w: token %q", token.ErrNotFound, id)
	}
	return g, s.Fail
}

// RevokeGrant implements token.Store.
func (s *Store) RevokeGrant(_ context.Context, id string, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.grants[id]
	switch {
	case !ok:
		return ledger.Receipt{}, fmt.Errorf("%w: token %q", token.ErrNotFound, id)
	case !g.RevokedAt.IsZero():
		return ledger.Receipt{}, fmt.Errorf("%w: %q", token.ErrRevoked, id)
	}
	g.RevokedAt = at
	s.grants[id] = g
	return s.record(ev)
}

// RevokeGrants implements token.Store.
func (s *Store) RevokeGrants(_ context.Context, system string, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, g := range s.grants {
		if g.System == system && g.RevokedAt.IsZero() && g.ExpiresAt.After(at) {
			g.RevokedAt = at
			s.grants[id] = g
		}
	}
	return s.record(ev)
}

// ForgetGrants implements token.Store.
func (s *Store) ForgetGrants(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, g := range s.grants {
		if g.ExpiresAt.Before(before) {
			delete(s.grants, id)
		}
	}
	return nil
}
