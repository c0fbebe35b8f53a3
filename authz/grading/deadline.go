package grading

import (
	"cmp"
	"maps"
	"slices"

	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Deadline is one limit that runs for an object. It keeps the calendar and the
// profile it was computed with, so that it can be found and computed anew.
type Deadline struct {
	Object    string       `json:"object"`
	Rule      string       `json:"rule"`          // "R4", or the name of a limit of the unit's own
	Ref       string       `json:"ref,omitempty"` // the task
	Opens     workday.Date `json:"opens,omitzero"`
	Due       workday.Date `json:"due"` // last day
	Estimated bool         `json:"estimated,omitempty"`
	Calendar  string       `json:"calendar"`
	Profile   string       `json:"profile"`
	Reason    string       `json:"reason,omitempty"` // why it is missed, as recorded
}

// Status of a deadline on a day.
type Status string

// Statuses.
const (
	StatusWaiting Status = "waiting" // not open yet
	StatusOpen    Status = "open"
	StatusOverdue Status = "overdue"
)

// On tells the status on a day; the last day itself is still in time.
func (d Deadline) On(today workday.Date) Status {
	switch {
	case today > d.Due:
		return StatusOverdue
	case d.Opens != 0 && today < d.Opens:
		return StatusWaiting
	}
	return StatusOpen
}

// Limits beside R4 to R19.
const (
	LimitDrill      = "drill"
	LimitRisk       = "risk_assessment"
	LimitCrypto     = "crypto_assessment"
	LimitCryptoSent = "crypto_filed"
	LimitTask       = "rectification"
	LimitGrace      = "grace"
	LimitInspection = "inspection"
)

// sheet collects the deadlines of one dossier.
type sheet struct {
	rules
	d   Dossier
	out []Deadline
	err error
}

func (s *sheet) add(rule, ref string, opens workday.Date, due workday.Due) {
	dl := Deadline{
		Object: s.d.Object.ID, Rule: rule, Ref: ref, Opens: opens, Due: due.Day, Estimated: due.Estimated,
		Calendar: s.cal.Version(), Profile: s.Profile.ID + "/" + s.Profile.Version,
	}
	if x, ok := s.d.Excuses[ExcuseForDelay{Rule: rule, Ref: ref}.key()]; ok && x.Due == dl.Due {
		dl.Reason = x.Reason
	}
	s.out = append(s.out, dl)
}

// on adds a limit that ends on a day by itself.
func (s *sheet) on(rule, ref string, opens, day workday.Date) {
	s.add(rule, ref, opens, workday.Due{Day: day})
}

func (s *sheet) counted(rule string, due workday.Due, err error) {
	if err != nil {
		s.err = cmp.Or(s.err, err)
		return
	}
	s.add(rule, "", 0, due)
}

// deadlines lists what runs for a dossier, earliest first.
func deadlines(d Dossier, r rules) ([]Deadline, error) {
	s := &sheet{rules: r, d: d}
	if d.State == StateRetired {
		return nil, nil
	}
	s.filing()
	if d.InForce != nil {
		s.certificate()
		s.cadence()
	}
	for _, id := range slices.Sorted(maps.Keys(d.Tasks)) {
		s.on(LimitTask, id, 0, d.Tasks[id].Due)
	}
	slices.SortStableFunc(s.out, func(a, b Deadline) int { return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Rule, b.Rule)) })
	return s.out, s.err
}

// filing: R4 to R7, for the version under way.
func (s *sheet) filing() {
	w := s.d.Work
	if w == nil || w.Grade.Level() < 2 {
		return
	}
	if w.SubmittedOn == 0 {
		if rule, due, runs := FilingDue(s.Profile, s.cal, w.DecidedOn, s.d.Object.OperationSince); runs {
			s.add(rule, "", 0, due)
		}
		return
	}
	if s.d.State == StateSubmitted || s.d.State == StatePoliceReview {
		due, err := PoliceDue(s.Profile, s.cal, w.SubmittedOn)
		s.counted("R7", due, err)
	}
	if w.Grade.Level() >= 3 && !w.Submission.complete() {
		due, err := MaterialsDue(s.Profile, s.cal, s.d.Object.OperationSince, w.Submission.MaterialsBy)
		s.counted("R6", due, err)
	}
}

// certificate: R6 when form four is still short, R9, and the end of a grace.
func (s *sheet) certificate() {
	g := s.d.InForce
	if sub := g.Submission; sub != nil && g.Grade.Level() >= 3 && !sub.complete() {
		due, err := MaterialsDue(s.Profile, s.cal, s.d.Object.OperationSince, sub.MaterialsBy)
		s.counted("R6", due, err)
	}
	if s.d.ValidUntil != 0 {
		s.on("R9", "", RenewalOpens(s.Profile, s.d.ValidUntil), s.d.ValidUntil)
	}
	if s.d.GraceUntil != 0 {
		s.on(LimitGrace, "", 0, s.d.GraceUntil)
	}
}

// cadence: what comes again, from the last time or from when the grading came
// into force.
func (s *sheet) cadence() {
	g, p := s.d.InForce, s.Profile
	lv := g.Grade.Level()
	last := func(k PaperKind) workday.Date {
		if seen, ok := s.d.Latest[k]; ok {
			return seen.On
		}
		return g.InForceOn
	}
	next := func(rule string, k PaperKind, months int) {
		day := last(k).AddMonths(months)
		if n := s.d.Latest[k].Next; n != 0 {
			day = min(day, n)
		}
		s.on(rule, "", 0, day)
	}
	assessed := s.d.Latest[PaperAssessment]
	if day, ok := AssessmentDue(p, lv, last(PaperAssessment)); ok {
		s.on("R10", "", 0, day)
	}
	if day, ok := SelfCheckDue(p, lv, last(PaperSelfCheck)); ok {
		s.on("R11", "", 0, day)
	}
	if g.Cause != nil && g.Cause.Major && assessed.On < g.ProposedOn {
		due, err := s.cal.AddDays(g.InForceOn, p.ChangeDays, p.Roll)
		s.counted("R12", due, err)
	}
	if lv >= 3 && assessed.Major > 0 && s.d.Latest[PaperPlan].On < assessed.On {
		due, err := s.cal.AddDays(assessed.On, p.PlanDays, p.Roll)
		s.counted("R19", due, err)
	}
	if lv >= 2 {
		next(LimitDrill, PaperDrill, p.DrillMonths)
		next(LimitRisk, PaperRisk, p.RiskMonths)
	}
	if n := s.d.Latest[PaperInspection].Next; n != 0 {
		s.on(LimitInspection, "", 0, n)
	}
	if lv >= 3 {
		next(LimitCrypto, PaperCrypto, p.CryptoMonths)
	}
	if c, ok := s.d.Latest[PaperCrypto]; ok && s.d.Latest[PaperCryptoSent].On < c.On {
		due, err := s.cal.AddDays(c.On, p.CryptoDays, p.Roll)
		s.counted(LimitCryptoSent, due, err)
	}
}
