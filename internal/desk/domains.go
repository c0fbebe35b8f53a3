package desk

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// ofDomains are the posts of the owning unit; overDomains those of the house that read
// the domains of all.
func ofDomains() []identity.Role {
	return []identity.Role{identity.RoleUnitLeader, identity.RoleAgencySysadmin}
}

func overDomains() []identity.Role {
	return []identity.Role{identity.RoleSecurityOfficer, identity.RoleAuditor}
}

// Domains implements console.Domains: those of the own unit, for the leader who
// approves and the administrator who proposes; all of them for the house's security
// officer and auditor, who read.
func (d *Service) Domains(ctx context.Context, p console.Person) (out console.DomainList, err error) {
	reads, err := d.serves(ctx, p, overDomains()...)
	if err != nil {
		return out, err
	}
	if !reads {
		if err := allowed(d.holds(ctx, p, ofDomains()...)); err != nil {
			return out, err
		}
	}
	leads, err := d.holds(ctx, p, identity.RoleUnitLeader)
	if err != nil {
		return out, err
	}
	if out.MayPropose, err = d.holds(ctx, p, identity.RoleAgencySysadmin); err != nil {
		return out, err
	}
	unit := identity.USCC(p.Unit)
	if reads {
		unit = ""
	}
	all, err := d.cfg.Domains.Versions(ctx, unit)
	if err != nil {
		return out, err
	}
	for _, v := range all[:min(len(all), maxLines)] {
		l := console.DomainLine{Version: v}
		own := string(v.Unit) == p.Unit
		open := v.State == domain.Proposed || v.State == domain.InForce
		l.MayAnswer = own && leads && v.State == domain.Proposed && v.AskedBy != p.ID
		l.MayEnd = own && (leads || out.MayPropose) && open
		l.MayRestore = own && out.MayPropose && v.Approval != "" && (v.State == domain.Replaced || v.State == domain.Withdrawn)
		if l.UnitName, err = d.agency(ctx, v.Unit); err != nil {
			return out, err
		}
		if l.By, err = d.name(ctx, v.AskedBy); err != nil {
			return out, err
		}
		if l.Ender, err = d.name(ctx, v.EndedBy); err != nil {
			return out, err
		}
		if open {
			if l.Bundle, _, err = d.cfg.Domains.Bundle(ctx, v); err != nil {
				return out, err
			}
		}
		out.Versions = append(out.Versions, l)
	}
	return out, nil
}

// ProposeDomain implements console.Domains.
func (d *Service) ProposeDomain(ctx context.Context, p console.Person, bundle []byte) error {
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return err
	}
	_, _, err := d.cfg.Domains.Propose(ctx, d.actor(p), bundle)
	return err
}

// RestoreDomain implements console.Domains.
func (d *Service) RestoreDomain(ctx context.Context, p console.Person, id string) error {
	if _, err := d.domain(ctx, p, id, identity.RoleAgencySysadmin); err != nil {
		return err
	}
	_, _, err := d.cfg.Domains.Restore(ctx, d.actor(p), id)
	return err
}

// WithdrawDomain implements console.Domains.
func (d *Service) WithdrawDomain(ctx context.Context, p console.Person, id, reason string) error {
	if _, err := d.domain(ctx, p, id, ofDomains()...); err != nil {
		return err
	}
	_, _, err := d.cfg.Domains.Withdraw(ctx, d.actor(p), id, reason)
	return err
}

// AnswerDomain implements console.Domains.
func (d *Service) AnswerDomain(ctx context.Context, p console.Person, id string, a console.Answer) error {
	v, err := d.domain(ctx, p, id, identity.RoleUnitLeader)
	switch {
	case err != nil:
		return err
	case v.State != domain.Proposed:
		return console.ErrAnswered
	case a.Digest != v.Digest:
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, d.cfg.Answers.DomainSubject(v), a, func() error {
		_, _, err := d.cfg.Domains.Settle(context.WithoutCancel(ctx), d.actor(p), id)
		return err
	})
}

// domain is a version of the person's own unit, for these posts; of others there is
// none.
func (d *Service) domain(ctx context.Context, p console.Person, id string, roles ...identity.Role) (domain.Version, error) {
	if err := allowed(d.holds(ctx, p, roles...)); err != nil {
		return domain.Version{}, err
	}
	v, err := d.cfg.Domains.Version(ctx, id)
	if err == nil && string(v.Unit) != p.Unit {
		err = domain.ErrNotFound
	}
	return v, err
}
