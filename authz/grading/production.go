package grading

import (
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/internal/workday"
)

// ProductionUntil says whether a system may have a production certificate at a
// moment, and the latest end of one issued then; zero: no end of its own. It is
// ProductionReady with what an unfinished filing adds (西政办发〔2011〕8号 art. 23,
// 公通字〔2007〕43号 art. 15):
//
//   - level 1 confirmed, from level 2 on certified: up to the end of the filing
//     certificate or of the assessment, whichever comes first;
//   - filed, and not certified yet: up to the day on which the filing was due,
//     or, once that has passed, as long as a filing takes, and asked again then;
//   - approved by the authority, and not filed yet: up to the day on which the
//     filing is due, and not beyond it. Before it operates its day is counted
//     from now: with the certificate it can begin.
//
// r is the record in force, nil when there is none; d the dossier, likewise.
func ProductionUntil(r *Record, d *Dossier, p Profile, cal *workday.Calendar, at time.Time) (time.Time, error) {
	if r == nil {
		return approvedUntil(d, p, cal, at)
	}
	if err := ProductionReady(*r, p, at); err != nil {
		return time.Time{}, err
	}
	until := Bind(*r, p).ValidUntil
	if !until.IsZero() {
		until = until.Add(-time.Second) // ValidUntil is the first moment after
	}
	if r.State != StateSubmitted || r.Grade.Level() < 2 {
		return until, nil
	}
	decided := workday.Of(r.DecidedOn)
	operating := decided
	if d != nil {
		operating = d.Object.OperationSince
	}
	_, due, runs := FilingDue(p, cal, decided, operating)
	if today := workday.Of(at); !runs || today > due.Day {
		var err error
		if due, err = cal.AddDays(today, p.FilingDays, p.Roll); err != nil {
			return time.Time{}, fmt.Errorf("grading: end of an interim certificate: %w", err)
		}
	}
	if end := endOf(due.Day); until.IsZero() || end.Before(until) {
		until = end
	}
	return until, nil
}

// approvedUntil is the case without a record in force.
func approvedUntil(d *Dossier, p Profile, cal *workday.Calendar, at time.Time) (time.Time, error) {
	if d == nil || d.State != StateAuthorityApproval || d.Work == nil || d.Work.Grade.Level() < 2 {
		return time.Time{}, fmt.Errorf("%w: not graded, or not approved by its authority", ErrNotOperating)
	}
	today := workday.Of(at)
	_, due, runs := FilingDue(p, cal, d.Work.DecidedOn, d.Object.OperationSince)
	if !runs {
		var err error
		if due, err = cal.AddDays(today, p.FilingDays, p.Roll); err != nil {
			return time.Time{}, fmt.Errorf("grading: day of the filing: %w", err)
		}
	}
	if today > due.Day {
		return time.Time{}, fmt.Errorf("%w: the filing was due on %s", ErrNotOperating, due.Day)
	}
	return endOf(due.Day), nil
}

// endOf is the last second of a day in China, as certificates count.
func endOf(d workday.Date) time.Time { return (d + 1).Start().Add(-time.Second).UTC() }
