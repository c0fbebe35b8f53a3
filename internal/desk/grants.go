package desk

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// grantPosts are the posts of a unit that see its grants, and watchers those of the
// house that see all.
func grantPosts() []identity.Role {
	return []identity.Role{identity.RoleClerk, identity.RoleUnitLeader, identity.RoleAgencySysadmin, identity.RoleRecordsOfficer}
}

func grantWatchers() []identity.Role {
	return []identity.Role{identity.RoleSecurityOfficer, identity.RoleAuditor}
}

// Grants implements console.Grants: those of the person's unit, and all for who
// watches. Emergencies that wait for a review stand apart, and first.
func (d *Service) Grants(ctx context.Context, p console.Person) (out console.GrantList, err error) {
	out.All, err = d.serves(ctx, p, grantWatchers()...)
	if err == nil && !out.All {
		err = allowed(d.holds(ctx, p, grantPosts()...))
	}
	if err != nil {
		return out, err
	}
	unit := identity.USCC(p.Unit)
	if out.All {
		unit = ""
	}
	all, err := d.cfg.Grants.Of(ctx, unit)
	if err != nil {
		return out, err
	}
	for _, g := range all {
		l, err := d.grantLine(ctx, g)
		if err != nil {
			return out, err
		}
		if out.Lines = append(out.Lines, l); g.Unreviewed() {
			out.Reviews = append(out.Reviews, l)
		}
	}
	delegations, err := d.cfg.Grants.Delegations(ctx, unit)
	if err != nil {
		return out, err
	}
	for _, x := range delegations {
		l, err := d.delegationLine(ctx, p, x)
		if err != nil {
			return out, err
		}
		out.Delegations = append(out.Delegations, l)
	}
	if out.MayPropose, err = d.holds(ctx, p, identity.RoleAgencySysadmin, identity.RoleClerk); err != nil || !out.MayPropose {
		return out, err
	}
	return out, d.grantChoices(ctx, p, &out)
}

// grantChoices is what the form of a proposal offers.
func (d *Service) grantChoices(ctx context.Context, p console.Person, out *console.GrantList) error {
	unit := identity.USCC(p.Unit)
	a, err := d.cfg.People.Agency(ctx, unit)
	if err != nil {
		return err
	}
	out.Purposes = a.Duties
	systems, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return err
	}
	for _, s := range systems {
		if s.Agency == unit {
			out.Systems = append(out.Systems, console.Named{ID: s.ID, Name: s.Name})
		}
	}
	people, err := d.cfg.People.Persons(ctx, unit)
	if err != nil {
		return err
	}
	for _, q := range people {
		works, err := d.cfg.Posts.Holds(ctx, q.ID, unit, grant.Roles()...)
		if err != nil {
			return err
		}
		leads, err := d.cfg.Posts.Holds(ctx, q.ID, unit, identity.RoleUnitLeader)
		if err != nil {
			return err
		}
		n := console.Named{ID: q.ID, Name: q.Name}
		if works && q.LeftAt.IsZero() {
			out.People = append(out.People, n)
		}
		if leads && q.LeftAt.IsZero() {
			out.Leaders = append(out.Leaders, n)
		}
	}
	for _, r := range grant.Roles() {
		out.Roles = append(out.Roles, string(r))
	}
	for _, act := range grant.Acts() {
		out.Acts = append(out.Acts, string(act))
	}
	return nil
}

func (d *Service) grantLine(ctx context.Context, g grant.Grant) (l console.GrantLine, err error) {
	now := d.now()
	l = console.GrantLine{Grant: g, State: g.StateAt(now), Overdue: g.Overdue(now)}
	if l.UnitName, err = d.agency(ctx, g.Unit); err != nil {
		return l, err
	}
	if l.Holder, err = d.name(ctx, g.Person); err != nil {
		return l, err
	}
	l.Asker, err = d.name(ctx, g.Requester)
	return l, err
}

