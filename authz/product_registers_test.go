package authz

import (
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// registerChanges are those of grants, posts, copies, violations and consents.
func registerChanges(m *memory) (list []change) {
	early, late := m.Now.Add(-time.Hour), m.Now.Add(time.Hour)
	add := func(name string, do func(r *Request, s *Snapshot)) { list = append(list, change{name, do}) }
	grant := func(name string, do func(*Granted)) {
		add("grant "+name, func(_ *Request, s *Snapshot) {
			s.Grants = slices.Clone(s.Grants)
			for i := range s.Grants {
				do(&s.Grants[i])
			}
		})
	}
	add("no grants", func(_ *Request, s *Snapshot) { s.Grants = nil })
	add("another grant, unsigned", func(r *Request, s *Snapshot) {
		s.Grants = append(s.Grants, Granted{ID: "g-3", Unit: "A", Role: identity.RoleClerk, Actions: []level.Act{level.Act(r.Action)}, Purposes: []string{r.Purpose}, Level: 4, From: m.Now, Until: late})
	})
	add("another grant, in force", func(r *Request, s *Snapshot) {
		s.Grants = append(s.Grants, Granted{ID: "g-0", Unit: "A", Role: identity.RoleClerk, Actions: []level.Act{level.Act(r.Action)}, Purposes: []string{r.Purpose}, Level: 4, From: m.Now, Until: late, Signed: true})
	})
	grant("unsigned", func(g *Granted) { g.Signed = false })
	grant("suspended", func(g *Granted) { g.Suspended = true })
	grant("to come", func(g *Granted) { g.From = late })
	grant("over", func(g *Granted) { g.Until = m.Now })
	grant("of another unit", func(g *Granted) { g.Unit = "B" })
	grant("of another post", func(g *Granted) { g.Role = identity.RoleRecordsOfficer })
	grant("for another act", func(g *Granted) { g.Actions = []level.Act{level.Publish} })
	grant("for another purpose", func(g *Granted) { g.Purposes = []string{"pension"} })
	grant("of a lower level", func(g *Granted) { g.Level = 2 })
	grant("of a provider", func(g *Granted) { g.Resources, g.Providers = nil, []identity.USCC{"P"} })
	grant("of another provider", func(g *Granted) { g.Resources, g.Providers = nil, []identity.USCC{"O"} })
	grant("of a resource", func(g *Granted) { g.Resources, g.Providers = []string{"low-income"}, nil })
	grant("of another resource", func(g *Granted) { g.Resources, g.Providers = []string{"internal"}, nil })
	grant("without scope", func(g *Granted) { g.Resources, g.Providers = nil, nil })
	grant("on another system", func(g *Granted) { g.Systems = []string{"hub"} })
	grant("on any system", func(g *Granted) { g.Systems = nil })
	for _, role := range []identity.Role{identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor} {
		add("also "+string(role), func(_ *Request, s *Snapshot) {
			if s.Subject != nil && s.Subject.Person != nil {
				s.Subject.Posts = append(slices.Clone(s.Subject.Posts), identity.Post{Agency: "A", Role: role, From: early})
			}
		})
	}
	standing := func(name string, st sharing.Standing) {
		add(name, func(_ *Request, s *Snapshot) {
			if s.Item != nil && s.Subject != nil {
				st.Resource, st.Agency, st.Copy = s.Item.Resource.ID, s.Subject.Agency.USCC, "copy-x"
				s.Standings = append(s.Standings, st)
			}
		})
	}
	standing("a copy overdue", sharing.Standing{Due: m.Now})
	standing("a copy due", sharing.Standing{Due: late})
	standing("a violation", sharing.Standing{Violation: "v-1"})
	add("a circle", func(_ *Request, s *Snapshot) {
		if s.Item != nil {
			s.Item.Circular = true
		}
	})
	add("the clock behind", func(_ *Request, s *Snapshot) {
		if s.Item != nil {
			s.Item.Resource.UpdatedAt = late
		}
	})
	consent := func(name string, do func(*Quotable)) {
		add("consent "+name, func(_ *Request, s *Snapshot) {
			s.Consents = slices.Clone(s.Consents)
			for i := range s.Consents {
				do(&s.Consents[i])
			}
		})
	}
	add("quoted", func(r *Request, _ *Snapshot) { r.CitedIn = "doc-1" })
	add("quoted elsewhere", func(r *Request, _ *Snapshot) { r.CitedIn = "doc-2" })
	add("not quoted", func(r *Request, _ *Snapshot) { r.CitedIn = "" })
	consent("for any document", func(q *Quotable) { q.Document = "" })
	consent("to come", func(q *Quotable) { q.From = late })
	consent("over", func(q *Quotable) { q.Until = m.Now })
	consent("of another resource", func(q *Quotable) { q.Resource = "streets" })
	consent("of another provider", func(q *Quotable) { q.Provider = "O" })
	consent("of another consumer", func(q *Quotable) { q.Consumer = "B" })
	return list
}
