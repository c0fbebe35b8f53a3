package grading

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// InjuredObject is what suffers when the graded object is broken (受侵害客体,
// GB/T 22240-2020 ch. 4).
type InjuredObject string

// Injured objects, in the order of the table; judging goes the other way round.
const (
	Rights   InjuredObject = "rights"            // 公民、法人和其他组织的合法权益
	Order    InjuredObject = "order"             // 社会秩序、公共利益
	National InjuredObject = "national_security" // 国家安全
)

// Degree is how much it suffers (侵害程度).
type Degree string

// Degrees.
const (
	General Degree = "general"      // 一般损害
	Serious Degree = "serious"      // 严重损害
	Extreme Degree = "very_serious" // 特别严重损害
)

// MatrixLevel is GB/T 22240-2020 tables 2 and 3, which are the same: the level
// of one (object, degree) pair, 0 when either is unknown. Extreme injury of
// rights is level 2; the drafts of 2018 said 3.
func MatrixLevel(o InjuredObject, d Degree) uint8 {
	column := slices.Index([]Degree{General, Serious, Extreme}, d)
	if column < 0 {
		return 0
	}
	switch o {
	case Rights:
		return [3]uint8{1, 2, 2}[column]
	case Order:
		return [3]uint8{2, 3, 4}[column]
	case National:
		return [3]uint8{3, 4, 5}[column]
	}
	return 0
}

// Pair is one judgement: which object is injured how badly, and why.
type Pair struct {
	Object InjuredObject `json:"object"`
	Degree Degree        `json:"degree"`
	Reason string        `json:"reason"`
}

// Judgement is how a level was found: the pairs for business information
// security (S) and for system service security (A). There is no field for a
// level: it follows.
type Judgement struct {
	S []Pair `json:"s_pairs"`
	A []Pair `json:"a_pairs"`
	// Report is the SM3 of the grading report (定级报告).
	Report string `json:"report_sm3"`
}

// Grade derives S and A, each the highest of its pairs (R1; GB/T 22240-2020 ch. 6).
func (j Judgement) Grade() (level.Grade, error) {
	s, err := highest("s_pairs", j.S)
	if err != nil {
		return level.Grade{}, err
	}
	a, err := highest("a_pairs", j.A)
	if err != nil {
		return level.Grade{}, err
	}
	if err := digestForm("report_sm3", j.Report); err != nil {
		return level.Grade{}, err
	}
	return level.Grade{S: s, A: a}, nil
}

// highest refuses an object that is judged twice: two degrees of one injury
// contradict each other.
func highest(field string, pairs []Pair) (uint8, error) {
	if len(pairs) == 0 {
		return 0, fmt.Errorf("%w: %s: nothing was judged", ErrInvalid, field)
	}
	var top uint8
	var seen []InjuredObject
	for i, p := range pairs {
		lv := MatrixLevel(p.Object, p.Degree)
		switch {
		case lv == 0:
			return 0, fmt.Errorf("%w: %s[%d]: object %.40q, degree %.40q", ErrInvalid, field, i, p.Object, p.Degree)
		case slices.Contains(seen, p.Object):
			return 0, fmt.Errorf("%w: %s[%d]: %s is judged twice", ErrInvalid, field, i, p.Object)
		case !words(p.Reason):
			return 0, fmt.Errorf("%w: %s[%d]: a judgement needs its reason in words", ErrInvalid, field, i)
		}
		seen = append(seen, p.Object)
		top = max(top, lv)
	}
	return top, nil
}

// Reason is the ground of a judgement in one line, for the record in force.
func (j Judgement) Reason() string {
	var out []string
	for _, side := range []struct {
		name  string
		pairs []Pair
	}{{"S", j.S}, {"A", j.A}} {
		for _, p := range side.pairs {
			out = append(out, side.name+": "+p.Reason)
		}
	}
	s := strings.Join(out, "; ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

// words is text that a person wrote: not empty, not too long, UTF-8.
func words(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxReason && utf8.ValidString(s)
}

// digestForm checks an SM3 in lower-case hex: attachments are named by digest.
func digestForm(field, s string) error {
	if len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" {
		return nil
	}
	return fmt.Errorf("%w: %s is not an SM3 in lower-case hex", ErrInvalid, field)
}
