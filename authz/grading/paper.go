package grading

import (
	"fmt"
	"maps"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// PaperKind is a kind of record about an object that is in use.
type PaperKind string

// Kinds of papers.
const (
	PaperAssessment PaperKind = "assessment"        // 等级测评
	PaperTask       PaperKind = "rectification"     // 整改
	PaperTaskDone   PaperKind = "rectified"         // 整改完成
	PaperSelfCheck  PaperKind = "self_check"        // 自查
	PaperInspection PaperKind = "inspection"        // 监督检查 (X11 art. 22, X14 art. 33)
	PaperDrill      PaperKind = "drill"             // 应急演练
	PaperRisk       PaperKind = "risk_assessment"   // 风险评估
	PaperPlan       PaperKind = "protection_plan"   // 保护工作方案 (R19)
	PaperCrypto     PaperKind = "crypto_assessment" // 密评
	PaperCryptoSent PaperKind = "crypto_filed"      // 密评报告备案
	PaperIncident   PaperKind = "incident"          // 安全事件 (XA18 art. 27)
	PaperExcuse     PaperKind = "excuse"            // why something is overdue
)

// Paper is one such record. On is the day of the thing itself: the cover date
// of a report, the day of a drill. Exactly the part of its kind is set.
type Paper struct {
	ID     string       `json:"id"`
	Object string       `json:"object"`
	Kind   PaperKind    `json:"kind"`
	On     workday.Date `json:"on"`
	Report string       `json:"report_sm3"` // the document, by digest

	Assessment *Assessment       `json:"assessment,omitempty"`
	Crypto     *CryptoAssessment `json:"crypto,omitempty"`
	Task       *Rectification    `json:"rectification,omitempty"`
	Done       *TaskDone         `json:"rectified,omitempty"`
	Check      *Check            `json:"check,omitempty"` // self-check, inspection, drill, risk assessment, plan
	Incident   *Incident         `json:"incident,omitempty"`
	Excuse     *ExcuseForDelay   `json:"excuse,omitempty"`

	Warnings []string     `json:"warnings,omitempty"` // contradictions, never corrected by us (R17)
	Actor    ledger.Actor `json:"actor"`
}

// Check is what a self-check, inspection, drill, risk assessment or plan found.
type Check struct {
	By       string       `json:"by"`
	Scope    string       `json:"scope"`
	Result   string       `json:"result"`
	Next     workday.Date `json:"next_due,omitzero"` // when it sets one itself
	Findings []Finding    `json:"findings,omitempty"`
}

// Rectification is a task with an owner and a day.
type Rectification struct {
	Source string       `json:"source"` // the paper that found it
	Clause string       `json:"clause"` // "8.1.4.1 d"
	What   string       `json:"what"`
	Owner  string       `json:"owner"` // person id
	Due    workday.Date `json:"due"`
}

// TaskDone closes a task; Paper.Report is its evidence.
type TaskDone struct {
	Task string `json:"task"`
}

// Incident names to whom it was reported.
type Incident struct {
	What       string       `json:"what"`
	ReportedTo string       `json:"reported_to"`
	ReportedOn workday.Date `json:"reported_on"`
}

// ExcuseForDelay is the reason why a limit is missed; it holds for that day
// only, a new limit needs a new reason.
type ExcuseForDelay struct {
	Rule   string       `json:"rule"`
	Ref    string       `json:"ref,omitempty"`
	Due    workday.Date `json:"due"`
	Reason string       `json:"reason"`
}

func (e ExcuseForDelay) key() string { return e.Rule + "/" + e.Ref }

// part returns the one part of the paper's kind.
func (p Paper) part() (validator, error) {
	parts := map[string]validator{}
	add := func(name string, present bool, v validator) {
		if present {
			parts[name] = v
		}
	}
	add("assessment", p.Assessment != nil, p.Assessment)
	add("crypto", p.Crypto != nil, p.Crypto)
	add("rectification", p.Task != nil, p.Task)
	add("rectified", p.Done != nil, p.Done)
	add("check", p.Check != nil, p.Check)
	add("incident", p.Incident != nil, p.Incident)
	add("excuse", p.Excuse != nil, p.Excuse)
	want := map[PaperKind]string{
		PaperAssessment: "assessment", PaperTask: "rectification", PaperTaskDone: "rectified", PaperSelfCheck: "check",
		PaperInspection: "check", PaperDrill: "check", PaperRisk: "check", PaperPlan: "check", PaperCrypto: "crypto",
		PaperCryptoSent: "", PaperIncident: "incident", PaperExcuse: "excuse",
	}
	name, known := want[p.Kind]
	if !known {
		return nil, fmt.Errorf("%w: kind %.40q", ErrEvidence, p.Kind)
	}
	if got := slices.Sorted(maps.Keys(parts)); name == "" && len(got) > 0 || name != "" && !slices.Equal(got, []string{name}) {
		return nil, fmt.Errorf("%w: %s carries %v", ErrEvidence, p.Kind, got)
	}
	return parts[name], nil
}

// validate checks a paper by itself and writes down what contradicts.
func (p *Paper) validate(today workday.Date) error {
	if p.ID == "" || len(p.ID) > 64 {
		return fmt.Errorf("%w: paper without id", ErrEvidence)
	}
	if p.On == 0 || p.On > today {
		return fmt.Errorf("%w: %s of %q, today is %s", ErrOrder, p.Kind, p.On, today)
	}
	if p.Kind != PaperExcuse && p.Kind != PaperTask || p.Report != "" {
		if err := digestForm("report_sm3", p.Report); err != nil {
			return fmt.Errorf("%w: %w", ErrEvidence, err)
		}
	}
	part, err := p.part()
	if err != nil {
		return err
	}
	p.Warnings = nil
	switch {
	case p.Assessment != nil:
		if err := p.Assessment.template(p.On); err != nil {
			return err
		}
		p.Warnings = p.Assessment.Contradictions()
	case p.Crypto != nil:
		p.Warnings = p.Crypto.Contradictions()
	case p.Task != nil && p.Task.Due < p.On, p.Check != nil && p.Check.Next != 0 && p.Check.Next <= p.On:
		return fmt.Errorf("%w: a %s due before its day %s", ErrOrder, p.Kind, p.On)
	case p.Incident != nil && (p.Incident.ReportedOn < p.On || p.Incident.ReportedOn > today):
		return fmt.Errorf("%w: reported on %s", ErrOrder, p.Incident.ReportedOn)
	}
	if part == nil {
		return nil
	}
	return part.validate()
}

func (c Check) validate() error {
	if len(c.Findings) > maxFindings {
		return fmt.Errorf("%w: more than %d findings", ErrEvidence, maxFindings)
	}
	for _, f := range c.Findings {
		if err := f.validate(); err != nil {
			return err
		}
	}
	return evidenced(words(c.By) && words(c.Scope) && words(c.Result), "by, scope and result", nil)
}

func (r Rectification) validate() error {
	return evidenced(r.Source != "" && clauseForm.MatchString(r.Clause) && words(r.What) && r.Owner != "" && r.Due != 0,
		"source, clause, task, owner and day", nil)
}

func (t TaskDone) validate() error { return evidenced(t.Task != "", "task", nil) }

func (i Incident) validate() error {
	return evidenced(words(i.What) && words(i.ReportedTo), "what happened and who was told", nil)
}

func (e ExcuseForDelay) validate() error {
	return evidenced(e.Rule != "" && e.Due != 0 && words(e.Reason), "rule, day and reason", nil)
}
