package sharing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

func personal(item string, m sharing.Mask) sharing.ItemTag {
	return sharing.ItemTag{Item: item, Tags: []level.Tag{level.TagPersonal}, Mask: m}
}

// X11-25: the label of a resource bears the tags of its items; a tag names an item of
// the resource and a mask.
func TestX11_25_TagsOfItems(t *testing.T) {
	for name, c := range map[string]struct {
		tags []sharing.ItemTag
		want error
	}{
		"none":             {nil, nil},
		"borne":            {[]sharing.ItemTag{personal("name", sharing.MaskHash)}, nil},
		"not borne":        {[]sharing.ItemTag{{Item: "name", Tags: []level.Tag{level.TagBusinessSecret}, Mask: sharing.MaskHidden}}, sharing.ErrLowered},
		"another item":     {[]sharing.ItemTag{personal("shoe", sharing.MaskHash)}, sharing.ErrInvalid},
		"twice":            {[]sharing.ItemTag{personal("name", sharing.MaskHash), personal("name", sharing.MaskHidden)}, sharing.ErrInvalid},
		"no mask":          {[]sharing.ItemTag{personal("name", "")}, sharing.ErrInvalid},
		"another mask":     {[]sharing.ItemTag{personal("name", "clear")}, sharing.ErrInvalid},
		"no tags":          {[]sharing.ItemTag{{Item: "name", Mask: sharing.MaskHidden}}, sharing.ErrInvalid},
		"an unknown tag":   {[]sharing.ItemTag{{Item: "name", Tags: []level.Tag{"x"}, Mask: sharing.MaskHidden}}, sharing.ErrInvalid},
		"a tag that opens": {[]sharing.ItemTag{{Item: "name", Tags: []level.Tag{level.TagPublicDisclosure}, Mask: sharing.MaskHidden}}, sharing.ErrInvalid},
		"a state secret":   {[]sharing.ItemTag{{Item: "name", Tags: []level.Tag{"机密"}, Mask: sharing.MaskHidden}}, level.ErrStateSecret},
	} {
		r := newWorld(t).resource()
		r.Label.Tags, r.ItemTags = []level.Tag{level.TagPersonal}, c.tags
		if err := r.Validate(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// An item is shown more freely only after a new secrecy review.
func TestX11_25_UnmaskingNeedsAReview(t *testing.T) {
	old := newWorld(t).resource()
	old.Label.Tags, old.ItemTags = []level.Tag{level.TagPersonal}, []sharing.ItemTag{personal("name", sharing.MaskHash)}
	for name, c := range map[string]struct {
		change func(*sharing.Resource)
		free   bool
	}{
		"nothing":    {func(*sharing.Resource) {}, true},
		"hidden":     {func(r *sharing.Resource) { r.ItemTags = []sharing.ItemTag{personal("name", sharing.MaskHidden)} }, true},
		"without it": {func(r *sharing.Resource) { r.Items, r.ItemTags = r.Items[1:], nil }, true},
		"in part":    {func(r *sharing.Resource) { r.ItemTags = []sharing.ItemTag{personal("name", sharing.MaskPartial)} }, false},
		"in clear":   {func(r *sharing.Resource) { r.ItemTags = nil }, false},
		"another tag": {func(r *sharing.Resource) {
			r.ItemTags = []sharing.ItemTag{{Item: "name", Tags: []level.Tag{level.TagLegalPerson}, Mask: sharing.MaskHash}}
		}, false},
	} {
		e := sharing.Entry{Resource: old}
		c.change(&e.Resource)
		if err := e.Against(old); (err == nil) != c.free || err != nil && !errors.Is(err, sharing.ErrBasis) {
			t.Errorf("%s: %v", name, err)
		}
		e.SecrecyReview += " 2"
		if err := e.Against(old); err != nil {
			t.Errorf("%s, reviewed: %v", name, err)
		}
	}
}

// BJ17-28: personal information is assessed before it is shared under the rules of 2017.
func TestBJ17_28_ImpactAssessmentIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		regime sharing.Regime
		share  sharing.ShareType
		tag    level.Tag
		pia    string
		asked  bool
	}{
		"none":          {sharing.RegimeBeijing2017, sharing.ShareConditional, level.TagPersonal, " ", true},
		"named":         {sharing.RegimeBeijing2017, sharing.ShareUnconditional, level.TagPersonal, "样例评估 1 号", false},
		"not shared":    {sharing.RegimeBeijing2017, sharing.ShareNotShared, level.TagPersonal, "", false},
		"not personal":  {sharing.RegimeBeijing2017, sharing.ShareConditional, level.TagLegalPerson, "", false},
		"rules of 2014": {sharing.RegimeXicheng2014, sharing.ShareOnApplication, level.TagPersonal, "", false},
	} {
		e := sharing.Entry{Resource: newWorld(t).resource(), Metadata: sharing.Metadata{PIA: c.pia}}
		e.Regime, e.ShareType, e.Label.Tags = c.regime, c.share, []level.Tag{c.tag}
		asked := false
		for _, err := range e.Validate() {
			asked = asked || err.Code == sharing.LinePIA
		}
		if asked != c.asked {
			t.Errorf("%s: asked for %t", name, asked)
		}
	}
}

// Tags of items come back from a CSV file, and stand in the order of the items; a list
// of before, of names alone, still reads.
func TestTagsOfItemsReadBack(t *testing.T) {
	e := sharing.Entry{Resource: newWorld(t).resource()}
	e.Items = []string{"a", "b:hash[x]", "c"}
	e.ItemTags = []sharing.ItemTag{personal("b:hash[x]", sharing.MaskPartial), {Item: "c", Tags: []level.Tag{level.TagPersonal, level.TagSensitive}, Mask: sharing.MaskHidden}}
	var b bytes.Buffer
	if err := sharing.WriteCSV(&b, []sharing.Entry{e}); err != nil {
		t.Fatal(err)
	}
	again, wrong, err := sharing.ReadEntries(sharing.FormatCSV, b.Bytes())
	if err != nil || !reflect.DeepEqual(again[0].ItemTags, e.ItemTags) {
		t.Errorf("%v %v %+v", err, wrong, again)
	}
	for _, cell := range []string{"c", "c:", "c:hidden", "c:hidden[]", ":hidden[x]"} {
		_, wrong, err := sharing.ReadEntries(sharing.FormatCSV, []byte("code,items,item_tags\nx/000001,c,"+cell+"\n"))
		if err != nil || len(wrong) != 1 || wrong[0].Field != "item_tags" {
			t.Errorf("%q: %v %v", cell, wrong, err)
		}
	}
	for _, list := range []sharing.ItemList{{Names: e.Items, Tags: e.ItemTags}, {Names: []string{"a"}}, {}} {
		raw, err := json.Marshal(list)
		var back sharing.ItemList
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if err != nil || !reflect.DeepEqual(back, list) {
			t.Errorf("%s: %v %+v", raw, err, back)
		}
	}
	for _, bad := range []string{`{}`, `[1]`, `[["a"]]`, `"a"`, `[{"item":1}]`} {
		if err := new(sharing.ItemList).UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s reads", bad)
		}
	}
}
