package grading

import (
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// FilingDue is R4 and R5: an object that ran before its level was decided is
// filed within 30 days after the decision, a new one within 30 days after it
// began to operate. False while the clock does not run.
func FilingDue(p Profile, cal *workday.Calendar, decided, operating workday.Date) (rule string, due workday.Due, runs bool) {
	from := decided
	rule = "R4"
	if operating == 0 || operating > decided {
		from, rule = operating, "R5"
	}
	if decided == 0 || from == 0 {
		return rule, workday.Due{}, false
	}
	due, err := cal.AddDays(from, p.FilingDays, p.Roll)
	return rule, due, err == nil
}

// lateFiling names the rule whose day had passed at the filing. The calendar of
// that day decides, so a late filing stays late in the history.
func lateFiling(d Dossier, on workday.Date, r rules) []string {
	if d.Work.SubmittedOn != 0 { // filed again after a correction
		return nil
	}
	rule, due, runs := FilingDue(r.Profile, r.cal, d.Work.DecidedOn, d.Object.OperationSince)
	if runs && on > due.Day {
		return []string{rule}
	}
	return nil
}

// MaterialsDue is R6: form four within 30 days of operation, or by the day that
// the filing promised, whichever is earlier.
func MaterialsDue(p Profile, cal *workday.Calendar, operating, promised workday.Date) (workday.Due, error) {
	if operating == 0 {
		return cal.End(promised, p.Roll), nil
	}
	due, err := cal.AddDays(operating, p.FilingDays, p.Roll)
	if promised != 0 && promised < due.Day {
		due = cal.End(promised, p.Roll)
	}
	return due, err
}

// PoliceDue is R7: an answer within 10 working days after the filing.
func PoliceDue(p Profile, cal *workday.Calendar, submitted workday.Date) (workday.Due, error) {
	return cal.AddWorkdays(submitted, p.PoliceDays)
}

// CertificateEnd is R8: three years from the issue, from 2025-01-01 for an older
// certificate. A printed day wins.
func CertificateEnd(p Profile, issued, printed workday.Date) workday.Date {
	if printed != 0 {
		return printed
	}
	return max(issued, p.TermFrom).AddMonths(p.TermMonths)
}

// Extend is the other half of R8: one year for each completed assessment, while
// the certificate still runs and up to the profile's number of times.
func Extend(p Profile, until, assessed, since workday.Date, extensions int) (workday.Date, bool) {
	if until == 0 || assessed < since || assessed > until || p.MaxExtension > 0 && extensions >= p.MaxExtension {
		return until, false
	}
	return until.AddMonths(p.ExtendMonths), true
}

// RenewalOpens is R9.
func RenewalOpens(p Profile, until workday.Date) workday.Date {
	return until.AddMonths(-p.RenewMonths)
}

// AssessmentDue is R10, from the last assessment, or from the day the grading
// came into force when there was none. False when the level has no cadence.
func AssessmentDue(p Profile, lv uint8, last workday.Date) (workday.Date, bool) {
	return every(p.AssessMonths, lv, last)
}

// SelfCheckDue is R11.
func SelfCheckDue(p Profile, lv uint8, last workday.Date) (workday.Date, bool) {
	return every(p.CheckMonths, lv, last)
}

func every(months [6]int, lv uint8, last workday.Date) (workday.Date, bool) {
	if int(lv) >= len(months) || months[lv] == 0 || last == 0 {
		return 0, false
	}
	return last.AddMonths(months[lv]), true
}

// Assessed says how long the last assessment of a record holds (R10).
type Assessed struct {
	Needed bool         // the level has a cadence
	Until  workday.Date // last day
	Lapsed bool         // and no grace covers the day
}

// AssessedAt is what a decision point asks besides Operating: a record whose
// assessment has lapsed must not receive what its level was needed for (R10,
// 公通字〔2007〕43号 art. 14). A record that was never assessed counts from the
// decision on its grade; one without that day either has lapsed.
func AssessedAt(r Record, p Profile, at time.Time) Assessed {
	lv := r.Grade.Level()
	if !r.Grade.Valid() {
		lv = level.GradeMax // unknown is the strictest
	}
	if p.AssessMonths[lv] == 0 {
		return Assessed{}
	}
	last := r.AssessedOn
	if last.IsZero() {
		last = r.DecidedOn
	}
	if last.IsZero() {
		return Assessed{Needed: true, Lapsed: true}
	}
	until := workday.Of(last).AddMonths(p.AssessMonths[lv])
	return Assessed{Needed: true, Until: until, Lapsed: !at.Before((until + 1).Start()) && !at.Before(r.GraceUntil)}
}

// ProductionReady is R15: a production certificate only for a certified grading,
// on a filing where the profile lets it, and for level 1 once confirmed.
func ProductionReady(r Record, p Profile, at time.Time) error {
	if r.State == StateSubmitted && !p.FiledSuffices {
		return ErrNotOperating
	}
	return Operating(r, at)
}

// RetentionShort is R20: audit records are kept six months at least
// (网络安全法 art. 23, former art. 21).
func RetentionShort(months int) bool { return months < 6 }
