package desk

import (
	"context"
	"errors"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Closing implements console.Closings: for everybody what is announced, for the
// officers and auditors of the house every act.
func (d *Service) Closing(ctx context.Context, p console.Person) (out console.ClosingView, err error) {
	st, err := d.cfg.Closing.Standing(ctx)
	if err != nil {
		return out, err
	}
	out.Phase, out.Act = st.Phase, st.Act
	told, err := d.cfg.Closing.Notices(ctx)
	if err != nil {
		return out, err
	}
	mine := d.speaksFor(ctx, p)
	out.Notices = map[closing.NoticeState]int{}
	for _, n := range told {
		out.Notices[n.State]++
		yes, err := mine(n.Holder)
		if err != nil {
			return out, err
		}
		if yes && n.State != closing.NoticeAcknowledged {
			out.Mine++
		}
	}
	var officer bool
	if out.MayWrite, officer, err = d.stewardship(ctx, p); errors.Is(err, console.ErrForbidden) {
		out.Notices = nil
		return out, nil
	} else if err != nil {
		return out, err
	}
	acts, err := d.cfg.Closing.Acts(ctx)
	if err != nil {
		return out, err
	}
	for _, a := range slices.Backward(acts) {
		l := console.ClosingLine{Act: a, Sum: a.Digest()}
		if l.By, err = d.name(ctx, a.AskedBy); err != nil {
			return out, err
		}
		l.MayAnswer = officer && a.State == closing.Proposed && a.AskedBy != p.ID
		l.MayDrop = out.MayWrite && a.State == closing.Proposed
		out.Acts = append(out.Acts, l)
	}
	return out, nil
}

// speaksFor says which holders of certificates a person stands for: himself; as
// its administrator, a system of the own unit; as leader or seal administrator,
// the unit.
func (d *Service) speaksFor(ctx context.Context, p console.Person) func(closing.Holder) (bool, error) {
	admin, aerr := d.holds(ctx, p, identity.RoleAgencySysadmin)
	unit, uerr := d.holds(ctx, p, identity.RoleUnitLeader, identity.RoleSealAdministrator)
	return func(h closing.Holder) (bool, error) {
		switch h.Kind {
		case closing.HolderPerson:
			return h.ID == p.ID, nil
		case closing.HolderSystem:
			return admin && h.Agency == p.Unit, aerr
		}
		return unit && h.Agency == p.Unit, uerr
	}
}

// ProposeClosing implements console.Closings. The room asks for the post.
func (d *Service) ProposeClosing(ctx context.Context, p console.Person, a closing.Act) error {
	_, _, err := d.cfg.Closing.Propose(ctx, d.actor(p), a)
	return err
}

// DropClosing implements console.Closings. The room asks for the post.
func (d *Service) DropClosing(ctx context.Context, p console.Person, id string) error {
	_, err := d.cfg.Closing.Drop(ctx, d.actor(p), id)
	return err
}

// SeenClosing implements console.Closings.
func (d *Service) SeenClosing(ctx context.Context, p console.Person) error {
	_, err := d.cfg.Closing.Acknowledge(ctx, d.actor(p), d.speaksFor(ctx, p))
	return err
}

// AnswerClosing implements console.Closings. What is approved counts at once;
// notices that cannot be made now are made by the daily round.
func (d *Service) AnswerClosing(ctx context.Context, p console.Person, id string, a console.Answer) error {
	return d.officerAnswers(ctx, p, a, func() (approval.Subject, bool, error) {
		act, err := d.cfg.Closing.Act(ctx, id)
		return d.cfg.Answers.ClosingSubject(act), act.State == closing.Proposed, err
	}, func(ctx context.Context) error {
		if _, _, err := d.cfg.Closing.Settle(ctx, d.actor(p), id); err != nil {
			return err
		}
		if err := d.cfg.Closing.Tell(ctx, d.actor(p)); err != nil {
			d.cfg.Log.ErrorContext(ctx, "notices of the end of the service", "error", err)
		}
		return nil
	})
}