func (d *Service) delegationLine(ctx context.Context, p console.Person, x grant.Delegation) (l console.DelegationLine, err error) {
	l = console.DelegationLine{Delegation: x, State: x.StateAt(d.now())}
	if l.LeaderName, err = d.name(ctx, x.Leader); err != nil {
		return l, err
	}
	if l.DeputyName, err = d.name(ctx, x.Deputy); err != nil {
		return l, err
	}
	l.MayAnswer = l.State == grant.Proposed && x.Leader == p.ID
	if l.State == grant.Proposed || l.State == grant.InForce {
		if l.MayEnd = string(x.Unit) == p.Unit; !l.MayEnd {
			l.MayEnd, err = d.serves(ctx, p, identity.RoleSecurityOfficer)
		}
	}
	return l, err
}

// grant returns one that the person may see; of others there is none.
func (d *Service) grant(ctx context.Context, p console.Person, id string) (grant.Grant, error) {
	g, err := d.cfg.Grants.Grant(ctx, id)
	if err != nil {
		return g, err
	}
	sees, err := d.serves(ctx, p, grantWatchers()...)
	if err == nil && !sees && string(g.Unit) == p.Unit {
		sees, err = d.holds(ctx, p, grantPosts()...)
	}
	if err == nil && !sees {
		err = grant.ErrNotFound
	}
	return g, err
}

// leads says whether a person signs for a unit: its leader, or a deputy.
func (d *Service) leads(ctx context.Context, p console.Person, unit identity.USCC) (bool, error) {
	yes, err := d.cfg.Posts.Holds(ctx, p.ID, unit, identity.RoleUnitLeader)
	if yes || err != nil {
		return yes, err
	}
	return d.cfg.Grants.Stands(ctx, approval.Subject{Kind: approval.KindGrant, Unit: unit}, p.ID, d.now())
}

// openQuestion is what waits for a signature about a grant; its ID is empty when
// nothing does. Which is the part of the page: "terms", "suspension" or "review".
func (d *Service) openQuestion(g grant.Grant) (which string, s approval.Subject, err error) {
	switch {
	case g.StateAt(d.now()) == grant.Proposed:
		return "terms", d.cfg.Answers.GrantSubject(g), nil
	case g.State == grant.Suspended:
		s, err = g.SuspensionSubject()
		return "suspension", s, err
	case g.Unreviewed() && g.Review.At.IsZero():
		s, err = g.ReviewSubject()
		return "review", s, err
	}
	return "", s, nil
}

// mayAnswer: the security officer to an emergency, the leader to all else; nobody to
// his own request, and a holder to nothing.
func (d *Service) mayAnswer(ctx context.Context, p console.Person, g grant.Grant, s approval.Subject) (bool, error) {
	if s.ID == "" || s.Requester == p.ID || g.Person == p.ID {
		return false, nil
	}
	if s.Kind == approval.KindEmergency {
		return d.serves(ctx, p, identity.RoleSecurityOfficer)
	}
	return d.leads(ctx, p, g.Unit)
}

// Grant implements console.Grants.
func (d *Service) Grant(ctx context.Context, p console.Person, id string) (v console.GrantView, err error) {
	g, err := d.grant(ctx, p, id)
	if err != nil {
		return v, err
	}
	if v.GrantLine, err = d.grantLine(ctx, g); err != nil {
		return v, err
	}
	which, s, err := d.openQuestion(g)
	if err != nil {
		return v, err
	}
	v.Asks, v.Sum = which, s.Digest
	if v.MayAnswer, err = d.mayAnswer(ctx, p, g, s); err != nil {
		return v, err
	}
	if v.Suspender, err = d.name(ctx, g.Suspension.By); err != nil {
		return v, err
	}
	if v.Ender, err = d.name(ctx, g.EndedBy); err != nil {
		return v, err
	}
	if v.AuditorName, err = d.name(ctx, g.Review.Auditor); err != nil {
		return v, err
	}
	proposes := false
	if string(g.Unit) == p.Unit {
		if proposes, err = d.holds(ctx, p, identity.RoleAgencySysadmin, identity.RoleClerk); err != nil {
			return v, err
		}
	}
	v.MayWithdraw = proposes && g.State == grant.Proposed
	if v.State == grant.InForce {
		if v.MaySuspend, err = d.serves(ctx, p, identity.RoleSecurityOfficer); err == nil && !v.MaySuspend && proposes {
			v.MaySuspend, err = d.holds(ctx, p, identity.RoleAgencySysadmin)
		}
		if err != nil {
			return v, err
		}
	}
	if g.Unreviewed() && g.Review.AuditAt.IsZero() {
		v.MayAudit, err = d.serves(ctx, p, identity.RoleAuditor)
	}
	return v, err
}

