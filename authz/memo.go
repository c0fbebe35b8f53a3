package authz

import (
	"sync"
	"time"
)

// memo keeps what the sealed guard and the core found. Both are pure functions
// of the request, the facts and the time, so the key is the digest of the
// facts and of the request, and a result holds until the next moment at which
// one of its facts begins or ends. The site is never in it (an officer's rule
// may read the clock), and neither is the entry on the ledger: each decision
// has its own.
type memo struct {
	size int // of each generation; 0: nothing is kept

	mu         sync.Mutex // guards both generations; held for map access only
	young, old map[memoKey]memoValue
}

type memoKey struct{ facts, request string }

type memoValue struct {
	found       []finding
	from, until time.Time // holds in from <= now < until
}

func (m *memo) get(k memoKey, now time.Time) ([]finding, bool) {
	if m.size == 0 {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.young[k]
	if !ok {
		if v, ok = m.old[k]; ok {
			m.keep(k, v)
		}
	}
	if !ok || now.Before(v.from) || !now.Before(v.until) {
		return nil, false
	}
	return v.found, true
}

func (m *memo) put(k memoKey, v memoValue) {
	if m.size == 0 {
		return
	}
	for _, f := range v.found {
		if f.code == codeError { // a failure is not a finding about the facts
			return
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(k, v)
}

// keep drops the older generation when the younger is full, so that memory is
// bounded by two generations.
func (m *memo) keep(k memoKey, v memoValue) {
	if m.young == nil || len(m.young) >= m.size {
		m.old, m.young = m.young, make(map[memoKey]memoValue, m.size)
	}
	m.young[k] = v
}

// nextBoundary is the first moment after now at which a fact of v changes by
// itself. The core reads whole milliseconds and the Go side the time itself,
// so each time ends a result at both.
func (v view) nextBoundary() time.Time {
	next := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) // what never ends
	add := func(ts ...time.Time) {
		for _, exact := range ts {
			for _, t := range []time.Time{exact.Truncate(time.Millisecond), exact} {
				if t.After(v.now) && t.Before(next) {
					next = t
				}
			}
		}
	}
	party := func(p *Party) {
		if p == nil {
			return
		}
		if p.Grading != nil {
			add(p.Grading.ValidUntil)
		}
		if p.Person != nil {
			add(p.Person.LeftAt)
		}
		if p.Bound != nil {
			add(p.Bound.From, p.Bound.Until)
		}
		for _, post := range p.Posts {
			add(post.From, post.Until)
		}
	}
	party(&v.subject)
	party(v.target)
	for _, h := range v.hops {
		party(h.party)
	}
	for _, g := range v.granted {
		add(g.From, g.Until)
	}
	for _, a := range v.terms {
		add(a.NotBefore, a.NotAfter, a.Terminated)
	}
	for _, q := range v.quotes {
		add(q.From, q.Until)
	}
	for _, t := range v.written() {
		add(t.Add(-clockTolerance))
	}
	for _, s := range v.standings {
		add(s.Due)
	}
	for _, s := range v.sources {
		if s.item != nil && s.item.Holding != nil {
			add(s.item.Holding.Ended, s.item.Holding.Until)
		}
	}
	return next
}
