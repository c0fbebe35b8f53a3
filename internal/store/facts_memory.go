package store

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// memory keeps rows that were read of the registers until a change of them is
// seen. Whoever asks it follows the store first, so that whatever was committed
// before is seen, on every node; only what changed is read again. A store that
// does not answer is an error, never an old answer.
//
// What it returns is shared: nobody changes it.
type memory struct {
	s        *Store
	revision *gather[struct{}, int64]

	mu    sync.RWMutex // held for map access only
	begun bool
	at    int64 // what follows is as new as this revision, or newer
	rows  map[string]*shelf
	// latest are the changes after floor: what was read before one of them is not
	// kept.
	latest map[fact]int64
	floor  int64
}

// shelf is one kind, in two generations: what nobody asked for while the younger
// filled is dropped.
type shelf struct {
	size       int
	young, old map[string]any
	absent     map[string]error // ids that are not on record; strangers choose them
}

// Bounds: the working size of a house is 100,000 resources, 10,000 agreements and
// 5,000 systems.
const (
	maxShelf     = 1 << 15
	maxResources = 1 << 17
	maxAbsent    = 1 << 12
	maxLatest    = 1 << 14
)

func newMemory(s *Store) *memory {
	m := &memory{s: s, rows: map[string]*shelf{}, latest: map[fact]int64{}}
	m.revision = newGather(m.follow)
	return m
}

// now follows the store and returns the revision reached. Callers at a time share
// one question that was put after each of them came.
func (m *memory) now(ctx context.Context) (int64, error) {
	at, _, err := m.revision.get(ctx, struct{}{})
	return at, err
}

func (m *memory) follow(ctx context.Context, _ []struct{}) (map[struct{}]int64, error) {
	now, err := m.s.Revision(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.RLock()
	at, begun := m.at, m.begun
	m.mu.RUnlock()
	if begun && at == now {
		return map[struct{}]int64{{}: now}, nil
	}
	changes := []fact{{}}
	if begun && at < now { // a revision that went back is another store
		if changes, now, err = m.s.changesSince(ctx, at, now); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun, m.at = true, now
	for _, c := range changes {
		m.forget(c)
	}
	return map[struct{}]int64{{}: now}, nil
}

func (m *memory) forget(c fact) {
	switch {
	case c == fact{} || len(m.latest) >= maxLatest:
		clear(m.latest)
		m.floor = m.at
		if c == (fact{}) {
			clear(m.rows)
			return
		}
	}
	m.latest[c] = m.at
	s := m.rows[c.kind]
	if s == nil {
		return
	}
	if c.id == "" {
		delete(m.rows, c.kind)
		return
	}
	delete(s.young, c.id)
	delete(s.old, c.id)
	delete(s.absent, c.id)
}

// get returns what is kept; an error is kept for what is not on record.
func (m *memory) get(kind, id string) (v any, absent error, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.rows[kind]
	if s == nil {
		return nil, nil, false
	}
	if v, ok = s.young[id]; ok {
		return v, nil, true
	}
	if v, ok = s.old[id]; ok {
		return v, nil, true
	}
	absent, ok = s.absent[id]
	return nil, absent, ok
}

// put keeps what was read while the memory was at revision read, unless it changed
// since.
func (m *memory) put(kind string, read int64, rows map[string]any, absent map[string]error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if read < m.floor || m.latest[fact{kind, ""}] > read {
		return
	}
	s := m.rows[kind]
	if s == nil {
		s = &shelf{size: maxShelf, young: map[string]any{}, absent: map[string]error{}}
		if kind == factResource || kind == factTerms {
			s.size = maxResources
		}
		m.rows[kind] = s
	}
	fresh := func(id string) bool { return m.latest[fact{kind, id}] <= read }
	for id, v := range rows {
		if !fresh(id) {
			continue
		}
		if len(s.young) >= s.size {
			s.old, s.young = s.young, map[string]any{}
		}
		s.young[id] = v
	}
	if len(s.absent) >= maxAbsent {
		clear(s.absent)
	}
	maps.Copy(s.absent, absent)
	maps.DeleteFunc(s.absent, func(id string, _ error) bool { return absent[id] != nil && !fresh(id) })
}

// reached is the revision without a question to the store.
func (m *memory) reached() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.at
}

// recall answers from memory, or reads and keeps. The memory has followed the store
// as late as the caller wants.
func recall[T any](ctx context.Context, m *memory, kind, id string, read func(context.Context) (T, error)) (T, error) {
	var none T
	if v, absent, ok := m.get(kind, id); ok {
		if absent != nil {
			return none, absent
		}
		return v.(T), nil
	}
	at := m.reached()
	got, err := read(ctx) // as new as at, or newer
	switch {
	case err == nil:
		m.put(kind, at, map[string]any{id: got}, nil)
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, grading.ErrNotFound), errors.Is(err, sharing.ErrNotFound):
		m.put(kind, at, nil, map[string]error{id: err})
		return none, err
	default:
		return none, err
	}
	return got, nil
}
