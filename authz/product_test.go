package authz

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/policies"
)

// Every rule of the core holds for some question with one change.
func TestProductReachesEveryRule(t *testing.T) {
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	tracer := cover.New()
	for _, one := range product(t, p, m) {
		if one.pair || one.foreign && len(one.changes) > 0 {
			continue
		}
		r, s := one.ask(t, p)
		in := p.input.build(newView(r, s, m.Now))
		if _, err := p.core.Eval(t.Context(), rego.EvalParsedInput(in), rego.EvalQueryTracer(tracer)); err != nil {
			t.Fatal(err)
		}
	}
	mods, _, err := coreModules(policies.Files(), sandbox.Capabilities())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*ast.Module{}
	for _, mod := range mods {
		byName[mod.Package.Location.File] = mod
	}
	report := tracer.Report(byName)
	rules := 0
	for name, mod := range byName {
		for _, r := range mod.Rules {
			rules++
			if !report.Files[name].IsCovered(r.Head.Location.Row) {
				t.Errorf("%s:%d: never holds: %s", name, r.Head.Location.Row, r.Head)
			}
		}
	}
	t.Logf("%d rules, each reached", rules)
}

// variant is a base with its changes.
type variant struct {
	name    string
	base    Request
	changes []change
	foreign bool // not the action of the base
	pair    bool
}

type change struct {
	name string
	do   func(r *Request, s *Snapshot)
}

func (v variant) ask(t *testing.T, p *PDP) (Request, Snapshot) {
	r := normalise(v.base)
	s, err := p.facts.Load(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.changes {
		c.do(&r, &s)
	}
	return r, s
}

func (v variant) sum(t *testing.T, p *PDP) [2]string {
	r, s := v.ask(t, p)
	return sumOf(t, r, s)
}

// sumOf tells questions apart.
func sumOf(t *testing.T, r Request, s Snapshot) [2]string {
	t.Helper()
	question, _ := asked(r)
	facts, _, err := read(s)
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{question, facts}
}

// product leaves out what would ask the same question again: a change that changes
// nothing, and a pair that begins with one.
func product(t *testing.T, p *PDP, m *memory) (all []variant) {
	t.Helper()
	list, from, idle := changes(m), bases(m), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		base := from[name]
		for _, action := range []Action{
			ActionRead, ActionCopy, ActionDerive, ActionMerge, ActionRelabel, ActionForward, ActionStore, ActionPublish, ActionCarry, ActionRegrade, "export",
		} {
			v := variant{name: name + " " + string(action), base: base, foreign: action != base.Action}
			v.base.Action = action
			all = append(all, v)
			plain := v.sum(t, p)
			for _, c := range list {
				one := v
				one.name, one.changes = v.name+", "+c.name, []change{c}
				if one.sum(t, p) == plain {
					idle[v.name+c.name] = true
					continue
				}
				all = append(all, one)
			}
		}
		for i, a := range list {
			if idle[name+" "+string(base.Action)+a.name] { // the pair is b alone
				continue
			}
			for _, b := range list[i+1:] {
				all = append(all, variant{name: name + ", " + a.name + ", " + b.name, base: base, changes: []change{a, b}, pair: true})
			}
		}
	}
	return all
}

