package grading

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Evidence of the steps. None has a day of its own: Act.On is the day on which
// it happened, so that a step cannot carry two.

// ExpertReview (专家评审) is asked for from level 2 on (R2).
type ExpertReview struct {
	Experts []string `json:"experts"` // names of security and business experts
	Passed  bool     `json:"passed"`
	Opinion string   `json:"opinion"`
	Report  string   `json:"opinion_sm3"`
}

// AuthorityApproval (主管部门核准), or the reason why there is no authority (R3).
type AuthorityApproval struct {
	Authority string `json:"authority,omitempty"`
	Report    string `json:"approval_sm3,omitempty"`
	NoneWhy   string `json:"no_authority_reason,omitempty"`
}

// Submission is the filing (备案) with the police organ: forms one to four.
type Submission struct {
	Organ       string            `json:"accepting_organ"`
	FormNumber  string            `json:"form_number,omitempty"` // 11 digits, once the organ gave it
	UnitForm    string            `json:"unit_form_sm3"`         // 表一
	SystemForm  string            `json:"system_form_sm3"`       // 表二
	GradingForm string            `json:"grading_form_sm3"`      // 表三
	DataSurvey  string            `json:"data_survey_sm3"`       // 2025 form, from level 2 on
	Materials   map[string]string `json:"materials,omitempty"`   // 表四: name → SM3
	MaterialsBy workday.Date      `json:"materials_by,omitzero"` // the day for which missing ones are promised
}

// Materials returns the seven names of 表四, asked for from level 3 on
// (公通字〔2007〕43号 art. 16).
func Materials() []string {
	return []string{"topology", "organisation_and_rules", "design_or_rebuild_plan", "products_with_certificates", "assessment_report", "expert_opinion", "authority_approval"}
}

// Acceptance is the organ's receipt (受理) of the filing.
type Acceptance struct {
	Receipt string `json:"receipt_no"`
	Report  string `json:"receipt_sm3"`
}

// FilingCertificate (备案证明). A printed end wins over the computed one (R8).
type FilingCertificate struct {
	Number     string       `json:"number"`
	ValidUntil workday.Date `json:"valid_until,omitzero"` // as printed; zero: computed
	Report     string       `json:"certificate_sm3"`
}

// Notice is a correction notice or a finding that the level is wrong.
type Notice struct {
	Number string `json:"number"`
	Reason string `json:"reason"`
	Report string `json:"notice_sm3"`
}

// Cause is why a certified object is graded again (GB/T 22240-2020 ch. 8).
type Cause struct {
	Reason string `json:"reason"`
	Major  bool   `json:"major_change"` // 重大变更: an assessment is needed (R12)
	Report string `json:"report_sm3"`
}

// Consent is a provider's, to a grade that falls in S or A while the object
// holds something of his (X14 art. 30).
type Consent struct {
	Provider identity.USCC `json:"provider"`
	Report   string        `json:"consent_sm3"`
}

// Retirement (注销): what became of the data.
type Retirement struct {
	Reason string `json:"reason"`
	Data   string `json:"data"` // migrated or destroyed
	Report string `json:"report_sm3"`
}

// BuildAcceptance (竣工验收, XA18 art. 17).
type BuildAcceptance struct {
	By     string `json:"by"`
	Passed bool   `json:"passed"`
	Report string `json:"report_sm3"`
}

// Grace lets an object whose assessment has lapsed work on until a day. It needs
// two persons' approvals and ends by itself.
type Grace struct {
	Until  workday.Date `json:"until"`
	Reason string       `json:"reason"`
}

var formNumber = regexp.MustCompile(`^[0-9]{11}$`)

func (e ExpertReview) validate() error {
	if len(e.Experts) == 0 || len(e.Experts) > maxList {
		return fmt.Errorf("%w: a review names its experts", ErrEvidence)
	}
	for i, x := range e.Experts {
		if !words(x) {
			return fmt.Errorf("%w: expert %d has no name", ErrEvidence, i+1)
		}
	}
	if !e.Passed {
		return fmt.Errorf("%w: the experts did not agree; grade again", ErrEvidence)
	}
	return evidenced(words(e.Opinion), "opinion", digestForm("opinion_sm3", e.Report))
}

func (e AuthorityApproval) validate() error {
	if (e.Authority == "") == (e.NoneWhy == "") {
		return fmt.Errorf("%w: an approval names its authority, or why there is none", ErrEvidence)
	}
	if e.NoneWhy != "" {
		return evidenced(words(e.NoneWhy) && e.Report == "", "no_authority_reason", nil)
	}
	return evidenced(words(e.Authority), "authority", digestForm("approval_sm3", e.Report))
}

func (e Submission) validate() error {
	if e.FormNumber != "" && !formNumber.MatchString(e.FormNumber) {
		return fmt.Errorf("%w: a form number has 11 digits", ErrEvidence)
	}
	for field, v := range map[string]string{
		"unit_form_sm3": e.UnitForm, "system_form_sm3": e.SystemForm, "grading_form_sm3": e.GradingForm, "data_survey_sm3": e.DataSurvey,
	} {
		if err := digestForm(field, v); err != nil {
			return fmt.Errorf("%w: %w", ErrEvidence, err)
		}
	}
	known := strings.Join(Materials(), " ")
	for name, v := range e.Materials {
		if name == "" || !strings.Contains(" "+known+" ", " "+name+" ") {
			return fmt.Errorf("%w: material %.40q is not in form four", ErrEvidence, name)
		}
		if err := digestForm(name, v); err != nil {
			return fmt.Errorf("%w: %w", ErrEvidence, err)
		}
	}
	return evidenced(words(e.Organ), "accepting_organ", nil)
}

// complete reports whether nothing of form four is missing.
func (e Submission) complete() bool { return len(e.Materials) == len(Materials()) }

func (e Acceptance) validate() error {
	return evidenced(words(e.Receipt), "receipt_no", digestForm("receipt_sm3", e.Report))
}

func (e FilingCertificate) validate() error {
	return evidenced(filingForm.MatchString(e.Number), "certificate number", digestForm("certificate_sm3", e.Report))
}

func (e Notice) validate() error {
	return evidenced(words(e.Number) && words(e.Reason), "number and reason", digestForm("notice_sm3", e.Report))
}

func (e Cause) validate() error {
	return evidenced(words(e.Reason), "reason", digestForm("report_sm3", e.Report))
}

func (e Retirement) validate() error {
	return evidenced(words(e.Reason) && (e.Data == "migrated" || e.Data == "destroyed"), "reason and data", digestForm("report_sm3", e.Report))
}

func (e BuildAcceptance) validate() error {
	return evidenced(words(e.By) && e.Passed, "passed acceptance", digestForm("report_sm3", e.Report))
}

func (e Grace) validate() error {
	return evidenced(words(e.Reason) && e.Until != 0, "reason and end", nil)
}

func (j Judgement) validate() error {
	_, err := j.Grade()
	return err
}

func evidenced(ok bool, what string, err error) error {
	if !ok {
		return fmt.Errorf("%w: %s", ErrEvidence, what)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	return nil
}

// plainNumber is a certificate number without its hyphen: one spelling, so that
// a duplicate is seen.
func plainNumber(n string) string { return strings.ReplaceAll(n, "-", "") }