// ProposeGrant implements console.Grants.
func (d *Service) ProposeGrant(ctx context.Context, p console.Person, f console.GrantForm) (string, error) {
	now := d.now()
	g := grant.Grant{
		Person: f.Person, Role: identity.Role(f.Role), Need: f.Need, Actions: f.Acts, Purposes: f.Purposes, Resources: f.Resources, Systems: f.Systems,
		Level: f.Level, From: f.From, Emergency: f.Emergency, Replaces: f.Replaces,
	}
	for _, u := range f.Providers {
		g.Providers = append(g.Providers, identity.USCC(u))
	}
	if f.Emergency {
		g.Until = now.Add(f.Hours)
	} else {
		g.Until = f.Until.AddDate(0, 0, 1) // the day counts whole
	}
	g, _, err := d.cfg.Grants.Propose(ctx, g, d.actor(p))
	return g.ID, err
}

// AnswerGrant implements console.Grants: to what waits, in the words of the page.
func (d *Service) AnswerGrant(ctx context.Context, p console.Person, id string, a console.Answer) error {
	g, err := d.grant(ctx, p, id)
	if err != nil {
		return err
	}
	which, s, err := d.openQuestion(g)
	if err != nil {
		return err
	}
	if s.ID == "" {
		return console.ErrAnswered
	}
	if err := allowed(d.mayAnswer(ctx, p, g, s)); err != nil {
		return err
	}
	if a.Digest != s.Digest {
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, s, a, func() error {
		ctx := context.WithoutCancel(ctx)
		settle := d.cfg.Grants.Settle
		switch which {
		case "suspension":
			settle = d.cfg.Grants.SettleSuspension
		case "review":
			settle = d.cfg.Grants.SettleReview
		}
		_, _, err := settle(ctx, id, d.actor(p))
		return err
	})
}

// onGrant does an act to a grant that the person sees.
func (d *Service) onGrant(ctx context.Context, p console.Person, id, words string, act func(context.Context, string, string, ledger.Actor) (grant.Grant, ledger.Receipt, error)) error {
	if _, err := d.grant(ctx, p, id); err != nil {
		return err
	}
	_, _, err := act(ctx, id, words, d.actor(p))
	return err
}

// SuspendGrant implements console.Grants: at once.
func (d *Service) SuspendGrant(ctx context.Context, p console.Person, id, reason string) error {
	return d.onGrant(ctx, p, id, reason, d.cfg.Grants.Suspend)
}

// WithdrawGrant implements console.Grants.
func (d *Service) WithdrawGrant(ctx context.Context, p console.Person, id, reason string) error {
	return d.onGrant(ctx, p, id, reason, d.cfg.Grants.Withdraw)
}

// AuditGrant implements console.Grants.
func (d *Service) AuditGrant(ctx context.Context, p console.Person, id, note string) error {
	return d.onGrant(ctx, p, id, note, d.cfg.Grants.Audit)
}

// Delegate implements console.Grants.
func (d *Service) Delegate(ctx context.Context, p console.Person, f console.DelegationForm) error {
	_, _, err := d.cfg.Grants.Delegate(ctx, grant.Delegation{Leader: f.Leader, Deputy: f.Deputy, Reason: f.Reason, From: f.From, Until: f.Until.AddDate(0, 0, 1)}, d.actor(p))
	return err
}

// AnswerDelegation implements console.Grants.
func (d *Service) AnswerDelegation(ctx context.Context, p console.Person, id string, a console.Answer) error {
	x, err := d.cfg.Grants.Delegation(ctx, id)
	switch {
	case err != nil:
		return err
	case x.Leader != p.ID:
		return grant.ErrNotFound
	case x.StateAt(d.now()) != grant.Proposed:
		return console.ErrAnswered
	case a.Digest != x.Digest:
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, x.Subject(), a, func() error {
		_, _, err := d.cfg.Grants.SettleDelegation(context.WithoutCancel(ctx), id, d.actor(p))
		return err
	})
}

// EndDelegation implements console.Grants.
func (d *Service) EndDelegation(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Grants.EndDelegation(ctx, id, reason, d.actor(p))
	return err
}
