// Package signertest holds what is asked of a register of seals: a fake in
// memory that checks the whole invariant of the rooms signer and signer/life,
// and the suite that a fake and a store both pass.
package signertest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Register is a register in memory. Every change has a complete event about the
// right object, states only move along the arrows, and a sealed document has its
// sealing record before it.
type Register struct {
	t           testing.TB
	mu          sync.Mutex
	seals       map[string]signer.Seal
	steps       []life.Step
	uses        map[string]signer.Use
	sizes       map[string]int64 // of items of batches
	compromises map[string]life.Compromise
	notices     []life.Notice
	events      []ledger.Event
	failing     map[string]error
}

// New makes an empty register.
func New(t testing.TB) *Register {
	return &Register{
		t: t, seals: map[string]signer.Seal{}, uses: map[string]signer.Use{}, sizes: map[string]int64{}, compromises: map[string]life.Compromise{}, failing: map[string]error{},
	}
}

// Fail lets every act with this event type fail, as a transaction does: nothing
// changes. A nil error ends that.
func (r *Register) Fail(kind string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing[kind] = err
}

// Events are the types of the recorded events from the n-th on.
func (r *Register) Events(n int) (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events[n:] {
		out = append(out, e.Type)
	}
	return out
}

// arrows are the permitted moves of a use and the event of each.
var arrows = map[[2]signer.UseState]string{
	{"", signer.UseRequested}:                 "signer.use.requested",
	{signer.UseRequested, signer.UseApproved}: "signer.use.approved",
	{signer.UseRequested, signer.UseRefused}:  "signer.use.refused",
	{signer.UseApproved, signer.UseLapsed}:    "signer.use.lapsed",
	{signer.UseRequested, signer.UseLapsed}:   "signer.use.lapsed",
	{signer.UseApproved, signer.UseSealed}:    "signer.batch.sealed", // of a batch only
	{signer.UseApproved, signer.UseSealing}:   "signer.document.sealing",
	{signer.UseSealing, signer.UseSealed}:     "signer.document.sealed",
	{signer.UseSealing, signer.UseApproved}:   "signer.document.sealing_failed",
}

// record checks an event and appends it; the caller holds the lock. An empty
// kind is any of the suite's own.
func (r *Register) record(ev ledger.Event, kind, object, id string) (ledger.Receipt, error) {
	r.t.Helper()
	if err := r.failing[ev.Type]; err != nil {
		return ledger.Receipt{}, err
	}
	outcome := ledger.Success
	if ev.Type == "signer.document.sealing_failed" {
		outcome = ledger.Failure
	}
	if slices.ContainsFunc(r.events, func(e ledger.Event) bool { return e.ID == ev.ID }) {
		return ledger.Receipt{}, ledger.ErrDuplicate
	}
	if !strings.HasPrefix(ev.Type, "test.") {
		switch {
		case ev.ID == "" || ev.Actor.ID == "" || ev.Time.IsZero():
			r.t.Errorf("event %s: id %q, actor %+v, time %v", ev.Type, ev.ID, ev.Actor, ev.Time)
		case ev.Type != kind || ev.Class != ledger.ClassSeal || ev.Outcome != outcome:
			r.t.Errorf("event %s class %d %s, want %s %s", ev.Type, ev.Class, ev.Outcome, kind, outcome)
		case ev.Object.Kind != object || ev.Object.ID != id || object != "seal_notice" && len(ev.Payload) != 64:
			r.t.Errorf("event %s about %+v, payload %q", ev.Type, ev.Object, ev.Payload)
		}
	}
	r.events = append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Seq: uint64(len(r.events) - 1), Promise: ledger.Integrated}, nil
}

// Record takes the one event of these rooms that changes no row.
func (r *Register) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record(ev, "signer.seal.making", "seal", ev.Object.ID)
}

// oneStep is the contract of a change of a seal.
func oneStep(e signer.Seal, p life.Step, event string) error {
	if !life.Moves(p) || (p.From == "") != (e.Revision == 1) {
		return &signer.StateError{Seal: e.ID, From: p.From, To: p.To}
	}
	if p.Seal != e.ID || p.To != e.State || p.Revision != e.Revision || p.Event != event || event == "" {
		return fmt.Errorf("%w: step of seal %q", signer.ErrInvalid, e.ID)
	}
	return nil
}

func eventOf(p life.Step) string {
	rule, _ := life.RuleOf(p.Act)
	return rule.Event
}

// AddSeal implements life.Register.
func (r *Register) AddSeal(_ context.Context, e signer.Seal, p life.Step, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := oneStep(e, p, ev.ID); err != nil {
		return ledger.Receipt{}, err
	}
	if _, ok := r.seals[e.ID]; ok {
		return ledger.Receipt{}, signer.ErrExists
	}
	rc, err := r.record(ev, eventOf(p), "seal", e.ID)
	if err == nil {
		r.seals[e.ID] = e
		r.steps = append(r.steps, p)
	}
	return rc, err
}

// MoveSeal implements life.Register.
func (r *Register) MoveSeal(_ context.Context, e signer.Seal, p life.Step, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.movable(e, p, ev.ID); err != nil {
		return ledger.Receipt{}, err
	}
	rc, err := r.record(ev, eventOf(p), "seal", e.ID)
	if err == nil {
		r.put(e, p)
	}
	return rc, err
}

