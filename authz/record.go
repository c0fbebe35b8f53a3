package authz

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// EventDecision is the type of the ledger entry of a decision.
const EventDecision = "authz.decision.made"

// maxDetail bounds the reasons' details in an entry; the codes are never cut.
const maxDetail = 2048

// event is the record of d: who asked what, the answer with its codes, the
// digests that a replay needs. It holds no payload (2011 rule art. 31).
func (p *PDP) event(d Decision, w weighed, result string) ledger.Event {
	v, r := w.view, w.view.req
	ev := ledger.Event{
		ID: d.ID, Type: EventDecision, Class: ledger.ClassAccess, Time: d.At,
		Actor: actor(v), Object: object(v), Action: string(r.Action), Purpose: r.Purpose,
		Outcome: ledger.Failure, Decision: "deny", Target: r.Target, Request: r.ID, Policy: p.policy,
		Details: map[string]string{
			"engine": d.Digests.Engine, "core": d.Digests.Core, "site": d.Digests.Site, "facts": d.Digests.Facts,
			"request_sm3": w.question, "result_sm3": result, "facts_revision": strconv.FormatInt(w.revision, 10),
			"guard_level": verdict(w.found, guardLevel), "guard_core": verdict(w.found, guardCore), "guard_site": verdict(w.found, guardSite),
		},
	}
	if d.Allow {
		ev.Outcome, ev.Decision = ledger.Success, "allow"
	}
	noteCaller(ev.Details, r.Caller)
	ev.Before, ev.After = labels(v, d.Allow)
	var agreements, details []string
	for _, a := range v.agreements() {
		agreements = append(agreements, a.ID)
	}
	ev.Agreement = strings.Join(agreements, ",")
	var grants []string
	for _, g := range v.restsOn() {
		grants = append(grants, g.ID)
	}
	if len(grants) > 0 {
		ev.Details["grants"] = strings.Join(grants, ",")
	}
	if consents := v.quoted(); len(consents) > 0 {
		ev.Details["consents"] = strings.Join(consents, ",")
	}
	for _, reason := range d.Reasons {
		if !slices.Contains(ev.Reasons, reason.Code) {
			ev.Reasons = append(ev.Reasons, reason.Code)
		}
		if reason.Detail != "" {
			details = append(details, reason.Code+": "+reason.Detail)
		}
	}
	if len(details) > 0 {
		s := strings.Join(details, "; ")
		ev.Details["reason_details"] = strings.ToValidUTF8(s[:min(len(s), maxDetail)], "")
	}
	return ev
}

// noteCaller writes who asked, and callerOf reads it for a replay.
func noteCaller(details map[string]string, c ledger.Actor) {
	for name, v := range map[string]string{"caller": c.ID, "caller_unit": c.Unit, "caller_certificate": c.Certificate, "caller_token": c.Token} {
		if v != "" {
			details[name] = v
		}
	}
}

func callerOf(details map[string]string) ledger.Actor {
	return ledger.Actor{ID: details["caller"], Unit: details["caller_unit"], Certificate: details["caller_certificate"], Token: details["caller_token"]}
}

// verdict of one guard; a decision that stopped before the guards has none
// that permitted.
func verdict(found []finding, guard string) string {
	for _, f := range found {
		if f.guard == guard || f.guard == guardPDP {
			return "deny"
		}
	}
	return "permit"
}

func actor(v view) ledger.Actor {
	kind := v.req.SubjectType
	if kind != SubjectSystem && kind != SubjectPerson {
		kind = "service" // an agency or an unknown kind has no actor of its own
	}
	return ledger.Actor{Kind: kind, ID: cmp.Or(v.req.SubjectID, "unknown"), Unit: string(v.subject.Agency.USCC)}
}

func object(v view) ledger.Object {
	if v.req.Action == ActionRegrade && v.req.Target != "" {
		return ledger.Object{Kind: "system", ID: v.req.Target}
	}
	if v.req.Resource == "" { // an entry is always about something
		return ledger.Object{Kind: "request", ID: v.req.ID}
	}
	kind := "resource"
	if len(v.sources) > 0 && v.sources[0].item != nil && v.sources[0].item.Holding != nil {
		kind = "holding"
	}
	return ledger.Object{Kind: kind, ID: v.req.Resource}
}

// labels before and after: what was, and what is asked for or, on a permit,
// will be.
func labels(v view, allow bool) (before, after string) {
	if v.req.Action == ActionRegrade {
		if v.target != nil {
			before = v.target.grade().String()
		}
		if v.req.NewGrade != nil {
			after = v.req.NewGrade.String()
		}
		return before, after
	}
	if len(v.sources) == 0 {
		return "", ""
	}
	all := make([]level.Label, len(v.sources))
	for i, s := range v.sources {
		all[i] = s.label()
	}
	before = level.Join(all...).String()
	switch {
	case allow:
		after = v.effective().String()
	case v.req.TargetLabel != nil && v.req.TargetLabel.Validate() == nil:
		after = v.req.TargetLabel.String()
	}
	return before, after
}
