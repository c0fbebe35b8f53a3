package grading

import (
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Profile is the set of periods that a police organ applies. The texts differ
// and which one counts is the site's to say, so every number is data.
type Profile struct {
	ID      string `json:"id"`
	Version string `json:"version"`

	FilingDays   int  `json:"filing_days"`    // R4, R5, R6: calendar days
	Roll         bool `json:"roll"`           // an end on a rest day moves on
	PoliceDays   int  `json:"police_days"`    // R7: working days
	TermMonths   int  `json:"term_months"`    // R8: of a filing certificate
	ExtendMonths int  `json:"extend_months"`  // R8: for each completed assessment
	MaxExtension int  `json:"max_extensions"` // 0: no limit is stated
	RenewMonths  int  `json:"renew_months"`   // R9: before the end

	TermFrom workday.Date `json:"term_from"` // R8: older certificates count from this day

	AssessMonths [6]int `json:"assess_months"` // R10 by level; 0: none is stated
	CheckMonths  [6]int `json:"check_months"`  // R11 by level

	// Periods that the texts leave to the unit; the numbers are ours.
	ChangeDays    int  `json:"change_days"`    // R12
	PlanDays      int  `json:"plan_days"`      // R19
	DrillMonths   int  `json:"drill_months"`   // XA18 art. 26, BJ17 art. 27, from level 2 on
	RiskMonths    int  `json:"risk_months"`    // XA18 art. 26, BJ17 art. 26, from level 2 on
	CryptoMonths  int  `json:"crypto_months"`  // 密评, from level 3 on
	CryptoDays    int  `json:"crypto_days"`    // its report is filed within
	MaxGraceDays  int  `json:"max_grace_days"` // of a two-person grace
	LeastExperts  int  `json:"least_experts"`  // XA18 art. 5
	FiledSuffices bool `json:"filed_suffices"` // R15: production certificates on a filing alone
}

// Notice2025 is 公网安〔2025〕1846号 where it speaks, else 公通字〔2007〕43号.
func Notice2025() Profile {
	return Profile{
		ID: "notice-2025", Version: "1",
		FilingDays: 30, Roll: true, PoliceDays: 10, TermMonths: 36, ExtendMonths: 12, RenewMonths: 3,
		TermFrom:     workday.On(2025, 1, 1),
		AssessMonths: [6]int{3: 12, 4: 12, 5: 12}, CheckMonths: [6]int{3: 12, 4: 6},
		ChangeDays: 30, PlanDays: 30, DrillMonths: 12, RiskMonths: 12, CryptoMonths: 12, CryptoDays: 30,
		MaxGraceDays: 90, LeastExperts: 1, FiledSuffices: true,
	}
}

// Measures2007 is the cadence of 公通字〔2007〕43号 art. 14: level 4 half-yearly,
// level 5 by special need. The measures know no end of a filing certificate;
// the notice of 2025 gave one to all, so that part stays.
func Measures2007() Profile {
	p := Notice2025()
	p.ID, p.AssessMonths = "measures-2007", [6]int{3: 12, 4: 6}
	return p
}

// Validate refuses a profile under which a limit could never end.
func (p Profile) Validate() error {
	if p.ID == "" || p.Version == "" {
		return fmt.Errorf("%w: profile without id or version", ErrInvalid)
	}
	for _, n := range []int{p.FilingDays, p.PoliceDays, p.TermMonths, p.ExtendMonths, p.RenewMonths, p.ChangeDays, p.PlanDays, p.DrillMonths, p.RiskMonths, p.CryptoMonths, p.CryptoDays, p.MaxGraceDays, p.LeastExperts} {
		if n < 1 || n > 1200 {
			return fmt.Errorf("%w: profile %s: a period of %d", ErrInvalid, p.ID, n)
		}
	}
	for _, n := range slices.Concat(p.AssessMonths[:], p.CheckMonths[:], []int{p.MaxExtension}) {
		if n < 0 || n > 1200 {
			return fmt.Errorf("%w: profile %s: a period of %d", ErrInvalid, p.ID, n)
		}
	}
	return nil
}

// rules is what guards and deadlines are computed with.
type rules struct {
	Profile
	cal     *workday.Calendar
	regions []string
}
