// Package routetest is a register of routes in memory and the suite that every
// register passes.
package routetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
)

// Register is one in memory.
type Register struct {
	mu     sync.Mutex
	rows   []route.Route  // guarded by mu
	events []ledger.Event // guarded by mu
	Fail   error          // what reading answers, set before use
}

var _ route.Register = (*Register)(nil)

// Events are those of acts that took effect.
func (g *Register) Events() []ledger.Event {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.events)
}

// AddRoute implements route.Register.
func (g *Register) AddRoute(_ context.Context, r route.Route, ev ledger.Event) (ledger.Receipt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range g.rows {
		if o.ID == r.ID || o.Open() && o.System == r.System && o.Prefix == r.Prefix && slices.Equal(o.Methods, r.Methods) {
			return ledger.Receipt{}, fmt.Errorf("%w: %s", route.ErrExists, r.ID)
		}
	}
	r.State = route.Proposed
	g.rows, g.events = append(g.rows, r), append(g.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// MoveRoute implements route.Register.
func (g *Register) MoveRoute(_ context.Context, r route.Route, from route.State, ev ledger.Event) (ledger.Receipt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.rows, func(o route.Route) bool { return o.ID == r.ID })
	switch {
	case i < 0:
		return ledger.Receipt{}, fmt.Errorf("%w: %s", route.ErrNotFound, r.ID)
	case g.rows[i].State != from:
		return ledger.Receipt{}, fmt.Errorf("%w: %s is %s", route.ErrState, r.ID, g.rows[i].State)
	}
	was := g.rows[i]
	was.State, was.Approval, was.SettledAt, was.EndedBy, was.EndReason, was.EndedAt = r.State, r.Approval, r.SettledAt, r.EndedBy, r.EndReason, r.EndedAt
	g.rows[i], g.events = was, append(g.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Promise: ledger.Durable}, nil
}

// Route implements route.Register.
func (g *Register) Route(_ context.Context, id string) (route.Route, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rows {
		if r.ID == id {
			return r, nil
		}
	}
	return route.Route{}, fmt.Errorf("%w: %s", route.ErrNotFound, id)
}

// Routes implements route.Register.
func (g *Register) Routes(_ context.Context, unit identity.USCC, states ...route.State) (out []route.Route, _ error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rows {
		if (unit == "" || r.Unit == unit) && (len(states) == 0 || slices.Contains(states, r.State)) {
			out = append(out, r)
		}
	}
	return out, g.Fail
}

// Run is the suite.
func Run(t *testing.T, open func(t *testing.T) route.Register) {
	ctx, g := t.Context(), open(t)
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	event := func(id string) ledger.Event {
		return ledger.Event{ID: id, Type: "authz.route.proposed", Class: ledger.ClassAdmin, Time: at, Actor: ledger.Actor{Kind: "person", ID: "p-1"}, Object: ledger.Object{Kind: "route", ID: id}, Outcome: ledger.Success}
	}
	one := route.Route{
		ID: "r-1", System: "civil-a", Unit: "11110102MB1234567M", Prefix: "/births", Methods: []string{"GET", "HEAD"}, Type: route.Catalogue, Resource: "births", Action: "read",
		Purpose: "relief", Fields: []string{"name"}, Reason: "样例", AskedBy: "p-1", AskedAt: at,
	}
	add := func(r route.Route, ev string, want error) {
		t.Helper()
		if _, err := g.AddRoute(ctx, r, event(ev)); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", r.ID, err, want)
		}
	}
	add(one, "e-1", nil)
	add(one, "e-2", route.ErrExists)
	again := one
	again.ID = "r-2"
	add(again, "e-3", route.ErrExists)
	other := again
	other.Methods, other.AskedAt, other.Unit = nil, at.Add(time.Hour), "11110102MB7654321X"
	add(other, "e-4", nil)
	got, err := g.Route(ctx, "r-1")
	if err != nil || got.Digest() != one.Digest() || got.State != route.Proposed {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := g.Route(ctx, "r-9"); !errors.Is(err, route.ErrNotFound) {
		t.Fatal(err)
	}
	got.State, got.Approval, got.SettledAt = route.InForce, "a-1", at.Add(time.Minute)
	if _, err := g.MoveRoute(ctx, got, route.Proposed, event("e-5")); err != nil {
		t.Fatal(err)
	}
	if _, err := g.MoveRoute(ctx, got, route.Proposed, event("e-6")); !errors.Is(err, route.ErrState) {
		t.Fatal(err)
	}
	gone := got
	gone.ID = "r-9"
	if _, err := g.MoveRoute(ctx, gone, route.Proposed, event("e-7")); !errors.Is(err, route.ErrNotFound) {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		unit   identity.USCC
		states []route.State
		want   int
	}{{"", nil, 2}, {one.Unit, nil, 1}, {"", []route.State{route.InForce}, 1}, {other.Unit, []route.State{route.InForce}, 0}} {
		all, err := g.Routes(ctx, tc.unit, tc.states...)
		if err != nil || len(all) != tc.want || tc.want > 0 && all[0].ID != "r-1" {
			t.Fatalf("%v: %+v %v", tc, all, err)
		}
	}
	got.State, got.EndedBy, got.EndReason, got.EndedAt = route.Withdrawn, "p-2", "样例", at.Add(2*time.Minute)
	if _, err := g.MoveRoute(ctx, got, route.InForce, event("e-8")); err != nil {
		t.Fatal(err)
	}
	if end, err := g.Route(ctx, "r-1"); err != nil || end.EndedBy != "p-2" || !end.EndedAt.Equal(got.EndedAt) || end.Approval != "a-1" || !end.SettledAt.Equal(got.SettledAt) {
		t.Fatalf("%+v %v", end, err)
	}
	add(again, "e-9", route.ErrExists) // the id of the other one
	again.ID = "r-3"
	add(again, "e-10", nil)
}
