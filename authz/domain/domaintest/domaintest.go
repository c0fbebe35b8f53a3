// Package domaintest holds the fake register of authz/domain, and the conformance
// suite that it runs beside the store.
package domaintest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Register is domain.Register in memory. The zero Register is ready.
type Register struct {
	identitytest.Journal
	mu      sync.Mutex
	rows    []domain.Version
	owners  map[string]string
	bundles map[string][]byte
}

var _ domain.Register = (*Register)(nil)

func (r *Register) find(match func(domain.Version) bool) int { return slices.IndexFunc(r.rows, match) }

func byID(id string) func(domain.Version) bool {
	return func(v domain.Version) bool { return v.ID == id }
}

// AddVersion implements domain.Register.
func (r *Register) AddVersion(_ context.Context, v domain.Version, bundle []byte, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if owner := r.owners[v.Domain]; owner != "" && owner != v.System {
		return ledger.Receipt{}, domain.ErrTaken
	}
	if r.find(func(o domain.Version) bool { return o.ID == v.ID || o.Domain == v.Domain && o.State == domain.Proposed }) >= 0 {
		return ledger.Receipt{}, domain.ErrExists
	}
	if v.State != domain.Proposed || ev.Object.ID != v.ID || ev.Payload != v.Digest || ev.Actor.ID != v.AskedBy {
		return ledger.Receipt{}, fmt.Errorf("row and event do not fit: %+v, %+v", v, ev)
	}
	rc, err := r.Record(ev)
	if err != nil {
		return rc, err
	}
	if r.owners == nil {
		r.owners, r.bundles = map[string]string{}, map[string][]byte{}
	}
	r.owners[v.Domain], r.bundles[v.Digest] = v.System, bundle
	r.rows = append(r.rows, v)
	return rc, nil
}

// MoveVersion implements domain.Register.
func (r *Register) MoveVersion(_ context.Context, v domain.Version, from domain.State, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(byID(v.ID))
	if i < 0 {
		return ledger.Receipt{}, domain.ErrNotFound
	}
	was, ended := r.rows[i], -1
	if was.State != from {
		return ledger.Receipt{}, domain.ErrState
	}
	if v.State == domain.InForce {
		ended = r.find(func(o domain.Version) bool { return o.Domain == was.Domain && o.State == domain.InForce })
		if ended >= 0 && r.rows[ended].ID != was.Follows || ended < 0 && was.Follows != "" {
			return ledger.Receipt{}, domain.ErrState
		}
		if r.find(func(o domain.Version) bool {
			return o.State == domain.InForce && o.Domain != was.Domain && slices.ContainsFunc(o.Types, func(t string) bool { return slices.Contains(was.Types, t) })
		}) >= 0 {
			return ledger.Receipt{}, domain.ErrTaken
		}
	}
	rc, err := r.Record(ev)
	if err != nil {
		return rc, err
	}
	if ended >= 0 {
		r.rows[ended].State, r.rows[ended].EndedBy, r.rows[ended].EndedAt = domain.Replaced, was.AskedBy, v.SettledAt
	}
	was.State, was.Approval, was.SettledAt, was.EndedBy, was.EndReason, was.EndedAt = v.State, v.Approval, v.SettledAt, v.EndedBy, v.EndReason, v.EndedAt
	r.rows[i] = was
	return rc, nil
}

// Version implements domain.Register.
func (r *Register) Version(_ context.Context, id string) (domain.Version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.find(byID(id)); i >= 0 {
		return r.rows[i], nil
	}
	return domain.Version{}, domain.ErrNotFound
}

// Versions implements domain.Register.
func (r *Register) Versions(_ context.Context, unit identity.USCC, states ...domain.State) (out []domain.Version, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range slices.Backward(r.rows) {
		if (unit == "" || v.Unit == unit) && (len(states) == 0 || slices.Contains(states, v.State)) {
			out = append(out, v)
		}
	}
	return out, nil
}

// Owner implements domain.Register.
func (r *Register) Owner(_ context.Context, name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.owners[name]; o != "" {
		return o, nil
	}
	return "", domain.ErrNotFound
}

// Bundle implements domain.Register.
func (r *Register) Bundle(_ context.Context, digest string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.bundles[digest]; b != nil {
		return b, nil
	}
	return nil, domain.ErrNotFound
}

// Tamper changes a stored bundle behind the service's back.
func (r *Register) Tamper(digest string, edit func([]byte) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bundles[digest] = edit(slices.Clone(r.bundles[digest]))
}
