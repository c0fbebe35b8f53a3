package grading_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// The counts of the text: GB/T 22239-2019, L1 55, L2 135, L3 211, L4 228 items.
func TestItems_AddUp(t *testing.T) {
	want := [4]int{55, 135, 211, 228}
	for lv := range 4 {
		sum := 0
		for _, f := range grading.Families() {
			sum += f.Items[lv]
		}
		items, ok := grading.RequiredItems(level.Grade{S: uint8(lv + 1), A: uint8(lv + 1)})
		if sum != want[lv] || !ok || items.Total() != want[lv] {
			t.Errorf("level %d: families %d, classes %+v, want %d", lv+1, sum, items, want[lv])
		}
	}
	if _, ok := grading.RequiredItems(level.Grade{S: 5, A: 5}); ok {
		t.Error("level 5 has no published items")
	}
	if i, ok := grading.RequiredItems(level.Grade{S: 2, A: 3}); !ok || i != (grading.Items{S: 15, A: 6, G: 181}) {
		t.Errorf("S2A3: %+v", i)
	}
}

// Level 3: points and items of each family, and the classes of annex A.
func TestControls_Level3(t *testing.T) {
	controls, err := grading.Controls()
	if err != nil {
		t.Fatal(err)
	}
	points, items, class := map[string]int{}, map[string]int{}, map[grading.Class]int{}
	var clauses []string
	for _, c := range controls {
		family := strings.Split(c.Clause, ".")[2]
		points[family]++
		items[family] += c.Items
		class[c.Class] += c.Items
		if slices.Contains(clauses, c.Clause) || c.Label == "" || c.Items < 1 {
			t.Errorf("%+v", c)
		}
		clauses = append(clauses, c.Clause)
	}
	for family, want := range map[string][2]int{
		"1": {10, 22}, "2": {3, 8}, "3": {6, 20}, "4": {11, 34}, "5": {4, 12}, "6": {4, 7}, "7": {5, 14}, "8": {4, 12}, "9": {10, 34}, "10": {14, 48},
	} {
		if got := [2]int{points[family], items[family]}; got != want {
			t.Errorf("8.1.%s: %v, want %v", family, got, want)
		}
	}
	got, _ := grading.RequiredItems(level.Grade{S: 3, A: 3})
	if len(controls) != 71 || got != (grading.Items{S: class[grading.ClassS], A: class[grading.ClassA], G: class[grading.ClassG]}) {
		t.Errorf("%d points, %v, %+v", len(controls), class, got)
	}
}
