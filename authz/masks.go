package authz

import (
	"slices"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// masks binds to show single information items masked: those with a mask that no
// agreement names for the purpose (西政办发〔2011〕8号 art. 25; 京政发〔2017〕37号 art. 28).
// Of several sources with an item of one name the strictest mask counts. The
// provider's own use is in clear.
func (v view) masks() []Obligation {
	how := map[string]sharing.Mask{}
	var items []string
	var fields []string
	for i, s := range v.sources {
		if i == 0 {
			fields = v.fields()
		}
		if s.item == nil || len(s.item.Resource.ItemTags) == 0 || v.user(s) == "" {
			continue
		}
		for _, t := range s.item.Resource.ItemTags {
			if len(fields) > 0 && !slices.Contains(fields, t.Item) || v.clear(s, t.Item) {
				continue
			}
			was, found := how[t.Item]
			if !found {
				items = append(items, t.Item)
			}
			if !found || strictness(t.Mask) > strictness(was) {
				how[t.Item] = t.Mask
			}
		}
	}
	slices.Sort(items)
	out := make([]Obligation, len(items))
	for i, item := range items {
		out[i] = Obligation{ObligeMask, string(how[item]) + " " + item}
	}
	return out
}

// strictness orders masks; one that nobody knows is the strictest.
func strictness(m sharing.Mask) int {
	if i := slices.Index(sharing.Masks(), m); i >= 0 {
		return len(sharing.Masks()) - i
	}
	return len(sharing.Masks()) + 1
}

// clear: an agreement that binds for the purpose names the item.
func (v view) clear(s source, item string) bool {
	for i := range v.terms {
		if a := &v.terms[i]; slices.Contains(a.Fields, item) && v.binds(a, s.item, v.user(s)) {
			return true
		}
	}
	return false
}
