package authz

import (
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// view is a request with the facts that the store found for it, matched by id.
// What the request names and the store does not know is in the view as unknown
// and counts as the strictest; Snapshot.Missing is for people, never trusted
// here.
type view struct {
	req     Request
	now     time.Time
	subject Party // zero when unknown
	known   bool  // the subject is registered
	target  *Party
	hops    []hop
	sources []source
	terms   []sharing.Agreement
	granted []Granted // of the subject
	held    []Item

	standings []sharing.Standing
	quotes    []Quotable
}

type hop struct {
	id    string
	party *Party // nil: unknown
}

type source struct {
	id   string
	item *Item // nil: unknown
}

// label is what the source needs; unknown or invalid is the strictest.
func (s source) label() level.Label {
	if s.item == nil {
		return level.Strictest()
	}
	return s.item.Label()
}

// normalise completes what the standard leaves to us: a system that names no
// other place keeps the result itself, and the system to be re-graded may be
// named as the resource.
func normalise(r Request) Request {
	if r.Target != "" {
		return r
	}
	switch r.Action {
	case ActionCopy, ActionDerive, ActionMerge, ActionStore:
		if r.SubjectType == SubjectSystem {
			r.Target = r.SubjectID
		}
	case ActionRegrade:
		r.Target = r.Resource
	}
	return r
}

func newView(r Request, s Snapshot, now time.Time) view {
	v := view{req: r, now: now, terms: s.Agreements}
	if s.Subject != nil && s.Subject.is(r.SubjectType, r.SubjectID) {
		v.subject, v.known, v.granted = *s.Subject, true, s.Grants
	}
	if s.Target != nil && r.Target != "" && s.Target.System.ID == r.Target {
		v.target = s.Target
	}
	for _, id := range r.Carriers {
		v.hops = append(v.hops, hop{id, partyOf(s.Carriers, id)})
	}
	if r.Action == ActionRegrade {
		v.held = s.Holdings
		return v
	}
	for _, id := range sourceIDs(r) {
		it := itemOf(s, id)
		v.sources = append(v.sources, source{id, it})
		if it != nil {
			for _, part := range it.parts()[1:] {
				v.sources = append(v.sources, source{id, &part})
			}
		}
	}
	v.standings, v.quotes = s.Standings, s.Consents
	return v
}

// sourceIDs lists the resource and the further sources, each once.
func sourceIDs(r Request) []string {
	var ids []string
	for _, id := range append([]string{r.Resource}, r.Sources...) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p Party) is(kind, id string) bool {
	switch kind {
	case SubjectSystem:
		return p.System.ID == id && p.System.Agency == p.Agency.USCC
	case SubjectPerson:
		return p.Person != nil && p.Person.ID == id && p.Person.Agency == p.Agency.USCC
	case SubjectAgency:
		return string(p.Agency.USCC) == id
	}
	return false
}

func partyOf(ps []Party, id string) *Party {
	for i := range ps {
		if ps[i].System.ID == id {
			return &ps[i]
		}
	}
	return nil
}

func itemOf(s Snapshot, id string) *Item {
	all := s.Sources
	if s.Item != nil {
		all = append([]Item{*s.Item}, all...)
	}
	for i := range all {
		if all[i].id() == id {
			return &all[i]
		}
	}
	return nil
}

func (i Item) id() string {
	if i.Holding != nil {
		return i.Holding.ID
	}
	return i.Resource.ID
}

// grade is the grade in force. A draft, a superseded record or an unknown state
// is no grade (2011 rule art. 23).
func (p Party) grade() level.Grade {
	if p.Grading == nil || !p.Grading.Grade.Valid() {
		return level.Grade{}
	}
	switch p.Grading.State {
	case grading.StateConfirmed, grading.StateSubmitted, grading.StateCertified:
		return p.Grading.Grade
	}
	return level.Grade{}
}

func (p Party) expired(now time.Time) bool {
	return p.Grading != nil && !p.Grading.ValidUntil.IsZero() && !now.Before(p.Grading.ValidUntil)
}

// question puts the view to the sealed guard.
func (v view) question() level.Question {
	q := level.Question{
		Act: level.Act(v.req.Action), Result: v.req.TargetLabel,
		NewGrade: v.req.NewGrade, Consent: v.publishConsent(),
	}
	for _, s := range v.sources {
		q.Sources = append(q.Sources, s.label())
	}
	if v.req.SubjectType == SubjectSystem {
		q.Subject = &level.Place{ID: v.req.SubjectID, Grade: v.subject.grade()}
	}
	if v.req.Target != "" {
		q.Target = &level.Place{ID: v.req.Target}
		if v.target != nil {
			q.Target.Grade = v.target.grade()
		}
	}
	for _, h := range v.hops {
		p := level.Place{ID: h.id}
		if h.party != nil {
			p.Grade = h.party.grade()
		}
		q.Carriers = append(q.Carriers, p)
	}
	for _, i := range v.held {
		q.Holdings = append(q.Holdings, i.Label())
	}
	for _, b := range v.bounds() {
		q.Bounds = append(q.Bounds, level.Bound{ID: b.Domain, Level: b.Level})
	}
	return q
}

// receiver is the agency where the result ends up: the target's, else the
// subject's own.
func (v view) receiver() identity.Agency {
	if v.target != nil && v.req.Action != ActionPublish {
		return v.target.Agency
	}
	return v.subject.Agency
}
