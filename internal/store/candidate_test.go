package store_test

import (
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/store"
)

// An agency finds its own, stretch by stretch; an unknown caller or type nothing.
func TestCandidates(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r, c := house(t, s), s.Candidates()
		other := system("elsewhere")
		other.Agency = consumer
		_, err := r.Identity.AddSystem(bg, other, event("system", other.ID))
		ok(t, err)
		_, err = r.Sharing.AddResource(bg, resource(t, "r-2"), event("resource", "r-2"))
		ok(t, err)
		_, err = r.Sharing.AddAgreement(bg, agreement("a-1"), event("agreement", "a-1"))
		ok(t, err)
		kept := holding(t, "h-1") // of the consumer
		_, err = r.Sharing.AddHolding(bg, kept, event("holding", "h-1"))
		ok(t, err)
		for _, tc := range []struct {
			caller, kind, after string
			limit               int
			want                []string
		}{
			{"civil-a", "system", "", 9, []string{"civil-a", "civil-b"}},
			{"civil-a", "system", "civil-a", 9, []string{"civil-b"}},
			{"civil-a", "system", "", 1, []string{"civil-a"}},
			{"elsewhere", "system", "", 9, []string{"elsewhere"}},
			{"civil-a", "person", "p-1", 9, []string{"p-2"}},
			{"elsewhere", "person", "", 9, nil},
			{"civil-a", "agency", "", 9, []string{string(provider)}},
			{"nobody", "system", "", 9, nil},
			{"civil-a", "robot", "", 9, nil},
			{"nobody", "resource", "", 9, []string{"r-1", "r-2"}},
			{"civil-a", "resource", "r-1", 9, []string{"r-2"}},
			{"elsewhere", "holding", "", 9, []string{"h-1"}},
			{"civil-a", "holding", "", 9, nil},
		} {
			list := c.Subjects
			if tc.kind == "resource" || tc.kind == "holding" {
				list = c.Resources
			}
			got, err := list(bg, tc.caller, tc.kind, tc.after, tc.limit)
			ok(t, err)
			if !slices.Equal(got, tc.want) {
				t.Errorf("%+v: %v", tc, got)
			}
		}
		got, err := c.Catalogued(bg, []string{"h-1", "none", "r-2"})
		ok(t, err)
		if slices.Sort(got); !slices.Equal(got, []string{"h-1", "r-2"}) {
			t.Errorf("catalogued: %v", got)
		}
		if got, err = c.Catalogued(bg, nil); err != nil || got != nil {
			t.Errorf("of nothing: %v %v", got, err)
		}
	})
}
