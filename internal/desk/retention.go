package desk

import (
	"context"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Retention implements console.Retentions, for the officers and auditors of the
// house.
func (d *Service) Retention(ctx context.Context, p console.Person) (out console.RetentionView, err error) {
	var officer bool
	if out.MayWrite, officer, err = d.stewardship(ctx, p); err != nil {
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
	return d.officerAnswers(ctx, p, a, func() (approval.Subject, bool, error) {
		act, err := d.cfg.Retention.Act(ctx, id)
		return d.cfg.Answers.RetentionSubject(act), act.State == retention.Proposed, err
	}, func(ctx context.Context) error {
		_, _, err := d.cfg.Retention.Settle(ctx, d.actor(p), id)
		return err
	})
}
