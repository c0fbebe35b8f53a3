// Package signintest holds the fakes of internal/signin for tests.
package signintest

import (
	"context"
	"crypto"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/signin"
)

// Store is signin.Store in memory; it refuses anything that looks like a
// secret where a digest belongs. The zero Store is ready.
type Store struct {
	identitytest.Journal
	mu       sync.Mutex
	links    map[string]signin.Link
	sessions map[string]signin.Session
}

var _ signin.Store = (*Store)(nil)

var errClear = errors.New("signintest: not an SM3 digest in hex")

func digest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// AddLink keeps a link once.
func (s *Store) AddLink(_ context.Context, l signin.Link, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !digest(l.Hash) {
		return ledger.Receipt{}, errClear
	}
	if _, ok := s.links[l.Hash]; ok {
		return ledger.Receipt{}, signin.ErrLink
	}
	rc, err := s.Record(ev)
	if err == nil {
		if s.links == nil {
			s.links = map[string]signin.Link{}
		}
		s.links[l.Hash] = l
	}
	return rc, err
}

func (s *Store) link(hash string, now time.Time) (signin.Link, error) {
	l, ok := s.links[hash]
	if !ok || !l.Used.IsZero() || !now.Before(l.Expires) {
		return signin.Link{}, signin.ErrLink
	}
	return l, nil
}

// LinkByHash looks without using.
func (s *Store) LinkByHash(_ context.Context, hash string, now time.Time) (signin.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link(hash, now)
}

// UseLink uses a link exactly once.
func (s *Store) UseLink(_ context.Context, hash string, now time.Time, ev ledger.Event) (signin.Link, ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.link(hash, now)
	if err != nil {
		return signin.Link{}, ledger.Receipt{}, err
	}
	rc, err := s.Record(ev)
	if err == nil {
		l.Used = now
		s.links[hash] = l
	}
	return l, rc, err
}

// AddSession keeps a session.
func (s *Store) AddSession(_ context.Context, n signin.Session, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !digest(n.Hash) {
		return ledger.Receipt{}, errClear
	}
	rc, err := s.Record(ev)
	if err == nil {
		if s.sessions == nil {
			s.sessions = map[string]signin.Session{}
		}
		s.sessions[n.Hash] = n
	}
	return rc, err
}

// SessionByHash returns a live session.
func (s *Store) SessionByHash(_ context.Context, hash string, now time.Time) (signin.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.sessions[hash]
	if !ok || !n.Ended.IsZero() || !now.Before(n.Expires) {
		return signin.Session{}, signin.ErrSession
	}
	return n, nil
}

// EndSession ends a session once.
func (s *Store) EndSession(_ context.Context, hash string, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.sessions[hash]
	if !ok || !n.Ended.IsZero() {
		return ledger.Receipt{}, signin.ErrSession
	}
	rc, err := s.Record(ev)
	if err == nil {
		n.Ended = at
		s.sessions[hash] = n
	}
	return rc, err
}

// EndOthers ends the sessions of a person but one.
func (s *Store) EndOthers(_ context.Context, person, but string, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rc, err := s.Record(ev)
	for hash, n := range s.sessions {
		if err == nil && n.Person == person && hash != but && n.Ended.IsZero() {
			n.Ended = at
			s.sessions[hash] = n
		}
	}
	return rc, err
}

// Recorder puts what changes no row into the same journal.
type Recorder struct{ Journal *identitytest.Journal }

// Record keeps an event.
func (r Recorder) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	return r.Journal.Record(ev)
}

// Keyring is signin.Keyring in memory: eight characters, one key a person. It
// counts how many PINs were tried. The zero Keyring is ready.
type Keyring struct {
	Fail   error // returned by CreateKey and OpenKey when set
	Broken error // returned by ChangeKey when set

	mu    sync.Mutex
	pins  map[string]string
	tried int
}

var _ signin.Keyring = (*Keyring)(nil)

// Tried is how many PINs reached the keys.
func (k *Keyring) Tried() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tried
}

// CheckPIN wants eight characters.
func (k *Keyring) CheckPIN(pin string) error {
	if len(pin) < 8 {
		return signin.ErrWeakPIN
	}
	return nil
}

// CreateKey sets the PIN of a person.
func (k *Keyring) CreateKey(_ context.Context, person, pin string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Fail != nil {
		return k.Fail
	}
	if k.pins == nil {
		k.pins = map[string]string{}
	}
	k.pins[person] = pin
	return nil
}

// OpenKey returns a key for the right PIN.
func (k *Keyring) OpenKey(_ context.Context, person, pin string) (signin.PersonKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Fail != nil {
		return nil, k.Fail
	}
	k.tried++
	if want, ok := k.pins[person]; !ok || want != pin {
		return nil, signin.ErrPIN
	}
	return key{}, nil
}

// ChangeKey sets another PIN.
func (k *Keyring) ChangeKey(_ context.Context, person, old, pin string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Broken != nil {
		return k.Broken
	}
	if k.pins[person] != old {
		return signin.ErrPIN
	}
	k.pins[person] = pin
	return nil
}

// key signs nothing: signin only hands it on.
type key struct{}

func (key) Public() crypto.PublicKey { return nil }
func (key) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("signintest: this key does not sign")
}
func (key) Close() error { return nil }
