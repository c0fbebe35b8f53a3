package authz

import (
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// inputBuilder makes the input of both Rego guards, as terms, from typed Go
// values: a number can never arrive as a string, which Rego would order above
// every number. The layout is documented in policies/core/input.rego. Keys are
// made once; the builder is read-only and shared by all decisions.
type inputBuilder struct {
	keys  map[string]*ast.Term
	words map[string]*ast.Term // the words of the law, made once too
}

func newInputBuilder() inputBuilder {
	b := inputBuilder{keys: map[string]*ast.Term{}, words: map[string]*ast.Term{}}
	for _, w := range []string{
		"", SubjectSystem, SubjectPerson, SubjectAgency, string(ActionRead), string(ActionCopy), string(ActionForward), string(ActionDerive), string(ActionStore),
		string(sharing.ShareProactive), string(sharing.ShareOnApplication), string(sharing.ShareUnconditional), string(sharing.ShareConditional),
		string(sharing.RegimeXicheng2014), string(sharing.RegimeBeijing2017),
	} {
		b.words[w] = ast.StringTerm(w)
	}
	for _, k := range []string{
		"action", "purpose", "now", "fields", "subject", "target", "carriers", "sources", "agreements", "result",
		"new_grade", "holdings", "type", "id", "known", "agency", "system", "graded", "expired", "s", "a", "roles",
		"left", "duties", "resource", "provider", "share", "regime", "reviewed", "items", "defect", "level", "tags",
		"public", "holder", "agreement", "ended", "user", "begun", "consumer", "office", "onward", "purposes", "confidential",
		"defect_ack", "not_before", "not_after", "terminated", "sealed", "stated",
		"grants", "unit", "role", "actions", "providers", "resources", "systems", "signed", "suspended",
		"standings", "copy", "overdue", "violation", "citing", "cited_in", "circular", "behind", "consents", "document", "masked",
	} {
		b.keys[k] = ast.StringTerm(k)
	}
	return b
}

type pair = [2]*ast.Term

func (b inputBuilder) kv(key string, v *ast.Term) pair   { return pair{b.keys[key], v} }
func (b inputBuilder) str(key, v string) pair            { return pair{b.keys[key], b.text(v)} }
func (b inputBuilder) num(key string, v int) pair        { return pair{b.keys[key], ast.InternedTerm(v)} }
func (b inputBuilder) bool(key string, v bool) pair      { return pair{b.keys[key], ast.InternedTerm(v)} }
func (b inputBuilder) time(key string, t time.Time) pair { return b.num(key, int(t.UnixMilli())) }

// past says whether now has reached t, in the whole milliseconds of the input; a
// zero time is never reached.
func (b inputBuilder) past(key string, t, now time.Time) pair {
	return b.bool(key, !t.IsZero() && now.UnixMilli() >= t.UnixMilli())
}

func (b inputBuilder) text(s string) *ast.Term {
	if t, known := b.words[s]; known {
		return t
	}
	return ast.StringTerm(s)
}

func set[T ~string](vs []T) *ast.Term {
	if len(vs) == 0 {
		return ast.InternedEmptySet
	}
	ts := make([]*ast.Term, len(vs))
	for i, v := range vs {
		ts[i] = ast.StringTerm(string(v))
	}
	return ast.SetTerm(ts...)
}

func (b inputBuilder) build(v view) ast.Value {
	carriers := make([]*ast.Term, len(v.hops))
	for i, h := range v.hops {
		carriers[i] = ast.ObjectTerm(b.place(h.id, h.party, v.now)...)
	}
	sources := make([]*ast.Term, len(v.sources))
	for i, s := range v.sources {
		sources[i] = b.source(v, s)
	}
	terms := make([]*ast.Term, len(v.terms))
	for i := range v.terms {
		terms[i] = b.agreement(&v.terms[i], v.now)
	}
	granted := make([]*ast.Term, len(v.granted))
	for i := range v.granted {
		granted[i] = b.granted(&v.granted[i], v.now)
	}
	held := make([]*ast.Term, len(v.held))
	for i, it := range v.held {
		l := it.Label()
		held[i] = ast.ObjectTerm(b.str("id", it.id()), b.num("s", int(l.RequiredS)), b.num("a", int(l.RequiredA)))
	}
	var grade level.Grade
	if g := v.req.NewGrade; g != nil && g.Valid() {
		grade = *g
	}
	return ast.NewObject(
		b.str("action", string(v.req.Action)), b.str("purpose", v.req.Purpose), b.time("now", v.now),
		b.kv("fields", set(v.req.Fields)), b.kv("subject", b.subject(v)), b.kv("target", b.target(v)),
		b.kv("carriers", ast.ArrayTerm(carriers...)), b.kv("sources", ast.ArrayTerm(sources...)),
		b.kv("agreements", ast.ArrayTerm(terms...)), b.kv("result", b.result(v)),
		b.kv("new_grade", ast.ObjectTerm(b.num("s", int(grade.S)), b.num("a", int(grade.A)))),
		b.kv("holdings", ast.ArrayTerm(held...)), b.kv("grants", ast.ArrayTerm(granted...)),
		b.kv("standings", b.standings(v)),
		b.bool("behind", v.behind()), b.bool("citing", v.req.CitedIn != ""), b.str("cited_in", v.req.CitedIn), b.kv("consents", b.consents(v)),
	)
}

// place is a system with its grade in force; ungraded and unknown are 0.
func (b inputBuilder) place(id string, p *Party, now time.Time) []pair {
	var g level.Grade
	expired := false
	if p != nil {
		g, expired = p.grade(), p.expired(now)
	}
	return []pair{
		b.str("id", id), b.bool("known", p != nil), b.bool("graded", g.Valid()), b.bool("expired", expired),
		b.num("s", int(g.S)), b.num("a", int(g.A)),
	}
}

func (b inputBuilder) subject(v view) *ast.Term {
	p := v.subject
	system := ""
	if v.req.SubjectType == SubjectSystem {
		system = v.req.SubjectID
	}
	left := false
	var roles []identity.Role
	if p.Person != nil {
		left = !p.Person.LeftAt.IsZero() && !v.now.Before(p.Person.LeftAt)
		for _, post := range p.Posts {
			if post.Agency == p.Agency.USCC && post.HeldAt(v.now) {
				roles = append(roles, post.Role)
			}
		}
	}
	g := p.grade()
	return ast.ObjectTerm(
		b.str("type", v.req.SubjectType), b.str("id", v.req.SubjectID), b.bool("known", v.known),
		b.str("agency", string(p.Agency.USCC)), b.str("system", system), b.bool("graded", g.Valid()),
		b.bool("expired", p.expired(v.now)), b.num("s", int(g.S)), b.num("a", int(g.A)),
		b.kv("roles", set(roles)), b.bool("left", left), b.kv("duties", set(p.Agency.Duties)),
	)
}

func (b inputBuilder) target(v view) *ast.Term {
	var agency identity.Agency
	if v.target != nil {
		agency = v.target.Agency
	}
	return ast.ObjectTerm(append(b.place(v.req.Target, v.target, v.now),
		b.str("agency", string(agency.USCC)), b.kv("duties", set(agency.Duties)))...)
}

func (b inputBuilder) source(v view, s source) *ast.Term {
	l := s.label()
	tags := slices.DeleteFunc(slices.Clone(l.Tags), func(t level.Tag) bool { return t == level.TagPublicDisclosure })
	var r sharing.Resource
	var holder identity.USCC
	agreement, ended := "", time.Time{}
	if s.item != nil {
		r = s.item.Resource
		if h := s.item.Holding; h != nil {
			holder, agreement, ended = h.Agency, h.Agreement, earlier(h.Ended, h.Until)
		}
	}
	return ast.ObjectTerm(
		b.str("id", s.id), b.bool("known", s.item != nil), b.str("resource", r.ID),
		b.str("provider", string(r.Provider)), b.str("share", string(r.ShareType)), b.str("regime", string(r.Regime)),
		b.bool("reviewed", r.SecrecyReview != ""), b.kv("items", set(r.Items)), b.kv("masked", masked(r)), b.str("defect", r.DefectNotice),
		b.num("level", int(l.Level)), b.num("s", int(l.RequiredS)), b.num("a", int(l.RequiredA)),
		b.kv("tags", set(tags)), b.bool("public", len(tags) < len(l.Tags)),
		b.str("holder", string(holder)), b.str("agreement", agreement), b.past("ended", ended, v.now),
		b.str("user", string(v.user(s))), b.bool("circular", s.item != nil && s.item.Circular),
	)
}

// masked are the items that may be asked for without an agreement on them: they are
// handed out masked.
func masked(r sharing.Resource) *ast.Term {
	items := make([]string, len(r.ItemTags))
	for i, t := range r.ItemTags {
		items[i] = t.Item
	}
	return set(items)
}

// earlier is the first of two times that may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (b inputBuilder) agreement(a *sharing.Agreement, now time.Time) *ast.Term {
	return ast.ObjectTerm(
		b.str("id", a.ID), b.str("resource", a.Resource), b.str("provider", string(a.Provider)),
		b.str("consumer", string(a.Consumer)), b.str("office", string(a.Office)), b.kv("onward", set(a.Onward)),
		b.kv("purposes", set(a.Purposes)), b.kv("fields", set(a.Fields)), b.bool("confidential", a.Confidentiality != ""),
		b.str("defect_ack", a.DefectAck), b.time("not_before", a.NotBefore), b.time("not_after", a.NotAfter),
		b.bool("begun", now.UnixMilli() >= a.NotBefore.UnixMilli()), b.bool("expired", now.UnixMilli() >= a.NotAfter.UnixMilli()),
		b.past("terminated", a.Terminated, now), b.kv("sealed", b.sealed(a)),
	)
}

