package domain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

// Outcomes of Replay that callers branch on.
var (
	ErrNotDecision = errors.New("domain: not a decision of a domain")
	ErrNotJudged   = errors.New("domain: the policy gave no answer, so there is nothing to evaluate again")
	ErrAltered     = errors.New("domain: a kept document was altered")
	ErrEngine      = errors.New("domain: the decision was made by another evaluator")
)

// Kept is what Replay reads.
type Kept interface {
	Kept(ctx context.Context, sm3 string) ([]byte, error)
}

// Bundles finds a bundle by its digest.
type Bundles interface {
	Bundle(ctx context.Context, digest string) ([]byte, error)
}

// Replay evaluates the recorded decision of a domain again, by the bundle and the
// input of its digests, and returns the canonical body that comes out: the same bytes
// where nothing was altered.
func Replay(ctx context.Context, cfg sandbox.Config, body []byte, kept Kept, bundles Bundles) (again []byte, d Decision, err error) {
	ev, err := ledger.Decode(body)
	if err != nil {
		return nil, d, err
	}
	if ev.Type != EventDecision {
		return nil, d, fmt.Errorf("%w: %s is %s", ErrNotDecision, ev.ID, ev.Type)
	}
	engine, err := sandbox.Engine()
	switch {
	case err != nil:
		return nil, d, err
	case ev.Details["engine"] != engine:
		return nil, d, fmt.Errorf("%w: %.16s… is not %.16s…", ErrEngine, ev.Details["engine"], engine)
	case ev.Details["input_sm3"] == "" || len(ev.Reasons) > 0 && ev.Reasons[0] == CodeError:
		return nil, d, fmt.Errorf("%w: %s", ErrNotJudged, ev.ID)
	}
	b, err := recall(ctx, ev.Policy, bundles)
	if err != nil {
		return nil, d, err
	}
	raw, err := kept.Kept(ctx, ev.Details["input_sm3"])
	if err != nil {
		return nil, d, err
	}
	var in input
	if sum(raw) != ev.Details["input_sm3"] || json.Unmarshal(raw, &in) != nil {
		return nil, d, fmt.Errorf("%w: input of %s", ErrAltered, ev.ID)
	}
	w, err := b.evaluate(ctx, cfg, raw)
	if err != nil {
		return nil, d, err
	}
	d = Decision{ID: ev.ID, At: ev.Time, Engine: engine, Bundle: ev.Policy}
	d.conclude(w)
	out := d.event(Version{ID: ev.Object.ID, Domain: b.Domain, Digest: ev.Policy}, Question{
		ID: ev.Request, Caller: ev.Actor, SubjectType: in.Subject.Type, Subject: in.Subject.ID, Action: in.Action.Name, ResourceType: in.Resource.Type, Resource: in.Resource.ID,
	})
	again, err = ledger.Encode(out)
	return again, d, err
}

func recall(ctx context.Context, digest string, bundles Bundles) (Bundle, error) {
	raw, err := bundles.Bundle(ctx, digest)
	if err != nil {
		return Bundle{}, err
	}
	b, err := Parse(raw)
	if err != nil || b.Digest() != digest {
		return Bundle{}, fmt.Errorf("%w: bundle %s", ErrAltered, digest)
	}
	return b, nil
}

// evaluate runs one input in a child of its own.
func (b Bundle) evaluate(ctx context.Context, cfg sandbox.Config, in []byte) (w weighed, err error) {
	src, err := b.source()
	if err != nil {
		return w, err
	}
	run, err := sandbox.New(cfg, src)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	results, err := run.Eval(ctx, in)
	if err != nil {
		return w, err
	}
	return weighed{input: in}.read(results), nil
}
