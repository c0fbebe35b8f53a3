package app

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// openAnchors builds the register of trust anchors of others. Files in the data
// folder (anchors/accredited) count beside it, as an operator's own statement.
func (h *House) openAnchors() (err error) {
	h.Anchored, err = anchor.New(anchor.Config{
		Register: h.rooms.Anchors, Approver: anchorApprover{h}, Posts: posts{h}, House: h.cfg.USCC, Own: h.authoritiesDER, Now: h.cfg.Now, NewID: newID,
	})
	return err
}

// AnchorSubject is what a registration officer signs.
func (h *House) AnchorSubject(a anchor.Anchor) approval.Subject {
	return approval.Subject{Kind: approval.KindAnchor, ID: a.ID, Digest: a.Digest(), Unit: identity.USCC(h.cfg.USCC), Requester: a.AskedBy}
}

// anchorApprover verifies the signature over an entry.
type anchorApprover struct{ h *House }

func (p anchorApprover) Answer(ctx context.Context, a anchor.Anchor) (anchor.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.AnchorSubject(a))
	if err != nil {
		err = fmt.Errorf("%w: %w", anchor.ErrNotApproved, err)
	}
	return anchor.Answer{ID: id, Yes: yes}, err
}

// registered are the anchors that two persons took on, with their licences.
func (h *House) registered(ctx context.Context) ([]life.Anchor, error) {
	all, err := h.Anchored.InForce(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]life.Anchor, len(all))
	for i, a := range all {
		out[i] = life.Anchor{DER: a.DER, Licences: []signer.Accreditation{{Service: a.Service, Licence: a.Licence, URL: a.URL, ValidFrom: a.From, ValidUntil: a.Until}}}
	}
	return out, nil
}

// accredited are the anchors of the folder and the registered ones whose licence
// is in force now.
func (h *House) accredited(ctx context.Context) (*verify.Trust, error) {
	all, err := h.Anchored.InForce(ctx)
	if err != nil {
		return nil, err
	}
	out := verify.NewTrust(h.anchors.accredited.Anchors()...)
	for _, a := range all {
		if a.Counts(h.cfg.Now()) {
			out.Include(verify.NewTrust(a.DER))
		}
	}
	return out, nil
}

// trusting keeps the set of anchors that was made last, with what it was made of.
type trusting struct {
	mu  sync.Mutex
	of  []string // guarded by mu: digests of the registered anchors and of own authorities
	set *verify.Trust
}

// trustNow is what the house verifies against at this moment: its own
// authorities, the folder, and the register, which is read each time, so that a
// withdrawal counts on every node at once. Without the register nothing is
// judged (design law 8).
func (h *House) trustNow(ctx context.Context) (*verify.Trust, error) {
	all, err := h.Anchored.InForce(ctx)
	if err != nil {
		return nil, err
	}
	own, err := h.authoritiesDER(ctx)
	if err != nil {
		return nil, err
	}
	domains, err := h.Peering.InForce(ctx)
	if err != nil {
		return nil, err
	}
	var of []string
	for _, a := range all {
		of = append(of, a.Digest())
	}
	for _, der := range own {
		of = append(of, string(der))
	}
	for _, e := range domains {
		of = append(of, e.Digest())
	}
	t := &h.trusting
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set != nil && slices.Equal(t.of, of) {
		return t.set, nil
	}
	set, err := h.anchors.trust(own)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		more := verify.NewTrust(a.DER)
		if err := more.Accredit(a.DER, verify.Accreditation{Service: a.Service, Licence: a.Licence, URL: a.URL, From: a.From, Until: a.Until}); err != nil {
			return nil, fmt.Errorf("app: registered anchor %s: %w", a.ID, err)
		}
		set.Include(more)
	}
	for _, e := range domains {
		set.Join(h.vouching(e))
	}
	t.of, t.set = of, set
	return set, nil
}
