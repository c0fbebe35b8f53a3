package catest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stale"
)

// systemUse is what is kept of the use of a system.
type systemUse struct{ used, warned time.Time }

// NoteUse implements stale.Store.
func (r *Registry) NoteUse(_ context.Context, system string, day time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.uses[system]
	if day.After(u.used) {
		u.used = day
	}
	r.uses[system] = u
	return nil
}

// InForce implements stale.Store.
func (r *Registry) InForce(_ context.Context, now time.Time) ([]stale.Standing, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	by := map[string]stale.Standing{}
	for _, k := range r.order {
		c := r.certs[k]
		if c.State != ca.StateGood || !now.Before(c.NotAfter) || !slices.Contains(stale.Kinds(), c.Kind) {
			continue
		}
		x := by[c.System]
		x.System, x.Agency, x.Warned = c.System, c.Agency, r.uses[c.System].warned
		active := []time.Time{c.CreatedAt, r.uses[c.System].used}
		for _, h := range r.suspensions {
			if h.System == c.System && h.State == ca.SuspensionLifted {
				active = append(active, h.AnsweredAt)
			}
		}
		for _, at := range active {
			if at.After(x.Active) {
				x.Active = at
			}
		}
		by[c.System] = x
	}
	var out []stale.Standing
	for _, x := range by {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b stale.Standing) int { return strings.Compare(a.System, b.System) })
	return out, nil
}

// Warn implements stale.Store.
func (r *Registry) Warn(_ context.Context, x stale.Standing, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.uses[x.System]
	if u.warned.After(x.Active) || u.used.After(x.Active) {
		return ledger.Receipt{}, stale.ErrWarned
	}
	rc, err := r.record(ev)
	if err == nil {
		u.warned = at
		r.uses[x.System] = u
	}
	return rc, err
}
