package authz

import (
	"slices"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// reference is the law of policies/core once more, written from the clauses for
// the tests alone: plain Go over the request and the snapshot, no view, no
// level.Join or Check, no terms.go. It returns the codes of the denial, sorted.
func reference(r Request, s Snapshot, now time.Time) []string {
	l := &lawyer{r: r, s: s, now: now, found: map[string]bool{}}
	for _, say := range []func(){l.catalogue, l.people, l.systems, l.lattice, l.sharing, l.agreements, l.publishing, l.grants, l.copies, l.quoting, l.traces} {
		say()
	}
	var out []string
	for code := range l.found {
		out = append(out, code)
	}
	slices.Sort(out)
	return out
}

type lawyer struct {
	r     Request
	s     Snapshot
	now   time.Time
	found map[string]bool
}

func (l *lawyer) deny(when bool, code string) {
	if when {
		l.found[code] = true
	}
}

func (l *lawyer) does(as ...Action) bool { return slices.Contains(as, l.r.Action) }

func (l *lawyer) content() bool {
	return l.does(ActionRead, ActionCopy, ActionDerive, ActionMerge, ActionRelabel, ActionForward, ActionStore, ActionPublish)
}

func (l *lawyer) moves() bool { return l.content() && !l.does(ActionPublish) }

// items are the sources in order; nil for one that the store does not know.
func (l *lawyer) items() []*Item {
	if l.does(ActionRegrade) {
		return nil
	}
	byID := map[string]*Item{}
	for i := range l.s.Sources {
		byID[referenceID(l.s.Sources[i])] = &l.s.Sources[i]
	}
	if l.s.Item != nil {
		byID[referenceID(*l.s.Item)] = l.s.Item
	}
	var out []*Item
	seen := map[string]bool{"": true}
	for _, id := range append([]string{l.r.Resource}, l.r.Sources...) {
		if !seen[id] {
			seen[id] = true
			out = append(out, byID[id])
		}
	}
	return out
}

func referenceID(i Item) string {
	if i.Holding != nil {
		return i.Holding.ID
	}
	return i.Resource.ID
}

func (l *lawyer) own() identity.USCC {
	if l.s.Subject == nil {
		return ""
	}
	return l.s.Subject.Agency.USCC
}

func (l *lawyer) catalogue() {
	listed := map[string]bool{}
	for _, it := range l.items() {
		l.deny(it == nil, "E01_unknown_resource")
		if it == nil {
			continue
		}
		for _, f := range it.Resource.Items {
			listed[f] = true
		}
		h := it.Holding
		l.deny(l.does(ActionRelabel) && l.s.Subject != nil && h == nil && it.Resource.Provider != l.own(), "E19_not_holder")
		if h == nil {
			continue
		}
		l.deny(l.content() && l.s.Subject != nil && h.Agency != l.own(), "E19_not_holder")
		l.deny(l.content() && (l.over(h.Ended) || l.over(h.Until)), "E24_holding_ended")
	}
	l.deny(!l.does(ActionRegrade) && len(l.items()) == 0, "E01_unknown_resource")
	for _, f := range l.r.Fields {
		l.deny(!listed[f], "E08_unknown_field")
	}
	known := l.content() || l.does(ActionCarry, ActionRegrade)
	l.deny(!known, "E02_unknown_action")
}

func (l *lawyer) over(t time.Time) bool { return !t.IsZero() && !l.now.Before(t) }

func (l *lawyer) people() {
	l.deny(l.s.Subject == nil, "E20_unknown_subject")
	if l.s.Subject == nil || l.r.SubjectType != SubjectPerson || !l.content() {
		return
	}
	business := false
	for _, post := range l.s.Subject.Posts {
		holds := post.Agency == l.own() && !l.now.Before(post.From) && (post.Until.IsZero() || l.now.Before(post.Until))
		switch post.Role {
		case identity.RoleClerk, identity.RoleUnitLeader, identity.RoleRecordsOfficer:
			business = business || holds
		}
	}
	l.deny(!business || l.over(l.s.Subject.Person.LeftAt), "E03_clearance")
}

// grade of a place in force as two numbers; zeros when there is none.
func referenceGrade(p *Party) (s, a uint8) {
	if p == nil || p.Grading == nil {
		return 0, 0
	}
	switch p.Grading.State {
	case grading.StateConfirmed, grading.StateSubmitted, grading.StateCertified:
		if g := p.Grading.Grade; g.S >= 1 && g.S <= 5 && g.A >= 1 && g.A <= 5 {
			return g.S, g.A
		}
	}
	return 0, 0
}

func (l *lawyer) systems() {
	if l.r.Target == "" {
		l.deny(l.does(ActionCopy, ActionDerive, ActionMerge, ActionForward, ActionStore, ActionRegrade), "E21_unknown_system")
		l.deny(l.does(ActionRead, ActionRelabel) && l.s.Subject != nil && l.r.SubjectType != SubjectSystem, "E21_unknown_system")
	}
	l.deny(l.r.Target != "" && l.s.Target == nil, "E21_unknown_system")
	l.deny(len(l.s.Carriers) < len(l.r.Carriers), "E21_unknown_system")
	if l.does(ActionRegrade) {
		return
	}
	var places []*Party
	if l.r.SubjectType == SubjectSystem {
		l.deny(l.s.Subject == nil, "E22_ungraded")
		places = append(places, l.s.Subject)
	}
	places = append(places, l.s.Target)
	for i := range l.s.Carriers {
		places = append(places, &l.s.Carriers[i])
	}
	for _, p := range places {
		if p == nil {
			continue
		}
		s, _ := referenceGrade(p)
		l.deny(s == 0, "E22_ungraded")
		l.deny(p.Grading != nil && l.over(p.Grading.ValidUntil), "E23_grading_expired")
	}
}

// needs is a label as level, S, A and tags; what is unknown needs the most.
type needs struct {
	n      [3]uint8
	tags   map[level.Tag]bool
	public bool
}

func referenceNeeds(it *Item) needs {
	top := needs{[3]uint8{4, 5, 5}, map[level.Tag]bool{}, false}
	for _, t := range []level.Tag{"personal", "legal_person", "business_secret", "sensitive", "important_data", "work_secret", "cat_any"} {
		top.tags[t] = true
	}
	if it == nil {
		return top
	}
	all := []level.Label{it.Resource.Label}
	if it.Holding != nil {
		all = append(all, it.Holding.Label)
	}
	out := needs{tags: map[level.Tag]bool{}, public: true}
	for _, lab := range all {
		if lab.Level < 1 || lab.Level > 4 || lab.RequiredS < 1 || lab.RequiredS > 5 || lab.RequiredA < 1 || lab.RequiredA > 5 {
			return top
		}
		out.n = [3]uint8{max(out.n[0], uint8(lab.Level)), max(out.n[1], lab.RequiredS), max(out.n[2], lab.RequiredA)}
		for _, t := range lab.Tags {
			out.tags[t] = t != "public_disclosure"
		}
		out.public = out.public && slices.Contains(lab.Tags, "public_disclosure")
	}
	return out
}

func (l *lawyer) lattice() {
	if l.does(ActionRegrade) {
		var g level.Grade
		if l.r.NewGrade != nil {
			g = *l.r.NewGrade
		}
		l.deny(g.S < 1 || g.A < 1, "E14_regrade_below_holdings")
		for i := range l.s.Holdings {
			need := referenceNeeds(&l.s.Holdings[i])
			l.deny(g.S < need.n[1] || g.A < need.n[2], "E14_regrade_below_holdings")
		}
		return
	}
	if !l.content() && !l.does(ActionCarry) {
		return
	}
	l.deny(l.does(ActionRelabel) && l.r.TargetLabel == nil, "E10_label_lowered")
	l.deny(l.does(ActionCopy, ActionDerive, ActionMerge, ActionForward, ActionStore) && l.r.Target == "", "E12_target_system")
	var end [3]uint8 // what must be borne where the result lives
	var here [3]uint8
	for _, it := range l.items() {
		need := referenceNeeds(it)
		for k := range 3 {
			here[k] = max(here[k], need.n[k])
			end[k] = max(end[k], need.n[k])
		}
		out := l.r.TargetLabel
		if out == nil {
			continue
		}
		low := uint8(out.Level) < need.n[0] || out.RequiredS < need.n[1] || out.RequiredA < need.n[2]
		for t, restricts := range need.tags {
			kept := slices.Contains(out.Tags, t) || strings.HasPrefix(string(t), "cat_") && slices.Contains(out.Tags, "cat_any")
			low = low || restricts && !kept
		}
		l.deny(low, "E10_label_lowered")
		if out.Level >= 1 && out.Level <= 4 && out.RequiredS >= 1 && out.RequiredA >= 1 {
			end = [3]uint8{end[0], max(end[1], out.RequiredS), max(end[2], out.RequiredA)}
		}
	}
	short := func(p *Party, need [3]uint8) bool {
		s, a := referenceGrade(p)
		return s < need[1] || a < need[2]
	}
	any := len(l.items()) > 0
	l.deny(any && l.content() && l.r.SubjectType == SubjectSystem && short(l.s.Subject, here), "E04_system_mlps")
	l.deny(any && l.does(ActionCarry) && short(l.s.Subject, here), "E13_carrier")
	l.deny(l.r.Target != "" && !l.does(ActionPublish) && short(l.s.Target, end), "E12_target_system")
	for i := range l.r.Carriers {
		var hop *Party
		for k := range l.s.Carriers {
			if l.s.Carriers[k].System.ID == l.r.Carriers[i] {
				hop = &l.s.Carriers[k]
			}
		}
		l.deny(short(hop, end), "E13_carrier")
	}
}

// user is who uses it without being its provider.
func (l *lawyer) user(it *Item) *identity.Agency {
	if it == nil || l.s.Subject == nil || !l.content() {
		return nil
	}
	if it.Resource.Provider != l.own() {
		return &l.s.Subject.Agency
	}
	if l.moves() && l.s.Target != nil && l.s.Target.Agency.USCC != l.own() {
		return &l.s.Target.Agency
	}
	return nil
}

func (l *lawyer) sharing() {
	for _, it := range l.items() {
		user := l.user(it)
		if user == nil {
			continue
		}
		res, need := it.Resource, referenceNeeds(it)
		shared := res.Regime == sharing.RegimeXicheng2014 && (res.ShareType == sharing.ShareProactive || res.ShareType == sharing.ShareOnApplication) ||
			res.Regime == sharing.RegimeBeijing2017 && (res.ShareType == sharing.ShareUnconditional || res.ShareType == sharing.ShareConditional)
		l.deny(!shared, "E05_not_shared")
		l.deny(res.SecrecyReview == "", "E07_secrecy_review")
		l.deny(need.tags["work_secret"], "E09_work_secret")
		l.deny(!slices.Contains(user.Duties, l.r.Purpose), "E17_purpose_not_duty")
		third := user.USCC == l.own() && l.moves() && l.s.Target != nil && l.s.Target.Agency.USCC != l.own() && l.s.Target.Agency.USCC != res.Provider
		agreed := third && res.Regime == sharing.RegimeXicheng2014 && l.some(it, user, func(a sharing.Agreement) bool {
			return l.covers(a, it) && slices.Contains(a.Onward, l.s.Target.Agency.USCC)
		})
		l.deny(third && !agreed, "E11_third_party")
		tagged := need.tags["business_secret"] || need.tags["personal"] || need.tags["sensitive"]
		l.deny(tagged && !l.some(it, user, func(a sharing.Agreement) bool { return a.Confidentiality != "" }), "E15_confidentiality")
		l.deny(res.DefectNotice != "" && !l.some(it, user, func(a sharing.Agreement) bool { return a.DefectAck == res.DefectNotice }), "E18_defect_notice")
	}
}

// some asks for an agreement in force of the user that is as wanted.
func (l *lawyer) some(it *Item, user *identity.Agency, wanted func(sharing.Agreement) bool) bool {
	return slices.ContainsFunc(l.s.Agreements, func(a sharing.Agreement) bool {
		return a.Resource == it.Resource.ID && l.parties(a, it, user) && l.running(a) && len(unsealedIn(a)) == 0 && wanted(a)
	})
}

func (l *lawyer) parties(a sharing.Agreement, it *Item, user *identity.Agency) bool {
	onward := it.Holding != nil && it.Holding.Agreement == a.ID && it.Holding.Agency == user.USCC &&
		it.Resource.Regime == sharing.RegimeXicheng2014 && slices.Contains(a.Onward, user.USCC)
	return a.Provider == it.Resource.Provider && (a.Consumer == user.USCC || onward)
}

func (l *lawyer) running(a sharing.Agreement) bool {
	return !l.now.Before(a.NotBefore) && l.now.Before(a.NotAfter) && !l.over(a.Terminated)
}

func unsealedIn(a sharing.Agreement) (out []identity.USCC) {
	for _, party := range []identity.USCC{a.Provider, a.Consumer, a.Office} {
		if !slices.ContainsFunc(a.Seals, func(s sharing.PartySeal) bool { return s.Party == party && len(s.Signature) > 0 }) {
			out = append(out, party)
		}
	}
	return out
}

// beyond: items asked for of this resource that the agreement does not grant.
func (l *lawyer) beyond(a sharing.Agreement, it *Item) bool {
	return slices.ContainsFunc(l.r.Fields, func(f string) bool {
		return slices.Contains(it.Resource.Items, f) && !slices.Contains(a.Fields, f) &&
			!slices.ContainsFunc(it.Resource.ItemTags, func(tag sharing.ItemTag) bool { return tag.Item == f })
	})
}

func (l *lawyer) covers(a sharing.Agreement, it *Item) bool {
	return slices.Contains(a.Purposes, l.r.Purpose) && !l.beyond(a, it)
}

func (l *lawyer) agreements() {
	for _, it := range l.items() {
		user := l.user(it)
		if user == nil || it.Resource.ShareType == sharing.ShareProactive || it.Resource.ShareType == sharing.ShareUnconditional {
			continue
		}
		if l.some(it, user, func(a sharing.Agreement) bool { return l.covers(a, it) }) {
			continue
		}
		offered := 0
		for _, a := range l.s.Agreements {
			if a.Resource != it.Resource.ID {
				continue
			}
			offered++
			l.deny(!l.parties(a, it, user), "E06_agreement.party")
			l.deny(l.now.Before(a.NotBefore), "E06_agreement.not_yet")
			l.deny(!l.now.Before(a.NotAfter), "E06_agreement.expired")
			l.deny(l.over(a.Terminated), "E06_agreement.terminated")
			l.deny(len(unsealedIn(a)) > 0, "E06_agreement.seal_missing")
			l.deny(!slices.Contains(a.Purposes, l.r.Purpose), "E06_agreement.purpose")
			l.deny(l.beyond(a, it), "E06_agreement.fields")
		}
		l.deny(offered == 0, "E06_agreement.none")
	}
}

func (l *lawyer) publishing() {
	if !l.does(ActionPublish) || len(l.items()) == 0 {
		return
	}
	open, consented := true, true
	for _, it := range l.items() {
		open = open && referenceNeeds(it).public
		user := l.user(it)
		consented = consented && user != nil && l.some(it, user, func(a sharing.Agreement) bool {
			return l.covers(a, it) && slices.Contains(a.Purposes, "publish")
		})
	}
	l.deny(!open && !consented, "E16_publish")
}
