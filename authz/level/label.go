// Package level is the lattice of security levels and the sealed guard that
// keeps a consumer from lowering one.
//
// A Label states what a piece of government information needs
// (信息安全等级); a Grade states what a system was graded (等级保护, GB/T
// 22240). Labels form a partial order, component by component: raising one
// component never pays for lowering another. A label's components are the level,
// the grades S and A that a system needs for it, and its tags: the six that carry
// duties of their own, and categories. The package is pure: no clock, no
// store, no Rego. It implements 西政办发〔2011〕8号 art. 30 (information) and
// 西政办发〔2014〕14号 art. 30 (systems). It refuses state secrets (密码法
// art. 8): a Label that names one cannot be made.
package level

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Level is the level of information, 1 (lowest) to 4. Zero is unknown and
// counts as the strictest (design law 1).
type Level uint8

// Bounds of the two scales.
const (
	LevelMin Level = 1
	LevelMax Level = 4
	GradeMax uint8 = 5
)

// Tag is a category of information that carries duties of its own.
type Tag string

// Tags of a Label. Every tag but TagPublicDisclosure restricts: a result keeps
// the restrictive tags of all its sources.
const (
	TagPersonal         Tag = "personal"          // 个人隐私, 个人信息
	TagLegalPerson      Tag = "legal_person"      // 法人信息
	TagBusinessSecret   Tag = "business_secret"   // 商业秘密
	TagSensitive        Tag = "sensitive"         // 敏感
	TagImportantData    Tag = "important_data"    // 重要数据
	TagWorkSecret       Tag = "work_secret"       // 工作秘密
	TagPublicDisclosure Tag = "public_disclosure" // 政府信息公开范围; opens the publish guard, no part of the order
	TagAnyCategory      Tag = "cat_any"           // every category; what nobody classified may be of any
)

// A category (类别, 京政发〔2017〕37号 art. 26) is a tag too, so that it is joined
// and kept like one. The vocabulary is data of the district's rules; its form is
// categoryPrefix and at most categoryMax letters a-z and underscores.
const (
	categoryPrefix = "cat_"
	categoryMax    = 40
)

// Category is the tag of a category: Category("population") is "cat_population".
func Category(name string) Tag { return Tag(categoryPrefix + name) }

