package authz

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Granted is a grant (授权) of a person as far as a decision rests on it. One that
// opens nothing is there, too, so that a denial can say what it lacks.
type Granted struct {
	ID        string          `json:"id"`
	Unit      identity.USCC   `json:"unit"`
	Role      identity.Role   `json:"role"`
	Actions   []level.Act     `json:"actions"`
	Purposes  []string        `json:"purposes"`
	Resources []string        `json:"resources,omitempty"`
	Providers []identity.USCC `json:"providers,omitempty"`
	Systems   []string        `json:"systems,omitempty"`
	Level     level.Level     `json:"level"`
	From      time.Time       `json:"from"`
	Until     time.Time       `json:"until"`
	Emergency bool            `json:"emergency,omitempty"`
	ReviewDue time.Time       `json:"review_due,omitzero"`
	Signed    bool            `json:"signed"` // the signature was verified when the facts were read
	Suspended bool            `json:"suspended,omitempty"`
}

// GrantedOf is the fact of a grant; signed is what grant.Service.Signed says.
func GrantedOf(g grant.Grant, signed bool) Granted {
	return Granted{
		ID: g.ID, Unit: g.Unit, Role: g.Role, Actions: g.Actions, Purposes: g.Purposes, Resources: g.Resources, Providers: g.Providers, Systems: g.Systems,
		Level: g.Level, From: g.From, Until: g.Until, Emergency: g.Emergency, ReviewDue: g.Review.Due, Signed: signed, Suspended: g.State == grant.Suspended,
	}
}

// Grants answers with what a person was granted; those long over may be left out.
type Grants interface {
	GrantsFor(ctx context.Context, person string) ([]Granted, error)
}

func (l *loading) grants(r Request) (err error) {
	if r.SubjectType != SubjectPerson || l.snap.Subject == nil || l.Grants == nil {
		return nil
	}
	if l.snap.Grants, err = l.Grants.GrantsFor(l.ctx, r.SubjectID); err != nil {
		return fmt.Errorf("reading grants of %s: %w", r.SubjectID, err)
	}
	l.snap.Grants = slices.Clone(l.snap.Grants)
	slices.SortFunc(l.snap.Grants, func(a, b Granted) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// opens says whether g opens a source for the act that v asks for. The core decides
// whether one is needed and tells what one lacks; this side only computes what a
// permit binds to.
func (v view) opens(g Granted, s source) bool {
	if s.item == nil || !g.Signed || g.Suspended || g.Unit != v.subject.Agency.USCC || v.now.Before(g.From) || !v.now.Before(g.Until) {
		return false
	}
	terms := grant.Grant{Actions: g.Actions, Purposes: g.Purposes, Systems: g.Systems, Resources: g.Resources, Providers: g.Providers}
	return s.label().Level <= g.Level && terms.Opens(level.Act(v.req.Action), v.req.Purpose, v.req.Target) &&
		terms.Covers(s.item.Resource.ID, s.item.Resource.Provider) && slices.ContainsFunc(v.subject.Posts, func(p identity.Post) bool {
		return p.Agency == g.Unit && p.Role == g.Role && p.HeldAt(v.now)
	})
}

// restsOn are the grants that a permit rests on: for each source the ordinary one
// that runs longest, and an emergency only where there is no other.
func (v view) restsOn() (out []Granted) {
	if v.req.SubjectType != SubjectPerson {
		return nil
	}
	for _, s := range v.sources {
		var best *Granted
		for i := range v.granted {
			g := &v.granted[i]
			if v.opens(*g, s) && (best == nil || best.Emergency && !g.Emergency || best.Emergency == g.Emergency && g.Until.After(best.Until)) {
				best = g
			}
		}
		if best != nil && !slices.ContainsFunc(out, func(g Granted) bool { return g.ID == best.ID }) {
			out = append(out, *best)
		}
	}
	slices.SortFunc(out, func(a, b Granted) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
