// Package sharingtest holds the fake store of authz/sharing for tests.
package sharingtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Catalogue is sharing.Catalogue in memory. It keeps the promises of the
// contract by itself: nothing lowered, nothing unsealed, nothing twice. New
// makes one.
type Catalogue struct {
	identitytest.Journal
	mu         sync.Mutex
	resources  map[string]sharing.Resource
	agreements map[string]sharing.Agreement
	holdings   map[string]sharing.Holding
	order      []string // holdings as they came
}

var _ sharing.Catalogue = (*Catalogue)(nil)

// New returns an empty Catalogue.
func New() *Catalogue {
	return &Catalogue{resources: map[string]sharing.Resource{}, agreements: map[string]sharing.Agreement{}, holdings: map[string]sharing.Holding{}}
}

func add[V any](c *Catalogue, rows map[string]V, id string, row V, ev ledger.Event, check func() error) (ledger.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := rows[id]; ok {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", sharing.ErrExists, id)
	}
	if err := check(); err != nil {
		return ledger.Receipt{}, err
	}
	rc, err := c.Record(ev)
	if err == nil {
		rows[id] = row
	}
	return rc, err
}

func get[V any](c *Catalogue, rows map[string]V, id string) (V, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := rows[id]
	if !ok {
		return row, fmt.Errorf("%w: %s", sharing.ErrNotFound, id)
	}
	return row, nil
}

// AddResource keeps a valid entry once.
func (c *Catalogue) AddResource(_ context.Context, r sharing.Resource, ev ledger.Event) (ledger.Receipt, error) {
	return add(c, c.resources, r.ID, r, ev, r.Validate)
}

// AddAgreement keeps a sealed agreement once.
func (c *Catalogue) AddAgreement(_ context.Context, a sharing.Agreement, ev ledger.Event) (ledger.Receipt, error) {
	return add(c, c.agreements, a.ID, a, ev, func() error { return sharing.VerifySeals(a) })
}

// TerminateAgreement ends an agreement once.
func (c *Catalogue) TerminateAgreement(_ context.Context, id string, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.agreements[id]
	if !ok {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", sharing.ErrNotFound, id)
	}
	rc, err := c.Record(ev)
	if err == nil && a.Terminated.IsZero() {
		a.Terminated = at
		c.agreements[id] = a
	}
	return rc, err
}

// AddHolding keeps a holding whose label dominates its resource and sources.
func (c *Catalogue) AddHolding(_ context.Context, h sharing.Holding, ev ledger.Event) (ledger.Receipt, error) {
	rc, err := add(c, c.holdings, h.ID, h, ev, func() error {
		r, ok := c.resources[h.Resource]
		if !ok {
			return fmt.Errorf("%w: %s", sharing.ErrNotFound, h.Resource)
		}
		labels := []level.Label{r.Label}
		for _, id := range h.Sources {
			src, ok := c.holdings[id]
			if !ok {
				return fmt.Errorf("%w: %s", sharing.ErrNotFound, id)
			}
			labels = append(labels, src.Label)
		}
		if !h.Label.Dominates(level.Join(labels...)) {
			return sharing.ErrLowered
		}
		c.order = append(c.order, h.ID)
		return nil
	})
	return rc, err
}

// Resource returns ErrNotFound for an unknown one.
func (c *Catalogue) Resource(_ context.Context, id string) (sharing.Resource, error) {
	return get(c, c.resources, id)
}

// Agreement returns ErrNotFound for an unknown one.
func (c *Catalogue) Agreement(_ context.Context, id string) (sharing.Agreement, error) {
	return get(c, c.agreements, id)
}

// Agreements returns those of a consumer about a resource.
func (c *Catalogue) Agreements(_ context.Context, resource string, consumer identity.USCC) ([]sharing.Agreement, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []sharing.Agreement
	for _, a := range c.agreements {
		if a.Resource == resource && a.Consumer == consumer {
			out = append(out, a)
		}
	}
	return out, nil
}

// Holding returns ErrNotFound for an unknown one.
func (c *Catalogue) Holding(_ context.Context, id string) (sharing.Holding, error) {
	return get(c, c.holdings, id)
}

// HoldingsOf returns the live holdings of a system.
func (c *Catalogue) HoldingsOf(_ context.Context, system string) ([]sharing.Holding, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []sharing.Holding
	for _, id := range c.order {
		if h := c.holdings[id]; h.System == system && h.Ended.IsZero() {
			out = append(out, h)
		}
	}
	return out, nil
}