// bases are lawful questions, or nearly; the world gets what they need.
func bases(m *memory) map[string]Request {
	onward := m.HoldingByID["copy-a"]
	onward.ID, onward.System, onward.Agency = "copy-b", "civil-b3", "B"
	m.HoldingByID["copy-b"] = onward
	consented := m.AgreementByID["ag-a"]
	consented.Onward = []identity.USCC{"B"}
	m.AgreementByID["ag-a"] = consented
	open := m.AgreementByID["ag-2017"]
	open.Purposes = []string{"relief", PurposePublish}
	m.AgreementByID["ag-2017"] = open
	delete(m.AgreementByID, "ag-b") // B has nothing but what A may hand on
	system := func(id string, a Action, resource string) Request {
		return Request{SubjectType: SubjectSystem, SubjectID: id, Action: a, Resource: resource, Purpose: "relief"}
	}
	to := func(r Request, target string) Request { r.Target = target; return r }
	person := system("clerk-a", ActionRead, "copy-a")
	person.SubjectType = SubjectPerson
	relabel := system("civil-a", ActionRelabel, "copy-a")
	relabel.TargetLabel = &level.Label{Level: 3, RequiredS: 3, RequiredA: 3, Tags: []level.Tag{level.TagPersonal}}
	regrade := to(system("civil-a", ActionRegrade, ""), "civil-a")
	regrade.NewGrade, regrade.Carriers = &level.Grade{S: 3, A: 3}, []string{"hub"}
	merge := system("civil-a", ActionMerge, "streets-a")
	merge.Sources = []string{"copy-a"}
	two := system("civil-a", ActionMerge, "relief-2017")
	two.Sources = []string{"low-income"}
	m.ConsentByID = map[string]Quotable{"c-1": {ID: "c-1", Resource: "relief-2017", Provider: "P", Consumer: "A", Document: "doc-1", From: m.Now, Until: m.Now.Add(time.Hour)}}
	quoted := system("civil-a", ActionDerive, "relief-2017")
	quoted.CitedIn = "doc-1"
	nowhere := person
	pair := to(person, "civil-a") // one source under a grant that stands, one without
	pair.Action, pair.Sources = ActionMerge, []string{"streets-a"}
	merging := m.GrantByID["clerk-a/g-1"]
	merging.ID, merging.Actions, merging.Providers = "g-2", []level.Act{level.Merge}, nil
	m.GrantByID["clerk-a/g-2"] = merging
	return map[string]Request{
		"provider": lawful(), "consumer": system("civil-a", ActionRead, "low-income"), "merge": merge, "person": to(person, "civil-a"),
		"two": two, "nowhere": nowhere, "quoted": quoted, "two of a person": pair,
		"third party": to(system("civil-a", ActionForward, "copy-a"), "civil-b3"), "2017": to(system("civil-a", ActionForward, "relief-2017"), "civil-b"),
		"publish": system("civil-a", ActionPublish, "relief-2017"), "relabel": relabel, "hop": system("hub", ActionCarry, "low-income"),
		"regrade": regrade, "onward": system("civil-b3", ActionRead, "copy-b"), "own relabel": system("civil-p", ActionRelabel, "streets"),
	}
}

func changes(m *memory) []change {
	early, late := m.Now.Add(-time.Hour), m.Now.Add(time.Hour)
	low := &level.Label{Level: 1, RequiredS: 1, RequiredA: 1}
	list := []change{
		{"another purpose", func(r *Request, _ *Snapshot) { r.Purpose = "pension" }},
		{"no purpose", func(r *Request, _ *Snapshot) { r.Purpose = "" }},
		{"a field", func(r *Request, _ *Snapshot) { r.Fields = []string{"name"} }},
		{"a field beyond", func(r *Request, _ *Snapshot) { r.Fields = []string{"name", "income"} }},
		{"a field of nothing", func(r *Request, _ *Snapshot) { r.Fields = []string{"shoe"} }},
		{"no target", func(r *Request, s *Snapshot) { r.Target, s.Target = "", nil }},
		{"unknown target", func(r *Request, s *Snapshot) { r.Target, s.Target = "ghost", nil }},
		{"unknown subject", func(_ *Request, s *Snapshot) { s.Subject = nil }},
		{"agency asks", func(r *Request, s *Snapshot) {
			if s.Subject != nil {
				r.SubjectType, r.SubjectID, s.Subject = SubjectAgency, string(s.Subject.Agency.USCC), &Party{Agency: s.Subject.Agency}
			}
		}},
		{"unknown resource", func(_ *Request, s *Snapshot) { s.Item = nil }},
		{"no resource", func(r *Request, s *Snapshot) { r.Resource, r.Sources, s.Item, s.Sources = "", nil, nil, nil }},
		{"nothing, high label", func(r *Request, s *Snapshot) {
			l := level.Strictest()
			r.Resource, r.Sources, r.TargetLabel, s.Item, s.Sources = "", nil, &l, nil, nil
		}},
		{"unknown carrier", func(r *Request, _ *Snapshot) { r.Carriers = append(slices.Clone(r.Carriers), "ghost") }},
		{"low label", func(r *Request, _ *Snapshot) { r.TargetLabel = low }},
		{"lower level", stated(2, 3, 3, level.TagPersonal)},
		{"lower S", stated(3, 2, 3, level.TagPersonal)},
		{"lower A", stated(3, 3, 2, level.TagPersonal)},
		{"tag lost", stated(3, 3, 3)},
		{"high label", func(r *Request, _ *Snapshot) { l := level.Strictest(); r.TargetLabel = &l }},
		{"no label", func(r *Request, _ *Snapshot) { r.TargetLabel = nil }},
		{"no new grade", func(r *Request, _ *Snapshot) { r.NewGrade = nil }},
		{"low new grade", func(r *Request, _ *Snapshot) { r.NewGrade = &level.Grade{S: 2, A: 3} }},
		{"holding", func(_ *Request, s *Snapshot) {
			if s.Item != nil {
				s.Holdings = []Item{*s.Item}
			}
		}},
		{"no agreements", func(_ *Request, s *Snapshot) { s.Agreements = nil }},
	}
	item := func(name string, do func(*Item)) {
		list = append(list, change{name, func(_ *Request, s *Snapshot) {
			if s.Item != nil {
				do(s.Item)
			}
		}})
	}
	for _, share := range []sharing.ShareType{sharing.ShareProactive, sharing.ShareOnApplication, sharing.ShareUnconditional, sharing.ShareNotShared, ""} {
		item("share "+string(share), func(i *Item) { i.Resource.ShareType = share })
	}
	item("2017", func(i *Item) { i.Resource.Regime = sharing.RegimeBeijing2017 })
	item("2014", func(i *Item) { i.Resource.Regime = sharing.RegimeXicheng2014 })
	item("unknown regime", func(i *Item) { i.Resource.Regime = "elsewhere" })
	item("no review", func(i *Item) { i.Resource.SecrecyReview = "" })
	item("defect", func(i *Item) { i.Resource.DefectNotice = "d1" })
	item("another provider", func(i *Item) { i.Resource.Provider = "B" })
	for _, tag := range []level.Tag{level.TagWorkSecret, level.TagSensitive, level.TagPublicDisclosure, level.Tag("cat_tax")} {
		item(string(tag), func(i *Item) { i.Resource.Label.Tags = []level.Tag{tag} })
	}
	item("no label on it", func(i *Item) { i.Resource.Label = level.Label{} })
	list = append(list, change{"defect acknowledged", func(_ *Request, s *Snapshot) {
		if s.Item != nil && len(s.Agreements) > 0 {
			s.Item.Resource.DefectNotice, s.Agreements[0].DefectAck = "d2", "d2"
		}
	}})
	held := func(name string, do func(*sharing.Holding)) {
		item(name, func(i *Item) {
			if i.Holding != nil {
				h := *i.Holding
				do(&h)
				i.Holding = &h
			}
		})
	}
	held("held by another", func(h *sharing.Holding) { h.Agency = "B" })
	held("held by the first", func(h *sharing.Holding) { h.Agency = "A" })
	held("destroyed", func(h *sharing.Holding) { h.Ended = m.Now })
	held("kept too long", func(h *sharing.Holding) { h.Until = early })
	held("kept for now", func(h *sharing.Holding) { h.Until = late })
	held("of no agreement", func(h *sharing.Holding) { h.Agreement = "" })
	return slices.Concat(list, agreementChanges(m), partyChanges(m), registerChanges(m))
}

