// Package granttest holds the fake of grant.Store for tests, and the suite that it
// and the real stores pass.
package granttest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Memory is grant.Store in memory: rows move along the arrows only, and terms
// never change. The zero Memory is ready.
type Memory struct {
	identitytest.Journal
	mu          sync.Mutex
	grants      []grant.Grant
	delegations []grant.Delegation
}

var _ grant.Store = (*Memory)(nil)

func (m *Memory) grant(id string) int {
	return slices.IndexFunc(m.grants, func(g grant.Grant) bool { return g.ID == id })
}

func (m *Memory) delegation(id string) int {
	return slices.IndexFunc(m.delegations, func(d grant.Delegation) bool { return d.ID == id })
}

// AddGrant keeps a proposal once.
func (m *Memory) AddGrant(_ context.Context, g grant.Grant, ev ledger.Event) (ledger.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.grant(g.ID) >= 0:
		return ledger.Receipt{}, grant.ErrExists
	case g.State != grant.Proposed:
		return ledger.Receipt{}, fmt.Errorf("%w: it starts as %s", grant.ErrState, g.State)
	}
	rc, err := m.Record(ev)
	if err == nil {
		m.grants = append(m.grants, g)
	}
	return rc, err
}

// MoveGrant moves from a state along its arrow.
func (m *Memory) MoveGrant(_ context.Context, g grant.Grant, from grant.State, ev ledger.Event) (ledger.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.grant(g.ID)
	if i < 0 {
		return ledger.Receipt{}, grant.ErrNotFound
	}
	count := g.Suspensions
	if g.State == grant.Suspended {
		count--
	}
	if !grant.Moves(from, g.State) || m.grants[i].State != from || m.grants[i].Suspensions != count {
		return ledger.Receipt{}, grant.ErrState
	}
	old := -1
	if g.State == grant.InForce && from == grant.Proposed && g.Replaces != "" {
		if old = m.grant(g.Replaces); old < 0 || m.grants[old].State != grant.InForce {
			return ledger.Receipt{}, grant.ErrState
		}
	}
	rc, err := m.Record(ev)
	if err != nil {
		return rc, err
	}
	if old >= 0 {
		m.grants[old].State, m.grants[old].EndedAt = grant.Replaced, g.SettledAt
	}
	was := m.grants[i]
	was.State, was.Approval, was.SettledAt, was.Suspensions, was.Suspension = g.State, g.Approval, g.SettledAt, g.Suspensions, g.Suspension
	was.EndedBy, was.EndReason, was.EndedAt, was.Review.Due = g.EndedBy, g.EndReason, g.EndedAt, g.Review.Due
	m.grants[i] = was
	return rc, nil
}

// ReviewGrant takes each half of a review once.
func (m *Memory) ReviewGrant(_ context.Context, g grant.Grant, ev ledger.Event) (ledger.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.grant(g.ID)
	if i < 0 {
		return ledger.Receipt{}, grant.ErrNotFound
	}
	r, changed := m.grants[i].Review, false
	if r.At.IsZero() && !g.Review.At.IsZero() {
		r.Approval, r.Found, r.At, changed = g.Review.Approval, g.Review.Found, g.Review.At, true
	}
	if r.AuditAt.IsZero() && !g.Review.AuditAt.IsZero() {
		r.Auditor, r.Note, r.AuditAt, changed = g.Review.Auditor, g.Review.Note, g.Review.AuditAt, true
	}
	if !changed || r.Due.IsZero() {
		return ledger.Receipt{}, grant.ErrState
	}
	rc, err := m.Record(ev)
	if err == nil {
		m.grants[i].Review = r
	}
	return rc, err
}

// Grant returns ErrNotFound for an unknown one.
func (m *Memory) Grant(_ context.Context, id string) (grant.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.grant(id); i >= 0 {
		return m.grants[i], nil
	}
	return grant.Grant{}, grant.ErrNotFound
}

// GrantsOf lists newest first.
func (m *Memory) GrantsOf(_ context.Context, unit identity.USCC) (out []grant.Grant, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range slices.Backward(m.grants) {
		if unit == "" || g.Unit == unit {
			out = append(out, g)
		}
	}
	return out, nil
}

// GrantsFor lists what may count for a person.
func (m *Memory) GrantsFor(_ context.Context, person string, after time.Time) (out []grant.Grant, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.grants {
		if g.Person == person && g.Until.After(after) && slices.Contains([]grant.State{grant.Proposed, grant.InForce, grant.Suspended}, g.State) {
			out = append(out, g)
		}
	}
	return out, nil
}

// AddDelegation keeps a proposal once.
func (m *Memory) AddDelegation(_ context.Context, d grant.Delegation, ev ledger.Event) (ledger.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.delegation(d.ID) >= 0:
		return ledger.Receipt{}, grant.ErrExists
	case d.State != grant.Proposed:
		return ledger.Receipt{}, fmt.Errorf("%w: it starts as %s", grant.ErrState, d.State)
	}
	rc, err := m.Record(ev)
	if err == nil {
		m.delegations = append(m.delegations, d)
	}
	return rc, err
}

// MoveDelegation moves from a state along its arrow.
func (m *Memory) MoveDelegation(_ context.Context, d grant.Delegation, from grant.State, ev ledger.Event) (ledger.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.delegation(d.ID)
	if i < 0 {
		return ledger.Receipt{}, grant.ErrNotFound
	}
	if d.State == grant.Suspended || d.State == grant.Replaced || !grant.Moves(from, d.State) || m.delegations[i].State != from {
		return ledger.Receipt{}, grant.ErrState
	}
	rc, err := m.Record(ev)
	if err == nil {
		was := &m.delegations[i]
		was.State, was.Approval, was.SettledAt, was.EndedBy, was.EndReason, was.EndedAt = d.State, d.Approval, d.SettledAt, d.EndedBy, d.EndReason, d.EndedAt
	}
	return rc, err
}

// Delegation returns ErrNotFound for an unknown one.
func (m *Memory) Delegation(_ context.Context, id string) (grant.Delegation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.delegation(id); i >= 0 {
		return m.delegations[i], nil
	}
	return grant.Delegation{}, grant.ErrNotFound
}

// DelegationsOf lists newest first.
func (m *Memory) DelegationsOf(_ context.Context, unit identity.USCC) (out []grant.Delegation, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range slices.Backward(m.delegations) {
		if unit == "" || d.Unit == unit {
			out = append(out, d)
		}
	}
	return out, nil
}

// Tamper changes a stored grant behind the service's back.
func (m *Memory) Tamper(id string, edit func(*grant.Grant)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit(&m.grants[m.grant(id)])
}
