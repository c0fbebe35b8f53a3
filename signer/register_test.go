package signer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// register is an in-memory Register that checks the whole invariant of the
// room: every change has a complete event about the right object, states only
// move along the arrows, and a sealed document has its sealing record before it.
type register struct {
	t      testing.TB
	mu     sync.Mutex
	seals  map[string]signer.Seal
	uses   map[string]signer.Use
	events []ledger.Event
	sizes  map[string]int64 // of items
	fail   map[string]error // by event type: the transaction fails, nothing changes
}

func newRegister(t testing.TB) *register {
	return &register{t: t, seals: map[string]signer.Seal{}, uses: map[string]signer.Use{}, fail: map[string]error{}}
}

// arrows are the permitted moves and the event of each.
var arrows = map[[2]signer.UseState]string{
	{"", signer.UseRequested}:                 "signer.use.requested",
	{signer.UseRequested, signer.UseApproved}: "signer.use.approved",
	{signer.UseApproved, signer.UseSealing}:   "signer.document.sealing",
	{signer.UseSealing, signer.UseSealed}:     "signer.document.sealed",
	{signer.UseSealing, signer.UseApproved}:   "signer.document.sealing_failed",
	{signer.UseRequested, signer.UseRefused}:  "signer.use.refused",
	{signer.UseApproved, signer.UseSealed}:    "signer.batch.sealed", // of a batch only
}

// record checks an event and appends it; the caller holds the lock.
func (r *register) record(ev ledger.Event, kind, object, id string) (ledger.Receipt, error) {
	r.t.Helper()
	if err := r.fail[ev.Type]; err != nil {
		return ledger.Receipt{}, err
	}
	outcome := ledger.Success
	if kind == "signer.document.sealing_failed" {
		outcome = ledger.Failure
	}
	switch {
	case ev.ID == "" || slices.ContainsFunc(r.events, func(e ledger.Event) bool { return e.ID == ev.ID }):
		r.t.Errorf("event id %q empty or used twice", ev.ID)
	case ev.Type != kind || ev.Class != ledger.ClassSeal || ev.Outcome != outcome:
		r.t.Errorf("event %s class %d %s, want %s %s", ev.Type, ev.Class, ev.Outcome, kind, outcome)
	case ev.Object.Kind != object || ev.Object.ID != id || ev.Actor.ID == "" || ev.Time.IsZero() || len(ev.Payload) != 64:
		r.t.Errorf("event %s about %+v by %+v at %v, payload %q", ev.Type, ev.Object, ev.Actor, ev.Time, ev.Payload)
	}
	r.events = append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Seq: uint64(len(r.events) - 1), Promise: ledger.Integrated}, nil
}

// Record takes the one event of this room that changes no row.
func (r *register) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record(ev, "signer.seal.making", "seal", sealID)
}

func (r *register) AddSeal(_ context.Context, s signer.Seal, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.seals[s.ID]; ok {
		return ledger.Receipt{}, signer.ErrExists
	}
	rc, err := r.record(ev, "signer.seal.made", "seal", s.ID)
	if err == nil {
		r.seals[s.ID] = s
	}
	return rc, err
}

func (r *register) SetSealState(_ context.Context, id string, to signer.SealState, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.seals[id]
	if !ok {
		return ledger.Receipt{}, signer.ErrNotFound
	}
	rc, err := r.record(ev, "signer.seal."+string(to), "seal", id)
	if err == nil {
		s.State = to
		r.seals[id] = s
	}
	return rc, err
}

func (r *register) Seal(_ context.Context, id string) (signer.Seal, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.seals[id]
	if !ok {
		return signer.Seal{}, signer.ErrNotFound
	}
	return s, nil
}

func (r *register) SealsOf(_ context.Context, unit string) (out []signer.Seal, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.seals {
		if s.Unit == unit {
			out = append(out, s)
		}
	}
	return out, nil
}

func (r *register) AddUse(_ context.Context, u signer.Use, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.uses[u.ID]; ok {
		return ledger.Receipt{}, signer.ErrExists
	}
	rc, err := r.record(ev, arrows[[2]signer.UseState{"", u.State}], "seal_use", u.ID)
	if err == nil {
		r.uses[u.ID] = u
	}
	return rc, err
}

func (r *register) MoveUse(_ context.Context, u signer.Use, from signer.UseState, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.uses[u.ID]
	if !ok || old.State != from {
		return ledger.Receipt{}, signer.ErrNotApproved
	}
	kind, ok := arrows[[2]signer.UseState{from, u.State}]
	if !ok {
		r.t.Errorf("move %s → %s", from, u.State)
	}
	if u.Document != old.Document || u.Seal != old.Seal || u.Requester != old.Requester {
		r.t.Errorf("a move changed what was asked for: %+v → %+v", old, u)
	}
	if from == signer.UseApproved && u.State == signer.UseSealed && r.open(u.ID) != 0 {
		r.t.Errorf("batch %s is closed with %d open items", u.ID, r.open(u.ID))
	}
	if u.State == signer.UseApproved && u.Approval == "" || u.State == signer.UseSealed && (u.Sealed == "" || u.SealedAt.IsZero()) {
		r.t.Errorf("incomplete: %+v", u)
	}
	rc, err := r.record(ev, kind, "seal_use", u.ID)
	if err == nil {
		r.uses[u.ID] = u
		r.moveListed(u)
	}
	return rc, err
}

func (r *register) Use(_ context.Context, id string) (signer.Use, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.uses[id]
	if !ok {
		return signer.Use{}, signer.ErrNotFound
	}
	return u, nil
}

// types lists the recorded events from the n-th on.
func (r *register) types(n int) (out []string) {
	for _, e := range r.events[n:] {
		out = append(out, e.Type)
	}
	return out
}

// approver approves what was approved by use id and Use.Approves, as signed
// approvals do.
type approver map[string]string

func (a approver) ApprovedUse(_ context.Context, u signer.Use) (string, error) {
	sum, err := u.Approves()
	id, ok := a[u.ID+" "+sum]
	if err != nil || !ok {
		return "", fmt.Errorf("%w: use %s", signer.ErrNotApproved, u.ID)
	}
	return id, nil
}
