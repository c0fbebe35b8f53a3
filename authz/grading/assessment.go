package grading

import (
	"fmt"
	"regexp"

	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Templates of assessment reports (等级测评报告模版).
const (
	Template2021 = "2021"
	Template2025 = "2025"
)

// Conclusions, as declared on the cover.
const (
	Conform   = "conform"    // 符合
	Basic     = "basic"      // 基本符合
	NotAtAll  = "nonconform" // 不符合
	Excellent = "excellent"  // 优
	Good      = "good"       // 良
	Medium    = "medium"     // 中
	Poor      = "poor"       // 差
)

const maxFindings = 1000

// Assessment (等级测评) as its report declares it. The conclusion is stored as
// declared, whatever the numbers say: the agency answers for it, not we.
type Assessment struct {
	Agency     string      `json:"agency"`
	AgencyNo   string      `json:"agency_no"` // of its recommendation
	Template   string      `json:"template"`
	ReportNo   string      `json:"report_no"`
	Rate       int         `json:"rate"` // hundredths of a percent; points with the template of 2021
	Major      MajorHazard `json:"major_hazards"`
	High       int         `json:"high"`
	Mid        int         `json:"mid"`
	Low        int         `json:"low"`
	Conclusion string      `json:"conclusion"`
	Findings   []Finding   `json:"findings,omitempty"`
}

// MajorHazard counts 重大风险隐患: found before rectification, of these fixed.
// Reports write "10（5个已整改）" (公网安〔2025〕1846号 Q22).
type MajorHazard struct {
	Found int `json:"found"`
	Fixed int `json:"fixed"`
}

// Finding is one, down to the clause.
type Finding struct {
	Clause   string `json:"clause"` // "8.1.4.1 d"
	Severity string `json:"severity"`
	Text     string `json:"text"`
}

// clauseForm is a clause of the general or of an extended requirement:
// level, family, point, and the item's letter.
var clauseForm = regexp.MustCompile(`^[6-9]\.[1-5]\.[0-9]{1,2}\.[0-9]{1,2}( [a-z])?$`)

func (f Finding) validate() error {
	switch f.Severity {
	case "major", "high", "mid", "low":
	default:
		return fmt.Errorf("%w: severity %.40q", ErrEvidence, f.Severity)
	}
	return evidenced(clauseForm.MatchString(f.Clause) && words(f.Text), "clause and text of a finding", nil)
}

func (a Assessment) validate() error {
	if !words(a.Agency) || !words(a.AgencyNo) || !words(a.ReportNo) {
		return fmt.Errorf("%w: agency, its number, and number of the report", ErrEvidence)
	}
	if a.Rate < 0 || a.Rate > 10000 || a.Major.Found < 0 || a.Major.Fixed < 0 || a.Major.Fixed > a.Major.Found || a.High < 0 || a.Mid < 0 || a.Low < 0 {
		return fmt.Errorf("%w: a rate or a count out of range", ErrEvidence)
	}
	known := map[string]map[string]bool{
		Template2025: {Conform: true, Basic: true, NotAtAll: true},
		Template2021: {Excellent: true, Good: true, Medium: true, Poor: true},
	}
	if !known[a.Template][a.Conclusion] {
		return fmt.Errorf("%w: conclusion %.40q of template %.40q", ErrEvidence, a.Conclusion, a.Template)
	}
	return Check{By: a.Agency, Scope: a.ReportNo, Result: a.Conclusion, Findings: a.Findings}.validate()
}

// template is Q21 of the notice: after 2025-03-20 the one of 2025, before it the
// older is allowed too. The day itself is not mentioned, so either will do.
func (a Assessment) template(cover workday.Date) error {
	if a.Template == Template2021 && cover > workday.On(2025, 3, 20) {
		return fmt.Errorf("%w: a report of %s uses the template of 2025", ErrEvidence, cover)
	}
	return nil
}

// Contradictions is R17: codes of what the declared conclusion does not agree
// with. At exactly 90 and 60 percent the notice says nothing, and so do we.
func (a Assessment) Contradictions() []string {
	var out []string
	if a.Template == Template2021 {
		poor := a.Conclusion == Poor
		if a.Rate < 7000 && !poor || a.Rate >= 7000 && poor && a.High == 0 && a.Major.Found == 0 {
			out = append(out, "R17_rate")
		}
		if a.High > 0 && !poor {
			out = append(out, "R17_hazard")
		}
		return out
	}
	switch {
	case a.Rate > 9000 && a.Conclusion == NotAtAll,
		a.Rate > 6000 && a.Rate < 9000 && a.Conclusion != Basic,
		a.Rate < 6000 && a.Conclusion != NotAtAll,
		a.Rate > 9000 && a.Major.Found == 0 && a.Conclusion == Basic,
		a.Rate == 9000 && a.Conclusion == NotAtAll,
		a.Rate == 6000 && a.Conclusion == Conform:
		out = append(out, "R17_rate")
	}
	if a.Major.Found > 0 && a.Conclusion == Conform {
		out = append(out, "R17_hazard")
	}
	return out
}

// CryptoAssessment (密评, 国家密码管理局令第3号), in the numbers of the
// quantified rules of 2023: 70 technical and 30 management points.
type CryptoAssessment struct {
	Agency     string    `json:"agency"`
	ReportNo   string    `json:"report_no"`
	Technical  int       `json:"technical"`  // hundredths of a point, up to 7000
	Management int       `json:"management"` // up to 3000
	High       int       `json:"high"`
	Conclusion string    `json:"conclusion"`
	Findings   []Finding `json:"findings,omitempty"`
}

func (c CryptoAssessment) validate() error {
	if !words(c.Agency) || !words(c.ReportNo) || c.Technical < 0 || c.Technical > 7000 || c.Management < 0 || c.Management > 3000 || c.High < 0 {
		return fmt.Errorf("%w: agency, report, or points out of range", ErrEvidence)
	}
	if c.Conclusion != Conform && c.Conclusion != Basic && c.Conclusion != NotAtAll {
		return fmt.Errorf("%w: conclusion %.40q", ErrEvidence, c.Conclusion)
	}
	return Check{By: c.Agency, Scope: c.ReportNo, Result: c.Conclusion, Findings: c.Findings}.validate()
}

// Contradictions compares with: all points conform, 60 and no high risk basic.
func (c CryptoAssessment) Contradictions() []string {
	sum := c.Technical + c.Management
	want := NotAtAll
	switch {
	case sum == 10000 && c.High == 0:
		want = Conform
	case sum >= 6000 && c.High == 0:
		want = Basic
	}
	if c.Conclusion != want {
		return []string{"crypto_conclusion"}
	}
	return nil
}
