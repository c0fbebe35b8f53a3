package catest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

// KMC keeps spare keys and recoveries in memory, over the escrowed keys of a
// Registry, whose mutex guards all of it.
type KMC struct {
	*Registry
	pool       []kmc.PooledKey
	taken      map[string]bool // ids that were ever in the pool and left it
	recoveries []kmc.Recovery
}

var (
	_ kmc.Keys     = (*KMC)(nil)
	_ kmc.Register = (*KMC)(nil)
)

// NewKMC keeps its keys beside those of r.
func NewKMC(r *Registry) *KMC { return &KMC{Registry: r, taken: map[string]bool{}} }

// AddPooled implements kmc.Keys.
func (k *KMC) AddPooled(_ context.Context, keys []kmc.PooledKey, ev ledger.Event) (ledger.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range keys {
		if p.ID == "" || k.taken[p.ID] || len(p.Wrapped) == 0 || len(p.PublicSM3) != 64 || slices.ContainsFunc(k.pool, func(o kmc.PooledKey) bool { return o.ID == p.ID }) {
			return ledger.Receipt{}, fmt.Errorf("%w: spare key %q", ErrInvariant, p.ID)
		}
	}
	rc, err := k.record(ev)
	if err == nil {
		k.pool = append(k.pool, keys...)
	}
	return rc, err
}

// Pooled implements kmc.Keys.
func (k *KMC) Pooled(_ context.Context, limit int) ([]kmc.PooledKey, int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.enter("Pooled"); err != nil {
		return nil, 0, err
	}
	all := slices.SortedFunc(slices.Values(k.pool), func(a, b kmc.PooledKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(limit, len(all))], len(all), nil
}

// TakePooled implements kmc.Keys.
func (k *KMC) TakePooled(_ context.Context, ids []string, ev ledger.Event) (ledger.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(k.pool), func(p kmc.PooledKey) bool { return slices.Contains(ids, p.ID) })
	if len(k.pool)-len(left) != len(ids) {
		return ledger.Receipt{}, kmc.ErrTaken
	}
	rc, err := k.record(ev)
	if err == nil {
		k.pool = left
		for _, id := range ids {
			k.taken[id] = true
		}
	}
	return rc, err
}

// Escrowed implements kmc.Keys.
func (k *KMC) Escrowed(_ context.Context, pair string) (ca.EscrowedKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.keys[pair]; ok && !k.abandoned[pair] {
		return key, nil
	}
	return ca.EscrowedKey{}, kmc.ErrNotFound
}

// Outdated implements kmc.Keys.
func (k *KMC) Outdated(_ context.Context, kek string, limit int) (out []ca.EscrowedKey, n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if key.KEK != kek {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, func(a, b ca.EscrowedKey) int { return cmp.Compare(a.Pair, b.Pair) })
	return out[:min(limit, len(out))], len(out), nil
}

// Rewrap implements kmc.Keys.
func (k *KMC) Rewrap(_ context.Context, keys []kmc.Rewrapped, ev ledger.Event) (ledger.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.enter("Rewrap"); err != nil {
		return ledger.Receipt{}, err
	}
	for _, r := range keys {
		if old, ok := k.keys[r.Key.Pair]; !ok || old.KEK != r.Was || old.PublicSM3 != r.Key.PublicSM3 {
			return ledger.Receipt{}, kmc.ErrTaken
		}
	}
	rc, err := k.record(ev)
	if err == nil {
		for _, r := range keys {
			k.keys[r.Key.Pair] = r.Key
		}
	}
	return rc, err
}

// Tamper changes the escrowed key of a pair behind everybody's back.
func (k *KMC) Tamper(pair string, edit func(*ca.EscrowedKey)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := k.keys[pair]
	edit(&key)
	k.keys[pair] = key
}

// TamperRecovery changes a request behind everybody's back.
func (k *KMC) TamperRecovery(id string, edit func(*kmc.Recovery)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := k.at(id); i >= 0 {
		edit(&k.recoveries[i])
	}
}

// at runs under mu.
func (k *KMC) at(id string) int {
	return slices.IndexFunc(k.recoveries, func(r kmc.Recovery) bool { return r.ID == id })
}

// AddRecovery implements kmc.Register.
func (k *KMC) AddRecovery(_ context.Context, r kmc.Recovery, ev ledger.Event) (ledger.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at(r.ID) >= 0 {
		return ledger.Receipt{}, kmc.ErrRepeated
	}
	if _, ok := k.keys[r.Pair]; !ok {
		return ledger.Receipt{}, kmc.ErrNotFound
	}
	r.State, r.Check, r.Approvals, r.Refusal, r.EnvelopeSM3 = kmc.Asked, "", nil, "", ""
	rc, err := k.record(ev)
	if err == nil {
		k.recoveries = append(k.recoveries, r)
	}
	return rc, err
}

// MoveRecovery implements kmc.Register.
func (k *KMC) MoveRecovery(_ context.Context, r kmc.Recovery, from kmc.State, ev ledger.Event) (ledger.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := k.at(r.ID)
	switch {
	case i < 0:
		return ledger.Receipt{}, kmc.ErrNotFound
	case k.recoveries[i].State != from || !from.Open():
		return ledger.Receipt{}, kmc.ErrState
	case r.State == kmc.Delivered && (from != kmc.Approved || len(r.Approvals) < r.Need || len(r.EnvelopeSM3) != 64 || r.DeliveredAt.IsZero()),
		r.State == kmc.Approved && len(r.Approvals) < r.Need, r.State == kmc.Refused && r.Refusal == "":
		return ledger.Receipt{}, fmt.Errorf("%w: %s without what belongs to it", ErrInvariant, r.State)
	}
	rc, err := k.record(ev)
	if err == nil {
		to := &k.recoveries[i]
		to.State, to.Check, to.Approvals, to.Refusal = r.State, r.Check, slices.Clone(r.Approvals), r.Refusal
		to.SettledAt, to.DeliveredAt, to.EnvelopeSM3 = r.SettledAt, r.DeliveredAt, r.EnvelopeSM3
	}
	return rc, err
}

// Recovery implements kmc.Register.
func (k *KMC) Recovery(_ context.Context, id string) (kmc.Recovery, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := k.at(id); i >= 0 {
		return k.recoveries[i], nil
	}
	return kmc.Recovery{}, kmc.ErrNotFound
}

// Recoveries implements kmc.Register.
func (k *KMC) Recoveries(_ context.Context, q kmc.Query) (out []kmc.Recovery, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fits := func(want, have string) bool { return want == "" || want == have }
	for _, r := range k.recoveries {
		if fits(string(q.Kind), string(r.Kind)) && fits(q.Agency, r.Agency) && fits(q.System, r.System) && fits(q.Pair, r.Pair) && (!q.Open || r.State.Open()) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b kmc.Recovery) int {
		return cmp.Or(b.AskedAt.Compare(a.AskedAt), cmp.Compare(b.ID, a.ID))
	})
	return out, nil
}
