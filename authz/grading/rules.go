package grading

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const maxReason = 2000

// filingForm is the number on a filing certificate (备案证明): six digits of
// the police organ's region, five of the unit, five of the system.
var filingForm = regexp.MustCompile(`^[0-9]{11}-?[0-9]{5}$`)

// Validate checks a record by itself. The level is derived from the grade:
// level 1 is decided by the unit alone and stops at confirmed, from level 2 on
// the record is filed with the police organ (GB/T 22240-2020 ch. 4, 7).
func (r Record) Validate() error {
	if r.System == "" || r.Version < 1 {
		return fmt.Errorf("%w: record without system or version", ErrInvalid)
	}
	if !r.Grade.Valid() {
		return fmt.Errorf("%w: grade %s", ErrInvalid, r.Grade)
	}
	if err := r.BuildingUnit.Validate(); err != nil {
		return fmt.Errorf("%w: building unit: %w", ErrInvalid, err)
	}
	if strings.TrimSpace(r.Reason) == "" || len(r.Reason) > maxReason || !utf8.ValidString(r.Reason) {
		return fmt.Errorf("%w: a grade needs its ground in words", ErrInvalid)
	}
	if r.DecidedOn.IsZero() {
		return fmt.Errorf("%w: a grade needs the day of its decision", ErrInvalid)
	}
	switch r.State {
	case StateDraft, StateProposed:
	case StateConfirmed:
		if r.Grade.Level() > 1 {
			return fmt.Errorf("%w: level %d is filed, not confirmed by the unit alone", ErrInvalid, r.Grade.Level())
		}
	case StateSubmitted:
	case StateCertified:
		if !filingForm.MatchString(r.Filing) {
			return fmt.Errorf("%w: number of the filing certificate", ErrInvalid)
		}
		if !r.ValidUntil.After(r.DecidedOn) {
			return fmt.Errorf("%w: a filing certificate ends after its decision", ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: state %q is not registered this way", ErrInvalid, r.State)
	}
	return nil
}

// Operating reports nil when a system with this record may operate and be
// given certificates: level 1 confirmed, from level 2 on submitted or
// certified; and not past the end of the filing certificate.
func Operating(r Record, at time.Time) error {
	if !r.Grade.Valid() {
		return fmt.Errorf("%w: grade %s", ErrNotOperating, r.Grade)
	}
	switch {
	case r.State == StateSubmitted, r.State == StateCertified:
	case r.State == StateConfirmed && r.Grade.Level() == 1:
	default:
		return fmt.Errorf("%w: level %d is %q", ErrNotOperating, r.Grade.Level(), r.State)
	}
	if at.Before(r.DecidedOn) {
		return fmt.Errorf("%w: decided on %s", ErrNotOperating, r.DecidedOn.UTC().Format(time.DateOnly))
	}
	if r.State == StateCertified && r.ValidUntil.IsZero() || !r.ValidUntil.IsZero() && !at.Before(r.ValidUntil) {
		return fmt.Errorf("%w: filing certificate ended on %s", ErrNotOperating, r.ValidUntil.UTC().Format(time.DateOnly))
	}
	return nil
}
