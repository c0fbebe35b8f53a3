package authz

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/policies"
)

func lawful() Request {
	return Request{
		ID: "req-1", SubjectType: SubjectSystem, SubjectID: "civil-p", Action: ActionForward, Resource: "low-income",
		Target: "civil-a", Purpose: "relief", Fields: []string{"name"}, Carriers: []string{"hub"},
	}
}

func TestPermitBindsAndIsRecorded(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), nil)
	d, err := p.Decide(t.Context(), lawful())
	if err != nil || !d.Allow || len(d.Reasons) > 0 {
		t.Fatalf("%v %+v", err, d)
	}
	want := []Obligation{
		{ObligeLabel, "L3/S3A3[personal]"}, {ObligeWatermark, "样例区人社局 " + d.ID},
		{ObligeExpiry, "2027-01-01T00:00:00Z"}, {ObligeFields, "name"},
	}
	if !slices.Equal(d.Obligations, want) {
		t.Fatalf("%+v", d.Obligations)
	}
	ev := b.events[0]
	if ev.ID != d.ID || ev.Agreement != "ag-a" || ev.Target != "civil-a" || ev.Request != "req-1" || ev.Purpose != "relief" ||
		ev.Before != "L3/S3A3[personal]" || ev.After != ev.Before || ev.Policy != p.policy || ev.Actor.Unit != "P" ||
		ev.Details["facts"] != d.Digests.Facts || ev.Details["core"] != d.Digests.Core || ev.Details["facts_revision"] != "7" {
		t.Fatalf("%+v", ev)
	}
	for _, sum := range []string{d.Digests.Engine, d.Digests.Core, d.Digests.Site, d.Digests.Facts, ev.Policy, ev.Details["request_sm3"]} {
		if len(sum) != 64 {
			t.Fatalf("digest %q", sum)
		}
	}
	if d.Receipt.EntryID != d.ID {
		t.Fatalf("%+v", d.Receipt)
	}
}

// BJ17-19b: whoever cites shared information needs consent and a source note.
func TestCitationUnderBeijing2017(t *testing.T) {
	p, _ := newPDP(t, newWorld(t, nil), nil)
	d, err := p.Decide(t.Context(), Request{SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionRead, Resource: "relief-2017", Purpose: "relief"})
	if err != nil || !slices.Contains(d.Obligations, Obligation{ObligeCitation, "relief-2017 P"}) || !slices.Contains(d.Obligations, Obligation{ObligeFields, "amount,year"}) {
		t.Fatalf("%v %+v", err, d)
	}
}

// All reasons of all guards at once, each with its texts and what was compared.
func TestAllReasonsAreCollected(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), []byte(siteHead+"out := \"deny\" if true\n"))
	low, err := level.New(1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := lawful()
	r.Target, r.TargetLabel, r.Purpose, r.Carriers = "civil-b", &low, "pension", []string{"hub-2"}
	d, err := p.Decide(t.Context(), r)
	if err != nil || d.Allow || len(d.Obligations) > 0 {
		t.Fatalf("%v %+v", err, d)
	}
	details := map[string]string{}
	for _, reason := range d.Reasons {
		details[reason.Code] = reason.Detail
		if reason.Zh == "" || reason.En == "" || reason.FixZh == "" || reason.FixEn == "" || len(reason.Clauses) == 0 || reason.Guard == "" {
			t.Errorf("%+v", reason)
		}
	}
	want := map[string]string{
		"E06_agreement.purpose": "ag-b / pension", "E10_label_lowered": "L1/S1A1 < L3/S3A3[personal]",
		"E12_target_system": "civil-b: S2A2 < S3A3", "E13_carrier": "hub-2: S2A2 < S3A3", "E17_purpose_not_duty": "pension", "E91_site_denied": "deny",
	}
	if !reflect.DeepEqual(details, want) {
		t.Fatalf("%v", details)
	}
	ev := b.events[0]
	if ev.Details["guard_level"] != "deny" || ev.Details["guard_core"] != "deny" || ev.Details["guard_site"] != "deny" || ev.After != "L1/S1A1" {
		t.Fatalf("%+v", ev)
	}
}

// failing is a Facts that fails in the ways a store can.
type failing struct{ how string }

func (f failing) Load(context.Context, Request) (Snapshot, error) {
	if f.how == "panic" {
		panic("index out of range")
	}
	return Snapshot{}, errStore
}

// X14-29: whatever fails, the answer is no.
func TestFailClosed(t *testing.T) {
	m := newWorld(t, nil)
	for _, how := range []string{"error", "panic"} {
		b := &book{}
		p, err := New(t.Context(), Config{Facts: failing{how}, Recorder: b, Now: func() time.Time { return m.Now }})
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Decide(t.Context(), lawful())
		if !errors.Is(err, ErrFacts) || d.Allow || d.Reasons[0].Code != codeError || len(b.events) != 1 {
			t.Fatalf("%s: %v %+v", how, err, d)
		}
	}
	t.Run("ledger", func(t *testing.T) {
		p, b := newPDP(t, m, nil)
		b.err = errors.New("disk full")
		d, err := p.Decide(t.Context(), lawful())
		if !errors.Is(err, ErrRecord) || d.Allow || len(d.Obligations) > 0 || len(d.Reasons) != 1 || d.Reasons[0].Code != codeError {
			t.Fatalf("%v %+v", err, d)
		}
	})
	t.Run("caller gone", func(t *testing.T) {
		p, _ := newPDP(t, m, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if d, _ := p.Decide(ctx, lawful()); d.Allow {
			t.Fatalf("%+v", d)
		}
	})
	t.Run("a guard panics", func(t *testing.T) {
		p, _ := newPDP(t, m, nil)
		p.input.keys = nil
		d, err := p.Decide(t.Context(), lawful())
		if d.Allow || err != nil || !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Code == codeError }) {
			t.Fatalf("%v %+v", err, d)
		}
	})
	t.Run("undefined core", func(t *testing.T) {
		for _, x := range []any{nil, true, "permit", map[string]any{}, []any{1}} {
			if fs := readCore(x, nil); len(fs) == 0 {
				t.Fatalf("%v permits", x)
			}
		}
		for _, x := range []any{nil, true, 1, "Permit", "permit ", []any{"permit"}} {
			if fs := readSite(x, nil); len(fs) == 0 {
				t.Fatalf("%v permits", x)
			}
		}
	})
}

