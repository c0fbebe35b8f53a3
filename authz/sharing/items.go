package sharing

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// Mask is how an information item is shown to who may not have it in clear.
type Mask string

// Masks, the strictest first.
const (
	MaskHidden  Mask = "hidden"  // not at all
	MaskHash    Mask = "hash"    // as a keyed digest: equal values can be told, no more
	MaskPartial Mask = "partial" // a part of it: "王*", "1101**********1234"
)

// Masks lists them, the strictest first.
func Masks() []Mask { return []Mask{MaskHidden, MaskHash, MaskPartial} }

// ItemTag says what a single information item is and how it is masked
// (西政办发〔2011〕8号 art. 25; 京政发〔2017〕37号 art. 28). An item without one is shown
// as its resource is.
type ItemTag struct {
	Item string      `json:"item"`
	Tags []level.Tag `json:"tags"` // restrictive ones; the resource's label has them too
	Mask Mask        `json:"mask"`
}

// Masks says whether an item has a mask.
func (r Resource) Masks(item string) bool {
	return slices.ContainsFunc(r.ItemTags, func(t ItemTag) bool { return t.Item == item })
}

// errItems: the tags of items are no form of their own, or of no item of the resource.
var errItems = fmt.Errorf("%w: tags of an information item", ErrInvalid)

// itemTags checks them against the items and the label, which bears what its parts
// are: ErrInvalid, ErrLowered, or level.ErrStateSecret.
func (r Resource) itemTags() error {
	seen := map[string]bool{}
	for _, t := range r.ItemTags {
		if seen[t.Item] || !slices.Contains(r.Items, t.Item) || !slices.Contains(Masks(), t.Mask) || len(t.Tags) == 0 || slices.Contains(t.Tags, level.TagPublicDisclosure) {
			return fmt.Errorf("%w: %.80q", errItems, t.Item)
		}
		seen[t.Item] = true
	}
	return r.Bears(r.Label)
}

// Bears says whether l would be a label for r with the tags of its items: ErrLowered
// when it lacks one.
func (r Resource) Bears(l level.Label) error {
	for _, t := range r.ItemTags {
		need, err := level.New(l.Level, l.RequiredS, l.RequiredA, t.Tags...)
		if errors.Is(err, level.ErrStateSecret) {
			return fmt.Errorf("sharing: item %.80q: %w", t.Item, err)
		}
		if l.Validate() != nil { // another fault, told by who checks the label
			return nil
		}
		if err != nil || !slices.Equal(need.Tags, t.Tags) {
			return fmt.Errorf("%w: %.80q: not sorted, or unknown", errItems, t.Item)
		}
		if !l.Dominates(need) {
			return fmt.Errorf("%w: %s for the item %.80q", ErrLowered, l, t.Item)
		}
	}
	return nil
}

// arrange puts the tags of items into the order of the items, in which they are kept.
func (r *Resource) arrange() {
	for i := range r.ItemTags {
		slices.Sort(r.ItemTags[i].Tags)
	}
	slices.SortStableFunc(r.ItemTags, func(a, b ItemTag) int { return slices.Index(r.Items, a.Item) - slices.Index(r.Items, b.Item) })
}

// unmasks reports that an item of old would be shown more freely: a tag less, or
// another mask than the strictest.
func (r Resource) unmasks(old Resource) bool {
	return slices.ContainsFunc(old.ItemTags, func(was ItemTag) bool {
		if !slices.Contains(r.Items, was.Item) {
			return false
		}
		i := slices.IndexFunc(r.ItemTags, func(t ItemTag) bool { return t.Item == was.Item })
		if i < 0 {
			return true
		}
		is := r.ItemTags[i]
		lost := slices.ContainsFunc(was.Tags, func(t level.Tag) bool { return !slices.Contains(is.Tags, t) })
		return lost || is.Mask != was.Mask && is.Mask != MaskHidden
	})
}

// itemCell is an ItemTag in a CSV file: "income:partial[personal,sensitive]".
var itemCell = regexp.MustCompile(`^(.+):([a-z]+)\[([^\[\]]+)\]$`)

func writeItemTags(tags []ItemTag) string {
	cells := make([]string, len(tags))
	for i, t := range tags {
		words := make([]string, len(t.Tags))
		for k, tag := range t.Tags {
			words[k] = string(tag)
		}
		cells[i] = t.Item + ":" + string(t.Mask) + "[" + strings.Join(words, ",") + "]"
	}
	return strings.Join(cells, between)
}

func readItemTags(s string) (out []ItemTag, err error) {
	if s == "" {
		return nil, nil
	}
	for cell := range strings.SplitSeq(s, between) {
		m := itemCell.FindStringSubmatch(cell)
		if m == nil {
			return nil, fmt.Errorf("%w: %.80q", errItems, cell)
		}
		t := ItemTag{Item: m[1], Mask: Mask(m[2])}
		for word := range strings.SplitSeq(m[3], ",") {
			t.Tags = append(t.Tags, level.Tag(word))
		}
		out = append(out, t)
	}
	return out, nil
}

// ItemList is the items of a resource in one JSON list: the name of an item or, where
// it is tagged, the ItemTag. A list without tags reads as names alone.
type ItemList struct {
	Names []string
	Tags  []ItemTag
}

// MarshalJSON implements json.Marshaler.
func (l ItemList) MarshalJSON() ([]byte, error) {
	if len(l.Tags) == 0 {
		return json.Marshal(l.Names)
	}
	out := make([]any, len(l.Names))
	for i, name := range l.Names {
		out[i] = name
		if k := slices.IndexFunc(l.Tags, func(t ItemTag) bool { return t.Item == name }); k >= 0 {
			out[i] = l.Tags[k]
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *ItemList) UnmarshalJSON(raw []byte) error {
	*l = ItemList{}
	if json.Unmarshal(raw, &l.Names) == nil {
		return nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	l.Names = make([]string, len(parts))
	for i, part := range parts {
		if len(part) > 0 && part[0] == '"' {
			if err := json.Unmarshal(part, &l.Names[i]); err != nil {
				return err
			}
			continue
		}
		var t ItemTag
		if err := json.Unmarshal(part, &t); err != nil {
			return err
		}
		l.Names[i], l.Tags = t.Item, append(l.Tags, t)
	}
	return nil
}
