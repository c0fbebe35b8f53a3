package level

import "fmt"

// Act is what is done with information or with the grade of a system. The
// guard knows no other act: an unknown one is refused.
type Act string

// Acts.
const (
	Read    Act = "read"
	Copy    Act = "copy"
	Derive  Act = "derive"
	Merge   Act = "merge"
	Relabel Act = "relabel"
	Forward Act = "forward"
	Store   Act = "store"
	Publish Act = "publish"
	Carry   Act = "carry"
	Regrade Act = "regrade"
)

// Codes of the guard. Their texts and clauses stand in policies/reasons.yaml.
const (
	CodeUnknownResource = "E01_unknown_resource"
	CodeUnknownAction   = "E02_unknown_action"
	CodeSystemGrade     = "E04_system_mlps"
	CodeLabelLowered    = "E10_label_lowered"
	CodeTargetSystem    = "E12_target_system"
	CodeCarrier         = "E13_carrier"
	CodeBelowHoldings   = "E14_regrade_below_holdings"
	CodePublish         = "E16_publish"
	CodePeerLevel       = "E25_peer_level"
)

// Place is a system that reads, receives or carries. The zero Grade is
// "ungraded" and carries nothing.
type Place struct {
	ID    string
	Grade Grade
}

// Bound is the highest level of information that may go to, come from or pass
// through a system of a peer domain. The zero Level lets nothing.
type Bound struct {
	ID    string
	Level Level
}

// Question is all that the guard looks at. It holds no opinion of the caller:
// sources, grades and holdings come from the store.
type Question struct {
	Act      Act
	Sources  []Label // of everything the act draws on; an invalid label counts as Strictest
	Result   *Label  // label the caller wants for the result; nil: the join of the sources
	Subject  *Place  // system that acts; nil: a person or agency that has none
	Target   *Place  // system where the result will live; nil: none named
	Carriers []Place // hops on the way
	Bounds   []Bound // of those places that are a peer domain's
	Consent  bool    // publish: every provider sealed its consent
	NewGrade *Grade  // regrade
	Holdings []Label // regrade: what the system holds or carries now
}

// Finding is one ground of refusal with the values that were compared.
type Finding struct {
	Code   string
	Detail string
}

// Check returns every ground on which q is refused; no finding is the guard's
// consent. It is total: every Question, even the zero one, has an answer, and
// what is unknown counts as the strictest (design law 1).
func Check(q Question) []Finding {
	rules, known := rulesOf(q.Act)
	if !known {
		return []Finding{{CodeUnknownAction, string(q.Act)}}
	}
	if q.Act != Regrade && len(q.Sources) == 0 {
		return []Finding{{Code: CodeUnknownResource}}
	}
	out := withinBounds(q)
	for _, rule := range rules {
		out = append(out, rule(q)...)
	}
	return out
}

// withinBounds binds every act, also one that a later version adds: a bound only
// denies, whatever the grades allow (2014 rule art. 5; 2011 rule art. 7).
func withinBounds(q Question) []Finding {
	var out []Finding
	for _, b := range q.Bounds {
		if have := Join(living(q)...).Level; have > b.Level || b.Level < LevelMin || b.Level > LevelMax {
			out = append(out, Finding{CodePeerLevel, fmt.Sprintf("%s: L%d < L%d", b.ID, b.Level, have)})
		}
	}
	return out
}

// Effective is the least label the result of an act on sources may have; it is
// what a permit obliges the receiver to stamp.
func Effective(sources []Label, result *Label) Label {
	if result == nil {
		return Join(sources...)
	}
	return Join(append([]Label{*result}, sources...)...)
}

type rule func(Question) []Finding

