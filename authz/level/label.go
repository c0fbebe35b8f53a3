// Package level is the lattice of security levels and the sealed guard that
// keeps a consumer from lowering one.
//
// A Label states what a piece of government information needs
// (信息安全等级); a Grade states what a system was graded (等级保护, GB/T
// 22240). Labels form a partial order, component by component: raising one
// component never pays for lowering another. The package is pure: no clock, no
// store, no Rego. It implements 西政办发〔2011〕8号 art. 30 (information) and
// 西政办发〔2014〕14号 art. 30 (systems). It refuses state secrets (密码法
// art. 8): a Label that names one cannot be made.
package level

import (
	"errors"
	"fmt"
	"slices"
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
)

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
func (g Grade) String() string { return fmt.Sprintf("S%dA%d", g.S, g.A) }

// Label is what a resource or a copy of it needs.
type Label struct {
	Level     Level `json:"level"`
	RequiredS uint8 `json:"required_s"`
	RequiredA uint8 `json:"required_a"`
	Tags      []Tag `json:"tags,omitempty"` // sorted, without duplicates
}

// Strictest is the label of anything whose label is unknown.
func Strictest() Label {
	return Label{Level: LevelMax, RequiredS: GradeMax, RequiredA: GradeMax, Tags: restrictive()}
}

// New returns a normalised label or says why it cannot be one.
func New(lv Level, s, a uint8, tags ...Tag) (Label, error) {
	l := Label{Level: lv, RequiredS: s, RequiredA: a, Tags: normalise(tags)}
	return l, l.Validate()
}

// Validate returns ErrStateSecret or ErrInvalid, wrapped with the offender.
func (l Label) Validate() error {
	for _, t := range l.Tags {
		switch strings.ToLower(strings.TrimSpace(string(t))) {
		case "state_secret", "secret", "confidential", "top_secret", "秘密", "机密", "绝密", "国家秘密":
			return fmt.Errorf("%w: tag %q", ErrStateSecret, t)
		}
		if t != TagPublicDisclosure && !slices.Contains(restrictive(), t) {
			return fmt.Errorf("%w: unknown tag %q", ErrInvalid, t)
		}
	}
	if l.Level < LevelMin || l.Level > LevelMax || !(Grade{l.RequiredS, l.RequiredA}).Valid() {
		return fmt.Errorf("%w: level %d, required S%dA%d", ErrInvalid, l.Level, l.RequiredS, l.RequiredA)
	}
	return nil
}

// Dominates reports l >= m: no component of l is lower and no restrictive tag
// of m is missing in l. An invalid l dominates nothing.
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
		if t != TagPublicDisclosure && !slices.Contains(l.Tags, t) {
			return false
		}
	}
	return true
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
	s := fmt.Sprintf("L%d/S%dA%d", l.Level, l.RequiredS, l.RequiredA)
	if len(l.Tags) > 0 {
		names := make([]string, len(l.Tags))
		for i, t := range l.Tags {
			names[i] = string(t)
		}
		s += "[" + strings.Join(names, ",") + "]"
	}
	return s
}

func restrictive() []Tag {
	return []Tag{TagBusinessSecret, TagImportantData, TagLegalPerson, TagPersonal, TagSensitive, TagWorkSecret}
}

func normalise(tags []Tag) []Tag {
	if len(tags) == 0 {
		return nil
	}
	out := slices.Clone(tags)
	slices.Sort(out)
	return slices.Compact(out)
}
