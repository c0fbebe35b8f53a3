package catest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/closing"
)

// Closing keeps in memory what is said about the end of the service of a
// Registry, which then refuses what would outlive it.
type Closing struct {
	reg *Registry

	mu      sync.Mutex
	acts    []closing.Act      // guarded by mu, as are the others
	notices []closing.NoticeTo //
	events  []ledger.Event     //
	fail    error              //
}

var _ closing.Store = (*Closing)(nil)

// NewClosing joins it to a registry.
func NewClosing(reg *Registry) *Closing {
	c := &Closing{reg: reg}
	reg.mu.Lock()
	reg.ends = c.end
	reg.mu.Unlock()
	return c
}

// Fail makes every read of acts fail from now on; nil heals.
func (c *Closing) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

// Events are those of acts that took effect.
func (c *Closing) Events() []ledger.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// end is the announced end; zero: none.
func (c *Closing) end() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.acts {
		if a.Kind == closing.Announcement && a.State == closing.InForce {
			return a.At
		}
	}
	return time.Time{}
}

func (c *Closing) done(ev ledger.Event) (ledger.Receipt, error) {
	c.events = append(c.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// AddAct implements closing.Store.
func (c *Closing) AddAct(_ context.Context, a closing.Act, ev ledger.Event) (ledger.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.acts {
		if o.State == closing.Proposed || o.ID == a.ID {
			return ledger.Receipt{}, fmt.Errorf("%w: %s", closing.ErrOpen, o.ID)
		}
	}
	a.State, a.Approval, a.SettledAt = closing.Proposed, "", time.Time{}
	c.acts = append(c.acts, a)
	return c.done(ev)
}

// SettleAct implements closing.Store.
func (c *Closing) SettleAct(_ context.Context, a closing.Act, ev ledger.Event) (ledger.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.acts, func(o closing.Act) bool { return o.ID == a.ID })
	inForce := slices.IndexFunc(c.acts, func(o closing.Act) bool { return o.Kind == closing.Announcement && o.State == closing.InForce })
	switch {
	case i < 0:
		return ledger.Receipt{}, fmt.Errorf("%w: %s", closing.ErrNotFound, a.ID)
	case c.acts[i].State != closing.Proposed:
		return ledger.Receipt{}, fmt.Errorf("%w: %s", closing.ErrState, a.ID)
	case a.State == closing.InForce && a.Kind == closing.Announcement && inForce >= 0,
		a.State == closing.InForce && a.Kind != closing.Announcement && (inForce < 0 || c.acts[inForce].ID != a.Of):
		return ledger.Receipt{}, fmt.Errorf("%w: announcement in force", closing.ErrState)
	}
	c.acts[i].State, c.acts[i].Approval, c.acts[i].SettledAt = a.State, a.Approval, a.SettledAt
	if a.Kind == closing.Withdrawal && a.State == closing.InForce {
		c.acts[inForce].State = closing.Withdrawn
	}
	return c.done(ev)
}

// Act implements closing.Store.
func (c *Closing) Act(_ context.Context, id string) (closing.Act, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.acts {
		if a.ID == id {
			return a, c.fail
		}
	}
	return closing.Act{}, fmt.Errorf("%w: %s", closing.ErrNotFound, id)
}

// Acts implements closing.Store.
func (c *Closing) Acts(context.Context) ([]closing.Act, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.acts), c.fail
}

// Holders implements closing.Store.
func (c *Closing) Holders(_ context.Context, at time.Time) (out []closing.Holder, _ error) {
	for _, crt := range c.reg.Certificates() {
		h := closing.Holder{Kind: closing.HolderSystem, ID: crt.System, Agency: crt.Agency}
		switch crt.Kind {
		case ca.KindECDSA, ca.KindSM2Sign, ca.KindECDSATest, ca.KindSM2SignTest:
		case ca.KindSeal:
			h.Kind, h.ID = closing.HolderUnit, crt.Agency
		case ca.KindPerson:
			h.Kind, h.ID = closing.HolderPerson, crt.Person
		default:
			continue
		}
		if (crt.State == ca.StateGood || crt.State == ca.StateHold) && crt.NotAfter.After(at) && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out, nil
}

// AddNotices implements closing.Store.
func (c *Closing) AddNotices(_ context.Context, all []closing.NoticeTo, ev ledger.Event) (ledger.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range all {
		if slices.ContainsFunc(c.notices, func(o closing.NoticeTo) bool { return o.Announcement == n.Announcement && o.Holder == n.Holder }) {
			return ledger.Receipt{}, fmt.Errorf("%w: %s", closing.ErrExists, n.Holder.ID)
		}
	}
	c.notices = append(c.notices, all...)
	return c.done(ev)
}

// MoveNotice implements closing.Store.
func (c *Closing) MoveNotice(_ context.Context, n closing.NoticeTo, from closing.NoticeState, ev ledger.Event) (ledger.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.notices {
		if o.Announcement == n.Announcement && o.Holder == n.Holder && o.State == from {
			c.notices[i] = n
			return c.done(ev)
		}
	}
	return ledger.Receipt{}, fmt.Errorf("%w: %s", closing.ErrState, n.Holder.ID)
}

// Notices implements closing.Store.
func (c *Closing) Notices(_ context.Context, announcement string) (out []closing.NoticeTo, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.notices {
		if n.Announcement == announcement {
			out = append(out, n)
		}
	}
	return out, nil
}
