package exchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// KeepRequest registers what a system made of copies that it keeps: derived of one,
// merged of several.
type KeepRequest struct {
	Sources []string // holdings of the system
	Purpose string
	Label   *level.Label // nil: that of the sources
	Payload string       // SM3
	Until   time.Time    // sooner than the sources' own end
}

// ErrKeep: a copy without sources, content or an end that its sources allow.
var ErrKeep = errors.New("exchange: what is to be kept is not complete")

// maxSources is the decision point's.
const maxSources = 64

// Keep asks for the decision and registers the copy with its sources, so that its
// lineage is known from the first day (西政办发〔2011〕8号 art. 30-31). It never lasts
// longer than a source.
func (s *Service) Keep(ctx context.Context, actor ledger.Actor, k KeepRequest) (sharing.Holding, authz.Decision, error) {
	sum, err := hex.DecodeString(k.Payload)
	if err != nil || len(sum) != 32 || hex.EncodeToString(sum) != k.Payload || len(k.Sources) == 0 || len(k.Sources) > maxSources || actor.Kind != authz.SubjectSystem {
		return sharing.Holding{}, authz.Decision{}, ErrKeep
	}
	k.Sources = slices.Compact(slices.Sorted(slices.Values(k.Sources)))
	for range decisions - 1 {
		h, dec, err := s.keep(ctx, actor, k)
		if !errors.Is(err, sharing.ErrStale) {
			return h, dec, err
		}
	}
	return s.keep(ctx, actor, k)
}

func (s *Service) keep(ctx context.Context, actor ledger.Actor, k KeepRequest) (sharing.Holding, authz.Decision, error) {
	fail := func(dec authz.Decision, err error) (sharing.Holding, authz.Decision, error) {
		return sharing.Holding{}, dec, err
	}
	var first sharing.Holding
	until := k.Until.UTC().Truncate(time.Millisecond)
	for i, id := range k.Sources {
		h, err := s.cfg.Catalogue.Holding(ctx, id)
		if err == nil && h.System != actor.ID {
			err = fmt.Errorf("%w: holding", sharing.ErrNotFound)
		}
		if err != nil {
			return fail(authz.Decision{}, fmt.Errorf("exchange: source: %w", err))
		}
		if i == 0 {
			first = h
		}
		until = earlier(until, h.Until)
	}
	action := authz.ActionDerive
	if len(k.Sources) > 1 {
		action = authz.ActionMerge
	}
	dec, err := s.cfg.Decider.Decide(ctx, authz.Request{
		SubjectType: authz.SubjectSystem, SubjectID: actor.ID, Action: action, Resource: k.Sources[0], Sources: k.Sources[1:], Target: actor.ID,
		TargetLabel: k.Label, Purpose: k.Purpose, Caller: actor,
	})
	if err != nil {
		return fail(dec, fmt.Errorf("exchange: decide: %w", err))
	}
	if !dec.Allow {
		return fail(dec, &DeniedError{dec})
	}
	label, err := obliged(dec)
	if err != nil {
		return fail(dec, err)
	}
	if k.Label != nil { // a system may raise what it makes
		label = level.Join(label, *k.Label)
	}
	h := sharing.Holding{
		ID: s.cfg.NewID(), System: actor.ID, Agency: first.Agency, Resource: first.Resource, Agreement: first.Agreement, Sources: k.Sources, Label: label,
		Payload: k.Payload, At: s.now(), Until: until, Facts: dec.Revision,
	}
	if !until.IsZero() && !until.After(h.At) {
		return fail(dec, ErrKeep)
	}
	rcpt, err := s.cfg.Catalogue.AddHolding(ctx, h, ledger.Event{
		ID: s.cfg.NewID(), Type: "sharing.holding.registered", Class: ledger.ClassAccess, Time: h.At, Actor: actor,
		Object: ledger.Object{Kind: "holding", ID: h.ID}, Action: string(action), Purpose: k.Purpose, Outcome: ledger.Success,
		Target: h.System, Agreement: h.Agreement, Payload: h.Payload, After: h.Label.String(), Details: map[string]string{"resource": h.Resource, "decision": dec.ID},
	})
	if err != nil && !committed(rcpt) {
		return fail(dec, fmt.Errorf("exchange: register holding: %w", err))
	}
	return h, dec, nil
}
