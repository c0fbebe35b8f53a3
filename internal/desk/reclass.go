package desk

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Reclassified implements console.Reclassifications: what the person's unit changed,
// and what it has to do about copies; every act for who watches.
func (d *Service) Reclassified(ctx context.Context, p console.Person, find, after string) (out console.ReclassList, err error) {
	if out.All, err = d.serves(ctx, p, grantWatchers()...); err != nil {
		return out, err
	}
	writes, err := d.holds(ctx, p, identity.RoleClerk, identity.RoleAgencySysadmin)
	if err != nil {
		return out, err
	}
	leads, err := d.holds(ctx, p, identity.RoleUnitLeader)
	if err == nil && !out.All && !writes && !leads {
		err = console.ErrForbidden
	}
	if err != nil {
		return out, err
	}
	unit, now := identity.USCC(p.Unit), d.now()
	of := unit
	if out.All {
		of = ""
	}
	acts, err := d.cfg.Reclass.Of(ctx, of)
	if err != nil {
		return out, err
	}
	for _, a := range acts {
		l, err := d.reclassLine(ctx, a)
		if err != nil {
			return out, err
		}
		open := a.State == reclass.Proposed || a.State == reclass.Raised
		l.MayAnswer = leads && a.Provider == unit && open && a.Requester != p.ID
		l.MayWithdraw = writes && a.Provider == unit && a.State == reclass.Proposed
		out.Acts = append(out.Acts, l)
	}
	notices, err := d.cfg.Reclass.To(ctx, unit)
	if err != nil {
		return out, err
	}
	for _, n := range notices {
		out.Notices = append(out.Notices, console.NoticeOfLabel{Notice: n, Overdue: n.Overdue(now), MayAnswer: writes && n.DoneAt.IsZero()})
	}
	if !writes {
		return out, nil
	}
	out.MayPropose = true
	found, err := d.cfg.Entries.Find(ctx, sharing.EntryQuery{Text: find, Provider: unit, After: after, Limit: maxLines})
	if err != nil {
		return out, err
	}
	for _, r := range found {
		out.Resources = append(out.Resources, console.LabelledResource{ID: r.ID, Name: r.Name, Label: r.Label.String()})
	}
	if len(found) == maxLines {
		out.Next = found[maxLines-1].ID
	}
	return out, nil
}

func (d *Service) reclassLine(ctx context.Context, a reclass.Act) (l console.ReclassLine, err error) {
	l = console.ReclassLine{Act: a, Raises: a.Raises()}
	if l.Asker, err = d.name(ctx, a.Requester); err != nil {
		return l, err
	}
	if l.Unit, err = d.agency(ctx, a.Provider); err != nil {
		return l, err
	}
	notices, err := d.cfg.Reclass.Notices(ctx, a.ID)
	if err != nil {
		return l, err
	}
	for _, n := range notices {
		l.Copies++
		if !n.DoneAt.IsZero() {
			l.Done++
		}
		if n.Overdue(d.now()) {
			l.Late++
		}
	}
	return l, nil
}

// Reclassify implements console.Reclassifications.
func (d *Service) Reclassify(ctx context.Context, p console.Person, f console.ReclassForm) error {
	_, _, err := d.cfg.Reclass.Propose(ctx, reclass.Act{
		Resource: f.Resource, To: f.To, Ground: f.Ground, Review: f.Review, Due: f.Due.AddDate(0, 0, 1),
	}, d.actor(p))
	return err
}

// AnswerReclass implements console.Reclassifications.
func (d *Service) AnswerReclass(ctx context.Context, p console.Person, id string, a console.Answer) error {
	act, err := d.cfg.Reclass.Act(ctx, id)
	if err == nil && string(act.Provider) != p.Unit {
		err = reclass.ErrNotFound
	}
	if err == nil {
		err = allowed(d.holds(ctx, p, identity.RoleUnitLeader))
	}
	switch {
	case err != nil:
		return err
	case act.State != reclass.Proposed && act.State != reclass.Raised:
		return console.ErrAnswered
	case a.Digest != act.Digest:
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, act.Subject(), a, func() error {
		_, _, err := d.cfg.Reclass.Settle(context.WithoutCancel(ctx), id, d.actor(p))
		return err
	})
}

// WithdrawReclass implements console.Reclassifications.
func (d *Service) WithdrawReclass(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Reclass.Withdraw(ctx, id, reason, d.actor(p))
	return err
}

// FollowedLabel implements console.Reclassifications.
func (d *Service) FollowedLabel(ctx context.Context, p console.Person, notice, evidence, note string) error {
	_, _, err := d.cfg.Reclass.Acknowledge(ctx, notice, evidence, note, d.actor(p))
	return err
}
