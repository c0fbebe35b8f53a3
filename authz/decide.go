package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/policies"
)

// Outcomes that callers branch on. With either, the Decision is a refusal.
var (
	// ErrFacts: the store failed; the refusal is on the ledger.
	ErrFacts = errors.New("authz: facts could not be read")
	// ErrRecord: the decision could not be recorded, so there is none.
	ErrRecord = errors.New("authz: decision could not be recorded")
	// ErrConfig: New lacks a dependency.
	ErrConfig = errors.New("authz: incomplete configuration")
)

// Config is what a PDP needs.
type Config struct {
	Facts    Facts            // required
	Recorder Recorder         // required
	Site     []byte           // source of the officers' module; nil: the shipped default, which adds no denial
	Now      func() time.Time // required; evaluation time, an input of every rule
	NewID    func() string    // decision ids; nil: UUIDv7
	Timeout  time.Duration    // for each Rego guard; 0: one second
	Memo     int              // results of guard and core to keep; 0: none, all guards run every time
}

// PDP is the decision point. It is immutable and safe for concurrent use; a new
// site policy is a new PDP.
type PDP struct {
	facts    Facts
	recorder Recorder
	now      func() time.Time
	newID    func() string
	timeout  time.Duration
	table    table
	input    inputBuilder
	core     rego.PreparedEvalQuery
	site     rego.PreparedEvalQuery
	digests  Digests // Facts is empty
	policy   string  // SM3 of the core and site digests
	// slots lets one evaluation a core run at a time, so that the time limit
	// measures the policy and not the queue.
	slots chan struct{}
	memo  memo
}

