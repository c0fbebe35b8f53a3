package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The page is what the tables and the tests say now, every row without open
// work has its test, and no test names a row that does not exist.
func TestPageIsCurrent(t *testing.T) {
	root, err := moduleRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not current: run go generate ./internal/compliance", page)
	}
}

// The requirements have 94 rows, 60 of them core, and name 133 systems.
func TestTablesAreWhole(t *testing.T) {
	tb, err := loadTables()
	if err != nil {
		t.Fatal(err)
	}
	core := 0
	for _, r := range tb.rows {
		if r.class == "core" {
			core++
		}
	}
	if len(tb.rows) != 94 || core != 60 || len(tb.systems) != 133 || len(tb.surfaces) != 11 {
		t.Errorf("%d rows, %d core, %d systems, %d surfaces", len(tb.rows), core, len(tb.systems), len(tb.surfaces))
	}
}

func TestRowsOfATest(t *testing.T) {
	for name, want := range map[string][]string{
		"TestX14_26c_ThreeSeals": {"X14-26c"}, "TestX11_25_BJ17_28_Masked": {"X11-25", "BJ17-28"}, "TestBJ05_3b_NoCertificate": {"BJ05-3b"},
		"TestThreeSeals_X14_26c": {"X14-26c"}, "TestThreeSeals_X14_26c_Remove": {"X14-26c"}, "TestX14_26cThreeSeals": nil, "TestX1426c_Seals": nil, "TestX11_30_LikeX14_30": nil, "TestX14_26z_Seals": nil,
	} {
		if got := rowsOf(name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Each doubt stops the page: a test of nothing, an id in another place, a row
// that promises what no test shows.
func TestSettleRefuses(t *testing.T) {
	root := t.TempDir()
	write := func(body string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "x_test.go"), []byte("package x\n\n"+body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("func TestX14_26cThing() {}\n")
	if _, err := findTests(root); err == nil || !strings.Contains(err.Error(), "between underscores") {
		t.Errorf("an id that runs into a word: %v", err)
	}
	write("func TestThing_X14_99() {}\n")
	found, err := findTests(root)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	tb := &tables{rows: []*row{{id: "X14-14", class: "core"}}}
	err = tb.settle(found)
	for _, want := range []string{"X14-99, which is no row", "X14-14 has no test"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// The state follows from tests and work left, that of a system from its rows.
func TestStates(t *testing.T) {
	tb := &tables{
		rows: []*row{
			{id: "X14-14", class: "core"}, {id: "X14-16", class: "core", issue: "5", leftZh: "无", leftEn: "none"},
			{id: "X14-19", class: "support", issue: "-", leftZh: "无", leftEn: "none"}, {id: "X11-11", class: "out"},
		},
		surfaces: []*surface{{id: "S3", rows: []string{"X14-14"}}, {id: "S5", rows: []string{"X14-19"}}},
		systems:  []*system{{id: "a", surfaces: []string{"S3"}}, {id: "b", surfaces: []string{"S3", "S5"}}, {id: "c", surfaces: []string{"S5"}}, {id: "d", class: "out", state: out}, {id: "e", rows: []string{"X14-16"}}},
	}
	if err := tb.settle([]test{{room: "authz", name: "TestX14_14_A", rows: []string{"X14-14"}}, {room: "authz", name: "TestX14_16_A", rows: []string{"X14-16"}}}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []state{tested, partly, open, out} {
		if tb.rows[i].state != want {
			t.Errorf("%s is %s", tb.rows[i].id, tb.rows[i].state.en())
		}
	}
	for i, want := range []state{tested, partly, open, out, partly} {
		if tb.systems[i].state != want {
			t.Errorf("system %s is %s", tb.systems[i].id, tb.systems[i].state.en())
		}
	}
}
