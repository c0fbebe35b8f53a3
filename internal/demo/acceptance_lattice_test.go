package demo

import (
	"errors"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/app"
)

// 西政办发〔2011〕8号 art. 30: the ways in which a consumer could lower the level of
// what it received, at rest and in transit, alone and combined. Each is denied
// with the article and stands on the ledger.
func TestX11_30_WaysToLowerALevel(t *testing.T) {
	d := demo(t)
	own, copied := d.walk.agencies[unitA].system.ID, d.walk.transfer.Holding // L3/S3A3, personal
	low, to := d.walk.agencies[unitB].system.ID, func(l level.Label, more ...any) map[string]any {
		return assist(append([]any{"target_system", own, "target_label", l}, more...)...)
	}
	both := []string{copied, d.walk.statistics}
	all := map[string]asking{
		"relabel: a lower level":           {act: authz.ActionRelabel, res: copied, kind: "holding", facts: to(label(2, 3, 3, level.TagPersonal)), code: "E10_label_lowered"},
		"relabel: a tag dropped":           {act: authz.ActionRelabel, res: copied, kind: "holding", facts: to(label(3, 3, 3)), code: "E10_label_lowered"},
		"relabel: S lower while A rises":   {act: authz.ActionRelabel, res: copied, kind: "holding", facts: to(label(3, 2, 4, level.TagPersonal)), code: "E10_label_lowered"},
		"relabel: another tag for the tag": {act: authz.ActionRelabel, res: copied, kind: "holding", facts: to(label(4, 3, 3, level.TagSensitive)), code: "E10_label_lowered"},
		"relabel: to nothing":              {act: authz.ActionRelabel, res: copied, kind: "holding", facts: assist("target_system", own), code: "E10_label_lowered"},
		"derive: a lower level":            {act: authz.ActionDerive, res: copied, kind: "holding", facts: to(label(2, 2, 2)), code: "E10_label_lowered"},
		"merge: the weaker label":          {act: authz.ActionMerge, res: copied, kind: "holding", facts: to(label(2, 2, 2), "sources", both), code: "E10_label_lowered"},
		"merge: the weaker one first":      {act: authz.ActionMerge, res: d.walk.statistics, kind: "holding", facts: to(label(2, 2, 2), "sources", both), code: "E10_label_lowered"},
		"copy: with a lower label":         {act: authz.ActionCopy, res: resNotice, facts: to(label(1, 1, 1)), code: "E10_label_lowered"},
		"store: on too low a system":       {act: authz.ActionStore, res: copied, kind: "holding", facts: assist("target_system", low), code: "E12_target_system"},
		"forward: to too low a system":     {act: authz.ActionForward, res: copied, kind: "holding", facts: assist("target_system", low), code: "E12_target_system"},
		"forward: with a lower label":      {act: authz.ActionForward, res: copied, kind: "holding", facts: assist("target_system", low, "target_label", label(2, 2, 2)), code: "E10_label_lowered"},
		"forward: to a third party":        {act: authz.ActionForward, res: copied, kind: "holding", facts: assist("target_system", "office-exchange"), code: "E11_third_party"},
		"publish":                          {act: authz.ActionPublish, res: copied, kind: "holding", facts: assist(), code: "E16_publish"},
		"by an administrator's account":    {act: authz.ActionRelabel, person: d.walk.agencies[unitA].sysadmin.ID, res: copied, kind: "holding", facts: to(label(2, 2, 2)), code: "E10_label_lowered"},
	}
	for name, got := range decides(t, d, all) {
		if got.Event.Object.ID != all[name].res || !slices.ContainsFunc(got.Clauses, func(c string) bool { return slices.Contains([]string{"X11-30", "X14-23a", "XA18-25b"}, c) }) {
			t.Errorf("%s: recorded about %s under %v", name, got.Event.Object.ID, got.Clauses)
		}
	}
	decides(t, d, map[string]asking{
		"relabel: higher": {act: authz.ActionRelabel, res: copied, kind: "holding", facts: to(label(4, 3, 3, level.TagPersonal, level.TagSensitive))},
		"merge: the join": {act: authz.ActionMerge, res: copied, kind: "holding", facts: to(label(3, 3, 3, level.TagPersonal), "sources", both)},
	})
}