func stated(lv level.Level, s, a uint8, tags ...level.Tag) func(*Request, *Snapshot) {
	return func(r *Request, _ *Snapshot) {
		r.TargetLabel = &level.Label{Level: lv, RequiredS: s, RequiredA: a, Tags: tags}
	}
}

func agreementChanges(m *memory) (list []change) {
	early, late := m.Now.Add(-time.Hour), m.Now.Add(time.Hour)
	add := func(name string, do func(*sharing.Agreement)) {
		list = append(list, change{name, func(_ *Request, s *Snapshot) {
			for i := range s.Agreements {
				do(&s.Agreements[i])
			}
		}})
	}
	for i, which := range []string{"first", "last"} {
		list = append(list, change{which + " agreement of nobody's", func(_ *Request, s *Snapshot) {
			if n := len(s.Agreements); n > 0 {
				a := &s.Agreements[i*(n-1)]
				a.Purposes, a.Fields, a.Seals, a.NotBefore, a.NotAfter, a.Terminated = []string{"pension"}, nil, nil, late, early, early
			}
		}})
	}
	add("of another resource", func(a *sharing.Agreement) { a.Resource = "another" })
	add("agreed by another", func(a *sharing.Agreement) { a.Provider = "O" })
	add("agreed with another", func(a *sharing.Agreement) { a.Consumer = "O" })
	add("not onward", func(a *sharing.Agreement) { a.Onward = nil })
	add("no consent to publish", func(a *sharing.Agreement) { a.Purposes = []string{"relief"} })
	for _, uncover := range []change{
		{"another purpose", func(_ *Request, s *Snapshot) { s.Agreements[0].Purposes = []string{"pension"} }},
		{"over", func(_ *Request, s *Snapshot) { s.Agreements[0].NotAfter = early }},
	} {
		list = append(list, change{"one " + uncover.name + ", faulty ones beside", func(r *Request, s *Snapshot) {
			if n := len(s.Agreements); n > 0 {
				uncover.do(r, s) // this source is not covered, the last one is
				for _, resource := range []string{s.Agreements[n-1].Resource, "else"} {
					s.Agreements = append(s.Agreements, sharing.Agreement{
						ID: "faulty-" + resource, Resource: resource, Provider: "B", Consumer: "O", Purposes: []string{"x"}, NotBefore: late, NotAfter: early, Terminated: early,
					})
				}
			}
		}})
	}
	add("agreed purpose", func(a *sharing.Agreement) { a.Purposes = []string{"pension"} })
	add("agreed field", func(a *sharing.Agreement) { a.Fields = []string{"address"} })
	add("no secrecy agreement", func(a *sharing.Agreement) { a.Confidentiality = "" })
	add("acknowledged", func(a *sharing.Agreement) { a.DefectAck = "d1" })
	add("not yet", func(a *sharing.Agreement) { a.NotBefore = late })
	add("from now", func(a *sharing.Agreement) { a.NotBefore = m.Now })
	add("over", func(a *sharing.Agreement) { a.NotAfter = m.Now })
	add("terminated", func(a *sharing.Agreement) { a.Terminated = early })
	add("terminated later", func(a *sharing.Agreement) { a.Terminated = late })
	without := func(party func(*sharing.Agreement) identity.USCC) func(*sharing.Agreement) {
		return func(a *sharing.Agreement) {
			who := party(a)
			a.Seals = slices.DeleteFunc(slices.Clone(a.Seals), func(s sharing.PartySeal) bool { return s.Party == who })
		}
	}
	add("no seal of the provider", without(func(a *sharing.Agreement) identity.USCC { return a.Provider }))
	add("no seal of the consumer", without(func(a *sharing.Agreement) identity.USCC { return a.Consumer }))
	add("no seal of the office", without(func(a *sharing.Agreement) identity.USCC { return a.Office }))
	return list
}

