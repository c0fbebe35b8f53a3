package catest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/authority"
)

// Generations is a register of the house's authorities in memory.
type Generations struct {
	mu     sync.Mutex
	rows   []authority.Generation // guarded by mu; by number
	events []ledger.Event         // guarded by mu
}

var _ authority.Register = (*Generations)(nil)

// Events are those of acts that took effect.
func (r *Generations) Events() []ledger.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// AddGenerations implements authority.Register.
func (r *Generations) AddGenerations(_ context.Context, all []authority.Generation, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := slices.Clone(r.rows)
	for _, g := range all {
		for _, old := range rows {
			if old.Number == g.Number || old.State.Open() && g.State.Open() || old.State == authority.Current && g.State == authority.Current {
				return ledger.Receipt{}, fmt.Errorf("%w: generation %d", authority.ErrBusy, g.Number)
			}
		}
		rows = append(rows, cloned(g))
	}
	r.rows, r.events = rows, append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// MoveGeneration implements authority.Register.
func (r *Generations) MoveGeneration(_ context.Context, g authority.Generation, from authority.State, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.rows, func(old authority.Generation) bool { return old.Number == g.Number })
	switch {
	case i < 0:
		return ledger.Receipt{}, fmt.Errorf("%w: %d", authority.ErrNotFound, g.Number)
	case r.rows[i].State != from:
		return ledger.Receipt{}, fmt.Errorf("%w: %d is %s", authority.ErrState, g.Number, r.rows[i].State)
	}
	for j := range r.rows {
		if g.State == authority.Current && r.rows[j].State == authority.Current {
			r.rows[j].State, r.rows[j].RetiredAt = authority.Retired, g.CurrentAt
		}
	}
	was := cloned(r.rows[i])
	was.State, was.Approval, was.SettledAt, was.CurrentAt, was.EndedBy, was.EndReason = g.State, g.Approval, g.SettledAt, g.CurrentAt, g.EndedBy, g.EndReason
	for j := range was.Members {
		was.Members[j].DER = g.Members[j].DER
	}
	r.rows[i], r.events = was, append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// Generations implements authority.Register.
func (r *Generations) Generations(context.Context) (out []authority.Generation, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.rows {
		out = append(out, cloned(g))
	}
	return out, nil
}

// Standings implements authority.Register.
func (r *Generations) Standings(context.Context) (out []authority.Standing, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.rows {
		out = append(out, authority.Standing{Number: g.Number, State: g.State})
	}
	return out, nil
}

func cloned(g authority.Generation) authority.Generation {
	g.Members = slices.Clone(g.Members)
	return g
}
