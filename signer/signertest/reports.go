package signertest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// PutCompromise implements life.Reports.
func (r *Register) PutCompromise(_ context.Context, c life.Compromise, stops []life.Stop, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reportable(c); err != nil {
		return ledger.Receipt{}, err
	}
	n := 0
	for _, e := range r.seals {
		if e.KeyID == c.KeyID {
			n++
		}
	}
	if n != len(stops) {
		return ledger.Receipt{}, life.ErrConflict
	}
	for _, p := range stops {
		if err := r.movable(p.Seal, p.Step, ev.ID); err != nil {
			return ledger.Receipt{}, err
		}
		if p.Seal.State == signer.SealActive || p.Seal.CompromisedAt.IsZero() {
			r.t.Errorf("a seal of a reported key: %+v", p.Seal)
		}
	}
	rc, err := r.record(ev, "signer.key.compromised", "seal", ev.Object.ID)
	if err == nil {
		r.compromises[c.KeyID] = c
		for _, p := range stops {
			r.put(p.Seal, p.Step)
		}
	}
	return rc, err
}

func (r *Register) reportable(c life.Compromise) error {
	if old, ok := r.compromises[c.KeyID]; ok != (c.Revision > 1) || ok && (old.Revision != c.Revision-1 || old.ID != c.ID) {
		return life.ErrConflict
	}
	return nil
}

// AddNotices implements life.Reports.
func (r *Register) AddNotices(_ context.Context, c life.Compromise, ns []life.Notice, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reportable(c); err != nil {
		return ledger.Receipt{}, err
	}
	for _, n := range ns {
		if slices.ContainsFunc(r.notices, func(o life.Notice) bool { return o.ID == n.ID }) {
			return ledger.Receipt{}, signer.ErrExists
		}
	}
	rc, err := r.record(ev, "signer.key.relied", "seal", ev.Object.ID)
	if err == nil {
		r.compromises[c.KeyID] = c
		r.notices = append(r.notices, ns...)
	}
	return rc, err
}

// MoveNotice implements life.Reports.
func (r *Register) MoveNotice(_ context.Context, n life.Notice, from life.NoticeState, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.notices, func(o life.Notice) bool { return o.ID == n.ID })
	switch {
	case i < 0:
		return ledger.Receipt{}, signer.ErrNotFound
	case r.notices[i].State != from:
		return ledger.Receipt{}, life.ErrConflict
	}
	rc, err := r.record(ev, "signer.notice."+string(n.State), "seal_notice", n.ID)
	if err == nil {
		r.notices[i].State, r.notices[i].DeliveredAt, r.notices[i].AcknowledgedAt, r.notices[i].AcknowledgedBy = n.State, n.DeliveredAt, n.AcknowledgedAt, n.AcknowledgedBy
	}
	return rc, err
}

// Compromise implements life.Reports.
func (r *Register) Compromise(_ context.Context, keyID string) (life.Compromise, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.compromises[keyID]
	if !ok {
		return life.Compromise{}, signer.ErrNotFound
	}
	c.Certificates = slices.Clone(c.Certificates)
	return c, nil
}

// CompromisedSince implements life.Reports.
func (r *Register) CompromisedSince(_ context.Context, certSM3 string) (since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.compromises {
		if slices.ContainsFunc(c.Certificates, func(k life.Certificate) bool { return k.SM3 == certSM3 }) && (since.IsZero() || c.Since.Before(since)) {
			since = c.Since
		}
	}
	return since, nil
}

// Compromises implements life.Reports.
func (r *Register) Compromises(context.Context) (out []life.Compromise, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.compromises {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b life.Compromise) int { return strings.Compare(b.ID, a.ID) })
	return out, nil
}

// Notices implements life.Reports.
func (r *Register) Notices(_ context.Context, q life.NoticeQuery) (out []life.Notice, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.notices {
		if (q.ID == "" || q.ID == n.ID) && (q.Unit == "" || q.Unit == n.Unit) && (q.Compromise == "" || q.Compromise == n.Compromise) &&
			(len(q.States) == 0 || slices.Contains(q.States, n.State)) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b life.Notice) int { return strings.Compare(b.ID, a.ID) })
	return out, nil
}