// IsCategory reports whether t has the form of a category.
func (t Tag) IsCategory() bool {
	name, ok := strings.CutPrefix(string(t), categoryPrefix)
	if !ok || name == "" || len(name) > categoryMax {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}

// named: one of the tags that are not categories.
func (t Tag) named() bool {
	switch t {
	case TagPersonal, TagLegalPerson, TagBusinessSecret, TagSensitive, TagImportantData, TagWorkSecret, TagPublicDisclosure:
		return true
	}
	return false
}

// Outcomes that callers branch on.
var (
	// ErrStateSecret: 秘密, 机密 and 绝密 are refused at registration.
	ErrStateSecret = errors.New("level: state secrets may not be registered")
	// ErrInvalid: a label or grade outside its scale, or an unknown tag.
	ErrInvalid = errors.New("level: invalid label or grade")
)

// Grade is what a system was graded: S for business information security
// (业务信息安全), A for system service security (系统服务安全), each 1 to 5.
// The zero Grade is "ungraded" and carries nothing.
type Grade struct {
	S uint8 `json:"s"`
	A uint8 `json:"a"`
}

// Level is max(S, A), GB/T 22240-2020 6.5; it is never typed in.
func (g Grade) Level() uint8 { return max(g.S, g.A) }

// Valid reports whether both components are on the scale.
func (g Grade) Valid() bool { return g.S >= 1 && g.S <= GradeMax && g.A >= 1 && g.A <= GradeMax }

// String is the form in use in filings: "S3A3".
func (g Grade) String() string { return string(g.append(nil)) }

func (g Grade) append(b []byte) []byte {
	b = strconv.AppendUint(append(b, 'S'), uint64(g.S), 10)
	return strconv.AppendUint(append(b, 'A'), uint64(g.A), 10)
}

// Label is what a resource or a copy of it needs.
type Label struct {
	Level     Level `json:"level"`
	RequiredS uint8 `json:"required_s"`
	RequiredA uint8 `json:"required_a"`
	Tags      []Tag `json:"tags,omitempty"` // sorted, without duplicates
}

// Strictest is the label of anything whose label is unknown. It dominates every
// label.
func Strictest() Label {
	return Label{Level: LevelMax, RequiredS: GradeMax, RequiredA: GradeMax, Tags: []Tag{
		TagBusinessSecret, TagAnyCategory, TagImportantData, TagLegalPerson, TagPersonal, TagSensitive, TagWorkSecret,
	}}
}

// New returns a normalised label or says why it cannot be one.
func New(lv Level, s, a uint8, tags ...Tag) (Label, error) {
	l := Label{Level: lv, RequiredS: s, RequiredA: a, Tags: normalise(tags)}
	return l, l.Validate()
}

// Validate returns ErrStateSecret or ErrInvalid, wrapped with the offender.
func (l Label) Validate() error {
	for _, t := range l.Tags {
		switch {
		case t.named():
		case t.namesStateSecret():
			return fmt.Errorf("%w: tag %q", ErrStateSecret, t)
		case !t.IsCategory():
			return fmt.Errorf("%w: unknown tag %q", ErrInvalid, t)
		}
	}
	if l.Level < LevelMin || l.Level > LevelMax || !(Grade{l.RequiredS, l.RequiredA}).Valid() {
		return fmt.Errorf("%w: level %d, required S%dA%d", ErrInvalid, l.Level, l.RequiredS, l.RequiredA)
	}
	return nil
}

// namesStateSecret also sees through the form of a category, case and spaces.
func (t Tag) namesStateSecret() bool {
	switch strings.TrimPrefix(strings.ToLower(strings.TrimSpace(string(t))), categoryPrefix) {
	case "state_secret", "secret", "confidential", "top_secret", "秘密", "机密", "绝密", "国家秘密":
		return true
	}
	return false
}

// Dominates reports l >= m: no component of l is lower and no restrictive tag
// of m is missing in l. An invalid l dominates nothing, and an invalid m counts
// as Strictest.
func (l Label) Dominates(m Label) bool {
	if l.Validate() != nil {
		return false
	}
	if m.Validate() != nil {
		m = Strictest()
	}
	if l.Level < m.Level || l.RequiredS < m.RequiredS || l.RequiredA < m.RequiredA {
		return false
	}
	for _, t := range m.Tags {
		if t != TagPublicDisclosure && !l.keeps(t) {
			return false
		}
	}
	return true
}

func (l Label) keeps(t Tag) bool {
	return slices.Contains(l.Tags, t) || t.IsCategory() && slices.Contains(l.Tags, TagAnyCategory)
}

// Join is the least label that dominates all: component-wise maximum and the
// union of restrictive tags. TagPublicDisclosure survives only when every
// source has it. Join of nothing, or of an invalid label, is Strictest.
func Join(labels ...Label) Label {
	if len(labels) == 0 {
		return Strictest()
	}
	out := Label{}
	public := true
	for _, l := range labels {
		if l.Validate() != nil {
			return Strictest()
		}
		out.Level = max(out.Level, l.Level)
		out.RequiredS = max(out.RequiredS, l.RequiredS)
		out.RequiredA = max(out.RequiredA, l.RequiredA)
		for _, t := range l.Tags {
			if t != TagPublicDisclosure {
				out.Tags = append(out.Tags, t)
			}
		}
		public = public && slices.Contains(l.Tags, TagPublicDisclosure)
	}
	if public {
		out.Tags = append(out.Tags, TagPublicDisclosure)
	}
	out.Tags = normalise(out.Tags)
	return out
}

// Carries reports whether a system of grade g may hold or carry something
// labelled l: S >= RequiredS and A >= RequiredA.
func (g Grade) Carries(l Label) bool {
	return g.Valid() && l.Validate() == nil && g.S >= l.RequiredS && g.A >= l.RequiredA
}

// String is a short form for people and the ledger: "L3/S3A3[personal]".
func (l Label) String() string {
	b := strconv.AppendUint(append(make([]byte, 0, 64), 'L'), uint64(l.Level), 10)
	b = Grade{l.RequiredS, l.RequiredA}.append(append(b, '/'))
	for i, t := range l.Tags {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		b = append(append(b, sep), t...)
	}
	if len(l.Tags) > 0 {
		b = append(b, ']')
	}
	return string(b)
}

// normalise sorts and drops duplicates, and the categories that TagAnyCategory
// already stands for.
func normalise(tags []Tag) []Tag {
	if len(tags) == 0 {
		return nil
	}
	out := slices.Clone(tags)
	slices.Sort(out)
	if slices.Contains(out, TagAnyCategory) {
		out = slices.DeleteFunc(out, func(t Tag) bool { return t != TagAnyCategory && t.IsCategory() })
	}
	return slices.Compact(out)
}
