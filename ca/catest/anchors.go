package catest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/anchor"
)

// Anchors is a register of trust anchors in memory.
type Anchors struct {
	mu     sync.Mutex
	rows   []anchor.Anchor // guarded by mu
	events []ledger.Event  // guarded by mu
}

var _ anchor.Register = (*Anchors)(nil)

// Events are those of acts that took effect.
func (r *Anchors) Events() []ledger.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// AddAnchor implements anchor.Register.
func (r *Anchors) AddAnchor(_ context.Context, a anchor.Anchor, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.rows {
		if old.ID == a.ID || old.SM3() == a.SM3() && (old.State == anchor.Proposed || old.State == anchor.InForce) {
			return ledger.Receipt{}, fmt.Errorf("%w: %s", anchor.ErrExists, a.ID)
		}
	}
	a.State, a.Approval, a.EndedBy, a.EndReason = anchor.Proposed, "", "", ""
	r.rows, r.events = append(r.rows, a), append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// MoveAnchor implements anchor.Register.
func (r *Anchors) MoveAnchor(_ context.Context, a anchor.Anchor, from anchor.State, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.rows, func(old anchor.Anchor) bool { return old.ID == a.ID })
	switch {
	case i < 0:
		return ledger.Receipt{}, fmt.Errorf("%w: %s", anchor.ErrNotFound, a.ID)
	case r.rows[i].State != from:
		return ledger.Receipt{}, fmt.Errorf("%w: %s is %s", anchor.ErrState, a.ID, r.rows[i].State)
	}
	was := r.rows[i]
	was.State, was.Approval, was.SettledAt = a.State, a.Approval, a.SettledAt
	was.EndedBy, was.EndReason, was.EndedAt = a.EndedBy, a.EndReason, a.EndedAt
	r.rows[i], r.events = was, append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// Anchor implements anchor.Register.
func (r *Anchors) Anchor(_ context.Context, id string) (anchor.Anchor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.rows {
		if a.ID == id {
			return a, nil
		}
	}
	return anchor.Anchor{}, fmt.Errorf("%w: %s", anchor.ErrNotFound, id)
}

// Anchors implements anchor.Register.
func (r *Anchors) Anchors(_ context.Context, states ...anchor.State) (out []anchor.Anchor, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.rows {
		if len(states) == 0 || slices.Contains(states, a.State) {
			out = append(out, a)
		}
	}
	return out, nil
}