func partyChanges(m *memory) (list []change) {
	for _, who := range []struct {
		name string
		of   func(*Snapshot) *Party
	}{
		{"subject", func(s *Snapshot) *Party { return s.Subject }},
		{"target", func(s *Snapshot) *Party { return s.Target }},
		{"carrier", func(s *Snapshot) *Party {
			if len(s.Carriers) == 0 {
				return nil
			}
			return &s.Carriers[0]
		}},
	} {
		add := func(name string, do func(*Party)) {
			list = append(list, change{who.name + " " + name, func(_ *Request, s *Snapshot) {
				if p := who.of(s); p != nil {
					do(p)
				}
			}})
		}
		regraded := func(name string, do func(*grading.Record)) {
			add(name, func(p *Party) {
				if p.Grading != nil {
					g := *p.Grading
					do(&g)
					p.Grading = &g
				}
			})
		}
		add("ungraded", func(p *Party) { p.Grading = nil })
		regraded("draft", func(g *grading.Record) { g.State = grading.StateDraft })
		regraded("expired", func(g *grading.Record) { g.ValidUntil = m.Now })
		regraded("S2A3", func(g *grading.Record) { g.Grade = level.Grade{S: 2, A: 3} })
		regraded("S3A2", func(g *grading.Record) { g.Grade = level.Grade{S: 3, A: 2} })
		add("without duties", func(p *Party) { p.Agency.Duties = nil })
	}
	person := func(name string, do func(*Party)) {
		list = append(list, change{name, func(_ *Request, s *Snapshot) {
			if s.Subject != nil && s.Subject.Person != nil {
				do(s.Subject)
			}
		}})
	}
	person("left", func(p *Party) { who := *p.Person; who.LeftAt = m.Now; p.Person = &who })
	person("no post", func(p *Party) { p.Posts = nil })
	person("administrator", func(p *Party) { p.Posts = []identity.Post{{Agency: "A", Role: identity.RoleSystemAdmin, From: m.Now}} })
	person("leader", func(p *Party) { p.Posts = []identity.Post{{Agency: "A", Role: identity.RoleUnitLeader, From: m.Now}} })
	person("records officer", func(p *Party) {
		p.Posts = []identity.Post{{Agency: "A", Role: identity.RoleRecordsOfficer, From: m.Now}}
	})
	person("post ended", func(p *Party) { p.Posts = []identity.Post{{Agency: "A", Role: identity.RoleClerk, Until: m.Now}} })
	return append(list, change{"target of another", func(_ *Request, s *Snapshot) {
		if s.Target != nil {
			other := *s.Target // the subject may be the same system
			other.Agency, other.System.Agency = m.AgencyByID["O"], "O"
			s.Target = &other
		}
	}})
}
