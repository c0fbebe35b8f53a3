package catest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// ACME keeps what an ACME server remembers in memory, with its events in the
// Registry beside it. All fields are guarded by mu.
type ACME struct {
	reg *Registry

	mu         sync.Mutex
	keys       map[string]acmestore.Key
	accounts   map[string]acmestore.Account
	orders     map[string]acmestore.Order
	sequence   []string // order ids as added
	claims     map[string]time.Time
	proofs     map[string]acmestore.Authorization // without Challenges
	challenges map[string]acmestore.Challenge
	byProof    map[string][]string
	nonces     map[string]time.Time
	texts      []acmestore.Text
}

var _ acmestore.Store = (*ACME)(nil)

// NewACME returns an empty store that records its acts in reg.
func NewACME(reg *Registry) *ACME {
	return &ACME{
		reg: reg, keys: map[string]acmestore.Key{}, accounts: map[string]acmestore.Account{},
		orders: map[string]acmestore.Order{}, claims: map[string]time.Time{}, proofs: map[string]acmestore.Authorization{},
		challenges: map[string]acmestore.Challenge{}, byProof: map[string][]string{}, nonces: map[string]time.Time{},
	}
}

// enter takes the planned failure of a method (see Registry.FailNext) and
// records the event of an act.
func (s *ACME) enter(method string, ev ledger.Event) (ledger.Receipt, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	if err := s.reg.enter(method); err != nil {
		return ledger.Receipt{}, err
	}
	return s.reg.record(ev)
}

// Counts says how many of each there are.
func (s *ACME) Counts() (keys, accounts, orders, nonces int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys), len(s.accounts), len(s.orders), len(s.nonces)
}

// AddKey implements acmestore.Keys.
func (s *ACME) AddKey(_ context.Context, k acmestore.Key, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.State != acmestore.KeyOpen || len(k.HMAC) == 0 || k.Account != "" || k.System == "" || k.Request == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: no new key", acmestore.ErrState)
	}
	for id, old := range s.keys {
		if id == k.ID || old.Request == k.Request {
			return ledger.Receipt{}, acmestore.ErrExists
		}
	}
	rc, err := s.enter("AddKey", ev)
	if err != nil {
		return rc, err
	}
	for id, old := range s.keys {
		if old.System == k.System && old.State == acmestore.KeyOpen {
			old.State, old.HMAC = acmestore.KeyReplaced, nil
			s.keys[id] = old
		}
	}
	s.keys[k.ID] = k
	return rc, nil
}

// Key implements acmestore.Keys.
func (s *ACME) Key(_ context.Context, id string) (acmestore.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[id]
	if !ok {
		return k, acmestore.ErrNotFound
	}
	return k, nil
}

// Bind implements acmestore.Accounts.
func (s *ACME) Bind(_ context.Context, a acmestore.Account, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[a.Key]
	switch {
	case a.Status != acmestore.Valid:
		return ledger.Receipt{}, acmestore.ErrState
	case !ok, k.State != acmestore.KeyOpen, !now.Before(k.ExpiresAt),
		k.System != a.System, k.Agency != a.Agency, k.Request != a.Request:
		return ledger.Receipt{}, acmestore.ErrKey
	case s.registered(a.Thumbprint) || s.accounts[a.ID].ID != "":
		return ledger.Receipt{}, acmestore.ErrExists
	}
	rc, err := s.enter("Bind", ev)
	if err != nil {
		return rc, err
	}
	k.State, k.HMAC, k.Account, k.BoundAt = acmestore.KeyBound, nil, a.ID, now
	s.keys[k.ID], s.accounts[a.ID] = k, a
	return rc, nil
}

func (s *ACME) registered(thumbprint string) bool {
	for _, a := range s.accounts {
		if a.Thumbprint == thumbprint {
			return true
		}
	}
	return false
}

// Account implements acmestore.Accounts.
func (s *ACME) Account(_ context.Context, id string) (acmestore.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	if !ok {
		return a, acmestore.ErrNotFound
	}
	return a, nil
}

// AccountByThumbprint implements acmestore.Accounts.
func (s *ACME) AccountByThumbprint(_ context.Context, thumbprint string) (acmestore.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Thumbprint == thumbprint {
			return a, nil
		}
	}
	return acmestore.Account{}, acmestore.ErrNotFound
}

// UpdateAccount implements acmestore.Accounts.
func (s *ACME) UpdateAccount(_ context.Context, a acmestore.Account, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.accounts[a.ID]
	if old.Status != acmestore.Valid || a.Status != acmestore.Valid && a.Status != acmestore.Deactivated {
		return ledger.Receipt{}, acmestore.ErrState
	}
	rc, err := s.enter("UpdateAccount", ev)
	if err == nil {
		old.Contact, old.Status = slices.Clone(a.Contact), a.Status
		s.accounts[a.ID] = old
	}
	return rc, err
}

// RollAccount implements acmestore.Accounts.
func (s *ACME) RollAccount(_ context.Context, id, was, thumbprint string, jwk []byte, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[id]
	switch {
	case a.Status != acmestore.Valid || a.Thumbprint != was:
		return ledger.Receipt{}, acmestore.ErrState
	case s.registered(thumbprint):
		return ledger.Receipt{}, acmestore.ErrExists
	}
	rc, err := s.enter("RollAccount", ev)
	if err == nil {
		a.Thumbprint, a.JWK = thumbprint, bytes.Clone(jwk)
		s.accounts[id] = a
	}
	return rc, err
}

// AddNonce implements acmestore.Nonces.
func (s *ACME) AddNonce(_ context.Context, id string, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, dup := s.nonces[id]; dup || id == "" {
		return fmt.Errorf("%w: nonce drawn twice", ErrInvariant)
	}
	s.nonces[id] = expires
	return nil
}

// UseNonce implements acmestore.Nonces.
func (s *ACME) UseNonce(_ context.Context, id string, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	expires, ok := s.nonces[id]
	if !ok || !now.Before(expires) {
		return false, nil
	}
	delete(s.nonces, id)
	return true, nil
}

// DropNonces implements acmestore.Nonces.
func (s *ACME) DropNonces(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, expires := range s.nonces {
		if expires.Before(before) {
			delete(s.nonces, id)
		}
	}
	return nil
}