func TestMalformedRequests(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for name, change := range map[string]func(*Request){
		"id":       func(r *Request) { r.ID = long },
		"resource": func(r *Request) { r.Resource = long },
		"sources":  func(r *Request) { r.Sources = make([]string, maxList+1) },
		"carriers": func(r *Request) { r.Carriers = []string{long} },
		"fields":   func(r *Request) { r.Fields = make([]string, maxItems+1) },
		"control":  func(r *Request) { r.Resource = "a\x00b" },
		"reversed": func(r *Request) { r.Purpose = "\u202eabc" },
		"label":    func(r *Request) { r.TargetLabel = &level.Label{Tags: make([]level.Tag, maxList+1)} },
	} {
		p, b := newPDP(t, newWorld(t, nil), nil)
		r := lawful()
		change(&r)
		d, err := p.Decide(t.Context(), r)
		if err != nil || d.Allow || d.Reasons[0].Code != codeMalformed || len(b.events) != 1 || len(b.events[0].Object.ID) > maxText {
			t.Errorf("%s: %v %+v", name, err, d)
		}
	}
}

// A snapshot of something else than was asked for is a snapshot of nothing.
func TestFactsAreMatchedByID(t *testing.T) {
	p, _ := newPDP(t, newWorld(t, nil), nil)
	snap, err := p.facts.Load(t.Context(), lawful())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Request){
		"subject":  func(r *Request) { r.SubjectID = "civil-a" },
		"kind":     func(r *Request) { r.SubjectType = SubjectAgency },
		"resource": func(r *Request) { r.Resource = "streets" },
		"target":   func(r *Request) { r.Target = "civil-b3" },
		"carrier":  func(r *Request) { r.Carriers = []string{"hub-3"} },
		"source":   func(r *Request) { r.Sources = []string{"streets"} },
	} {
		r := lawful()
		change(&r)
		if fs := p.judge(t.Context(), newView(r, snap, p.now()), memoKey{}); len(fs) == 0 {
			t.Errorf("%s: permitted on the facts of another", name)
		}
	}
}

// Same request, facts and time: same reasons, obligations and digests.
func TestDecisionIsDeterministic(t *testing.T) {
	for name, c := range allCases(t) {
		var first Decision
		for i := range 3 {
			p, _ := newPDP(t, newWorld(t, c.Facts), nil)
			p.newID = func() string { return "same" }
			d, err := p.Decide(t.Context(), c.request(t))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = d
			} else if !reflect.DeepEqual(first, d) {
				t.Fatalf("%s: %+v\n%+v", name, first, d)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(t.Context(), Config{}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	_, err := tryPDP(t, newWorld(t, nil), []byte("package yinxin.core\n"))
	var refused *GateError
	if !errors.As(err, &refused) {
		t.Error(err)
	}
}

// Every path that a core rule reads is in the input that Go builds: a rule on
// a missing key would be silent, and silence permits.
func TestCoreReadsOnlyWhatIsBuilt(t *testing.T) {
	p, _ := newPDP(t, newWorld(t, nil), nil)
	r := lawful()
	snap, err := p.facts.Load(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	in := p.input.build(newView(r, snap, p.now()))
	mods, _, err := coreModules(policies.Files(), sandbox.Capabilities())
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, m := range mods {
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if !ref.HasPrefix(ast.InputRootRef) {
				return false
			}
			path := ref[1:]
			if i := slices.IndexFunc(path, func(t *ast.Term) bool { _, text := t.Value.(ast.String); return !text }); i >= 0 {
				path = path[:i]
			}
			read++
			if _, err := in.Find(path); err != nil {
				t.Errorf("%s: nobody builds %s", ref[0].Location, ref)
			}
			return false
		})
	}
	if read < 80 {
		t.Fatalf("only %d reads seen", read)
	}
}

func ExamplePDP_Decide() {
	t := &testing.T{}
	m := newWorld(t, nil)
	p, err := New(context.Background(), Config{
		Facts:    NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m}),
		Recorder: &book{}, Now: func() time.Time { return m.Now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := p.Decide(context.Background(), Request{
		SubjectType: SubjectSystem, SubjectID: "civil-p", Action: ActionForward,
		Resource: "low-income", Target: "civil-b", Purpose: "relief",
	})
	fmt.Println(d.Allow, err)
	for _, r := range d.Reasons {
		fmt.Println(r.Code, r.Clauses, r.Detail)
	}
	// Output:
	// false <nil>
	// E12_target_system [X11-30 X14-30] civil-b: S2A2 < S3A3
}
