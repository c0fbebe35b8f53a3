package grading

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Assessed says how long the last assessment of a record holds (R10).
type Assessed struct {
	Needed bool         // the level has a cadence
	Until  workday.Date // last day; none when nothing is known
	Lapsed bool         // and no grace covers the moment
}

// AssessedAt is R10 at a moment. A record that was never assessed counts from
// the decision on its grade; one without that day either has lapsed.
func AssessedAt(r Record, p Profile, at time.Time) Assessed {
	until, needed := assessedUntil(r, p)
	if !needed {
		return Assessed{}
	}
	return Assessed{Needed: true, Until: until, Lapsed: !at.Before(assessmentEnd(r, until))}
}

// assessedUntil takes an ungraded record for the strictest.
func assessedUntil(r Record, p Profile) (workday.Date, bool) {
	lv := r.Grade.Level()
	if !r.Grade.Valid() {
		lv = level.GradeMax
	}
	months := p.AssessMonths[lv]
	if months == 0 {
		return 0, false
	}
	last := r.AssessedOn
	if last.IsZero() {
		last = r.DecidedOn
	}
	if last.IsZero() {
		return 0, true
	}
	return workday.Of(last).AddMonths(months), true
}

// assessmentEnd is the first moment after the last day and after a grace.
func assessmentEnd(r Record, until workday.Date) time.Time {
	end := time.Unix(0, 0) // nothing is known: over since ever
	if until != 0 {
		end = (until + 1).Start()
	}
	if r.GraceUntil.After(end) {
		end = r.GraceUntil
	}
	return end.UTC()
}

// Bind ends a record where its assessment lapses, when that comes before the
// end of its certificate. So whoever looks at ValidUntil, the decision point
// with its reason E23_grading_expired and Operating before a production
// certificate, refuses a system whose assessment has lapsed, until a new one is
// filed or two persons have signed a grace (公通字〔2007〕43号 art. 14).
func Bind(r Record, p Profile) Record {
	until, needed := assessedUntil(r, p)
	if !needed {
		return r
	}
	if end := assessmentEnd(r, until); r.ValidUntil.IsZero() || end.Before(r.ValidUntil) {
		r.ValidUntil = end
	}
	return r
}

// Bound reads gradings bound to their assessments. Put it between the registry
// and whoever lets a system act on its grading.
type Bound struct {
	Source interface {
		Grading(ctx context.Context, system string) (Record, error)
	}
	Profile Profile
}

// Grading is the Source's, bound.
func (b Bound) Grading(ctx context.Context, system string) (Record, error) {
	r, err := b.Source.Grading(ctx, system)
	if err != nil {
		return Record{}, err
	}
	return Bind(r, b.Profile), nil
}

// ProductionReady is R15: a production certificate only for a certified grading,
// on a filing where the profile lets it, and for level 1 once confirmed; and not
// on a lapsed assessment.
func ProductionReady(r Record, p Profile, at time.Time) error {
	if r.State == StateSubmitted && !p.FiledSuffices {
		return ErrNotOperating
	}
	return Operating(Bind(r, p), at)
}