// rulesOf is the whole law of the lattice: which rule binds which act. Forward
// has every rule of copy, so that handing on is never easier than keeping.
func rulesOf(a Act) ([]rule, bool) {
	switch a {
	case Read:
		return []rule{keepsLabel, subjectCarries, targetCarries, carriersCarry}, true
	case Copy, Derive, Merge, Forward, Store:
		return []rule{keepsLabel, subjectCarries, targetNamed, targetCarries, carriersCarry}, true
	case Relabel:
		return []rule{statesLabel, keepsLabel, subjectCarries, targetCarries, carriersCarry}, true
	case Publish:
		return []rule{keepsLabel, subjectCarries, carriersCarry, mayBePublic}, true
	case Carry:
		return []rule{keepsLabel, subjectIsHop, targetCarries, carriersCarry}, true
	case Regrade:
		return []rule{carriesHoldings}, true
	}
	return nil, false
}

// keepsLabel: the result is never lower than any source (2011 rule art. 30).
func keepsLabel(q Question) []Finding {
	if q.Result == nil {
		return nil
	}
	join := Join(q.Sources...)
	if q.Result.Dominates(join) {
		return nil
	}
	return []Finding{{CodeLabelLowered, q.Result.String() + " < " + join.String()}}
}

// statesLabel: a relabelling that does not say to what is one to the unknown.
func statesLabel(q Question) []Finding {
	if q.Result != nil {
		return nil
	}
	return []Finding{{CodeLabelLowered, "? < " + Join(q.Sources...).String()}}
}

// subjectCarries: who reads must be graded for what it reads (2014 rule art. 30).
func subjectCarries(q Question) []Finding {
	if q.Subject == nil {
		return nil
	}
	return carries(CodeSystemGrade, *q.Subject, q.Sources)
}

// subjectIsHop: asking to carry without being a system is refused, because an
// unknown hop has no grade.
func subjectIsHop(q Question) []Finding {
	if q.Subject == nil {
		return carries(CodeCarrier, Place{ID: "?"}, q.Sources)
	}
	return carries(CodeCarrier, *q.Subject, q.Sources)
}

// targetNamed: a result that lives nowhere known lives nowhere allowed.
func targetNamed(q Question) []Finding {
	if q.Target != nil {
		return nil
	}
	return carries(CodeTargetSystem, Place{ID: "?"}, q.Sources)
}

func targetCarries(q Question) []Finding {
	if q.Target == nil {
		return nil
	}
	return carries(CodeTargetSystem, *q.Target, living(q))
}

func carriersCarry(q Question) []Finding {
	var out []Finding
	for _, c := range q.Carriers {
		out = append(out, carries(CodeCarrier, c, living(q))...)
	}
	return out
}

// living is what will be at the other end: the sources and, where the caller
// raises the label, the raised label too. An invalid result is left to
// keepsLabel.
func living(q Question) []Label {
	if q.Result == nil || q.Result.Validate() != nil {
		return q.Sources
	}
	return append([]Label{*q.Result}, q.Sources...)
}

// mayBePublic: the public is the lowest place there is. Only information that
// its provider opened, or sealed a consent for, goes there (2018 Xi'an rule
// art. 25).
func mayBePublic(q Question) []Finding {
	if q.Consent {
		return nil
	}
	join := Join(q.Sources...)
	for _, t := range join.Tags {
		if t == TagPublicDisclosure {
			return nil
		}
	}
	return []Finding{{CodePublish, join.String()}}
}

// carriesHoldings: a system keeps the grade that its copies need, until they
// are gone or re-labelled by their provider (2014 rule art. 30).
func carriesHoldings(q Question) []Finding {
	if q.NewGrade == nil || !q.NewGrade.Valid() {
		return []Finding{{CodeBelowHoldings, "? < S1A1"}}
	}
	if len(q.Holdings) == 0 {
		return nil
	}
	return carries(CodeBelowHoldings, Place{Grade: *q.NewGrade}, q.Holdings)
}

// carries compares one place with the join of labels.
func carries(code string, p Place, labels []Label) []Finding {
	join := Join(labels...)
	if p.Grade.Carries(join) {
		return nil
	}
	have := "ungraded"
	if p.Grade.Valid() {
		have = p.Grade.String()
	}
	detail := have + " < " + Grade{join.RequiredS, join.RequiredA}.String()
	if p.ID != "" {
		detail = p.ID + ": " + detail
	}
	return []Finding{{code, detail}}
}
