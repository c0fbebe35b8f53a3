package catest

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

// Retention keeps in memory what two persons say about a Registry's old rows.
// Recoveries of keys are not its own: see SetRecovering.
type Retention struct {
	reg *Registry

	mu     sync.Mutex
	acts   []retention.Act  // guarded by mu, as are the others
	holds  []retention.Hold //
	open   map[string]bool  // systems with an open recovery
	events []ledger.Event   //
}

var _ retention.Store = (*Retention)(nil)

// NewRetention joins it to a registry.
func NewRetention(reg *Registry) *Retention {
	return &Retention{reg: reg, open: map[string]bool{}}
}

// SetRecovering says whether a recovery of a system's keys is open.
func (s *Retention) SetRecovering(system string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[system] = open
}

func (s *Retention) done(ev ledger.Event) (ledger.Receipt, error) {
	s.events = append(s.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// items is everything that is kept.
func (s *Retention) items() map[retention.Ref]retention.Item {
	r := s.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[retention.Ref]retention.Item{}
	for id, q := range r.requests {
		if slices.Contains([]ca.RequestState{ca.RequestApproved, ca.RequestRefused, ca.RequestWithdrawn, ca.RequestIssued}, q.State) {
			i := retention.Item{Class: retention.Registration, ID: id, Agency: q.Agency, System: q.System, Ends: q.CreatedAt}
			if q.TokenExpires.After(i.Ends) {
				i.Ends = q.TokenExpires
			}
			out[retention.Ref{Class: i.Class, ID: id}] = i
		}
	}
	later := func(ref retention.Ref, ends time.Time) {
		if i, ok := out[ref]; ok && ends.After(i.Ends) {
			i.Ends = ends
			out[ref] = i
		}
	}
	for _, c := range r.certs {
		later(retention.Ref{Class: retention.Registration, ID: c.Request}, c.NotAfter)
		if k, ok := r.keys[c.Pair]; ok && k.KEK != "" {
			ref := retention.Ref{Class: retention.Escrow, ID: c.System + "/" + c.Pair}
			if _, ok := out[ref]; !ok {
				out[ref] = retention.Item{Class: ref.Class, ID: ref.ID, Agency: c.Agency, System: c.System}
			}
			later(ref, c.NotAfter)
		}
		if c.Kind == ca.KindPerson && len(c.DER) > 0 {
			ref := retention.Ref{Class: retention.Person, ID: c.Issuer + ":" + c.Serial}
			out[ref] = retention.Item{Class: ref.Class, ID: ref.ID, Agency: c.Agency, System: c.System, Person: c.Person, Ends: c.NotAfter}
		}
	}
	return out
}

// Ended implements retention.Store.
func (s *Retention) Ended(_ context.Context, by time.Time, limit int) (out []retention.Item, _ error) {
	for _, i := range s.items() {
		if !i.Ends.After(by) {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b retention.Item) int { return strings.Compare(key(a), key(b)) })
	return out[:min(limit, len(out))], nil
}

func key(i retention.Item) string {
	return i.Ends.UTC().Format(time.RFC3339Nano) + string(i.Class) + i.ID
}

// Item implements retention.Store.
func (s *Retention) Item(_ context.Context, r retention.Ref) (retention.Item, error) {
	i, ok := s.items()[r]
	if !ok {
		return i, fmt.Errorf("%w: %s", retention.ErrNotFound, r.ID)
	}
	return i, nil
}

// AddAct implements retention.Store.
func (s *Retention) AddAct(_ context.Context, a retention.Act, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.acts, func(o retention.Act) bool { return o.State == retention.Proposed || o.ID == a.ID }) {
		return ledger.Receipt{}, retention.ErrOpen
	}
	a.State = retention.Proposed
	s.acts = append(s.acts, a)
	return s.done(ev)
}

// SettleAct implements retention.Store.
func (s *Retention) SettleAct(_ context.Context, a retention.Act, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.acts, func(o retention.Act) bool { return o.ID == a.ID })
	switch {
	case n < 0:
		return ledger.Receipt{}, retention.ErrNotFound
	case s.acts[n].State != retention.Proposed:
		return ledger.Receipt{}, retention.ErrState
	}
	asked := s.acts[n]
	if a.State == retention.Done {
		if err := s.effect(asked, a.SettledAt); err != nil {
			return ledger.Receipt{}, err
		}
	}
	s.acts[n].State, s.acts[n].Approval, s.acts[n].SettledAt = a.State, a.Approval, a.SettledAt
	return s.done(ev)
}

// effect runs under mu: everything is judged before anything is changed.
func (s *Retention) effect(a retention.Act, now time.Time) error {
	if a.Kind == retention.Lift {
		for i, h := range s.holds {
			if h.ID == a.Hold && h.LiftedAt.IsZero() {
				s.holds[i].LiftedAt = now
				return nil
			}
		}
		return retention.ErrState
	}
	kept := s.items()
	for _, asked := range a.Items {
		ref := retention.Ref{Class: asked.Class, ID: asked.ID}
		i, ok := kept[ref]
		if !ok {
			return retention.ErrNotFound
		}
		if due := i.DueAt(a.Years); now.Before(due) {
			return &retention.EarlyError{Ref: ref, Due: due}
		}
		if slices.ContainsFunc(s.holds, func(h retention.Hold) bool { return h.Covers(i) }) || i.Class != retention.Person && s.open[i.System] {
			return retention.ErrHeld
		}
	}
	r := s.reg
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range a.Items {
		switch i.Class {
		case retention.Registration:
			q := r.requests[i.ID]
			q.State, q.Reason, q.Evidence = ca.RequestPurged, "", nil
			r.requests[i.ID] = q
		case retention.Escrow:
			pair := i.ID[strings.LastIndex(i.ID, "/")+1:]
			r.keys[pair] = ca.EscrowedKey{Pair: pair, PublicSM3: r.keys[pair].PublicSM3, CreatedAt: r.keys[pair].CreatedAt}
		case retention.Person:
			issuer, serial, _ := strings.Cut(i.ID, ":")
			c := r.certs[[2]string{issuer, serial}]
			sum := sm3.Sum(c.DER)
			c.Purged, c.Subject, c.TBS, c.DER = hex.EncodeToString(sum[:]), "", nil, nil
			r.certs[[2]string{issuer, serial}] = c
		}
	}
	return nil
}

// Act implements retention.Store.
func (s *Retention) Act(_ context.Context, id string) (retention.Act, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.acts {
		if a.ID == id {
			return a, nil
		}
	}
	return retention.Act{}, retention.ErrNotFound
}

// Acts implements retention.Store.
func (s *Retention) Acts(context.Context) ([]retention.Act, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acts), nil
}

// AddHold implements retention.Store.
func (s *Retention) AddHold(_ context.Context, h retention.Hold, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, h)
	return s.done(ev)
}

// Holds implements retention.Store.
func (s *Retention) Holds(context.Context) ([]retention.Hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.holds), nil
}

// Recovering implements retention.Store.
func (s *Retention) Recovering(_ context.Context, i retention.Item, _ time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return i.Class != retention.Person && s.open[i.System], nil
}
