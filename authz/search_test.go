package authz

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

func asker() ledger.Actor { return ledger.Actor{Kind: "system", ID: "civil-a"} }

// A search answers as the decisions one by one would, and stands on the ledger
// once, with its counts.
func TestSearchAgreesWithDecisions(t *testing.T) {
	m := newWorld(t, nil)
	p, b := newPDP(t, m, nil)
	var resources, systems, actions []string
	for id := range m.ResourceByID {
		resources = append(resources, id)
	}
	for id := range m.SystemByID {
		systems = append(systems, id)
	}
	for _, a := range Actions() {
		actions = append(actions, string(a))
	}
	slices.Sort(resources)
	slices.Sort(systems)
	base := lawful()
	for kind, candidates := range map[SearchKind][]string{SearchResource: resources, SearchSubject: systems, SearchAction: actions} {
		s := Search{Kind: kind, Base: base, Candidates: candidates, Asker: asker()}
		b.events = nil
		got, err := p.Search(t.Context(), s)
		if err != nil || got.Weighed != len(candidates) || len(b.events) != 1 || b.events[0].ID != got.ID {
			t.Fatalf("%s: %v %+v, %d events", kind, err, got, len(b.events))
		}
		var want []string
		for _, c := range candidates {
			d, err := p.Decide(t.Context(), s.question(c))
			if err != nil {
				t.Fatal(err)
			}
			if d.Allow {
				want = append(want, c)
			}
		}
		if !slices.Equal(got.Permitted, want) || len(want) == 0 || len(want) == len(candidates) {
			t.Fatalf("%s: %v, decisions say %v", kind, got.Permitted, want)
		}
	}
}

func TestSearchStopsAtItsLimit(t *testing.T) {
	p, b := newPDP(t, newWorld(t, nil), nil)
	s := Search{Kind: SearchResource, Base: lawful(), Candidates: []string{"nothing", "low-income", "low-income"}, Limit: 1, Asker: asker()}
	got, err := p.Search(t.Context(), s)
	if err != nil || len(got.Permitted) != 1 || got.Weighed != 2 || b.events[0].Details["candidates"] != "2" {
		t.Fatalf("%v %+v", err, got)
	}
}

// X14-29: a search that fails shows nothing, and says so on the ledger.
func TestSearchFailsClosed(t *testing.T) {
	m := newWorld(t, nil)
	p, b := newPDP(t, m, nil)
	s := Search{Kind: SearchResource, Base: lawful(), Candidates: []string{"low-income"}, Asker: asker()}
	m.failOn = "grading"
	if got, err := p.Search(t.Context(), s); !errors.Is(err, ErrFacts) || got.Permitted != nil || b.events[0].Outcome != ledger.Failure {
		t.Fatalf("%v %+v", err, got)
	}
	m.failOn = ""
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := p.Search(ctx, s); err == nil || got.Permitted != nil {
		t.Fatalf("%v %+v", err, got)
	}
	b.err = errors.New("disk full")
	if got, err := p.Search(t.Context(), s); !errors.Is(err, ErrRecord) || got.Permitted != nil {
		t.Fatalf("%v %+v", err, got)
	}
	b.err = nil
	for _, bad := range []string{"\x00", string(make([]byte, maxText+1))} {
		s.Base.Purpose = bad
		if got, err := p.Search(t.Context(), s); !errors.Is(err, ErrMalformed) || got.Permitted != nil {
			t.Fatalf("%v %+v", err, got)
		}
	}
}
