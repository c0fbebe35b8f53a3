package sharing

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// EventEscalated is the type of the ledger entry of a breach that goes to the leading
// group.
const EventEscalated = "sharing.violation.escalated"

// Overdue reports breaches that were not rectified in time to the leading group
// (领导小组, 京政发〔2017〕37号 art. 33), each once: on the ledger, from where its office is
// told, and on the page. It returns those of this round; one that cannot be written
// keeps none of the others.
func (s *Violations) Overdue(ctx context.Context, actor ledger.Actor) ([]Violation, error) {
	all, err := s.cfg.Store.Violations(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []Violation
	var failed error
	for _, v := range all {
		now := s.now()
		if !v.EscalatedAt.IsZero() || !v.OverdueAt(now) {
			continue
		}
		ev := s.event(EventEscalated, v, actor, now)
		ev.Details["due"], ev.Details["agency"] = v.Due.String(), string(s.cfg.Unit)
		_, err := s.cfg.Store.EscalateViolation(ctx, v.ID, now, ev)
		switch {
		case errors.Is(err, ErrViolation): // settled or told meanwhile
		case err != nil:
			failed = errors.Join(failed, err)
		default:
			v.EscalatedAt = now
			out = append(out, v)
		}
	}
	return out, failed
}

// Escalated is v as it is once the leading group is told: ErrViolation when it was, or
// is settled.
func (v Violation) Escalated(at time.Time) (Violation, error) {
	if !v.Open() || !v.EscalatedAt.IsZero() {
		return Violation{}, ErrViolation
	}
	v.EscalatedAt = at
	return v, nil
}
