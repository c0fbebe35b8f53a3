package desk

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Violations implements console.Violations: those of the person's unit and those that
// it recorded; for the information office, all.
func (d *Service) Violations(ctx context.Context, p console.Person) (out console.ViolationList, err error) {
	if out.Office, err = d.serves(ctx, p, identity.RoleInformationOffice); err != nil {
		return out, err
	}
	posted, err := d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader)
	if err != nil {
		return out, err
	}
	if !posted && !out.Office {
		return out, console.ErrForbidden
	}
	leads, err := d.holds(ctx, p, identity.RoleUnitLeader)
	if err != nil {
		return out, err
	}
	out.MayWrite = true
	unit := identity.USCC(p.Unit)
	if out.Office {
		unit = ""
	}
	all, err := d.cfg.Violations.Of(ctx, unit)
	if err != nil {
		return out, err
	}
	for _, v := range all {
		l := console.ViolationLine{Violation: v, Sum: v.Digest(), Overdue: v.OverdueAt(d.now())}
		ours := string(v.By) == p.Unit
		l.MayAsk = v.State == sharing.ViolationRecorded && (ours || out.Office)
		l.MayAnswer = leads && ours && v.State == sharing.ViolationAsked && v.AskedBy != p.ID
		if l.UnitName, err = d.agency(ctx, v.Unit); err != nil {
			return out, err
		}
		if l.Recorder, err = d.name(ctx, v.RecordedBy); err != nil {
			return out, err
		}
		if l.Asker, err = d.name(ctx, v.AskedBy); err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, l)
	}
	return out, nil
}

// RecordViolation implements console.Violations. The room asks for the post.
func (d *Service) RecordViolation(ctx context.Context, p console.Person, v sharing.Violation) error {
	_, _, err := d.cfg.Violations.Record(ctx, d.actor(p), v)
	return err
}

// AskViolation implements console.Violations. The room asks for the post.
func (d *Service) AskViolation(ctx context.Context, p console.Person, id, outcome string) error {
	_, _, err := d.cfg.Violations.Ask(ctx, d.actor(p), id, outcome)
	return err
}

// AnswerViolation implements console.Violations: the leader of the unit that recorded
// it signs, who did not ask.
func (d *Service) AnswerViolation(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.holds(ctx, p, identity.RoleUnitLeader)); err != nil {
		return err
	}
	v, err := d.cfg.Violations.Violation(ctx, id)
	switch {
	case err != nil:
		return err
	case string(v.By) != p.Unit:
		return sharing.ErrNotFound
	case v.State != sharing.ViolationAsked:
		return console.ErrAnswered
	case a.Digest != v.Digest():
		return life.ErrConflict
	}
	return d.sign(ctx, p, d.cfg.Answers.ViolationSubject(v), a, func() error {
		_, _, err := d.cfg.Violations.Settle(context.WithoutCancel(ctx), d.actor(p), id)
		return err
	})
}
