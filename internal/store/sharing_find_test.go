package store_test

import (
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/store"
)

// A clerk looks for what is to be quoted; a sign of patterns is a letter.
func TestFindResources(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		for id, name := range map[string]string{"r-2": "殡葬名单", "r-3": "殡葬统计100%", "r-4": `a_b\c`} {
			one := resource(t, id)
			one.Name = name
			_, err := r.Sharing.AddResource(bg, one, event("resource", id))
			ok(t, err)
		}
		for text, want := range map[string][]string{
			"殡葬": {"r-2", "r-3"}, "r-3": {"r-3"}, "100%": {"r-3"}, "%": {"r-3"}, "_": {"r-4"}, `\`: {"r-4"}, "没有": nil, "r-": nil, "' OR 1=1 --": nil,
		} {
			got, err := r.Sharing.FindResources(bg, text, 9)
			ok(t, err)
			var ids []string
			for _, one := range got {
				ids = append(ids, one.ID)
			}
			if slices.Sort(ids); !slices.Equal(ids, want) {
				t.Errorf("%q: %v", text, ids)
			}
		}
		for limit, want := range map[int]int{2: 2, 9: 4} {
			if got, err := r.Sharing.FindResources(bg, "", limit); err != nil || len(got) != want {
				t.Errorf("all: %d, %v", len(got), err)
			}
		}
	})
}
