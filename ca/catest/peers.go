package catest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/peer"
)

// Peers is a register of peer domains in memory.
type Peers struct {
	mu      sync.Mutex
	rows    []peer.Entry            // guarded by mu
	systems map[string]string       // guarded by mu: domain by system
	lists   map[[2]string]peer.List // guarded by mu: by domain and issuer
	events  []ledger.Event          // guarded by mu
}

var _ peer.Register = (*Peers)(nil)

// Events are those of acts that took effect.
func (r *Peers) Events() []ledger.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *Peers) took(ev ledger.Event) (ledger.Receipt, error) {
	r.events = append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// AddPeer implements peer.Register.
func (r *Peers) AddPeer(_ context.Context, e peer.Entry, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.rows {
		if old.ID == e.ID || old.Domain == e.Domain && old.State == peer.Proposed {
			return ledger.Receipt{}, fmt.Errorf("%w: %s", peer.ErrExists, e.ID)
		}
	}
	e.State, e.Approval, e.EndedBy, e.EndReason = peer.Proposed, "", "", ""
	r.rows = append(r.rows, e)
	return r.took(ev)
}

// MovePeer implements peer.Register.
func (r *Peers) MovePeer(_ context.Context, e peer.Entry, from peer.State, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.rows, func(old peer.Entry) bool { return old.ID == e.ID })
	switch {
	case i < 0:
		return ledger.Receipt{}, fmt.Errorf("%w: %s", peer.ErrNotFound, e.ID)
	case r.rows[i].State != from:
		return ledger.Receipt{}, fmt.Errorf("%w: %s is %s", peer.ErrState, e.ID, r.rows[i].State)
	}
	if e.State == peer.InForce {
		in := slices.IndexFunc(r.rows, func(old peer.Entry) bool { return old.Domain == e.Domain && old.State == peer.InForce })
		if in < 0 && e.Replaces != "" || in >= 0 && r.rows[in].ID != e.Replaces {
			return ledger.Receipt{}, fmt.Errorf("%w: what %s replaces is not in force", peer.ErrState, e.ID)
		}
		for _, s := range e.Systems {
			if d := r.systems[s.ID]; d != "" && d != e.Domain {
				return ledger.Receipt{}, fmt.Errorf("%w: %s", peer.ErrTaken, s.ID)
			}
		}
		if r.systems == nil {
			r.systems = map[string]string{}
		}
		for _, s := range e.Systems {
			r.systems[s.ID] = e.Domain
		}
		if in >= 0 {
			o := &r.rows[in]
			o.State, o.EndedBy, o.EndReason, o.EndedAt = peer.Replaced, e.AskedBy, e.Reason, e.SettledAt
		}
	}
	was := &r.rows[i]
	was.State, was.Approval, was.SettledAt = e.State, e.Approval, e.SettledAt
	was.EndedBy, was.EndReason, was.EndedAt = e.EndedBy, e.EndReason, e.EndedAt
	return r.took(ev)
}

// Peer implements peer.Register.
func (r *Peers) Peer(_ context.Context, id string) (peer.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.rows {
		if e.ID == id {
			return e, nil
		}
	}
	return peer.Entry{}, fmt.Errorf("%w: %s", peer.ErrNotFound, id)
}

// Peers implements peer.Register.
func (r *Peers) Peers(_ context.Context, states ...peer.State) (out []peer.Entry, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.rows {
		if len(states) == 0 || slices.Contains(states, e.State) {
			out = append(out, e)
		}
	}
	return out, nil
}

// DomainOf implements peer.Register.
func (r *Peers) DomainOf(_ context.Context, system string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.systems[system]; ok {
		return d, nil
	}
	return "", fmt.Errorf("%w: %s", peer.ErrNotFound, system)
}

// PutList implements peer.Register.
func (r *Peers) PutList(_ context.Context, l peer.List, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [2]string{l.Domain, l.Issuer}
	if old, ok := r.lists[key]; ok && !l.ThisUpdate.After(old.ThisUpdate) {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", peer.ErrOld, l.Domain)
	}
	if r.lists == nil {
		r.lists = map[[2]string]peer.List{}
	}
	r.lists[key] = l
	return r.took(ev)
}

// PeerList implements peer.Register.
func (r *Peers) PeerList(_ context.Context, domain, issuer, have string) (peer.List, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.lists[[2]string{domain, issuer}]
	switch {
	case !ok:
		return peer.List{}, fmt.Errorf("%w: list of %s", peer.ErrNotFound, domain)
	case l.SM3 == have:
		l = peer.List{Domain: domain, Issuer: issuer, SM3: have}
	}
	return l, nil
}
