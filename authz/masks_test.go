package authz

import (
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// X11-25, BJ17-28: an item with a mask is in clear only where an agreement names it for
// the purpose; without an agreement every such item is masked; the provider sees all.
func TestX11_25_ItemsAreMaskedBeyondTheAgreement(t *testing.T) {
	personal := func(item string, m sharing.Mask) map[string]any {
		return map[string]any{"item": item, "tags": []any{"legal_person"}, "mask": string(m)}
	}
	m := newWorld(t, map[string]any{"resources": map[string]any{
		"low-income": map[string]any{"item_tags": []any{personal("address", sharing.MaskHash), personal("income", sharing.MaskPartial)}},
		"streets":    map[string]any{"item_tags": []any{personal("street", sharing.MaskHidden)}},
	}})
	for name, c := range map[string]struct {
		subject, resource string
		sources, fields   []string
		want              []string
	}{
		"named":                       {"civil-a", "low-income", nil, []string{"address"}, nil},
		"not named":                   {"civil-a", "low-income", nil, []string{"address", "income"}, []string{"partial income"}},
		"none asked for":              {"civil-a", "low-income", nil, nil, nil}, // what the agreement names, in clear
		"a copy":                      {"civil-a", "copy-a", nil, []string{"income"}, []string{"partial income"}},
		"no agreement":                {"civil-a", "streets", nil, nil, []string{"hidden street"}},
		"no agreement, another item":  {"civil-a", "streets", nil, []string{"postcode"}, nil},
		"of one of two sources":       {"civil-a", "streets", []string{"low-income"}, []string{"street", "income"}, []string{"partial income", "hidden street"}},
		"the provider":                {"civil-p", "low-income", nil, []string{"income"}, nil},
		"the provider, without words": {"civil-p", "streets", nil, nil, nil},
	} {
		action := ActionRead
		if c.sources != nil {
			action = ActionMerge
		}
		p, _ := newPDP(t, m, nil)
		d, err := p.Decide(t.Context(), Request{
			SubjectType: SubjectSystem, SubjectID: c.subject, Action: action, Resource: c.resource, Sources: c.sources, Purpose: "relief", Fields: c.fields,
		})
		var got []string
		for _, o := range d.Obligations {
			if o.Kind == ObligeMask {
				got = append(got, o.Value)
			}
		}
		if err != nil || !d.Allow || !slices.Equal(got, c.want) {
			t.Errorf("%s: %t %v, masked %q, want %q (%v)", name, d.Allow, d.Reasons, got, c.want, err)
		}
	}
}

// The strictest mask of two sources counts, and one that nobody knows hides.
func TestStrictestMaskCounts(t *testing.T) {
	order := []sharing.Mask{"", sharing.MaskHidden, sharing.MaskHash, sharing.MaskPartial}
	if !slices.IsSortedFunc(order, func(a, b sharing.Mask) int { return strictness(b) - strictness(a) }) {
		t.Errorf("%v", order)
	}
}