func (r *Register) movable(e signer.Seal, p life.Step, event string) error {
	if err := oneStep(e, p, event); err != nil {
		return err
	}
	old, ok := r.seals[e.ID]
	switch {
	case !ok:
		return signer.ErrNotFound
	case old.Revision != e.Revision-1 || old.State != p.From:
		return life.ErrConflict
	}
	if old.Unit != e.Unit || old.Name != e.Name || old.Drawn != e.Drawn || !old.CreatedAt.Equal(e.CreatedAt) || len(old.DER) > 0 && !reflect.DeepEqual(old.DER, e.DER) {
		r.t.Errorf("what the seal is has changed: %+v → %+v", old, e)
	}
	return nil
}

func (r *Register) put(e signer.Seal, p life.Step) {
	r.seals[e.ID] = e
	r.steps = append(r.steps, p)
}

// Seal implements signer.Register and life.Register.
func (r *Register) Seal(_ context.Context, id string) (signer.Seal, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.seals[id]
	if !ok {
		return signer.Seal{}, signer.ErrNotFound
	}
	return e, nil
}

// Seals implements life.Lists.
func (r *Register) Seals(_ context.Context, q life.Query) (out []signer.Seal, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.seals {
		if (q.Unit == "" || q.Unit == e.Unit) && (q.KeyID == "" || q.KeyID == e.KeyID) && (len(q.States) == 0 || slices.Contains(q.States, e.State)) &&
			(!q.Awaits || e.Awaits()) && (q.EndedBy.IsZero() || e.ValidUntil.Before(q.EndedBy)) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b signer.Seal) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// Steps implements life.Lists.
func (r *Register) Steps(_ context.Context, seal string) (out []life.Step, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.steps {
		if p.Seal == seal {
			out = append(out, p)
		}
	}
	return out, nil
}

// AddUse implements signer.Register.
func (r *Register) AddUse(_ context.Context, u signer.Use, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.State != signer.UseRequested {
		return ledger.Receipt{}, signer.ErrNotApproved
	}
	if _, ok := r.uses[u.ID]; ok {
		return ledger.Receipt{}, signer.ErrExists
	}
	if _, ok := r.seals[u.Seal]; !ok {
		return ledger.Receipt{}, signer.ErrNotFound
	}
	rc, err := r.record(ev, arrows[[2]signer.UseState{"", u.State}], "seal_use", u.ID)
	if err == nil {
		r.uses[u.ID] = u
	}
	return rc, err
}

// MoveUse implements signer.Register.
func (r *Register) MoveUse(_ context.Context, u signer.Use, from signer.UseState, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.uses[u.ID]
	if !ok {
		return ledger.Receipt{}, signer.ErrNotFound
	}
	if u.State == signer.UseSealing {
		e := r.seals[old.Seal]
		all, window := e.Counted(u.TakenAt)
		if err := e.Admit(old.Requester, u.TakenAt, r.taken(old.Seal, all, window)); err != nil {
			return ledger.Receipt{}, err
		}
	}
	if old.State != from {
		return ledger.Receipt{}, signer.ErrNotApproved
	}
	kind, ok := arrows[[2]signer.UseState{from, u.State}]
	if !ok {
		r.t.Errorf("move %s → %s", from, u.State)
	}
	if u.State == signer.UseApproved && (u.Approval == "" || u.ApprovedAt.IsZero()) || u.State == signer.UseSealed && (u.Sealed == "" || u.SealedAt.IsZero()) ||
		(u.State == signer.UseSealing || from == signer.UseSealing && u.State == signer.UseSealed) == u.TakenAt.IsZero() {
		r.t.Errorf("incomplete: %+v", u)
	}
	rc, err := r.record(ev, kind, "seal_use", u.ID)
	if err == nil {
		old.State, old.Approval, old.Sealed, old.SealedAt, old.ApprovedAt, old.TakenAt = u.State, u.Approval, u.Sealed, u.SealedAt, u.ApprovedAt, u.TakenAt
		r.uses[u.ID] = old
		r.moveListed(old)
	}
	return rc, err
}

// Use implements signer.Register.
func (r *Register) Use(_ context.Context, id string) (signer.Use, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.uses[id]
	if !ok {
		return signer.Use{}, signer.ErrNotFound
	}
	return u, nil
}

// Uses implements signer.Register.
func (r *Register) Uses(_ context.Context, q signer.UseQuery) (out []signer.Use, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.uses {
		if (q.Unit == "" || r.seals[u.Seal].Unit == q.Unit) && (len(q.Seals) == 0 || slices.Contains(q.Seals, u.Seal)) && (len(q.States) == 0 || slices.Contains(q.States, u.State)) &&
			(q.Requester == "" || u.Requester == q.Requester) && (!q.Heads || u.Batch == "") && (q.Since.IsZero() || !u.TakenAt.IsZero() && !u.TakenAt.Before(q.Since)) && (q.Before == "" || u.ID < q.Before) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b signer.Use) int { return strings.Compare(b.ID, a.ID) })
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out, nil
}

// Taken implements signer.Register.
func (r *Register) Taken(_ context.Context, seal string, all, window time.Time) (signer.Taken, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken(seal, all, window), nil
}

func (r *Register) taken(seal string, all, window time.Time) (t signer.Taken) {
	for _, u := range r.uses {
		if u.Seal != seal || u.TakenAt.IsZero() {
			continue
		}
		if !u.TakenAt.Before(all) {
			t.All++
		}
		if !u.TakenAt.Before(window) {
			t.Window++
		}
	}
	return t
}
