package authz

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Archive keeps what decisions were made of. PDP calls it before the decision
// is recorded, so that a recorded decision always has its facts.
type Archive interface {
	// Keep returns once every document is durable, each under the SM3 of its
	// bytes in hex. What is kept already is nothing new.
	Keep(ctx context.Context, docs map[string][]byte) error
}

// Kept is the read side of an Archive.
type Kept interface {
	// Kept returns an error for a document that is not there.
	Kept(ctx context.Context, sm3 string) ([]byte, error)
}

// Outcomes of Replay that callers branch on, beside *RulesError.
var (
	// ErrNotDecision: the entry records something else.
	ErrNotDecision = errors.New("authz: not a decision")
	// ErrNotJudged: refused before any fact was read (malformed, or the store
	// failed), so there is nothing to evaluate again.
	ErrNotJudged = errors.New("authz: the request was refused before it was judged")
	// ErrAltered: a kept document is not the one that was recorded.
	ErrAltered = errors.New("authz: a kept document was altered")
)

// RulesError: the decision was made by other rules than these. Each name
// ("engine", "core", "site") has the digest recorded and the one at hand.
type RulesError struct{ Recorded, Here map[string]string }

func (e *RulesError) Error() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Recorded)) {
		parts = append(parts, fmt.Sprintf("%s %.16s… is not %.16s…", name, e.Recorded[name], e.Here[name]))
	}
	return "authz: the decision was made by other rules: " + strings.Join(parts, ", ")
}

// Replayed is a decision evaluated again.
type Replayed struct {
	Same     bool     // the record comes out byte for byte
	Differs  []string // members of the record that do not: "decision", "details.result_sm3"
	Recorded []byte   // canonical body on the ledger
	Again    []byte   // canonical body of the second evaluation
	Decision Decision // of the second evaluation, without receipt
}

// Replayer evaluates recorded decisions again. It needs no store of facts, no
// clock and no ledger: request and facts come from the archive, the time from
// the record.
type Replayer struct{ pdp *PDP }

// NewReplayer compiles the rules of this program and the officers' module; nil
// is the shipped default.
func NewReplayer(ctx context.Context, site []byte) (*Replayer, error) {
	p, err := New(ctx, Config{Facts: sealed{}, Recorder: sealed{}, Site: site, Now: func() time.Time { return time.Time{} }, Memo: NoMemo})
	if err != nil {
		return nil, err
	}
	return &Replayer{p}, nil
}

// sealed is the outside of a replay: there is none.
type sealed struct{}

var errSealed = errors.New("authz: a replay reads and writes nothing")

func (sealed) Load(context.Context, Request) (Snapshot, error) { return Snapshot{}, errSealed }
func (sealed) Record(context.Context, ledger.Event) (ledger.Receipt, error) {
	return ledger.Receipt{}, errSealed
}

// Recorded is what the entry of a decision says was asked and answered.
type Recorded struct {
	Request Request
	Allow   bool
	At      time.Time
}

// ReadDecision reads the ledger body of a decision with what it was asked.
func ReadDecision(ctx context.Context, body []byte, kept Kept) (Recorded, error) {
	ev, err := ledger.Decode(body)
	if err != nil {
		return Recorded{}, err
	}
	if ev.Type != EventDecision {
		return Recorded{}, fmt.Errorf("%w: %s is %s", ErrNotDecision, ev.ID, ev.Type)
	}
	if ev.Details["facts"] == "" {
		return Recorded{}, fmt.Errorf("%w: %s", ErrNotJudged, ev.ID)
	}
	out := Recorded{Allow: ev.Decision == "allow" && ev.Outcome == ledger.Success, At: ev.Time}
	if err := recall(ctx, kept, ev.Details["request_sm3"], &out.Request); err != nil {
		return Recorded{}, fmt.Errorf("request of %s: %w", ev.ID, err)
	}
	return out, nil
}

// Replay evaluates the decision of a ledger body again and compares the whole
// record: decision, reasons, labels, obligations (by result_sm3), all digests.
func (r *Replayer) Replay(ctx context.Context, body []byte, kept Kept) (Replayed, error) {
	ev, err := ledger.Decode(body)
	if err != nil {
		return Replayed{}, err
	}
	if ev.Type != EventDecision {
		return Replayed{}, fmt.Errorf("%w: %s is %s", ErrNotDecision, ev.ID, ev.Type)
	}
	if err := r.sameRules(ev); err != nil {
		return Replayed{}, err
	}
	if ev.Details["facts"] == "" {
		return Replayed{}, fmt.Errorf("%w: %s", ErrNotJudged, ev.ID)
	}
	var q Request
	var snap Snapshot
	if err := recall(ctx, kept, ev.Details["request_sm3"], &q); err != nil {
		return Replayed{}, fmt.Errorf("request of %s: %w", ev.ID, err)
	}
	if err := recall(ctx, kept, ev.Details["facts"], &snap); err != nil {
		return Replayed{}, fmt.Errorf("facts of %s: %w", ev.ID, err)
	}
	if snap.Revision, err = strconv.ParseInt(ev.Details["facts_revision"], 10, 64); err != nil {
		return Replayed{}, fmt.Errorf("facts of %s: %w", ev.ID, err)
	}
	q.ID, q.Caller = ev.Request, callerOf(ev.Details)
	out := Replayed{Recorded: body, Decision: Decision{ID: ev.ID, At: ev.Time, Digests: r.pdp.digests}}
	w := weighed{view: view{req: q, now: ev.Time}}
	w.question, w.request = asked(q)
	again := r.pdp.conclude(&out.Decision, r.pdp.judged(ctx, w, snap))
	if out.Again, err = ledger.Encode(again); err != nil {
		return Replayed{}, fmt.Errorf("record of the second evaluation: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Replayed{}, err
	}
	same, err := Compared(body, out.Again)
	out.Same, out.Differs = same.Same, same.Differs
	return out, err
}

// Compared holds the body of a record against what came out of a second evaluation.
func Compared(recorded, again []byte) (out Replayed, err error) {
	out = Replayed{Same: bytes.Equal(recorded, again), Recorded: recorded, Again: again}
	out.Differs, err = differing(recorded, again)
	return out, err
}

func (r *Replayer) sameRules(ev ledger.Event) error {
	e := &RulesError{map[string]string{}, map[string]string{}}
	for name, here := range map[string]string{"engine": r.pdp.digests.Engine, "core": r.pdp.digests.Core, "site": r.pdp.digests.Site} {
		if ev.Details[name] != here {
			e.Recorded[name], e.Here[name] = ev.Details[name], here
		}
	}
	if len(e.Recorded) > 0 {
		return e
	}
	return nil
}

// recall reads a kept document and holds it against its digest.
func recall(ctx context.Context, kept Kept, sum string, into any) error {
	raw, err := kept.Kept(ctx, sum)
	if err != nil {
		return err
	}
	if sm3Hex(raw) != sum {
		return fmt.Errorf("%w: %s", ErrAltered, sum)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: %w", ErrAltered, err)
	}
	return nil
}

// differing names the members in which two canonical bodies differ.
func differing(a, b []byte) (out []string, err error) {
	var x, y map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		return nil, err
	}
	names := maps.Clone(x)
	maps.Copy(names, y)
	for name := range names {
		if bytes.Equal(x[name], y[name]) {
			continue
		}
		if name == "details" && x[name] != nil && y[name] != nil {
			inner, err := differing(x[name], y[name])
			if err != nil {
				return nil, err
			}
			for _, n := range inner {
				out = append(out, name+"."+n)
			}
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}
