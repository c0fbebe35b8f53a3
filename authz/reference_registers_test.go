package authz

import (
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// What the registers add to the terms of sharing: grants of persons, copies and
// violations, consents to be quoted.

// holds says whether a person is in a post of the own agency now.
func (l *lawyer) holds(role identity.Role) bool {
	return slices.ContainsFunc(l.s.Subject.Posts, func(p identity.Post) bool {
		return p.Role == role && p.Agency == l.own() && !l.now.Before(p.From) && (p.Until.IsZero() || l.now.Before(p.Until))
	})
}

// grants: whoever may see content at all needs for each source a grant that fits and
// stands; who administers sees none, whatever else he is.
func (l *lawyer) grants() {
	if l.s.Subject == nil || l.r.SubjectType != SubjectPerson || !l.content() || l.over(l.s.Subject.Person.LeftAt) {
		return
	}
	if !l.holds(identity.RoleClerk) && !l.holds(identity.RoleUnitLeader) && !l.holds(identity.RoleRecordsOfficer) {
		return
	}
	for _, role := range []identity.Role{identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor} {
		l.deny(l.holds(role), "E03_clearance")
	}
	for _, it := range l.items() {
		var fitting []Granted
		stands := false
		for _, g := range l.s.Grants {
			if l.fits(g, it) {
				fitting = append(fitting, g)
				stands = stands || len(l.lacks(g)) == 0
			}
		}
		l.deny(len(fitting) == 0, "E30_grant.none")
		for _, g := range fitting {
			for _, code := range l.lacks(g) {
				l.deny(!stands, code)
			}
		}
	}
}

func (l *lawyer) fits(g Granted, it *Item) bool {
	scoped := len(g.Resources)+len(g.Providers) > 0
	inScope := it != nil && (slices.Contains(g.Resources, it.Resource.ID) || slices.Contains(g.Providers, it.Resource.Provider))
	return slices.Contains(g.Actions, level.Act(l.r.Action)) && slices.Contains(g.Purposes, l.r.Purpose) &&
		referenceNeeds(it).n[0] <= uint8(g.Level) && (!scoped || inScope) && (len(g.Systems) == 0 || slices.Contains(g.Systems, l.r.Target))
}

// lacks says why a grant is not in force for this person.
func (l *lawyer) lacks(g Granted) (codes []string) {
	if !g.Signed {
		codes = append(codes, "E30_grant.unsigned")
	}
	if g.Suspended {
		codes = append(codes, "E30_grant.suspended")
	}
	if l.now.Before(g.From) || !l.now.Before(g.Until) {
		codes = append(codes, "E30_grant.period")
	}
	if g.Unit != l.own() || !l.holds(g.Role) {
		codes = append(codes, "E30_grant.post")
	}
	return codes
}

// copies: who keeps one too long, or broke the terms, gets nothing more.
func (l *lawyer) copies() {
	for _, s := range l.s.Standings {
		l.deny(l.content() && l.over(s.Due), "E27_overdue_copy")
		l.deny(l.content() && s.Violation != "", "E28_suspended")
	}
}

// traces: whose sources nobody can trace, and whose times nobody can tell.
func (l *lawyer) traces() {
	for _, it := range l.items() {
		if it == nil {
			continue
		}
		l.deny(l.content() && it.Circular, "E31_lineage")
		late := l.now.Add(time.Minute)
		l.deny(it.Resource.UpdatedAt.After(late) || it.Holding != nil && it.Holding.At.After(late), "E32_clock")
	}
}

func (l *lawyer) quoting() {
	for _, it := range l.items() {
		user := l.user(it)
		if l.r.CitedIn == "" || user == nil || it.Resource.Regime != sharing.RegimeBeijing2017 {
			continue
		}
		l.deny(!slices.ContainsFunc(l.s.Consents, func(q Quotable) bool {
			return q.Resource == it.Resource.ID && q.Provider == it.Resource.Provider && q.Consumer == user.USCC &&
				(q.Document == "" || q.Document == l.r.CitedIn) && !l.now.Before(q.From) && l.now.Before(q.Until)
		}), "E29_citation")
	}
}
