package sharing

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Entry is an entry of the catalogue with its core metadata (政务信息资源目录编制指南
// 发改高技〔2017〕1272号; GB/T 21063.3). Decisions rest on the Resource alone.
type Entry struct {
	Resource
	Metadata
}

// Metadata describes a resource for people. Name, provider, sharing type and
// information items are the Resource's.
type Metadata struct {
	Code       string       `json:"code"`                 // 信息资源代码: classification, "/", number of six digits
	Category   string       `json:"category"`             // 信息资源分类: 类/项/目/细目
	Summary    string       `json:"summary"`              // 信息资源摘要
	Format     string       `json:"format"`               // 信息资源格式
	ItemTypes  []string     `json:"item_types,omitempty"` // types of the Items, in their order; none: text
	Conditions string       `json:"conditions,omitempty"` // 共享条件
	Manner     string       `json:"manner,omitempty"`     // 共享方式
	Open       string       `json:"open"`                 // 开放属性: open, conditional, closed
	Cycle      string       `json:"cycle"`                // 更新周期: see Cycles
	Published  workday.Date `json:"published"`            // 发布日期
	Related    []string     `json:"related,omitempty"`    // 关联资源代码
	System     string       `json:"system,omitempty"`     // the system that carries it
	Contact    string       `json:"contact"`              // who answers for it at the provider
	Approval   string       `json:"approval,omitempty"`   // of the secrecy bureau (区保密局批准)
	Filing     string       `json:"filing,omitempty"`     // with the information office (信息办备案)
	PIA        string       `json:"pia_ref,omitempty"`    // of the impact assessment (个人信息保护影响评估)
}

// Cycles are the update cycles (更新周期) of 1272号.
func Cycles() []string {
	return []string{"realtime", "daily", "weekly", "monthly", "quarterly", "yearly", "irregular"}
}

// Openness are the values of the open attribute.
func Openness() []string { return []string{"open", "conditional", "closed"} }

// FieldError is what is wrong with one field of an entry. Its text is the
// catalogue's: catalogue.line.<code>.
type FieldError struct {
	Field string
	Code  string
	Err   error // the room's outcome
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("sharing: entry: %s: %s: %v", e.Field, e.Code, e.Err)
}
func (e *FieldError) Unwrap() error { return e.Err }

// Codes of field errors.
const (
	LineMissing     = "missing"
	LineForm        = "form"
	LineUnknown     = "unknown"
	LineTwice       = "twice"
	LineStateSecret = "state_secret"
	LineBasis       = "basis"
	LineProvider    = "provider"
	LineLowered     = "lowered"
	LineLoosened    = "loosened"
	LineCode        = "code"
	LineColumn      = "column"
	LineItems       = "items"
	LineBelowItems  = "below_items"
	LineUnmasked    = "unmasked"
	LinePIA         = "pia"
)

// requirement: under a regime, a sharing type asks for a field.
type requirement struct {
	regime Regime
	share  ShareType
	field  string
	value  func(Entry) string
}

// requirements are what the regimes ask for beside the metadata of all.
func requirements() []requirement {
	basis := func(e Entry) string { return e.Basis }
	return []requirement{
		// 西政办发〔2014〕14号 art. 24 (2): basis, approval of the secrecy bureau, filing.
		{RegimeXicheng2014, ShareOnApplication, "basis", basis},
		{RegimeXicheng2014, ShareOnApplication, "approval", func(e Entry) string { return e.Approval }},
		{RegimeXicheng2014, ShareOnApplication, "filing", func(e Entry) string { return e.Filing }},
		// 京政发〔2017〕37号 art. 16.
		{RegimeBeijing2017, ShareNotShared, "basis", basis},
		{RegimeBeijing2017, ShareConditional, "conditions", func(e Entry) string { return e.Conditions }},
	}
}

// EntryID is the id that belongs to a code: the same code is the same resource,
// whoever writes it and when.
func EntryID(code string) string { return strings.ReplaceAll(code, "/", ".") }

// Validate checks an entry by itself and returns everything that is wrong with it.
func (e Entry) Validate() []*FieldError {
	var out []*FieldError
	add := func(field, code string, err error) { out = append(out, &FieldError{field, code, err}) }
	if class, number, found := strings.Cut(e.Code, "/"); !found || !idForm.MatchString(class) || len(number) != 6 || strings.Trim(number, "0123456789") != "" {
		add("code", LineCode, ErrInvalid)
	} else if e.ID != EntryID(e.Code) {
		add("id", LineCode, ErrInvalid)
	}
	for _, f := range [][2]string{
		{"name", e.Name}, {"category", e.Category}, {"summary", e.Summary}, {"format", e.Format}, {"contact", e.Contact}, {"secrecy_review", e.SecrecyReview},
	} {
		if strings.TrimSpace(f[1]) == "" {
			add(f[0], LineMissing, ErrInvalid)
		}
	}
	for field, s := range e.words() {
		switch {
		case !plain(s):
			add(field, LineForm, ErrInvalid)
		case namesStateSecret(s):
			add(field, LineStateSecret, level.ErrStateSecret)
		}
	}
	if !slices.Contains(Cycles(), e.Cycle) {
		add("cycle", LineUnknown, ErrInvalid)
	}
	if !slices.Contains(Openness(), e.Open) {
		add("open", LineUnknown, ErrInvalid)
	}
	if e.Published == 0 {
		add("published", LineMissing, ErrInvalid)
	}
	if len(e.ItemTypes) > 0 && len(e.ItemTypes) != len(e.Items) {
		add("item_types", LineForm, ErrInvalid)
	}
	if err := list("items", e.Items); err != nil {
		add("items", LineForm, err)
	}
	if err := e.Label.Validate(); errors.Is(err, level.ErrStateSecret) {
		add("label", LineStateSecret, err)
	} else if err != nil {
		add("label", LineForm, err)
	}
	if !slices.Contains(shareTypes(e.Regime), e.ShareType) {
		add("share_type", LineUnknown, ErrInvalid)
	}
	switch err := e.itemTags(); {
	case errors.Is(err, level.ErrStateSecret):
		add("item_tags", LineStateSecret, err)
	case errors.Is(err, ErrLowered):
		add("label", LineBelowItems, err)
	case err != nil:
		add("item_tags", LineItems, err)
	}
	// 京政发〔2017〕37号 art. 28; 个人信息保护法 art. 55 (4): assessed before it is provided.
	if e.Regime == RegimeBeijing2017 && e.ShareType != ShareNotShared && slices.Contains(e.Label.Tags, level.TagPersonal) && strings.TrimSpace(e.PIA) == "" {
		add("pia_ref", LinePIA, ErrBasis)
	}
	for _, r := range requirements() {
		if r.regime == e.Regime && r.share == e.ShareType && strings.TrimSpace(r.value(e)) == "" {
			add(r.field, LineBasis, ErrBasis)
		}
	}
	if len(out) == 0 { // what the register itself refuses, whatever else there is
		if err := e.Resource.Validate(); err != nil {
			add("resource", LineForm, err)
		}
	}
	slices.SortFunc(out, func(a, b *FieldError) int { return strings.Compare(a.Field+a.Code, b.Field+b.Code) })
	return out
}

// words are the texts of an entry by their field.
func (e Entry) words() map[string]string {
	return map[string]string{
		"name": e.Name, "category": e.Category, "summary": e.Summary, "format": e.Format, "conditions": e.Conditions, "manner": e.Manner,
		"system": e.System, "contact": e.Contact, "approval": e.Approval, "filing": e.Filing, "pia_ref": e.PIA, "basis": e.Basis, "secrecy_review": e.SecrecyReview,
		"items": strings.Join(e.Items, " "), "item_types": strings.Join(e.ItemTypes, " "), "related": strings.Join(e.Related, " "),
	}
}

// against checks a change of an entry that is there: a provider cannot take another's
// code, a label goes down only by its provider's signed act, and what becomes freer
// to share, a whole or one item, was reviewed anew.
func (e Entry) against(old Resource) *FieldError {
	switch {
	case old.Provider != e.Provider:
		return &FieldError{"code", LineProvider, ErrNotProvider}
	case !e.Label.Dominates(old.Label):
		return &FieldError{"label", LineLowered, ErrLowered}
	case openness(e.ShareType) > openness(old.ShareType) && e.SecrecyReview == old.SecrecyReview:
		return &FieldError{"secrecy_review", LineLoosened, ErrBasis}
	case e.unmasks(old) && e.SecrecyReview == old.SecrecyReview:
		return &FieldError{"item_tags", LineUnmasked, ErrBasis}
	}
	return nil
}

// openness orders the sharing types of a regime.
func openness(s ShareType) int {
	switch s {
	case ShareProactive, ShareUnconditional:
		return 2
	case ShareOnApplication, ShareConditional:
		return 1
	}
	return 0
}
