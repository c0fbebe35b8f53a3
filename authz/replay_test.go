package authz

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// shelf is an Archive over a map that holds every document to its address.
type shelf struct {
	docs map[string][]byte
	err  error
}

var errGone = errors.New("not on the shelf")

func (s *shelf) Keep(_ context.Context, docs map[string][]byte) error {
	if s.err != nil {
		return s.err
	}
	for sum, raw := range docs {
		if sm3Hex(raw) != sum {
			return errors.New("a document under another's address")
		}
	}
	if s.docs == nil {
		s.docs = map[string][]byte{}
	}
	maps.Copy(s.docs, docs)
	return nil
}

func (s *shelf) Kept(_ context.Context, sum string) ([]byte, error) {
	raw, ok := s.docs[sum]
	if !ok {
		return nil, errGone
	}
	return raw, nil
}

func replayer(t *testing.T) *Replayer {
	t.Helper()
	r, err := NewReplayer(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bodyOf(t *testing.T, ev ledger.Event) []byte {
	t.Helper()
	raw, err := ledger.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Every case of the rule book comes out again byte for byte, in a new engine,
// out of JSON, with no store; also those answered from the memo.
func TestReplayByteForByte(t *testing.T) {
	again := replayer(t)
	for name, c := range allCases(t) {
		p, b := newPDP(t, newWorld(t, c.Facts), nil)
		s := &shelf{}
		p.archive, p.memo.size = s, 8
		caller := ledger.Actor{ID: "b1", Unit: "u", Certificate: "5a", Token: "jti-1"}
		for n := range 2 {
			q := c.request(t)
			if n == 1 { // the same question by a caller: answered from the memo, and named in the record
				q.Caller = caller
			}
			if _, err := p.Decide(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if d := b.events[len(b.events)-1].Details; callerOf(d) != caller || d["request_sm3"] != b.events[0].Details["request_sm3"] {
			t.Errorf("%s: recorded %v", name, d)
		}
		for _, ev := range b.events {
			got, err := again.Replay(t.Context(), bodyOf(t, ev), s)
			if err != nil || !got.Same || len(got.Differs) > 0 || got.Decision.Allow != c.Allow || got.Decision.ID != ev.ID {
				t.Fatalf("%s: %v %v\n%s\n%s", name, err, got.Differs, got.Recorded, got.Again)
			}
		}
		if len(s.docs) != 2 {
			t.Fatalf("%s: %d documents for two equal decisions", name, len(s.docs))
		}
	}
}

// The digest of the facts does not move with the revision: the same facts are
// kept once.
func TestFactsAreKeptByContent(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), nil)
	s := &shelf{}
	p.archive = s
	r := lawful()
	snap, err := p.facts.Load(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		snap.Revision++
		p.facts = fixed{snap}
		if _, err := p.Decide(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.docs) != 2 || b.events[0].Details["facts_revision"] == b.events[2].Details["facts_revision"] {
		t.Fatalf("%d documents", len(s.docs))
	}
	for _, ev := range b.events {
		if got, err := replayer(t).Replay(t.Context(), bodyOf(t, ev), s); err != nil || !got.Same {
			t.Fatalf("%v %v", err, got.Differs)
		}
	}
}

type fixed struct{ snap Snapshot }

func (f fixed) Load(context.Context, Request) (Snapshot, error) { return f.snap, nil }

// Whatever of a record was changed, a replay says so or refuses.
func TestReplayFindsWhatWasChanged(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), nil)
	s := &shelf{}
	p.archive = s
	if _, err := p.Decide(t.Context(), lawful()); err != nil {
		t.Fatal(err)
	}
	good, again := b.events[0], replayer(t)
	for name, tc := range map[string]struct {
		change  func(*ledger.Event)
		differs string
	}{
		"a permit made a denial": {func(e *ledger.Event) {
			e.Decision, e.Outcome, e.Reasons = "deny", ledger.Failure, []string{"E06_agreement.none"}
		}, "decision outcome reasons"},
		"another result":      {func(e *ledger.Event) { e.Details["result_sm3"] = strings.Repeat("0", 64) }, "details.result_sm3"},
		"after the agreement": {func(e *ledger.Event) { e.Time = e.Time.AddDate(2, 0, 0) }, "agreement decision details.guard_core details.reason_details details.result_sm3 label_after outcome reasons"},
		"another target":      {func(e *ledger.Event) { e.Target = "civil-b" }, "target"},
		"another label":       {func(e *ledger.Event) { e.After = "L1/S1A1" }, "label_after"},
		"another actor":       {func(e *ledger.Event) { e.Actor.ID = "civil-b" }, "actor"},
		"a word more":         {func(e *ledger.Event) { e.Details["note"] = "x" }, "details.note"},
	} {
		ev := good
		ev.Details = maps.Clone(good.Details)
		tc.change(&ev)
		got, err := again.Replay(t.Context(), bodyOf(t, ev), s)
		if err != nil || got.Same || strings.Join(got.Differs, " ") != tc.differs {
			t.Errorf("%s: %v %q", name, err, got.Differs)
		}
	}
	for name, tc := range map[string]struct {
		change func(*ledger.Event)
		want   error
	}{
		"a search":    {func(e *ledger.Event) { e.Type = EventSearch }, ErrNotDecision},
		"not judged":  {func(e *ledger.Event) { delete(e.Details, "facts") }, ErrNotJudged},
		"facts gone":  {func(e *ledger.Event) { e.Details["facts"] = strings.Repeat("0", 64) }, errGone},
		"no revision": {func(e *ledger.Event) { e.Details["facts_revision"] = "x" }, nil},
	} {
		ev := good
		ev.Details = maps.Clone(good.Details)
		tc.change(&ev)
		if got, err := again.Replay(t.Context(), bodyOf(t, ev), s); err == nil || got.Same || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	altered := &shelf{docs: maps.Clone(s.docs)}
	altered.docs[good.Details["facts"]] = []byte(strings.Replace(string(s.docs[good.Details["facts"]]), "civil-a", "civil-b", 1))
	if _, err := again.Replay(t.Context(), bodyOf(t, good), altered); !errors.Is(err, ErrAltered) {
		t.Errorf("%v", err)
	}
	if _, err := again.Replay(t.Context(), []byte("{}"), s); !errors.Is(err, ledger.ErrInvalidEvent) {
		t.Errorf("%v", err)
	}
}

// Other rules are no rules for an old decision: which ones is said.
func TestReplayRefusesOtherRules(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), []byte(siteHead+"out := \"deny\" if input.action == \"copy\"\n"))
	s := &shelf{}
	p.archive = s
	if _, err := p.Decide(t.Context(), lawful()); err != nil {
		t.Fatal(err)
	}
	_, err := replayer(t).Replay(t.Context(), bodyOf(t, b.events[0]), s)
	var rules *RulesError
	if !errors.As(err, &rules) || !slices.Equal(slices.Collect(maps.Keys(rules.Recorded)), []string{"site"}) || !strings.Contains(err.Error(), "site") {
		t.Fatal(err)
	}
}

// X14-29: what cannot be kept is not decided.
func TestNoDecisionWithoutItsFacts(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), nil)
	p.archive = &shelf{err: errors.New("disk full")}
	d, err := p.Decide(t.Context(), lawful())
	if !errors.Is(err, ErrRecord) || d.Allow || len(d.Obligations) > 0 || len(b.events) > 0 {
		t.Fatalf("%v %+v", err, d)
	}
}

// What is kept reads back into the same value: JSON loses nothing that the
// guards look at.
func TestSnapshotSurvivesJSON(t *testing.T) {
	for name, c := range allCases(t) {
		p, _ := newPDP(t, newWorld(t, c.Facts), nil)
		snap, err := p.facts.Load(t.Context(), normalise(c.request(t)))
		if err != nil {
			t.Fatal(err)
		}
		sum, raw, err := read(snap)
		if err != nil {
			t.Fatal(err)
		}
		var back Snapshot
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		if again, _, err := read(back); err != nil || again != sum {
			t.Fatalf("%s: %v\n%s", name, err, raw)
		}
	}
}
