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

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
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
	Archive  Archive          // nil: facts are not kept, and no decision can be replayed
	Site     []byte           // source of the officers' module; nil: the shipped default, which adds no denial
	Now      func() time.Time // required; evaluation time, an input of every rule
	NewID    func() string    // decision ids; nil: UUIDv7
	Timeout  time.Duration    // for each Rego guard; 0: one second
	Memo     int              // results of guard and core to keep, in each of two generations; 0: 8192, about 8 MB; NoMemo: all guards run every time
}

// NoMemo as Config.Memo.
const NoMemo = -1

const defaultMemo = 8192

// PDP is the decision point. It is immutable and safe for concurrent use; a new
// site policy is a new PDP.
type PDP struct {
	facts    Facts
	recorder Recorder
	archive  Archive
	now      func() time.Time
	newID    func() string
	timeout  time.Duration
	table    table
	input    inputBuilder
	core     rego.PreparedEvalQuery
	site     rego.PreparedEvalQuery
	siteAsks bool       // the site rules read their input
	siteSays *[]finding // what site rules that do not say to every question; nil: they are evaluated each time
	digests  Digests    // Facts is empty
	policy   string     // SM3 of the core and site digests
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
		facts: c.Facts, recorder: c.Recorder, archive: c.Archive, now: c.Now, newID: c.NewID,
		timeout: cmp.Or(c.Timeout, time.Second), input: newInputBuilder(), slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		memo: memo{size: max(cmp.Or(c.Memo, defaultMemo), 0)},
	}
	if p.newID == nil {
		p.newID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	files, caps := policies.Files(), sandbox.Capabilities()
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
	site, err := parseSite(name, src)
	if err != nil {
		return nil, err
	}
	p.siteAsks = readsInput(site)
	if p.site, err = prepare(ctx, "x = data.yinxin.site.out", caps, site); err != nil {
		return nil, fmt.Errorf("preparing %s: %w", name, err)
	}
	if !p.siteAsks { // no input, no clock and no data: one answer for all questions
		if x, err := evaluate(ctx, p.site, nil, p.timeout); err == nil {
			said := readSite(x, nil)
			p.siteSays = &said
		}
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
	d := Decision{ID: p.newID(), At: p.clock(), Digests: p.digests}
	if r.ID == "" {
		r.ID = d.ID
	}
	w := p.weigh(ctx, r, d.At)
	ev := p.conclude(&d, w)
	if err := p.keep(ctx, w); err != nil {
		return p.refuse(d, "archive"), fmt.Errorf("%w: %w", ErrRecord, err)
	}
	receipt, err := p.recorder.Record(ctx, ev)
	if errors.Is(err, ledger.ErrInvalidEvent) { // text that no auditor could read: nothing of it is written
		w = w.malformed(d.ID, "text that may not be written")
		receipt, err = p.recorder.Record(ctx, p.conclude(&d, w))
	}
	if err != nil {
		return p.refuse(d, "ledger"), fmt.Errorf("%w: %w", ErrRecord, err)
	}
	d.Receipt = receipt
	return d, w.failed
}

// clock is the time of a decision, as exact as the ledger writes it.
func (p *PDP) clock() time.Time { return p.now().UTC().Truncate(time.Millisecond) }

// weighed is a request with what was read and found for it.
type weighed struct {
	view     view
	found    []finding // none: permitted
	question string    // digest of the request
	facts    string    // digest of the facts; "" when nothing was read
	revision int64
	request  []byte // what question and facts are the digests of
	read     []byte
	failed   error // ErrFacts
}

// malformed is w as far as it may be recorded.
func (w weighed) malformed(id, why string) weighed {
	return weighed{
		view: view{req: Request{ID: id, Action: ActionRead, Caller: w.view.req.Caller}, now: w.view.now}, question: w.question,
		found: []finding{{codeMalformed, why, guardPDP}},
	}
}

// weigh reads the facts of r and evaluates the three guards; nothing is recorded.
func (p *PDP) weigh(ctx context.Context, r Request, now time.Time) weighed {
	r = normalise(r)
	w := weighed{view: view{req: r, now: now}}
	w.question, w.request = asked(r)
	if why := oversized(r); why != "" {
		return w.malformed(r.ID[:min(len(r.ID), maxText)], why)
	}
	snap, err := p.load(ctx, r)
	if err != nil {
		w.failed = fmt.Errorf("%w: %w", ErrFacts, err)
		w.found = []finding{{codeError, "facts", guardPDP}}
		return w
	}
	return p.judged(ctx, w, snap)
}

// judged completes w with what the guards say about snap: all that a replay
// has to do again.
func (p *PDP) judged(ctx context.Context, w weighed, snap Snapshot) weighed {
	var err error
	if w.facts, w.read, err = read(snap); err != nil {
		w.found = []finding{{codeError, "facts", guardPDP}}
	}
	w.view, w.revision = newView(w.view.req, snap, w.view.now), snap.Revision
	w.found = append(w.found, p.judge(ctx, w.view, memoKey{w.facts, w.question})...)
	return w
}

// keep archives what w was made of.
func (p *PDP) keep(ctx context.Context, w weighed) error {
	if p.archive == nil || w.facts == "" {
		return nil
	}
	return p.archive.Keep(ctx, map[string][]byte{w.question: w.request, w.facts: w.read})
}

// conclude completes d from what was found and returns its record. The digest
// of the whole answer stands in it, taken before there is a receipt.
func (p *PDP) conclude(d *Decision, w weighed) ledger.Event {
	d.Digests.Facts, d.Revision = w.facts, w.revision
	d.Reasons = p.reasons(w.found)
	d.Allow = len(w.found) == 0
	d.Obligations = nil
	if d.Allow {
		d.Obligations = w.view.obligations(d.ID)
	}
	result, _, err := canonical(d)
	if err != nil { // texts, times and numbers always have JSON
		result = ""
	}
	return p.event(*d, w, result)
}

// load guards against a Facts that panics: that is a failed store.
func (p *PDP) load(ctx context.Context, r Request) (s Snapshot, err error) {
	defer recovered(&err)
	return p.facts.Load(ctx, r)
}

// judge evaluates the three guards, whatever the first one says, so that a
// person learns everything that stands in the way at once.
func (p *PDP) judge(ctx context.Context, v view, key memoKey) []finding {
	out, known := p.memo.get(key, v.now)
	var in ast.Value // made when somebody reads it
	if !known || p.siteAsks {
		var err error
		if in, err = p.buildInput(v); err != nil {
			return append(p.judgeLevel(v), finding{codeError, "input", guardPDP})
		}
	}
	if ctx.Err() != nil {
		return append(p.judgeLevel(v), finding{codeError, "the caller went away", guardPDP})
	}
	if known && p.siteSays != nil { // nothing to evaluate
		return slices.Concat(out, p.judgeSite(ctx, nil))
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return append(p.judgeLevel(v), finding{codeError, "the caller went away", guardPDP})
	}
	if !known {
		out = append(p.judgeLevel(v), readCore(evaluate(ctx, p.core, in, p.timeout))...)
		p.memo.put(key, memoValue{slices.Clip(out), v.now, v.nextBoundary()})
	}
	return slices.Concat(out, p.judgeSite(ctx, in))
}

func (p *PDP) judgeSite(ctx context.Context, in ast.Value) []finding {
	if p.siteSays != nil {
		return *p.siteSays
	}
	return readSite(evaluate(ctx, p.site, in, p.timeout))
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
	return append(out, v.outOfBounds()...)
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
		{"resource", r.Resource}, {"target", r.Target}, {"purpose", r.Purpose}, {"cited_in", r.CitedIn},
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
