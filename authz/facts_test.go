package authz

import (
	"errors"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/level"
)

func TestFactsOfARequest(t *testing.T) {
	m := newWorld(t, nil)
	f := NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m})
	s, err := f.Load(t.Context(), Request{
		SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionForward, Resource: "copy-a", Target: "civil-b",
		Sources: []string{"streets", "ghost-source"}, Carriers: []string{"hub", "ghost-hub"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Revision != 7 || s.Subject.Agency.USCC != "A" || s.Target.Agency.USCC != "B" || s.Item.Holding.ID != "copy-a" ||
		s.Item.Resource.ID != "low-income" || len(s.Sources) != 1 || len(s.Carriers) != 1 {
		t.Fatalf("%+v", s)
	}
	if !slices.Equal(s.Missing, []string{"ghost-hub", "ghost-source"}) {
		t.Fatalf("missing %v", s.Missing)
	}
	var ids []string
	for _, a := range s.Agreements {
		ids = append(ids, a.ID)
		for _, seal := range a.Seals {
			if seal.CertDER != nil {
				t.Error("certificates are no facts of a decision")
			}
		}
	}
	if !slices.Equal(ids, []string{"ag-a", "ag-b"}) {
		t.Fatalf("agreements %v", ids)
	}
}

func TestFactsOfARegrade(t *testing.T) {
	m := newWorld(t, map[string]any{"holdings": map[string]any{"copy-a": map[string]any{"resource": "gone"}}})
	f := NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m})
	s, err := f.Load(t.Context(), Request{SubjectType: SubjectPerson, SubjectID: "clerk-a", Action: ActionRegrade, Target: "civil-a"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Holdings) != 2 || s.Item != nil || s.Subject.Person.ID != "clerk-a" || len(s.Subject.Posts) != 1 {
		t.Fatalf("%+v", s)
	}
	// A copy whose resource left the catalogue still counts by its own label.
	if l := s.Holdings[0].Label(); l.String() != "L3/S3A3[personal]" {
		t.Fatal(l)
	}
}

// An unknown id is a fact; a store that fails is an error.
func TestFactsReportAFailedStore(t *testing.T) {
	r := Request{SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionRead, Resource: "copy-a", Carriers: []string{"hub"}, CitedIn: "doc-1"}
	for _, part := range []string{"revision", "system", "agency", "bound", "grading", "resource", "holding", "standing", "quotes"} {
		m := newWorld(t, nil)
		m.failOn = part
		if _, err := NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m}).Load(t.Context(), r); !errors.Is(err, errStore) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

// A copy follows its resource up, never down.
func TestLabelOfACopy(t *testing.T) {
	low, high := level.Label{Level: 1, RequiredS: 1, RequiredA: 1}, level.Label{Level: 3, RequiredS: 3, RequiredA: 3}
	m := newWorld(t, nil)
	h := m.HoldingByID["copy-a"]
	it := Item{Resource: m.ResourceByID["low-income"], Holding: &h}
	for _, tc := range []struct{ copy, resource level.Label }{{low, high}, {high, low}} {
		it.Holding.Label, it.Resource.Label = tc.copy, tc.resource
		if it.Label().String() != "L3/S3A3" {
			t.Errorf("%+v: %v", tc, it.Label())
		}
	}
	it.Holding.Label = level.Label{}
	if it.Label().String() != level.Strictest().String() {
		t.Error("a copy without a label is not the strictest")
	}
}
