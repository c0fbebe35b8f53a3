package catest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Pairs is a registry with what grows around pairs.
type Pairs interface {
	ca.Registry
	ca.Deliveries
	ca.Suspensions
}

var _ Pairs = (*Registry)(nil)

// Record implements ca.Recorder.
func (r *Registry) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Record"); err != nil {
		return ledger.Receipt{}, err
	}
	return r.record(ev)
}

// Begin implements ca.Deliveries. What is refused leaves nothing behind.
func (r *Registry) Begin(_ context.Context, c ca.Claim, certs []ca.Certificate, key *ca.EscrowedKey, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Begin"); err != nil {
		return ledger.Receipt{}, err
	}
	if c.Basis == "" || !c.Until.After(c.Now) {
		return ledger.Receipt{}, fmt.Errorf("%w: claim", ErrInvariant)
	}
	if _, done := r.deliveries[c.Basis]; done {
		return ledger.Receipt{}, ca.ErrExists
	}
	if r.claims[c.Basis].After(c.Now) {
		return ledger.Receipt{}, ca.ErrBusy
	}
	var q ca.Request
	if c.Token != "" {
		var err error
		if q, err = r.byToken(c.Token, c.Now); err != nil {
			return ledger.Receipt{}, err
		}
	}
	rc, err := r.reserve(certs, key, ev)
	if err != nil {
		return rc, err
	}
	r.claims[c.Basis] = c.Until
	if c.Token != "" {
		q.TokenUsed, q.State = c.Now.UTC().Truncate(time.Microsecond), ca.RequestIssued
		r.requests[q.ID] = q
	}
	return rc, nil
}

// ReleaseDelivery implements ca.Deliveries.
func (r *Registry) ReleaseDelivery(_ context.Context, basis string, until time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claims[basis].Equal(until) {
		delete(r.claims, basis)
	}
	return nil
}

// Deliver implements ca.Deliveries. The pair has to be that of the certificates.
func (r *Registry) Deliver(_ context.Context, d ca.Delivery, until time.Time, certs []ca.Certificate, evs ...ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Deliver"); err != nil {
		return ledger.Receipt{}, err
	}
	switch {
	case len(evs) == 0:
		return ledger.Receipt{}, fmt.Errorf("%w: delivery without an event", ErrInvariant)
	case len(certs) != 2 || certs[0].Serial != d.Sign || certs[1].Serial != d.Enc || certs[0].Issuer != d.Issuer || len(d.Envelope) == 0 || len(d.CSRSM3) != 64:
		return ledger.Receipt{}, fmt.Errorf("%w: delivery", ErrInvariant)
	case !r.claims[d.Basis].Equal(until):
		return ledger.Receipt{}, ca.ErrBusy
	}
	rc, err := r.activate(certs, evs[0], func() {
		delete(r.claims, d.Basis)
		r.deliveries[d.Basis] = d
	})
	for _, ev := range evs[1:] {
		if err == nil {
			_, err = r.record(ev)
		}
	}
	return rc, err
}

// Delivery implements ca.Deliveries.
func (r *Registry) Delivery(_ context.Context, basis string, now time.Time) (ca.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.deliveries[basis]
	switch {
	case ok:
		return d, nil
	case r.claims[basis].After(now):
		return ca.Delivery{}, ca.ErrBusy
	}
	return ca.Delivery{}, ca.ErrNotFound
}

// DeliveryOf implements ca.Deliveries.
func (r *Registry) DeliveryOf(_ context.Context, issuer, serial string) (ca.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.deliveries {
		if d.Issuer == issuer && d.Sign == serial {
			return d, nil
		}
	}
	return ca.Delivery{}, ca.ErrNotFound
}

// AddSuspension implements ca.Suspensions.
func (r *Registry) AddSuspension(_ context.Context, x ca.Suspension, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("AddSuspension"); err != nil {
		return ledger.Receipt{}, err
	}
	if x.ID == "" || x.State != ca.SuspensionHeld || x.HeldBy == "" || x.Reason == "" || x.HeldAt.IsZero() || x.Asks != 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: suspension", ErrInvariant)
	}
	return r.move(x.Issuer, x.Serial, ca.StateHold, 6, x.HeldAt, ev, func() { r.suspensions = append(r.suspensions, x) })
}

// MoveSuspension implements ca.Suspensions.
func (r *Registry) MoveSuspension(_ context.Context, x ca.Suspension, from ca.SuspensionState, asks int, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("MoveSuspension"); err != nil {
		return ledger.Receipt{}, err
	}
	i := slices.IndexFunc(r.suspensions, func(y ca.Suspension) bool { return y.ID == x.ID })
	if i < 0 {
		return ledger.Receipt{}, ca.ErrNotFound
	}
	old := r.suspensions[i]
	if old.State != from || old.Asks != asks {
		return ledger.Receipt{}, ca.ErrDecided
	}
	switch {
	case from == ca.SuspensionHeld && x.State == ca.SuspensionAsked && x.Asks == asks+1 && x.AskedBy != "" && x.Why != "":
	case from == ca.SuspensionAsked && x.State == ca.SuspensionHeld && x.Asks == asks && x.AnsweredBy != "" && x.Refusal != "":
	case from == ca.SuspensionAsked && x.State == ca.SuspensionLifted && x.Asks == asks && x.AnsweredBy != "" && x.Approval != "":
		return r.move(old.Issuer, old.Serial, ca.StateGood, 0, time.Time{}, ev, func() { r.suspensions[i] = x })
	default:
		return ledger.Receipt{}, fmt.Errorf("%w: move of a suspension", ErrInvariant)
	}
	rc, err := r.record(ev)
	if err == nil {
		r.suspensions[i] = x
	}
	return rc, err
}

// Suspension implements ca.Suspensions.
func (r *Registry) Suspension(_ context.Context, id string) (ca.Suspension, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.suspensions {
		if x.ID == id {
			return x, nil
		}
	}
	return ca.Suspension{}, ca.ErrNotFound
}

// SuspensionsOf implements ca.Suspensions.
func (r *Registry) SuspensionsOf(_ context.Context, system string) (out []ca.Suspension, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.suspensions {
		if x.System == system && system != "" || system == "" && x.State == ca.SuspensionAsked {
			out = append(out, x)
		}
	}
	return out, nil
}
