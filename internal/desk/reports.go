package desk

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Reports implements console.Reports.
func (d *Service) Reports(ctx context.Context, p console.Person) (out console.ReportList, err error) {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)); err != nil {
		return out, err
	}
	inbox, err := d.cfg.Life.Notices(ctx, life.NoticeQuery{Unit: p.Unit})
	if err != nil {
		return out, err
	}
	if out.Inbox, err = d.noticeLines(ctx, inbox); err != nil {
		return out, err
	}
	all, err := d.cfg.Life.Compromises(ctx)
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
		ns, err := d.cfg.Life.Notices(ctx, life.NoticeQuery{Compromise: c.ID})
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

// report is told to the operator too: notices wait in the register until the
// units read them.
func (d *Service) report(ctx context.Context, actor ledger.Actor, r life.Report) error {
	c, _, err := d.cfg.Life.ReportCompromise(ctx, actor, r)
	if c.ID != "" {
		d.cfg.Log.WarnContext(ctx, "a seal's key was reported as compromised", "report", c.ID, "seals", len(c.Seals), "documents", len(c.Uses), "done", c.Done)
	}
	return err
}

// concerned says whether a person is told of a report: who makes seals, and who
// leads or keeps those of a unit whose seal it is about.
func (d *Service) concerned(ctx context.Context, p console.Person, c life.Compromise) (bool, error) {
	if makes, err := d.serves(ctx, p, identity.RoleSealAdministrator); err != nil || makes {
		return makes, err
	}
	if keeps, err := d.holds(ctx, p, identity.RoleUnitLeader, identity.RoleSealAdministrator); err != nil || !keeps {
		return false, err
	}
	for _, id := range c.Seals {
		e, err := d.cfg.Life.Seal(ctx, id)
		if err != nil || e.Unit == p.Unit {
			return err == nil, err
		}
	}
	return false, nil
}

func (d *Service) noticeLines(ctx context.Context, ns []life.Notice) (out []console.NoticeLine, err error) {
	for _, n := range ns {
		l := console.NoticeLine{Notice: n, UnitName: n.Unit}
		if a, err := d.cfg.People.Agency(ctx, identity.USCC(n.Unit)); err == nil {
			l.UnitName = a.Name
		} else if !errors.Is(err, identity.ErrNotFound) {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Acknowledge implements console.Reports.
func (d *Service) Acknowledge(ctx context.Context, p console.Person, notice string) error {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)); err != nil {
		return err
	}
	_, err := d.cfg.Life.Acknowledge(ctx, d.actor(p), notice)
	return err
}
