package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// Propose tries a bundle and records it for the leader of the owning unit to approve.
// The actor is the owning system, or a person of its unit whose post the caller
// looked at.
func (s *Service) Propose(ctx context.Context, actor ledger.Actor, raw []byte) (Version, ledger.Receipt, error) {
	b, err := Parse(raw)
	if err != nil {
		return Version{}, ledger.Receipt{}, err
	}
	return s.propose(ctx, actor, b, "")
}

// Restore proposes an earlier version of a domain again: the way back (回退) takes
// the signature that the way forward took.
func (s *Service) Restore(ctx context.Context, actor ledger.Actor, id string) (Version, ledger.Receipt, error) {
	v, err := s.cfg.Register.Version(ctx, id)
	if err != nil {
		return Version{}, ledger.Receipt{}, err
	}
	if v.State != Replaced && v.State != Withdrawn || v.Approval == "" {
		return Version{}, ledger.Receipt{}, fmt.Errorf("%w: %s was not in force before", ErrState, id)
	}
	b, _, err := s.Bundle(ctx, v)
	if err != nil {
		return Version{}, ledger.Receipt{}, err
	}
	return s.propose(ctx, actor, b, id)
}

func (s *Service) propose(ctx context.Context, actor ledger.Actor, b Bundle, again string) (Version, ledger.Receipt, error) {
	fail := func(err error) (Version, ledger.Receipt, error) { return Version{}, ledger.Receipt{}, err }
	sys, err := s.cfg.Systems.System(ctx, b.System)
	if errors.Is(err, identity.ErrNotFound) {
		return fail(fmt.Errorf("%w: system %q", ErrForbidden, b.System))
	}
	if err != nil {
		return fail(err)
	}
	if !owns(actor, b.System, sys.Agency) {
		return fail(ErrForbidden)
	}
	canonical, err := b.Canonical()
	if err != nil {
		return fail(err)
	}
	v := Version{
		ID: s.cfg.NewID(), Domain: b.Domain, Name: b.Name, Digest: digestOf(canonical), System: b.System, Unit: sys.Agency, Types: b.Resources,
		Again: again, AskedBy: actor.ID, AskedAt: s.now(), State: Proposed,
	}
	if v.Follows, err = s.sound(ctx, v, b); err != nil {
		return fail(err)
	}
	passed, err := s.try(ctx, b)
	if err != nil {
		return fail(err)
	}
	v.Passed = len(passed)
	ev := s.event("authz.domain.proposed", v, v.AskedAt, actor)
	ev.Details["passed"], ev.Details["types"] = strconv.Itoa(v.Passed), strings.Join(v.Types, ",")
	if again != "" {
		ev.Details["again"] = again
	}
	rc, err := s.cfg.Register.AddVersion(ctx, v, canonical, ev)
	return v, rc, err
}

// owns: the owning system, or a person of the unit that it belongs to.
func owns(actor ledger.Actor, system string, unit identity.USCC) bool {
	switch actor.Kind {
	case "system":
		return actor.ID == system
	case "person":
		return actor.ID != "" && actor.Unit == string(unit)
	}
	return false
}

// sound checks a bundle against what else is registered and returns the version of
// its domain that is in force.
func (s *Service) sound(ctx context.Context, v Version, b Bundle) (follows string, err error) {
	switch owner, err := s.cfg.Register.Owner(ctx, v.Domain); {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return "", err
	case owner != v.System:
		return "", fmt.Errorf("%w: domain %q", ErrTaken, v.Domain)
	}
	all, err := s.cfg.Register.Versions(ctx, "", InForce)
	if err != nil {
		return "", err
	}
	for _, o := range all {
		if o.Domain == v.Domain {
			follows = o.ID
			continue
		}
		for _, t := range v.Types {
			if slices.Contains(o.Types, t) {
				return "", fmt.Errorf("%w: resource type %q", ErrTaken, t)
			}
		}
	}
	e, err := b.entities()
	if err != nil {
		return "", err
	}
	for ids := range slices.Chunk(e.listed(), lookup) {
		known, err := s.cfg.Catalogue.Catalogued(ctx, ids)
		if err != nil {
			return "", err
		}
		if len(known) > 0 {
			return "", fmt.Errorf("%w: %q", ErrReserved, known[0])
		}
	}
	return follows, nil
}

// lookup is how many ids the catalogue is asked about at once.
const lookup = 500

// tryTime bounds the tests and cases of one bundle.
const tryTime = 30 * time.Second

// try runs a bundle's tests, one bundle at a time.
func (s *Service) try(ctx context.Context, b Bundle) ([]sandbox.Tested, error) {
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return Check(ctx, s.cfg.Sandbox, b, s.now())
}

// Settle lets the leader's signed answer take effect: in force or refused. What was
// sound when it was proposed has to be so still.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, id string) (Version, ledger.Receipt, error) {
	fail := func(err error) (Version, ledger.Receipt, error) { return Version{}, ledger.Receipt{}, err }
	v, err := s.cfg.Register.Version(ctx, id)
	if err != nil {
		return fail(err)
	}
	if v.State != Proposed {
		return fail(fmt.Errorf("%w: %s is %s", ErrState, id, v.State))
	}
	b, _, err := s.Bundle(ctx, v)
	if err != nil {
		return fail(err)
	}
	answer, err := s.cfg.Approver.Answer(ctx, v)
	if err != nil {
		return fail(err)
	}
	v.State, v.Approval, v.SettledAt = Refused, answer.ID, s.now()
	kind := "authz.domain.refused"
	if answer.Yes {
		follows, err := s.sound(ctx, v, b)
		if err != nil {
			return fail(err)
		}
		if follows != v.Follows {
			return fail(fmt.Errorf("%w: another version of %q came into force meanwhile", ErrState, v.Domain))
		}
		v.State, kind = InForce, "authz.domain.approved"
	}
	ev := s.event(kind, v, v.SettledAt, actor)
	ev.Details["approval"] = answer.ID
	rc, err := s.cfg.Register.MoveVersion(ctx, v, Proposed, ev)
	s.served.forget()
	return v, rc, err
}

// Withdraw ends a version, or a proposal, at once (design law 8); its types are then
// the house's again, which permits nothing about them.
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, id, reason string) (Version, ledger.Receipt, error) {
	fail := func(err error) (Version, ledger.Receipt, error) { return Version{}, ledger.Receipt{}, err }
	v, err := s.cfg.Register.Version(ctx, id)
	if err != nil {
		return fail(err)
	}
	from := v.State
	switch {
	case !owns(actor, v.System, v.Unit):
		return fail(ErrForbidden)
	case reason == "" || len(reason) > maxText || strings.ContainsFunc(reason, unicode.IsControl):
		return fail(fmt.Errorf("%w: a reason is needed", ErrInvalid))
	case from != Proposed && from != InForce:
		return fail(fmt.Errorf("%w: %s is %s", ErrState, id, from))
	}
	v.State, v.EndedBy, v.EndReason, v.EndedAt = Withdrawn, actor.ID, reason, s.now()
	ev := s.event("authz.domain.withdrawn", v, v.EndedAt, actor)
	ev.Details["reason"] = reason
	rc, err := s.cfg.Register.MoveVersion(ctx, v, from, ev)
	s.served.forget()
	return v, rc, err
}

func (s *Service) event(kind string, v Version, at time.Time, actor ledger.Actor) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: at, Actor: actor,
		Object: ledger.Object{Kind: "app_domain", ID: v.ID}, Outcome: ledger.Success, Payload: v.Digest,
		Details: map[string]string{"domain": v.Domain, "system": v.System, "unit": string(v.Unit)},
	}
}
