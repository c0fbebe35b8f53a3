package desk

import (
	"context"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Routes implements console.Routes: those of the own unit's systems.
func (d *Service) Routes(ctx context.Context, p console.Person) (out console.RouteList, err error) {
	if out.MayWrite, err = d.holds(ctx, p, identity.RoleAgencySysadmin); err != nil {
		return out, err
	}
	leads, err := d.holds(ctx, p, identity.RoleUnitLeader)
	if err := allowed(out.MayWrite || leads, err); err != nil {
		return out, err
	}
	systems, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return out, fmt.Errorf("desk: systems: %w", err)
	}
	for _, s := range systems {
		if string(s.Agency) == p.Unit {
			out.Systems = append(out.Systems, console.Named{ID: s.ID, Name: s.Name})
		}
	}
	all, err := d.cfg.Routes.Of(ctx, identity.USCC(p.Unit))
	if err != nil {
		return out, err
	}
	for _, r := range slices.Backward(all) {
		l := console.RouteLine{Route: r, Sum: r.Digest(), MayAnswer: leads && r.State == route.Proposed && r.AskedBy != p.ID, MayEnd: r.Open()}
		if l.By, err = d.name(ctx, r.AskedBy); err != nil {
			return out, err
		}
		if l.Ender, err = d.name(ctx, r.EndedBy); err != nil {
			return out, err
		}
		out.Entries = append(out.Entries, l)
	}
	return out, nil
}

// ProposeRoute implements console.Routes. The room asks for the post.
func (d *Service) ProposeRoute(ctx context.Context, p console.Person, r route.Route) error {
	_, _, err := d.cfg.Routes.Propose(ctx, d.actor(p), r)
	return err
}

// WithdrawRoute implements console.Routes. The room asks for the post.
func (d *Service) WithdrawRoute(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Routes.Withdraw(ctx, d.actor(p), id, reason)
	return err
}

// AnswerRoute implements console.Routes.
func (d *Service) AnswerRoute(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.holds(ctx, p, identity.RoleUnitLeader)); err != nil {
		return err
	}
	r, err := d.cfg.Routes.Route(ctx, id)
	switch {
	case err != nil:
		return err
	case string(r.Unit) != p.Unit:
		return route.ErrNotFound
	case r.State != route.Proposed:
		return console.ErrAnswered
	case a.Digest != r.Digest():
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, d.cfg.Answers.RouteSubject(r), a, func() error {
		_, _, err := d.cfg.Routes.Settle(context.WithoutCancel(ctx), d.actor(p), id)
		return err
	})
}