// New compiles the core and the site rules, each in a compiler of its own. It
// returns ErrReasons or ErrPolicy when this program's own rules are unusable,
// and a *GateError when the officers' module is refused: the caller must not
// start without them.
func New(ctx context.Context, c Config) (*PDP, error) {
	if c.Facts == nil || c.Recorder == nil || c.Now == nil {
		return nil, ErrConfig
	}
	p := &PDP{
		facts: c.Facts, recorder: c.Recorder, now: c.Now, newID: c.NewID,
		timeout: cmp.Or(c.Timeout, time.Second), input: newInputBuilder(), slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		memo: memo{size: c.Memo},
	}
	if p.newID == nil {
		p.newID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	files, caps := policies.Files(), capabilities()
	var err error
	if p.table, err = loadTable(files); err != nil {
		return nil, err
	}
	mods, coreDigest, err := coreModules(files, caps)
	if err != nil {
		return nil, err
	}
	if p.core, err = prepare(ctx, "x = data.yinxin.core.deny", caps, mods...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	name, src := "site.rego", c.Site
	if src == nil {
		name = "site/default.rego"
		if src, err = files.ReadFile(name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
		}
	}
	site, err := parseSite(name, src, caps)
	if err != nil {
		return nil, err
	}
	if p.site, err = prepare(ctx, "x = data.yinxin.site.out", caps, site); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", name, err)
	}
	p.digests = Digests{Core: coreDigest, Site: digest(src)}
	if p.digests.Engine, err = engineDigest(caps); err != nil {
		return nil, err
	}
	p.policy = digest([]byte(p.digests.Core), []byte(p.digests.Site))
	return p, nil
}

// Decide answers r. All three guards are always evaluated and all their
// reasons collected; the answer is on the ledger before it is returned. An
// error never comes with Allow.
func (p *PDP) Decide(ctx context.Context, r Request) (Decision, error) {
	d := Decision{ID: p.newID(), At: p.now().UTC().Truncate(time.Millisecond), Digests: p.digests}
	if r.ID == "" {
		r.ID = d.ID
	}
	r = normalise(r)
	v := view{req: r, now: d.At}
	question := asked(r)
	var found []finding
	var failed error
	revision := int64(0)
	if why := oversized(r); why != "" {
		v.req = Request{ID: d.ID, Action: ActionRead}
		found = []finding{{codeMalformed, why, guardPDP}}
	} else if snap, err := p.load(ctx, r); err != nil {
		failed = fmt.Errorf("%w: %w", ErrFacts, err)
		found = []finding{{codeError, "facts", guardPDP}}
	} else {
		v, revision = newView(r, snap, d.At), snap.Revision
		if d.Digests.Facts, err = canonical(snap); err != nil {
			found = []finding{{codeError, "facts", guardPDP}}
		}
		found = append(found, p.judge(ctx, v, memoKey{d.Digests.Facts, question})...)
	}
	d.Reasons = p.reasons(found)
	d.Allow = len(found) == 0
	if d.Allow {
		d.Obligations = v.obligations(d.ID)
	}
	receipt, err := p.recorder.Record(ctx, p.event(d, v, found, question, revision))
	if err != nil {
		return p.refuse(d, "ledger"), fmt.Errorf("%w: %w", ErrRecord, err)
	}
	d.Receipt = receipt
	return d, failed
}

// load guards against a Facts that panics: that is a failed store.
func (p *PDP) load(ctx context.Context, r Request) (s Snapshot, err error) {
	defer recovered(&err)
	return p.facts.Load(ctx, r)
}

// judge evaluates the three guards, whatever the first one says, so that a
// person learns everything that stands in the way at once.
func (p *PDP) judge(ctx context.Context, v view, key memoKey) []finding {
	in, err := p.buildInput(v)
	if err != nil {
		return append(p.judgeLevel(v), finding{codeError, "input", guardPDP})
	}
	if ctx.Err() != nil {
		return append(p.judgeLevel(v), finding{codeError, "the caller went away", guardPDP})
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return append(p.judgeLevel(v), finding{codeError, "the caller went away", guardPDP})
	}
	out, known := p.memo.get(key, v.now)
	if !known {
		out = append(p.judgeLevel(v), readCore(evaluate(ctx, p.core, in, p.timeout))...)
		p.memo.put(key, memoValue{slices.Clip(out), v.now, v.nextBoundary()})
	}
	return slices.Concat(out, readSite(evaluate(ctx, p.site, in, p.timeout)))
}

func (p *PDP) judgeLevel(v view) (out []finding) {
	var err error
	defer func() {
		if err != nil {
			out = []finding{{codeError, "level", guardLevel}}
		}
	}()
	defer recovered(&err)
	for _, f := range level.Check(v.question()) {
		out = append(out, finding{f.Code, f.Detail, guardLevel})
	}
	return out
}

func (p *PDP) buildInput(v view) (in ast.Value, err error) {
	defer recovered(&err)
	return p.input.build(v), nil
}

// reasons joins what the guards found: the sealed guard's wording wins over the
// core's for the same code, and each code and detail stands once.
func (p *PDP) reasons(found []finding) []Reason {
	byLevel := map[string]bool{}
	for _, f := range found {
		if f.guard == guardLevel {
			byLevel[f.code] = true
		}
	}
	var out []Reason
	for _, f := range found {
		if f.guard == guardLevel || !byLevel[f.code] {
			out = append(out, p.table.reason(f))
		}
	}
	slices.SortFunc(out, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Detail, b.Detail))
	})
	return slices.CompactFunc(out, func(a, b Reason) bool { return a.Code == b.Code && a.Detail == b.Detail })
}

// refuse withdraws whatever d said.
func (p *PDP) refuse(d Decision, why string) Decision {
	d.Allow, d.Obligations = false, nil
	d.Reasons = append(d.Reasons, p.table.reason(finding{codeError, why, guardPDP}))
	return d
}

// Bounds of a request; beyond them nothing is looked up.
const (
	maxText  = 256
	maxList  = 64
	maxItems = 1024
)

// oversized names the first part of r that is out of bounds.
func oversized(r Request) string {
	for _, part := range [][2]string{
		{"id", r.ID}, {"subject_type", r.SubjectType}, {"subject_id", r.SubjectID}, {"action", string(r.Action)},
		{"resource", r.Resource}, {"target", r.Target}, {"purpose", r.Purpose},
	} {
		if tooLong(part[1]) {
			return part[0]
		}
	}
	if r.TargetLabel != nil && len(r.TargetLabel.Tags) > maxList {
		return "target_label"
	}
	if len(r.Sources) > maxList || slices.ContainsFunc(r.Sources, tooLong) {
		return "sources"
	}
	if len(r.Carriers) > maxList || slices.ContainsFunc(r.Carriers, tooLong) {
		return "carriers"
	}
	if len(r.Fields) > maxItems || slices.ContainsFunc(r.Fields, tooLong) {
		return "fields"
	}
	return ""
}

func tooLong(s string) bool { return len(s) > maxText }
