package app

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Reports implements console.Reports.
func (d desk) Reports(ctx context.Context, p console.Person) (out console.ReportList, err error) {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)); err != nil {
		return out, err
	}
	inbox, err := d.h.Life.Notices(ctx, life.NoticeQuery{Unit: p.Unit})
	if err != nil {
		return out, err
	}
	if out.Inbox, err = d.noticeLines(ctx, inbox); err != nil {
		return out, err
	}
	all, err := d.h.Life.Compromises(ctx)
	if err != nil {
		return out, err
	}
	for _, c := range all {
		switch concerned, err := d.concerned(ctx, p, c); {
		case err != nil:
			return out, err
		case !concerned:
			continue
		}
		l := console.ReportLine{Compromise: c}
		if l.By, err = d.name(ctx, c.Reporter); err != nil {
			return out, err
		}
		ns, err := d.h.Life.Notices(ctx, life.NoticeQuery{Compromise: c.ID})
		if err != nil {
			return out, err
		}
		if l.Notices, err = d.noticeLines(ctx, ns); err != nil {
			return out, err
		}
		out.Reports = append(out.Reports, l)
	}
	return out, nil
}

// concerned says whether a person is told of a report: who makes seals, and who
// leads or keeps those of a unit whose seal it is about.
func (d desk) concerned(ctx context.Context, p console.Person, c life.Compromise) (bool, error) {
	if makes, err := d.serves(ctx, p, identity.RoleSealAdministrator); err != nil || makes {
		return makes, err
	}
	if keeps, err := d.holds(ctx, p, identity.RoleUnitLeader, identity.RoleSealAdministrator); err != nil || !keeps {
		return false, err
	}
	for _, id := range c.Seals {
		e, err := d.h.Life.Seal(ctx, id)
		if err != nil || e.Unit == p.Unit {
			return err == nil, err
		}
	}
	return false, nil
}

func (d desk) noticeLines(ctx context.Context, ns []life.Notice) (out []console.NoticeLine, err error) {
	for _, n := range ns {
		l := console.NoticeLine{Notice: n, UnitName: n.Unit}
		if a, err := d.h.rooms.Identity.Agency(ctx, identity.USCC(n.Unit)); err == nil {
			l.UnitName = a.Name
		} else if !errors.Is(err, identity.ErrNotFound) {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Acknowledge implements console.Reports.
func (d desk) Acknowledge(ctx context.Context, p console.Person, notice string) error {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)); err != nil {
		return err
	}
	_, err := d.h.Life.Acknowledge(ctx, d.actor(p), notice)
	return err
}
