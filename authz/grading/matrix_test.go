package grading_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
)

var digest = strings.Repeat("0a", 32)

func ExampleJudgement_Grade() {
	j := grading.Judgement{
		S:      []grading.Pair{{Object: grading.Rights, Degree: grading.Extreme, Reason: "泄露大量个人信息"}},
		A:      []grading.Pair{{Object: grading.Order, Degree: grading.Serious, Reason: "中断影响全区救助"}},
		Report: strings.Repeat("0a", 32),
	}
	g, err := j.Grade()
	fmt.Println(g, g.Level(), err)
	// Output: S2A3 3 <nil>
}

// The whole of GB/T 22240-2020 table 2 (S) and table 3 (A).
var matrix = map[grading.InjuredObject]map[grading.Degree]uint8{
	grading.Rights:   {grading.General: 1, grading.Serious: 2, grading.Extreme: 2},
	grading.Order:    {grading.General: 2, grading.Serious: 3, grading.Extreme: 4},
	grading.National: {grading.General: 3, grading.Serious: 4, grading.Extreme: 5},
}

// R1: every pair of every pair: S and A are found apart, the level is the higher.
func TestGrade_WholeMatrix_R1(t *testing.T) {
	cells := 0
	for so, row := range matrix {
		for sd, s := range row {
			if grading.MatrixLevel(so, sd) != s {
				t.Errorf("%s, %s: %d, want %d", so, sd, grading.MatrixLevel(so, sd), s)
			}
			for ao, row := range matrix {
				for ad, a := range row {
					g, err := grading.Judgement{
						S: []grading.Pair{{so, sd, "理由"}}, A: []grading.Pair{{ao, ad, "理由"}}, Report: digest,
					}.Grade()
					if err != nil || g.S != s || g.A != a || g.Level() != max(s, a) {
						t.Errorf("S %s %s, A %s %s: %s, %v", so, sd, ao, ad, g, err)
					}
					cells++
				}
			}
		}
	}
	if cells != 81 {
		t.Fatalf("%d cells", cells)
	}
}

func TestGrade_HighestPairCounts(t *testing.T) {
	g, err := grading.Judgement{
		S: []grading.Pair{
			{grading.Rights, grading.Extreme, "a"}, {grading.National, grading.General, "b"}, {grading.Order, grading.General, "c"},
		},
		A: []grading.Pair{{grading.Rights, grading.General, "d"}}, Report: digest,
	}.Grade()
	if err != nil || g.String() != "S3A1" {
		t.Errorf("%s, %v", g, err)
	}
}

func TestGrade_Refuses(t *testing.T) {
	ok := []grading.Pair{{grading.Order, grading.Serious, "理由"}}
	for name, j := range map[string]grading.Judgement{
		"no S":                   {A: ok, Report: digest},
		"no A":                   {S: ok, Report: digest},
		"unknown object":         {S: []grading.Pair{{"weather", grading.General, "x"}}, A: ok, Report: digest},
		"unknown degree":         {S: []grading.Pair{{grading.Order, "much", "x"}}, A: ok, Report: digest},
		"a level typed in":       {S: []grading.Pair{{grading.Order, "3", "x"}}, A: ok, Report: digest},
		"no reason":              {S: []grading.Pair{{grading.Order, grading.General, " "}}, A: ok, Report: digest},
		"two degrees contradict": {S: append(ok, grading.Pair{grading.Order, grading.General, "x"}), A: ok, Report: digest},
		"no report":              {S: ok, A: ok},
		"report is no digest":    {S: ok, A: ok, Report: strings.Repeat("0A", 32)},
	} {
		if g, err := j.Grade(); !errors.Is(err, grading.ErrInvalid) || g.Valid() {
			t.Errorf("%s: %s, %v", name, g, err)
		}
	}
}
