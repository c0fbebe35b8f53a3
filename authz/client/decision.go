package client

import (
	"context"
	"fmt"
	"slices"
)

// Entity is a subject or a resource. Facts about either come from the decision
// point's own registers: Properties of a shared resource are not believed.
type Entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
}

// Types of the house: systems, persons and agencies ask, for shared resources.
const (
	System   = "system"
	Person   = "person"
	Agency   = "agency"
	Resource = "resource"
)

// Action is what the subject wants to do: "read", "copy", …
type Action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitempty"`
}

// Request is one question.
type Request struct {
	Subject  Entity         `json:"subject"`
	Action   Action         `json:"action"`
	Resource Entity         `json:"resource"`
	Context  map[string]any `json:"context,omitempty"` // purpose, fields, target_system, target_label, sources, carriers, new_grade, cited_in
	// ID is the X-Request-ID, which stands in the record; not for one of several.
	ID string `json:"-"`
}

// Reason is one ground of a denial.
type Reason struct {
	Code    string   `json:"code"`    // "E10_label_lowered": stable
	Clauses []string `json:"clauses"` // of the regulations, by row: "X11-30"
	Field   string   `json:"field"`   // what would have to change
	Detail  string   `json:"detail,omitempty"`
	Zh      string   `json:"zh"`
	En      string   `json:"en"`
	FixZh   string   `json:"fix_zh"`
	FixEn   string   `json:"fix_en"`
	Guard   string   `json:"guard"`
}

// Obligation binds who was permitted. Who cannot fulfil one must not use the permit.
type Obligation struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Kinds of obligations.
const (
	Label     = "label"     // stamp the copy with this label
	Watermark = "watermark" // mark what is shown
	Expiry    = "expiry"    // delete it by then
	Fields    = "fields"    // give these and no others
	Mask      = "mask"      // "how item": give this item hidden, as a hash or partial only
	Citation  = "citation"  // name the source
)

// Digests name the rules and facts behind a decision, SM3 in hex.
type Digests struct {
	Engine string `json:"engine"`
	Core   string `json:"core"`
	Site   string `json:"site"`
	Facts  string `json:"facts"`
}

// Position is where a decision stands on the ledger.
type Position struct {
	Shard uint32 `json:"shard"`
	Seq   uint64 `json:"seq"`
}

// Decision is the answer; the zero value denies.
type Decision struct {
	Allow       bool
	ID          string // of the entry on the ledger
	Reasons     []Reason
	Obligations []Obligation
	Digests     Digests
	Ledger      Position
	// Err is why one of several questions could not be decided; it was not.
	Err error
}

// Permits reports whether it allows and binds to nothing but these kinds of
// obligations, which the caller fulfils.
func (d Decision) Permits(fulfilled ...string) bool {
	return d.Allow && d.Err == nil && !slices.ContainsFunc(d.Obligations, func(o Obligation) bool { return !slices.Contains(fulfilled, o.Kind) })
}

// answer is a decision on the wire. A member that is not there is no permit.
type answer struct {
	Decision *bool `json:"decision"`
	Context  struct {
		ID          string       `json:"id"`
		Reasons     []Reason     `json:"reasons"`
		Obligations []Obligation `json:"obligations"`
		Digests     Digests      `json:"digests"`
		Ledger      Position     `json:"ledger"`
		Error       *Error       `json:"error"`
	} `json:"context"`
}

func (a answer) decision() (Decision, error) {
	if a.Decision == nil {
		return Decision{}, fmt.Errorf("%w: the answer has no decision", ErrUnavailable)
	}
	c := a.Context
	d := Decision{Allow: *a.Decision, ID: c.ID, Reasons: c.Reasons, Obligations: c.Obligations, Digests: c.Digests, Ledger: c.Ledger}
	if c.Error != nil {
		d.Allow, d.Err = false, c.Error
	}
	return d, nil
}

// Evaluate asks one question.
func (c *Client) Evaluate(ctx context.Context, r Request) (Decision, error) {
	var a answer
	if err := c.ask(ctx, "/access/v1/evaluation", r.ID, r, &a); err != nil {
		return Decision{}, err
	}
	return a.decision()
}

// Semantic says when a batch stops.
type Semantic string

// Semantics of the standard.
const (
	ExecuteAll          Semantic = "execute_all"
	DenyOnFirstDeny     Semantic = "deny_on_first_deny"
	PermitOnFirstPermit Semantic = "permit_on_first_permit"
)

// EvaluateAll asks several questions at once. It returns a Decision for each, in
// order; those that a semantic left out are denials with ErrUnavailable. The house
// takes 256 at once.
func (c *Client) EvaluateAll(ctx context.Context, all []Request, s Semantic) ([]Decision, error) {
	out := make([]Decision, len(all))
	for i := range out {
		out[i].Err = fmt.Errorf("%w: not evaluated", ErrUnavailable)
	}
	if len(all) == 0 { // the standard makes one question of an empty list
		return out, nil
	}
	in := map[string]any{"evaluations": all, "options": map[string]any{"evaluations_semantic": s}}
	var told struct {
		Evaluations []answer `json:"evaluations"`
	}
	if err := c.ask(ctx, "/access/v1/evaluations", "", in, &told); err != nil {
		return out, err
	}
	n := len(told.Evaluations)
	if n == 0 || n > len(all) || n < len(all) && s == ExecuteAll {
		return out, fmt.Errorf("%w: %d answers to %d questions", ErrUnavailable, n, len(all))
	}
	got := make([]Decision, n)
	for i, a := range told.Evaluations {
		d, err := a.decision()
		if err != nil {
			return out, err
		}
		got[i] = d
	}
	copy(out, got)
	return out, nil
}
