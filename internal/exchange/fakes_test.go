package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/authz/sharing/sharingtest"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// catalogue is the shared fake, with a resource whose label may rise and
// failures on demand.
type catalogue struct {
	*sharingtest.Catalogue
	raised *level.Label
	fail   error
}

func (c *catalogue) Resource(ctx context.Context, id string) (sharing.Resource, error) {
	r, err := c.Catalogue.Resource(ctx, id)
	if c.raised != nil {
		r.Label = *c.raised
	}
	return r, err
}

func (c *catalogue) AddHolding(ctx context.Context, h sharing.Holding, ev ledger.Event) (ledger.Receipt, error) {
	if c.fail != nil {
		return ledger.Receipt{}, c.fail
	}
	return c.Catalogue.AddHolding(ctx, h, ev)
}

// item is the origin of a resource or copy, and the least label of a copy of it.
func (c *catalogue) item(id string) (string, level.Label, error) {
	ctx := context.Background()
	if r, err := c.Resource(ctx, id); err == nil {
		return r.ID, r.Label, nil
	}
	h, err := c.Holding(ctx, id)
	if err != nil {
		return "", level.Label{}, err
	}
	r, err := c.Resource(ctx, h.Resource)
	labels := []level.Label{r.Label, h.Label}
	for _, s := range h.Sources {
		src, serr := c.Holding(ctx, s)
		labels, err = append(labels, src.Label), errors.Join(err, serr)
	}
	return r.ID, level.Join(labels...), err
}

// store keeps transfers, checks every move and its event, and fails on demand.
type store struct {
	t         testing.TB
	mu        sync.Mutex
	rows      map[string]exchange.Transfer
	events    []ledger.Event
	refuse    error // nothing is written
	stale     int   // refusals to come, because facts changed
	late      error // written, answered Durable with this error
	beforeAdd func()
}

func (s *store) record(t exchange.Transfer, ev ledger.Event, kind string) (ledger.Receipt, error) {
	s.t.Helper()
	if ev.Type != kind || ev.Object != (ledger.Object{Kind: "transfer", ID: t.ID}) || ev.Class != ledger.ClassAccess || ev.Outcome != ledger.Success ||
		ev.Payload != t.Document || ev.After != t.Label.String() || ev.Target != t.ToSystem || ev.Actor.ID == "" || ev.ID == "" || ev.Time.IsZero() {
		s.t.Errorf("event %+v does not tell of %s", ev, kind)
	}
	if slices.ContainsFunc(s.events, func(e ledger.Event) bool { return e.ID == ev.ID }) {
		s.t.Errorf("event id %s twice", ev.ID)
	}
	s.events = append(s.events, ev)
	s.rows[t.ID] = t
	if s.late != nil {
		return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, s.late
	}
	return ledger.Receipt{EntryID: ev.ID, Seq: uint64(len(s.events)), Promise: ledger.Integrated}, nil
}

func (s *store) AddTransfer(_ context.Context, t exchange.Transfer, ev ledger.Event) (ledger.Receipt, error) {
	if s.beforeAdd != nil {
		s.beforeAdd()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.rows[t.ID]; twice || t.State != exchange.StateSent || t.Label.Validate() != nil {
		return ledger.Receipt{}, exchange.ErrState
	}
	if s.stale--; s.stale >= 0 {
		return ledger.Receipt{}, exchange.ErrStale
	}
	if s.refuse != nil {
		return ledger.Receipt{}, s.refuse
	}
	return s.record(t, ev, "exchange.transfer.sent")
}

func (s *store) MoveTransfer(_ context.Context, t exchange.Transfer, from []exchange.State, ev ledger.Event) (ledger.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.rows[t.ID]
	if !slices.Contains(from, have.State) {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", exchange.ErrState, have.State)
	}
	if s.stale--; s.stale >= 0 {
		return ledger.Receipt{}, exchange.ErrStale
	}
	if s.refuse != nil {
		return ledger.Receipt{}, s.refuse
	}
	if t.Document != have.Document || t.Decision != have.Decision || t.ToSystem != have.ToSystem || !slices.Equal(t.Label.Tags, have.Label.Tags) {
		s.t.Errorf("a move changes what was sent: %+v → %+v", have, t)
	}
	return s.record(t, ev, "exchange.transfer."+string(t.State))
}

func (s *store) Transfer(ctx context.Context, id string) (exchange.Transfer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.rows[id]
	if !ok {
		return t, exchange.ErrNotFound
	}
	return t, ctx.Err()
}

func (s *store) Inbox(_ context.Context, system string) (out []exchange.Transfer, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.rows {
		if t.ToSystem == system {
			out = append(out, t)
		}
	}
	return out, nil
}

// blobs keeps envelopes and looks that none holds the document in clear.
type blobs struct {
	t    testing.TB
	mu   sync.Mutex
	data map[string][]byte
}

func (b *blobs) Put(_ context.Context, name string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, twice := b.data[name]; twice || bytes.Contains(data, document) {
		b.t.Errorf("blob %s written twice or in clear", name)
	}
	b.data[name] = bytes.Clone(data)
	return nil
}

func (b *blobs) Get(_ context.Context, name string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.data[name]
	if !ok {
		return nil, errors.New("no such blob")
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (b *blobs) Delete(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.data, name)
	return ctx.Err()
}
