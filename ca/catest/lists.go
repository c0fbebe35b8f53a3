package catest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/status"
)

var (
	_ status.Registry  = (*Registry)(nil)
	_ status.Lists     = (*Registry)(nil)
	_ status.Published = (*Registry)(nil)
	_ status.Changes   = (*Registry)(nil)
)

// Standing implements status.Registry.
func (r *Registry) Standing(_ context.Context, issuer, serial string) (status.Standing, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Standing"); err != nil {
		return status.Standing{}, err
	}
	c, ok := r.certs[[2]string{issuer, serial}]
	if !ok {
		return status.Standing{}, ca.ErrNotFound
	}
	st := standing(c)
	st.InvalidAt = r.invalid[[2]string{issuer, serial}]
	return st, nil
}

// ChangedSince implements status.Changes.
func (r *Registry) ChangedSince(_ context.Context, revision int64) (int64, []status.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("ChangedSince"); err != nil {
		return 0, nil, err
	}
	if revision < 0 {
		return int64(len(r.changes)), nil, nil
	}
	return int64(len(r.changes)), slices.Clone(r.changes[min(revision, int64(len(r.changes))):]), nil
}

// ForgetChanges implements status.Changes: nothing is too much for this one.
func (r *Registry) ForgetChanges(_ context.Context, _ time.Time, age time.Duration) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age <= 0 {
		return 0, fmt.Errorf("%w: what is forgotten at once", ErrInvariant)
	}
	return 0, r.enter("ForgetChanges")
}

func standing(c ca.Certificate) status.Standing {
	return status.Standing{Serial: c.Serial, State: c.State, Reason: c.Reason, RevokedAt: c.RevokedAt}
}

// Revoked implements status.Registry.
func (r *Registry) Revoked(_ context.Context, issuer string, notOverAt time.Time) ([]status.Standing, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("Revoked"); err != nil {
		return nil, err
	}
	var out []status.Standing
	for _, c := range r.certs {
		if c.Issuer == issuer && (c.State == ca.StateHold || c.State == ca.StateRevoked) && !c.NotAfter.Before(notOverAt) {
			st := standing(c)
			st.InvalidAt = r.invalid[[2]string{c.Issuer, c.Serial}]
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b status.Standing) int { return cmp.Compare(a.Serial, b.Serial) })
	return out, nil
}

// AddCRL implements status.Lists.
func (r *Registry) AddCRL(_ context.Context, c status.CRL, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("AddCRL"); err != nil {
		return ledger.Receipt{}, err
	}
	if r.listAt(c) >= 0 {
		return ledger.Receipt{}, status.ErrNumber
	}
	sum := sm3.Sum(c.TBS)
	switch {
	case c.State != status.CRLPending || c.DER != nil || c.Number < 1 || c.Base >= c.Number:
		return ledger.Receipt{}, fmt.Errorf("%w: a recorded list is pending, unsigned and numbered", ErrInvariant)
	case len(c.TBS) == 0 || c.TBSSM3 != hex.EncodeToString(sum[:]):
		return ledger.Receipt{}, fmt.Errorf("%w: to-be-signed bytes and their SM3 differ", ErrInvariant)
	}
	rc, err := r.record(ev)
	if err == nil {
		c.TBS = bytes.Clone(c.TBS)
		r.lists = append(r.lists, c)
	}
	return rc, err
}

func (r *Registry) listAt(c status.CRL) int {
	return slices.IndexFunc(r.lists, func(o status.CRL) bool {
		return o.Issuer == c.Issuer && o.Shard == c.Shard && o.Number == c.Number
	})
}

// PublishCRL implements status.Lists. The signed bytes must be the recorded ones.
func (r *Registry) PublishCRL(_ context.Context, c status.CRL, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("PublishCRL"); err != nil {
		return ledger.Receipt{}, err
	}
	if len(c.DER) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: not signed", status.ErrNoList)
	}
	at := r.listAt(c)
	if at < 0 || r.lists[at].State != status.CRLPending {
		return ledger.Receipt{}, status.ErrOvertaken
	}
	if view, err := crl.Parse(c.DER); err == nil && !bytes.Equal(view.TBS, r.lists[at].TBS) {
		return ledger.Receipt{}, fmt.Errorf("%w: signed other bytes than recorded", ErrInvariant)
	}
	rc, err := r.record(ev)
	if err != nil {
		return rc, err
	}
	for n := range r.lists {
		o := &r.lists[n]
		if o.Issuer == c.Issuer && o.Shard == c.Shard && o.Number < c.Number && o.State == status.CRLPending {
			o.State, o.TBS = status.CRLVoid, nil
		}
	}
	r.lists[at].State, r.lists[at].TBS, r.lists[at].DER = status.CRLPublished, nil, bytes.Clone(c.DER)
	return rc, nil
}

// CRLsSince implements status.Lists.
func (r *Registry) CRLsSince(_ context.Context, issuer, shard string, number int64) ([]status.CRL, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []status.CRL
	for _, c := range r.lists {
		if c.Issuer == issuer && c.Shard == shard && c.Number >= number {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b status.CRL) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// PublishedCRL implements status.Published.
func (r *Registry) PublishedCRL(_ context.Context, issuer, shard string, delta bool, have int64) (status.CRL, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.enter("PublishedCRL"); err != nil {
		return status.CRL{}, err
	}
	var best status.CRL
	for _, c := range r.lists {
		if c.Issuer == issuer && c.Shard == shard && c.State == status.CRLPublished && c.Delta() == delta && c.Number > best.Number {
			best = c
		}
	}
	if best.Number == 0 {
		return status.CRL{}, status.ErrNoList
	}
	if best.Number == have {
		best.DER = nil
	}
	return best, nil
}
