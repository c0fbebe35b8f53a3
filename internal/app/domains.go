package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// openDomains builds the room of application domains. No child runs before a domain
// is asked.
func (h *House) openDomains() (err error) {
	h.Domains, err = domain.New(domain.Config{
		Register: h.rooms.Domains, Catalogue: h.store.Candidates(), Systems: h.rooms.Identity, Approver: domainApprover{h}, Recorder: h.Ledger,
		Archive: h.store.Decisions(), Now: h.cfg.Now, NewID: newID,
	})
	return err
}

// DomainSubject is what the leader of the owning unit signs.
func (h *House) DomainSubject(v domain.Version) approval.Subject {
	return approval.Subject{Kind: approval.KindDomain, ID: v.ID, Digest: v.Digest, Unit: v.Unit, Requester: v.AskedBy}
}

// domainApprover verifies the signature over a bundle.
type domainApprover struct{ h *House }

func (p domainApprover) Answer(ctx context.Context, v domain.Version) (domain.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.DomainSubject(v))
	if err != nil {
		err = fmt.Errorf("%w: %w", domain.ErrNotApproved, err)
	}
	return domain.Answer{ID: id, Yes: yes}, err
}

// domains gives the decision point's surface the domains in force.
type domains struct{ h *House }

// Of implements authzen.Domains.
func (a domains) Of(ctx context.Context, resourceType, resource string) (authzen.Domain, error) {
	d, err := a.h.Domains.Of(ctx, resourceType, resource)
	if d == nil || err != nil {
		return nil, err
	}
	return appDomain{d, a.h.PDP.Explain}, nil
}

// appDomain speaks the decision point's words, with the texts of its one table.
type appDomain struct {
	*domain.Domain
	explain func(code, detail string) authz.Reason
}

func domainQuestion(q authzen.Evaluation) domain.Question {
	return domain.Question{
		ID: q.ID, Caller: q.Caller, SubjectType: q.SubjectType, Subject: q.SubjectID, Action: string(q.Action), ResourceType: q.ResourceType, Resource: q.Resource,
		OfSubject: q.SubjectProperties, OfAction: q.ActionProperties, OfResource: q.ResourceProperties, InContext: q.Context,
	}
}

// Decide implements authzen.Decider.
func (a appDomain) Decide(ctx context.Context, q authzen.Evaluation) (authz.Decision, error) {
	d, err := a.Domain.Decide(ctx, domainQuestion(q))
	if err != nil {
		return authz.Decision{}, err
	}
	out := authz.Decision{
		ID: d.ID, Allow: d.Allow, Digests: authz.Digests{Engine: d.Engine, Domain: d.Bundle, Input: d.Input}, At: d.At, Receipt: d.Receipt,
	}
	for _, r := range d.Reasons {
		out.Reasons = append(out.Reasons, a.explain(r.Code, r.Detail))
	}
	return out, nil
}

// Search implements authzen.Decider.
func (a appDomain) Search(ctx context.Context, s authzen.Search) (authz.Found, error) {
	f, err := a.Domain.Search(ctx, domain.Search{
		Kind: domain.Kind(s.Kind), Base: domainQuestion(s.Base), Candidates: s.Candidates, Limit: s.Limit,
	})
	if errors.Is(err, domain.ErrInvalid) {
		return authz.Found{}, fmt.Errorf("%w: %w", authz.ErrMalformed, err)
	}
	if err != nil {
		return authz.Found{}, err
	}
	return authz.Found{
		ID: f.ID, Permitted: f.Permitted, Weighed: f.Weighed, Digests: authz.Digests{Engine: f.Engine, Domain: f.Bundle}, At: f.At, Receipt: f.Receipt,
	}, nil
}

// Candidates implements authzen.Domain.
func (a appDomain) Candidates(ctx context.Context, kind authz.SearchKind, entityType, after string, limit int) ([]string, error) {
	return a.Domain.Candidates(ctx, domain.Kind(kind), entityType, after, limit)
}

// domainDesk is the room of domains for a system that proposes by itself. It sees the
// versions of its own domains and no others.
type domainDesk struct{ h *House }

var _ api.DomainKeeper = domainDesk{}

func (k domainDesk) ProposeDomain(ctx context.Context, actor ledger.Actor, bundle []byte) (wire.DomainVersion, error) {
	v, _, err := k.h.Domains.Propose(ctx, actor, bundle)
	return domainWire(v), err
}

func (k domainDesk) RestoreDomain(ctx context.Context, actor ledger.Actor, id string) (wire.DomainVersion, error) {
	if _, err := k.own(ctx, actor, id); err != nil {
		return wire.DomainVersion{}, err
	}
	v, _, err := k.h.Domains.Restore(ctx, actor, id)
	return domainWire(v), err
}

func (k domainDesk) WithdrawDomain(ctx context.Context, actor ledger.Actor, id, reason string) (wire.DomainVersion, error) {
	if _, err := k.own(ctx, actor, id); err != nil {
		return wire.DomainVersion{}, err
	}
	v, _, err := k.h.Domains.Withdraw(ctx, actor, id, reason)
	return domainWire(v), err
}

func (k domainDesk) DomainsOf(ctx context.Context, actor ledger.Actor) ([]wire.DomainVersion, error) {
	s, err := k.h.rooms.Identity.System(ctx, actor.ID)
	if err != nil {
		return nil, err
	}
	all, err := k.h.Domains.Versions(ctx, s.Agency)
	out := []wire.DomainVersion{}
	for _, v := range all {
		if v.System == actor.ID {
			out = append(out, domainWire(v))
		}
	}
	return out, err
}

func (k domainDesk) DomainBundle(ctx context.Context, actor ledger.Actor, id string) ([]byte, error) {
	v, err := k.own(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	_, raw, err := k.h.Domains.Bundle(ctx, v)
	return raw, err
}

func (k domainDesk) own(ctx context.Context, actor ledger.Actor, id string) (domain.Version, error) {
	v, err := k.h.Domains.Version(ctx, id)
	if err == nil && (actor.Kind != "system" || v.System != actor.ID) {
		err = fmt.Errorf("%w: version of another system", domain.ErrNotFound)
	}
	return v, err
}

func domainWire(v domain.Version) wire.DomainVersion {
	return wire.DomainVersion{
		ID: v.ID, Domain: v.Domain, Name: v.Name, Digest: v.Digest, System: v.System, ResourceTypes: v.Types, Passed: v.Passed, State: string(v.State),
		Restores: v.Again, Reason: v.EndReason, AskedAt: v.AskedAt, SettledAt: v.SettledAt, EndedAt: v.EndedAt,
	}
}

// replayDomain evaluates the decision of an application domain again.
func replayDomain(ctx context.Context, st *store.Store, body []byte) (authz.Replayed, error) {
	again, d, err := domain.Replay(ctx, domain.Config{}.Sandbox, body, st.Decisions(), st.Bundles())
	if err != nil {
		return authz.Replayed{}, err
	}
	out, err := authz.Compared(body, again)
	out.Decision = authz.Decision{ID: d.ID, Allow: d.Allow, At: d.At, Digests: authz.Digests{Engine: d.Engine, Domain: d.Bundle, Input: d.Input}}
	return out, err
}
