package authz

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
)

func byPerson() Request {
	return Request{SubjectType: SubjectPerson, SubjectID: "clerk-a", Action: ActionRead, Resource: "copy-a", Target: "civil-a", Purpose: "relief"}
}

// X11-24a: a permit ends with the grant that it rests on, names it on the ledger,
// and says so when that one is an emergency's.
func TestPermitRestsOnGrants_X11_24a(t *testing.T) {
	m := newWorld(t, nil)
	p, b := newPDP(t, m, nil)
	d, err := p.Decide(t.Context(), byPerson())
	if err != nil || !d.Allow {
		t.Fatalf("%+v, %v", d, err)
	}
	value := func(kind string) string {
		for _, o := range d.Obligations {
			if o.Kind == kind {
				return o.Value
			}
		}
		return ""
	}
	if value(ObligeExpiry) != "2026-07-01T00:00:00Z" || value(ObligeReview) != "" || b.events[0].Details["grants"] != "g-1" {
		t.Errorf("%+v, %+v", d.Obligations, b.events[0].Details)
	}
	urgent := m.GrantByID["clerk-a/g-1"]
	urgent.ID, urgent.Emergency, urgent.Until, urgent.ReviewDue = "g-0", true, m.Now.Add(time.Hour), m.Now.AddDate(0, 0, 1)
	m.GrantByID["clerk-a/g-0"] = urgent
	if d, err = p.Decide(t.Context(), byPerson()); err != nil || value(ObligeReview) != "" {
		t.Errorf("an emergency beside an ordinary grant: %+v, %v", d.Obligations, err)
	}
	delete(m.GrantByID, "clerk-a/g-1")
	if d, err = p.Decide(t.Context(), byPerson()); err != nil || !d.Allow {
		t.Fatalf("%+v, %v", d, err)
	}
	if value(ObligeReview) != "g-0 2026-03-03T09:00:00Z" || value(ObligeExpiry) != "2026-03-02T10:00:00Z" || !strings.Contains(value(ObligeWatermark), "紧急授权") || b.events[2].Details["grants"] != "g-0" {
		t.Errorf("%+v, %+v", d.Obligations, b.events[2].Details)
	}
}

// A grant begins and ends for a memoised decision as for any other.
func TestGrantEndsAMemoisedDecision(t *testing.T) {
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	p.memo.size = 8
	until := m.GrantByID["clerk-a/g-1"].Until
	for _, c := range []struct {
		at    time.Time
		allow bool
	}{{m.Now, true}, {until.Add(-1), true}, {until, false}, {until.AddDate(0, 1, 0), false}} {
		m.Now = c.at
		if d, err := p.Decide(t.Context(), byPerson()); err != nil || d.Allow != c.allow {
			t.Errorf("%s: %+v, %v", c.at, d.Reasons, err)
		}
	}
}

func TestGrantsThatCannotBeReadDeny(t *testing.T) {
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	m.failOn = "grants"
	if d, err := p.Decide(t.Context(), byPerson()); !errors.Is(err, ErrFacts) || d.Allow {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := p.Decide(t.Context(), lawful()); err != nil || !d.Allow { // a system has none
		t.Errorf("%+v, %v", d, err)
	}
}

// What a permit binds to is computed in Go, what it needs in Rego: for every change
// of a grant the two agree on whether it opens anything.
func TestGrantsOfGuardAndCoreAgree(t *testing.T) {
	edits := map[string]func(*Granted, *memory){
		"as it is": func(*Granted, *memory) {}, "unsigned": func(g *Granted, _ *memory) { g.Signed = false }, "suspended": func(g *Granted, _ *memory) { g.Suspended = true },
		"another unit": func(g *Granted, _ *memory) { g.Unit = "B" }, "another post": func(g *Granted, _ *memory) { g.Role = identity.RoleRecordsOfficer },
		"no post": func(_ *Granted, m *memory) { delete(m.PostByID, "post-1") }, "begins later": func(g *Granted, m *memory) { g.From = m.Now.Add(1e6) },
		"is over": func(g *Granted, m *memory) { g.Until = m.Now }, "another act": func(g *Granted, _ *memory) { g.Actions = []level.Act{level.Copy} },
		"another purpose": func(g *Granted, _ *memory) { g.Purposes = []string{"pension"} }, "a lower level": func(g *Granted, _ *memory) { g.Level = 2 },
		"another resource": func(g *Granted, _ *memory) { g.Resources, g.Providers = []string{"streets"}, nil },
		"another provider": func(g *Granted, _ *memory) { g.Resources, g.Providers = nil, []identity.USCC{"B"} },
		"the provider":     func(g *Granted, _ *memory) { g.Resources = nil }, "the duty": func(g *Granted, _ *memory) { g.Resources, g.Providers = nil, nil },
		"another system": func(g *Granted, _ *memory) { g.Systems = []string{"civil-a2"} }, "any system": func(g *Granted, _ *memory) { g.Systems = nil },
	}
	opens := 0
	for name, edit := range edits {
		m := newWorld(t, nil)
		g := m.GrantByID["clerk-a/g-1"]
		edit(&g, m)
		m.GrantByID["clerk-a/g-1"] = g
		p, _ := newPDP(t, m, nil)
		r := byPerson()
		snap, err := p.facts.Load(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		v := newView(r, snap, m.Now)
		core := codesOf(readCore(evaluate(t.Context(), p.core, p.input.build(v), time.Minute)), guardCore)
		refused := slices.ContainsFunc(core, func(c string) bool { return strings.HasPrefix(c, "E30_") || c == "E03_clearance" })
		if rests := len(v.restsOn()) == 1; rests == refused {
			t.Errorf("%s: rests on it %v, the core says %v", name, rests, core)
		} else if rests {
			opens++
		}
	}
	if opens != 4 {
		t.Errorf("%d of the grants open", opens)
	}
}