// 西政办发〔2014〕14号 art. 30: no system that receives, carries or holds information
// is of a lower grade than that needs, and none is graded down below it, whoever asks.
func TestX14_30_SystemsBelowWhatTheyHoldOrCarry(t *testing.T) {
	d := demo(t)
	w := d.walk
	own, low := w.agencies[unitA].system.ID, w.agencies[unitB].system.ID
	down := func(g level.Grade) map[string]any { return given("target_system", own, "new_grade", g) }
	got := decides(t, d, map[string]asking{
		"a carrier of level 2":          {unit: provider, act: authz.ActionForward, res: resNotice, facts: assist("target_system", own, "carriers", []string{"office-exchange", low}), code: "E13_carrier"},
		"carriers of level 3":           {unit: provider, act: authz.ActionForward, res: resNotice, facts: assist("target_system", own, "carriers", []string{"office-exchange"})},
		"a carrier that nobody knows":   {unit: provider, act: authz.ActionForward, res: resNotice, facts: assist("target_system", own, "carriers", []string{"acc-unknown"}), code: "E21_unknown_system"},
		"carried by a level-2 system":   {unit: unitB, act: authz.ActionCarry, res: resNotice, facts: assist("target_system", own), code: "E13_carrier"},
		"received by a level-2 system":  {unit: unitB, act: authz.ActionRead, res: resNotice, facts: assist(), code: "E04_system_mlps"},
		"graded down, both":             {act: authz.ActionRegrade, res: own, kind: "system", facts: down(level.Grade{S: 2, A: 2}), code: "E14_regrade_below_holdings"},
		"graded down, S while A rises":  {act: authz.ActionRegrade, res: own, kind: "system", facts: down(level.Grade{S: 2, A: 4}), code: "E14_regrade_below_holdings"},
		"graded up":                     {act: authz.ActionRegrade, res: own, kind: "system", facts: down(level.Grade{S: 4, A: 3})},
		"graded to nothing":             {act: authz.ActionRegrade, res: own, kind: "system", facts: given("target_system", own), code: "E14_regrade_below_holdings"},
		"graded down by administrators": {act: authz.ActionRegrade, person: w.agencies[unitA].sysadmin.ID, res: own, kind: "system", facts: down(level.Grade{S: 1, A: 1}), code: "E14_regrade_below_holdings"},
	})
	if ev := got["graded down, both"].Event; ev.Before != "S3A3" || ev.After != "S2A2" {
		t.Errorf("recorded as %q to %q", ev.Before, ev.After)
	}
	// The act itself is refused too, not only the question.
	for _, p := range []person{w.agencies[unitA].leader, w.agencies[unitA].sysadmin} {
		_, _, err := w.house.Regrade(bg, grading.Record{
			System: own, Grade: level.Grade{S: 2, A: 2}, Reason: "样例", State: grading.StateCertified, BuildingUnit: w.agencies[unitA].unit.USCC, Filing: filing,
			DecidedOn: w.now().UTC(), ValidUntil: w.now().UTC().AddDate(1, 0, 0), Sample: true,
		}, w.house.PersonActor(p.ID, p.Agency))
		var denied *app.DeniedError
		if !errors.As(err, &denied) {
			t.Errorf("regraded by %s: %v", p.Name, err)
		}
	}
}

// 西政办发〔2014〕14号 art. 23: a copy is declared with system, agreement and end; it
// is its holder's to use and nobody else's, and not after its end.
func TestX14_23b_CopiesAreDeclared(t *testing.T) {
	d := demo(t)
	w := d.walk
	kept, need := w.transfer.Holding, label(3, 3, 3, level.TagPersonal)
	declared := false
	for _, ev := range recorded(t, d) {
		if ev.Type == "sharing.holding.registered" && ev.Object.ID == kept {
			declared = ev.Target == w.agencies[unitA].system.ID && ev.Agreement == agrNotice && ev.After == need.String() && ev.Payload == w.transfer.Document
		}
	}
	if !declared {
		t.Error("the copy of the transfer is not declared with system, agreement, label and digest")
	}
	got := decides(t, d, map[string]asking{
		"by its holder":    {act: authz.ActionRead, res: kept, kind: "holding", facts: assist()},
		"by another unit":  {unit: unitB, act: authz.ActionRead, res: kept, kind: "holding", facts: assist(), code: "E19_not_holder"},
		"relabelled by it": {unit: unitB, act: authz.ActionRelabel, res: kept, kind: "holding", facts: assist("target_system", "street-service", "target_label", need), code: "E19_not_holder"},
	})
	if end := got["by its holder"].obliged("expiry"); end != d.Manifest.Agreements[agrNotice].NotAfter {
		t.Errorf("to be kept until %q, the agreement ends on %s", end, d.Manifest.Agreements[agrNotice].NotAfter)
	}
}

// 京政发〔2017〕37号 art. 26: information is of categories and a level. Nothing comes
// into the catalogue without a label, a category is lost by nobody's work, and what
// the house does not know counts as the highest.
func TestBJ17_26b_CategoriesAndTheUnlabelled(t *testing.T) {
	d := demo(t)
	for name, l := range map[string]level.Label{"no label": {}, "no level": {RequiredS: 2, RequiredA: 2}, "no grade": {Level: 2}} {
		if _, err := registered(d, "acc-unlabelled", func(r *sharing.Resource) { r.Label = l }); !errors.Is(err, level.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tax := level.Tag("cat_tax")
	r := offered(t, d, "acc-classified", func(r *sharing.Resource) { r.Label = label(2, 2, 2, tax) })
	ok(t, agreed(t, d, r, nil))
	to := func(tags ...level.Tag) map[string]any {
		return assist("target_system", "social-security", "target_label", label(4, 3, 3, tags...))
	}
	got := decides(t, d, map[string]asking{
		"the category kept":     {act: authz.ActionDerive, res: r.ID, facts: to(tax)},
		"the category lost":     {act: authz.ActionDerive, res: r.ID, facts: to(), code: "E10_label_lowered"},
		"another category":      {act: authz.ActionDerive, res: r.ID, facts: to(level.Tag("cat_health")), code: "E10_label_lowered"},
		"unknown, on level 3":   {act: authz.ActionRead, res: "acc-unlabelled", facts: assist(), code: "E04_system_mlps"},
		"unknown, in the merge": {act: authz.ActionMerge, res: r.ID, facts: assist("target_system", "social-security", "sources", []string{r.ID, "acc-unlabelled"}), code: "E12_target_system"},
	})
	if l := got["the category kept"].obliged("label"); !holds(l, string(tax)) {
		t.Errorf("the result is labelled %q", l)
	}
}
