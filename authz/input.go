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
type inputBuilder struct{ keys map[string]*ast.Term }

func newInputBuilder() inputBuilder {
	b := inputBuilder{keys: map[string]*ast.Term{}}
	for _, k := range []string{
		"action", "purpose", "now", "fields", "subject", "target", "carriers", "sources", "agreements", "result",
		"new_grade", "holdings", "type", "id", "known", "agency", "system", "graded", "expired", "s", "a", "roles",
		"left", "duties", "resource", "provider", "share", "regime", "reviewed", "items", "defect", "level", "tags",
		"public", "holder", "agreement", "ended", "consumer", "office", "onward", "purposes", "confidential",
		"defect_ack", "not_before", "not_after", "terminated", "seals", "stated",
		"standings", "copy", "overdue", "violation",
	} {
		b.keys[k] = ast.StringTerm(k)
	}
	return b
}

type pair = [2]*ast.Term

func (b inputBuilder) kv(key string, v *ast.Term) pair   { return pair{b.keys[key], v} }
func (b inputBuilder) str(key, v string) pair            { return pair{b.keys[key], ast.StringTerm(v)} }
func (b inputBuilder) num(key string, v int) pair        { return pair{b.keys[key], ast.InternedTerm(v)} }
func (b inputBuilder) bool(key string, v bool) pair      { return pair{b.keys[key], ast.InternedTerm(v)} }
func (b inputBuilder) time(key string, t time.Time) pair { return b.num(key, int(t.UnixMilli())) }

// open is the end of what has no end: 9999-12-31.
const open = 253402214400000

// end is a time after which something no longer holds.
func (b inputBuilder) end(key string, t time.Time) pair {
	if t.IsZero() {
		return b.num(key, open)
	}
	return b.time(key, t)
}

func set[T ~string](vs []T) *ast.Term {
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
		sources[i] = b.source(s)
	}
	terms := make([]*ast.Term, len(v.terms))
	for i := range v.terms {
		terms[i] = b.agreement(&v.terms[i])
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
		b.kv("agreements", ast.ArrayTerm(terms...)), b.kv("result", b.result(v.req.TargetLabel)),
		b.kv("new_grade", ast.ObjectTerm(b.num("s", int(grade.S)), b.num("a", int(grade.A)))),
		b.kv("holdings", ast.ArrayTerm(held...)),
		b.kv("standings", b.standings(v)),
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

func (b inputBuilder) source(s source) *ast.Term {
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
		b.bool("reviewed", r.SecrecyReview != ""), b.kv("items", set(r.Items)), b.str("defect", r.DefectNotice),
		b.num("level", int(l.Level)), b.num("s", int(l.RequiredS)), b.num("a", int(l.RequiredA)),
		b.kv("tags", set(tags)), b.bool("public", len(tags) < len(l.Tags)),
		b.str("holder", string(holder)), b.str("agreement", agreement), b.end("ended", ended),
	)
}

// earlier is the first of two times that may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (b inputBuilder) agreement(a *sharing.Agreement) *ast.Term {
	return ast.ObjectTerm(
		b.str("id", a.ID), b.str("resource", a.Resource), b.str("provider", string(a.Provider)),
		b.str("consumer", string(a.Consumer)), b.str("office", string(a.Office)), b.kv("onward", set(a.Onward)),
		b.kv("purposes", set(a.Purposes)), b.kv("fields", set(a.Fields)), b.bool("confidential", a.Confidentiality != ""),
		b.str("defect_ack", a.DefectAck), b.time("not_before", a.NotBefore), b.time("not_after", a.NotAfter),
		b.end("terminated", a.Terminated), b.kv("seals", set(sealedBy(a))),
	)
}

// result is the label asked for; an invalid one is lower than everything.
func (b inputBuilder) result(l *level.Label) *ast.Term {
	var r level.Label
	if l != nil && l.Validate() == nil {
		r = *l
	}
	return ast.ObjectTerm(
		b.bool("stated", l != nil), b.num("level", int(r.Level)), b.num("s", int(r.RequiredS)),
		b.num("a", int(r.RequiredA)), b.kv("tags", set(r.Tags)),
	)
}