func (b inputBuilder) sealed(a *sharing.Agreement) *ast.Term {
	by := sealedBy(a)
	return ast.ObjectTerm(
		b.bool("provider", slices.Contains(by, a.Provider)), b.bool("consumer", slices.Contains(by, a.Consumer)),
		b.bool("office", slices.Contains(by, a.Office)),
	)
}

func (b inputBuilder) granted(g *Granted, now time.Time) *ast.Term {
	return ast.ObjectTerm(
		b.str("id", g.ID), b.str("unit", string(g.Unit)), b.str("role", string(g.Role)), b.kv("actions", set(g.Actions)),
		b.kv("purposes", set(g.Purposes)), b.kv("resources", set(g.Resources)), b.kv("providers", set(g.Providers)), b.kv("systems", set(g.Systems)),
		b.num("level", int(g.Level)), b.bool("begun", now.UnixMilli() >= g.From.UnixMilli()),
		b.bool("expired", now.UnixMilli() >= g.Until.UnixMilli()), b.bool("signed", g.Signed), b.bool("suspended", g.Suspended),
	)
}

// result is the label asked for; an invalid one is lower than everything. Every
// category is spelled out as far as the sources name some.
func (b inputBuilder) result(v view) *ast.Term {
	l := v.req.TargetLabel
	var r level.Label
	if l != nil && l.Validate() == nil {
		r = *l
	}
	if slices.Contains(r.Tags, level.TagAnyCategory) {
		for _, s := range v.sources {
			for _, t := range s.label().Tags {
				if t.IsCategory() && !slices.Contains(r.Tags, t) {
					r.Tags = append(slices.Clip(r.Tags), t)
				}
			}
		}
	}
	return ast.ObjectTerm(
		b.bool("stated", l != nil), b.num("level", int(r.Level)), b.num("s", int(r.RequiredS)),
		b.num("a", int(r.RequiredA)), b.kv("tags", set(r.Tags)),
	)
}
