package grading

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// Class is which component of a grade chooses a control point (GB/T 22239-2019
// annex A): S points at the S level, A points at the A level, all others at the
// level of the object.
type Class string

// Classes of control points.
const (
	ClassS Class = "S"
	ClassA Class = "A"
	ClassG Class = "G"
)

// Control is one control point (控制点) of level 3. Labels are our own: the text
// of the standard is not ours to hand out.
type Control struct {
	Clause string `json:"clause"`
	Class  Class  `json:"class"`
	Items  int    `json:"items"`
	Label  string `json:"label"`
}

//go:embed controls.tsv
var controlRows string

// Controls returns the 71 control points of level 3, in the order of the standard.
func Controls() ([]Control, error) {
	var out []Control
	for line := range strings.Lines(controlRows) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("%w: control row %.60q", ErrInvalid, line)
		}
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("%w: control row %.60q: %w", ErrInvalid, line, err)
		}
		out = append(out, Control{Clause: f[0], Class: Class(f[1]), Items: n, Label: f[3]})
	}
	return out, nil
}

// Family is one of the ten requirement families, clause 8.1.Number at level 3:
// our short label, and its items at levels 1 to 4.
type Family struct {
	Number int    `json:"number"`
	Label  string `json:"label"`
	Items  [4]int `json:"items"`
}

// Families returns the items by family; the columns add up to 55, 135, 211, 228.
func Families() []Family {
	return []Family{
		{1, "物理环境", [4]int{7, 15, 22, 24}},
		{2, "通信网络", [4]int{2, 4, 8, 11}},
		{3, "区域边界", [4]int{5, 11, 20, 21}},
		{4, "计算环境", [4]int{11, 23, 34, 36}},
		{5, "管理中心", [4]int{0, 4, 12, 13}},
		{6, "管理制度", [4]int{1, 6, 7, 7}},
		{7, "管理机构", [4]int{3, 9, 14, 15}},
		{8, "管理人员", [4]int{4, 7, 12, 14}},
		{9, "建设管理", [4]int{9, 25, 34, 35}},
		{10, "运维管理", [4]int{13, 31, 48, 52}},
	}
}

// Items is how many control items a grade asks for, by class.
type Items struct{ S, A, G int }

// Total of the three classes.
func (i Items) Total() int { return i.S + i.A + i.G }

// RequiredItems counts the general requirements for a grade: an S2A3 system
// answers S items of level 2, A items of level 3 and G items of level 3. Level 5
// has no published items: false.
func RequiredItems(g level.Grade) (Items, bool) {
	if !g.Valid() || g.Level() > 4 {
		return Items{}, false
	}
	s, a, all := [4]int{9, 15, 24, 25}, [4]int{2, 4, 6, 8}, [4]int{55, 135, 211, 228}
	top := g.Level() - 1
	return Items{S: s[g.S-1], A: a[g.A-1], G: all[top] - s[top] - a[top]}, true
}
