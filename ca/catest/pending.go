package catest

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
)

var _ ca.Unfinished = (*Registry)(nil)

// Pending implements ca.Unfinished.
func (r *Registry) Pending(_ context.Context, before time.Time, limit int) (out []ca.Certificate, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Pending"); err != nil {
		return nil, err
	}
	for _, k := range r.order {
		c := r.certs[k]
		if c.State != ca.StatePending || c.Kind == ca.KindCA || !c.CreatedAt.Before(before) {
			continue
		}
		if len(out) == limit {
			if last := limit - 1; c.Pair != "" && out[last].Pair == c.Pair {
				out = out[:last]
			}
			break
		}
		out = append(out, c)
	}
	return out, nil
}

// Abandon implements ca.Unfinished.
func (r *Registry) Abandon(_ context.Context, certs []ca.Certificate, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Abandon"); err != nil {
		return ledger.Receipt{}, err
	}
	for _, c := range certs {
		if old := r.certs[[2]string{c.Issuer, c.Serial}]; old.State != ca.StatePending || old.Kind == ca.KindCA {
			return ledger.Receipt{}, ca.ErrState
		}
	}
	rc, err := r.record(ev)
	if err != nil {
		return rc, err
	}
	for _, c := range certs {
		k := [2]string{c.Issuer, c.Serial}
		old := r.certs[k]
		old.State, old.Reason, old.RevokedAt = ca.StateRevoked, ca.ReasonUnspecified, at
		r.certs[k] = old
		r.abandoned[c.Pair] = true
		r.changes = append(r.changes, status.Key{Issuer: c.Issuer, Serial: c.Serial})
	}
	return rc, nil
}
