// Package catest is for tests of the agency CA and of whatever stands on it: a
// registry in memory that refuses every broken promise of ca.Registry and ra.Requests, and the
// conformance suite that any other registry has to pass too.
package catest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// ErrInvariant: the caller broke an order of the house, such as activating
// bytes other than those recorded. No real registry needs to tell this apart.
var ErrInvariant = errors.New("catest: invariant broken")

// Registry keeps everything in memory. All fields are guarded by mu.
type Registry struct {
	mu       sync.Mutex
	requests map[string]ca.Request
	tokens   map[string]string // token hash → request id
	certs    map[[2]string]ca.Certificate
	uses     map[string]systemUse
	invalid  map[[2]string]time.Time
	order    [][2]string
	keys     map[string]ca.EscrowedKey
	// abandoned pairs: their keys are kept, and not for recovery
	abandoned map[string]bool
	once      map[string]time.Time
	events    []ledger.Event
	seen      map[string]ledger.Receipt
	failNext  map[string]error
	lists     []status.CRL // in order of recording

	deliveries  map[string]ca.Delivery
	claims      map[string]time.Time
	suspensions []ca.Suspension   // in order of recording
	lines       map[string]string // of certificates, by name
	changes     []status.Key      // of a Standing, in order

	ends func() time.Time // of NewClosing; nil: no end is announced
}

var (
	_ ca.Registry = (*Registry)(nil)
	_ ra.Requests = (*Registry)(nil)
)

// New returns an empty registry.
func New() *Registry {
	return &Registry{
		requests: map[string]ca.Request{}, tokens: map[string]string{}, certs: map[[2]string]ca.Certificate{}, invalid: map[[2]string]time.Time{}, keys: map[string]ca.EscrowedKey{},
		once: map[string]time.Time{}, seen: map[string]ledger.Receipt{}, failNext: map[string]error{},
		deliveries: map[string]ca.Delivery{}, abandoned: map[string]bool{}, claims: map[string]time.Time{}, uses: map[string]systemUse{}, lines: map[string]string{},
	}
}

// FailNext makes the next call of a method fail before it does anything.
func (r *Registry) FailNext(method string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failNext[method] = err
}

// Events returns a copy of what would stand on the ledger.
func (r *Registry) Events() []ledger.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Certificates returns every row in order of recording.
func (r *Registry) Certificates() []ca.Certificate {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]ca.Certificate, 0, len(r.order))
	for _, k := range r.order {
		out = append(out, r.certs[k])
	}
	return out
}

// Escrowed returns the wrapped key of a pair.
func (r *Registry) Escrowed(pair string) (ca.EscrowedKey, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[pair]
	return k, ok
}

// enter takes the planned failure of a method. It runs under mu.
func (r *Registry) enter(method string) error {
	err := r.failNext[method]
	delete(r.failNext, method)
	return err
}

// record appends an event, which has to be one that the ledger would take. It
// runs under mu, after the rows were checked and before they are written.
func (r *Registry) record(ev ledger.Event) (ledger.Receipt, error) {
	if ev.ID == "" || ev.Type == "" || ev.Class == 0 || ev.Time.IsZero() ||
		ev.Actor.Kind == "" || ev.Actor.ID == "" || ev.Object.Kind == "" || ev.Object.ID == "" ||
		(ev.Outcome != ledger.Success && ev.Outcome != ledger.Failure) {
		return ledger.Receipt{}, fmt.Errorf("%w: event %q is not complete", ErrInvariant, ev.Type)
	}
	if !ev.Time.Equal(ev.Time.Truncate(time.Millisecond)) || ev.Time.Location() != time.UTC {
		return ledger.Receipt{}, fmt.Errorf("%w: time of event %q", ErrInvariant, ev.Type)
	}
	if rc, dup := r.seen[ev.ID]; dup {
		return rc, nil
	}
	rc := ledger.Receipt{EntryID: ev.ID, Seq: uint64(len(r.events)), Promise: ledger.Integrated}
	r.events = append(r.events, ev)
	r.seen[ev.ID] = rc
	return rc, nil
}

// RequestByToken implements ca.Registry.
func (r *Registry) RequestByToken(_ context.Context, hash string, now time.Time) (ca.Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byToken(hash, now)
}

func (r *Registry) byToken(hash string, now time.Time) (ca.Request, error) {
	q, ok := r.requests[r.tokens[hash]]
	if ok && q.State == ca.RequestApproved && q.TokenUsed.IsZero() && now.Before(q.TokenExpires) {
		return q, nil
	}
	return ca.Request{}, ca.ErrToken
}
