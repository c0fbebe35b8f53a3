package catest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

// waits reports whether nobody has decided a request yet.
func waits(s ca.RequestState) bool { return s == ca.RequestSubmitted || s == ca.RequestReviewed }

// AddRequests implements ra.Requests.
func (r *Registry) AddRequests(_ context.Context, rs []ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("AddRequests"); err != nil {
		return ledger.Receipt{}, err
	}
	open := map[string]bool{}
	for _, q := range r.requests {
		if waits(q.State) {
			open[ca.OpenKey(q)] = true
		}
	}
	for _, q := range rs {
		if _, dup := r.requests[q.ID]; dup {
			return ledger.Receipt{}, ca.ErrExists
		}
		if q.ID == "" || q.State != ca.RequestSubmitted || q.SubmittedBy == "" || q.TokenHash != "" || q.ReviewedBy != "" {
			return ledger.Receipt{}, fmt.Errorf("%w: new request", ErrInvariant)
		}
		if open[ca.OpenKey(q)] {
			return ledger.Receipt{}, ra.ErrOpen
		}
		open[ca.OpenKey(q)] = true
	}
	rc, err := r.record(ev)
	if err == nil {
		for _, q := range rs {
			r.requests[q.ID] = q
		}
	}
	return rc, err
}

// moveRequest changes a request that stands in one of the states, under mu.
func (r *Registry) moveRequest(method, id string, from func(ca.Request) bool, check func(old ca.Request) error, ev ledger.Event, change func(*ca.Request)) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter(method); err != nil {
		return ledger.Receipt{}, err
	}
	old, ok := r.requests[id]
	switch {
	case !ok:
		return ledger.Receipt{}, ca.ErrNotFound
	case !from(old):
		return ledger.Receipt{}, ca.ErrDecided
	}
	if err := check(old); err != nil {
		return ledger.Receipt{}, err
	}
	rc, err := r.record(ev)
	if err != nil {
		return rc, err
	}
	change(&old)
	r.requests[id] = old
	return rc, nil
}

// ReviewRequest implements ra.Requests.
func (r *Registry) ReviewRequest(_ context.Context, q ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	submitted := func(old ca.Request) bool { return old.State == ca.RequestSubmitted }
	return r.moveRequest("ReviewRequest", q.ID, submitted, func(old ca.Request) error {
		if q.State != ca.RequestReviewed || q.ReviewedBy == "" || q.ReviewedBy == old.SubmittedBy || len(q.Evidence) == 0 || q.ReviewedAt.IsZero() {
			return fmt.Errorf("%w: review", ErrInvariant)
		}
		return nil
	}, ev, func(old *ca.Request) {
		old.State, old.ReviewedBy, old.ReviewedAt, old.Evidence = q.State, q.ReviewedBy, q.ReviewedAt, slices.Clone(q.Evidence)
	})
}

// DecideRequest implements ra.Requests.
func (r *Registry) DecideRequest(_ context.Context, q ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	from := func(old ca.Request) bool {
		return old.State == ca.RequestReviewed || q.State == ca.RequestRefused && old.State == ca.RequestSubmitted
	}
	return r.moveRequest("DecideRequest", q.ID, from, func(old ca.Request) error {
		switch {
		case q.State != ca.RequestApproved && q.State != ca.RequestRefused, q.DecidedBy == "":
			return fmt.Errorf("%w: decision", ErrInvariant)
		case q.State == ca.RequestApproved && (q.Approval == "" || q.TokenExpires.IsZero()), q.State == ca.RequestRefused && q.Reason == "", q.TokenHash != "":
			return fmt.Errorf("%w: decision is not complete", ErrInvariant)
		case q.State == ca.RequestApproved && (q.DecidedBy == old.SubmittedBy || q.DecidedBy == old.ReviewedBy):
			return ca.ErrSelf
		}
		return nil
	}, ev, func(old *ca.Request) {
		old.State, old.DecidedBy, old.Approval, old.Reason, old.TokenExpires = q.State, q.DecidedBy, q.Approval, q.Reason, q.TokenExpires
	})
}

// WithdrawRequest implements ra.Requests.
func (r *Registry) WithdrawRequest(_ context.Context, q ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	from := func(old ca.Request) bool { return waits(old.State) || old.State == ca.RequestApproved }
	return r.moveRequest("WithdrawRequest", q.ID, from, func(ca.Request) error { return nil }, ev, func(old *ca.Request) {
		delete(r.tokens, old.TokenHash)
		old.State, old.Reason, old.TokenHash = ca.RequestWithdrawn, q.Reason, ""
	})
}

// SetToken implements ra.Requests.
func (r *Registry) SetToken(_ context.Context, id, hash string, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	from := func(old ca.Request) bool { return old.State == ca.RequestApproved && now.Before(old.TokenExpires) }
	return r.moveRequest("SetToken", id, from, func(ca.Request) error {
		if len(hash) != 64 {
			return fmt.Errorf("%w: hash of a token", ErrInvariant)
		}
		return nil
	}, ev, func(old *ca.Request) {
		delete(r.tokens, old.TokenHash)
		old.TokenHash = hash
		r.tokens[hash] = id
	})
}

// Request implements ca.Registry and ra.Requests.
func (r *Registry) Request(_ context.Context, id string) (ca.Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q, ok := r.requests[id]
	if !ok {
		return ca.Request{}, ca.ErrNotFound
	}
	return q, nil
}

// Requests implements ra.Requests.
func (r *Registry) Requests(_ context.Context, q ra.Query) ([]ca.Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []ca.Request
	for _, one := range r.requests {
		if (q.Agency == "" || one.Agency == q.Agency) && (q.SubmittedBy == "" || one.SubmittedBy == q.SubmittedBy) && (len(q.States) == 0 || slices.Contains(q.States, one.State)) {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b ca.Request) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return out[:min(len(out), cmp.Or(q.Limit, 200))], nil
}
