package grading_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// R1 to R20 and every limit have a source and words.
func TestRules_AreCompleteAndHaveWords(t *testing.T) {
	cat, err := text.Load()
	must(t, err)
	seen := map[string]bool{}
	for _, r := range grading.Rules() {
		if seen[r.ID] || len(r.Sources) == 0 || !cat.Has(r.TextKey()) {
			t.Errorf("%+v", r)
		}
		seen[r.ID] = true
	}
	for n := 1; n <= 20; n++ {
		if !seen[fmt.Sprint("R", n)] {
			t.Errorf("R%d is missing", n)
		}
	}
	for _, s := range []grading.Status{grading.StatusWaiting, grading.StatusOpen, grading.StatusOverdue} {
		if !cat.Has(s.TextKey()) {
			t.Errorf("status %s", s)
		}
	}
	for _, code := range append(grading.Assessment{Template: grading.Template2025, Rate: 100, Major: grading.MajorHazard{Found: 1}, Conclusion: grading.Conform}.Contradictions(),
		grading.CryptoAssessment{Conclusion: grading.Conform}.Contradictions()...) {
		if !cat.Has(grading.WarningKey(code)) {
			t.Errorf("warning %s", code)
		}
	}
	for _, code := range (grading.Object{Network: grading.NetworkPrivate, Cloud: "none"}).Flags(2) {
		if !cat.Has(grading.FlagKey(code)) {
			t.Errorf("flag %s", code)
		}
	}
	for _, tr := range grading.Transitions() {
		for _, s := range []grading.State{tr.From, tr.To} {
			if s != "*" && !cat.Has(s.TextKey()) {
				t.Errorf("state %s", s)
			}
		}
	}
}

// Whatever runs is in the table.
func TestDeadlines_NameRulesOfTheTable(t *testing.T) {
	d := newDesk(t)
	d.certified("civil-a", 4, 3, "2025-06-05")
	bad := assessment("civil-a", day(t, "2025-11-20"), 1)
	bad.Assessment.Major.Found = 2
	must(t, d.add(bad))
	due := d.due("civil-a")
	for rule, l := range due {
		if l.TextKey() != "grading.rule."+rule {
			t.Errorf("%s has words of %s", rule, l.TextKey())
		}
		if !slices.ContainsFunc(grading.Rules(), func(r grading.Rule) bool { return r.ID == rule && r.Limit }) {
			t.Errorf("%s is not in the table", rule)
		}
	}
	if len(due) < 7 {
		t.Errorf("%v", due)
	}
}
