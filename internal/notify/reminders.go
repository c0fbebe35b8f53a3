package notify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Ending is something with a last day.
type Ending struct {
	Kind   Kind // CertificateExpiring or ListEnding
	Unit   string
	System string
	Object ledger.Object
	From   time.Time // what lives for a month is not told a month before
	At     time.Time
}

// Calendar knows what ends between two moments and has no successor in force now.
type Calendar interface {
	Endings(ctx context.Context, now, from, to time.Time) ([]Ending, error)
}

const (
	day = 24 * time.Hour
	// lookBack is how late the end of a certificate is still told: a house that
	// was down for longer has other cares, and a new one no old ends.
	lookBack = 7 * day
)

// steps are the days before an end on which it is told, as far as they lie in the
// last third of its life: that is when clients renew by themselves.
var steps = []int{1, 7, 14, 30}

// Remind records what the calendar says, each step once: the id of a notice is
// made of it. A step that was missed is not told when a later one is due.
func (s *Service) Remind(ctx context.Context) error {
	now := s.cfg.Now().UTC()
	_, err := s.cfg.Store.ForgetNotices(ctx, now.Add(-keptFor))
	if err != nil {
		err = fmt.Errorf("notify: forget: %w", err)
	}
	if s.cfg.Calendar == nil {
		return err
	}
	ends, cause := s.cfg.Calendar.Endings(ctx, now, now.Add(-lookBack), now.Add(time.Duration(steps[len(steps)-1])*day))
	if cause != nil {
		return errors.Join(err, fmt.Errorf("notify: calendar: %w", cause))
	}
	var ns []Notice
	for _, e := range ends {
		if n, due := reminder(e, now); due {
			ns = append(ns, n)
		}
	}
	if _, cause := s.cfg.Store.PutNotices(ctx, ns); cause != nil {
		err = errors.Join(err, fmt.Errorf("notify: reminders: %w", cause))
	}
	return err
}

// reminder is the step that is due. The date is part of the id: what was renewed
// under the same name is told again.
func reminder(e Ending, now time.Time) (Notice, bool) {
	n := Notice{Kind: e.Kind, Unit: e.Unit, System: e.System, Object: e.Object, At: e.At, Severity: Info}
	left := e.At.Sub(now)
	step := 0
	for _, d := range steps {
		if left <= time.Duration(d)*day && e.At.Sub(e.From) >= 3*time.Duration(d)*day {
			step = d
			break
		}
	}
	switch {
	case step == 0:
		return n, false
	case left <= 0:
		step, n.Severity = 0, Warning
		if e.Kind == CertificateExpiring {
			n.Kind = CertificateExpired
		}
	case step <= 7:
		n.Severity = Warning
	}
	if e.Kind == ListEnding { // without a list nothing under that root is believed
		n.Severity = Warning
		if step <= 7 {
			n.Severity = Critical
		}
	}
	n.Details = map[string]string{"days": strconv.Itoa(step)}
	n.ID = fmt.Sprintf("%s-%s-%d-%d", strings.ReplaceAll(string(n.Kind), ".", "-"), e.Object.ID, e.At.Unix(), step)
	return n, true
}

// Tell records a notice that another room owes to a unit, and answers with
// ErrWaiting until the unit took it: a webhook of its own, which says so. That the
// house's own log has it is no proof that the unit was told.
func (s *Service) Tell(ctx context.Context, n Notice) error {
	if n.ID == "" || n.Kind == "" || n.Severity == 0 || n.Unit == "" {
		return fmt.Errorf("%w: a notice without id, kind, severity or unit", ErrInvalid)
	}
	taken, err := s.cfg.Store.Taken(ctx, n.ID, n.Unit)
	if err != nil {
		return fmt.Errorf("notify: tell: %w", err)
	}
	if taken {
		return nil
	}
	if _, err := s.cfg.Store.PutNotices(ctx, []Notice{n}); err != nil {
		return fmt.Errorf("notify: tell: %w", err)
	}
	return ErrWaiting
}

// certificate takes the name of a certificate apart.
func certificate(o ledger.Object) (issuer, serial string, is bool) {
	if o.Kind != "certificate" {
		return "", "", false
	}
	return strings.Cut(o.ID, ":")
}
