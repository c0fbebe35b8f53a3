package reclass_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
)

func label(t *testing.T, lv level.Level, s, a uint8, tags ...level.Tag) level.Label {
	t.Helper()
	l, err := level.New(lv, s, a, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// X11-30: what is a raising, and what is a lowering though another part goes up.
func TestRaises_X11_30(t *testing.T) {
	mid := label(t, 2, 2, 2, level.TagPersonal)
	for name, c := range map[string]struct {
		to   level.Label
		want bool
	}{
		"level up":                 {label(t, 3, 2, 2, level.TagPersonal), true},
		"another tag":              {label(t, 2, 2, 2, level.TagPersonal, level.TagSensitive), true},
		"level down":               {label(t, 1, 2, 2, level.TagPersonal), false},
		"level up, S down":         {label(t, 4, 1, 2, level.TagPersonal), false},
		"level up, tag dropped":    {label(t, 4, 4, 4), false},
		"level up, opened":         {label(t, 4, 4, 4, level.TagPersonal, level.TagPublicDisclosure), false},
		"A down":                   {label(t, 2, 2, 1, level.TagPersonal), false},
		"one tag for another":      {label(t, 2, 2, 2, level.TagSensitive), false},
		"opened, nothing else":     {label(t, 2, 2, 2, level.TagPersonal, level.TagPublicDisclosure), false},
		"no label, which is none":  {level.Label{}, false},
		"a level that is not one":  {level.Label{Level: 9, RequiredS: 9, RequiredA: 9, Tags: mid.Tags}, false},
		"closed that was not open": {mid, true},
	} {
		if got := (reclass.Act{From: mid, To: c.to}).Raises(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	open := label(t, 1, 1, 1, level.TagPublicDisclosure)
	if !(reclass.Act{From: open, To: label(t, 1, 1, 1)}).Raises() {
		t.Error("closing what was public is a raising")
	}
}

// What is signed names both labels, and a lowering its ground and review.
func TestTerms(t *testing.T) {
	unit, err := identity.SampleUSCC("110102", 1)
	if err != nil {
		t.Fatal(err)
	}
	down := reclass.Act{
		ID: "a-1", Resource: "r-1", Provider: unit, From: label(t, 3, 3, 3), To: label(t, 2, 2, 2), Ground: "依据", Review: "密审-2", Due: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
	}
	raw, err := down.Terms()
	if err != nil || !strings.HasPrefix(string(raw), "yinxin/reclassification/v1\n{\"due\":\"2026-08-01T00:00:00.000Z\",\"from\":{\"level\":3,") {
		t.Fatalf("%s, %v", raw, err)
	}
	for name, c := range map[string]struct {
		edit func(*reclass.Act)
		want error
	}{
		"no ground":             {func(a *reclass.Act) { a.Ground = " " }, reclass.ErrGround},
		"no review":             {func(a *reclass.Act) { a.Review = "" }, reclass.ErrGround},
		"a review that hides":   {func(a *reclass.Act) { a.Review = "a\u2028b" }, reclass.ErrGround},
		"the same label":        {func(a *reclass.Act) { a.To = a.From }, reclass.ErrInvalid},
		"no label":              {func(a *reclass.Act) { a.To = level.Label{} }, reclass.ErrInvalid},
		"a state secret":        {func(a *reclass.Act) { a.To.Tags = []level.Tag{"秘密"} }, level.ErrStateSecret},
		"no day":                {func(a *reclass.Act) { a.Due = time.Time{} }, reclass.ErrInvalid},
		"no resource":           {func(a *reclass.Act) { a.Resource = "" }, reclass.ErrInvalid},
		"no provider":           {func(a *reclass.Act) { a.Provider = "x" }, reclass.ErrInvalid},
		"raising, no review":    {func(a *reclass.Act) { a.To, a.Review = label(t, 4, 4, 4), "" }, nil},
		"raising, without more": {func(a *reclass.Act) { a.To, a.Ground = label(t, 4, 4, 4), "" }, reclass.ErrGround},
	} {
		a := down
		c.edit(&a)
		if _, err := a.Terms(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A copy that is made of itself stops the act; one whose source is gone from the
// register counts as the strictest.
func TestFollow_RefusesACircle(t *testing.T) {
	low, high := label(t, 1, 1, 1), label(t, 2, 2, 2)
	before, after := map[string]level.Label{"r": high}, map[string]level.Label{"r": low}
	circle := []reclass.Copy{{ID: "a", Resource: "r", Sources: []string{"b"}, Label: high}, {ID: "b", Resource: "r", Sources: []string{"a"}, Label: high}}
	if got, err := reclass.Follow(circle, before, after); !errors.Is(err, reclass.ErrInvalid) {
		t.Errorf("%v, %v", got, err)
	}
	lost := []reclass.Copy{{ID: "a", Resource: "r", Sources: []string{"ghost"}, Label: high}}
	got, err := reclass.Follow(lost, before, after)
	if err != nil || got["a"].String() != level.Strictest().String() {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reclass.Follow([]reclass.Copy{{ID: "a", Resource: "ghost", Label: high}}, before, after); err != nil || got["a"].String() != level.Strictest().String() {
		t.Errorf("of an unknown resource: %v, %v", got, err)
	}
}
