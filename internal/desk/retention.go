package desk

import (
	"context"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Retention implements console.Retentions, for the officers and auditors of the
// house.
func (d *Service) Retention(ctx context.Context, p console.Person) (out console.RetentionView, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleSystemAdmin, identity.RoleRAOfficer, identity.RoleAuditor)); err != nil {
		return out, err
	}
	if out.MayWrite, err = d.serves(ctx, p, identity.RoleSystemAdmin, identity.RoleRAOfficer); err != nil {
		return out, err
	}
	officer, err := d.serves(ctx, p, identity.RoleRAOfficer)
	if err != nil {
		return out, err
	}
	out.Years = d.cfg.Retention.Years()
	if out.Due, err = d.cfg.Retention.Due(ctx); err != nil {
		return out, err
	}
	holds, err := d.cfg.Retention.Holds(ctx)
	if err != nil {
		return out, err
	}
	for _, h := range slices.Backward(holds) {
		l := console.HoldLine{Hold: h, MayLift: out.MayWrite && h.LiftedAt.IsZero()}
		if l.By, err = d.name(ctx, h.PlacedBy); err != nil {
			return out, err
		}
		out.Kept = append(out.Kept, l)
	}
	acts, err := d.cfg.Retention.Acts(ctx)
	if err != nil {
		return out, err
	}
	for _, a := range slices.Backward(acts) {
		waits := a.State == retention.Proposed
		l := console.RetentionLine{Act: a, Sum: a.Digest(), MayAnswer: officer && waits && a.AskedBy != p.ID, MayDrop: out.MayWrite && waits}
		if l.By, err = d.name(ctx, a.AskedBy); err != nil {
			return out, err
		}
		out.Acts = append(out.Acts, l)
	}
	return out, nil
}

// AskPurge implements console.Retentions. The room asks for the post.
func (d *Service) AskPurge(ctx context.Context, p console.Person, refs []retention.Ref, reason string) error {
	_, _, err := d.cfg.Retention.Ask(ctx, d.actor(p), refs, reason)
	return err
}

// DropPurge implements console.Retentions. The room asks for the post.
func (d *Service) DropPurge(ctx context.Context, p console.Person, id string) error {
	_, err := d.cfg.Retention.Drop(ctx, d.actor(p), id)
	return err
}

// PlaceHold implements console.Retentions. The room asks for the post.
func (d *Service) PlaceHold(ctx context.Context, p console.Person, h retention.Hold) error {
	_, _, err := d.cfg.Retention.Place(ctx, d.actor(p), h)
	return err
}

// LiftHold implements console.Retentions. The room asks for the post.
func (d *Service) LiftHold(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Retention.AskLift(ctx, d.actor(p), id, reason)
	return err
}

// AnswerPurge implements console.Retentions.
func (d *Service) AnswerPurge(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	act, err := d.cfg.Retention.Act(ctx, id)
	if err != nil {
		return err
	}
	s := d.cfg.Answers.RetentionSubject(act)
	switch {
	case act.State != retention.Proposed:
		return console.ErrAnswered
	case a.Digest != s.Digest:
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, s, a, func() error {
		_, _, err := d.cfg.Retention.Settle(context.WithoutCancel(ctx), d.actor(p), id)
		return err
	})
}
