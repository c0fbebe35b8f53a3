package grading

import (
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Further states of the procedure; see the constants of State.
const (
	StateExpertReview       State = "expert_review"       // the experts agreed
	StateAuthorityApproval  State = "authority_approval"  // approved, or nobody to approve
	StatePoliceReview       State = "police_review"       // taken up by the organ
	StateCorrectionRequired State = "correction_required" // sent back
)

// Event is what happens to a graded object.
type Event string

// Events.
const (
	EventPropose    Event = "propose"
	EventConfirm    Event = "confirm"
	EventReview     Event = "expert_review"
	EventAuthority  Event = "authority_approval"
	EventSubmit     Event = "submit"
	EventTakeUp     Event = "take_up"
	EventCertify    Event = "certify"
	EventCorrect    Event = "correction"
	EventLevelWrong Event = "level_wrong"
	EventChange     Event = "change"
	EventRenew      Event = "renew"
	EventRetire     Event = "retire"
	EventAccept     Event = "build_accept" // 竣工验收
	EventOperate    Event = "operate"      // 投入使用
	EventGrace      Event = "grace"
	EventMaterials  Event = "materials" // 表四 handed in later
)

// Names of evidence, as in Act.
const (
	needJudgement   = "judgement"
	needReview      = "expert_review"
	needAuthority   = "authority_approval"
	needSubmission  = "submission"
	needAcceptance  = "acceptance"
	needCertificate = "certificate"
	needNotice      = "notice"
	needCause       = "cause"
	needRetirement  = "retirement"
	needBuild       = "build_acceptance"
	needGrace       = "grace"
)

// Act is one step as it is asked for: exactly the evidence that its event
// needs, and the day on which it happened.
type Act struct {
	Object      string             `json:"object"`
	Event       Event              `json:"event"`
	On          workday.Date       `json:"on"`
	Judgement   *Judgement         `json:"judgement,omitempty"`
	Review      *ExpertReview      `json:"expert_review,omitempty"`
	Authority   *AuthorityApproval `json:"authority_approval,omitempty"`
	Submission  *Submission        `json:"submission,omitempty"`
	Acceptance  *Acceptance        `json:"acceptance,omitempty"`
	Certificate *FilingCertificate `json:"certificate,omitempty"`
	Notice      *Notice            `json:"notice,omitempty"`
	Cause       *Cause             `json:"cause,omitempty"`
	Retirement  *Retirement        `json:"retirement,omitempty"`
	Build       *BuildAcceptance   `json:"build_acceptance,omitempty"`
	Grace       *Grace             `json:"grace,omitempty"`
	Consents    []Consent          `json:"consents,omitempty"` // to a judgement, or later to what it became
}

// Transition is one row of the machine.
type Transition struct {
	From, To   State
	Event      Event
	NewVersion bool          // the one in force stays in force beside it
	Needs      []string      // evidence, by its name in Act
	Signed     int           // signed approvals of the building unit's leader
	Role       identity.Role // of the actor
	Deciding   bool          // the building unit's act alone (X11 art. 23)
	Levels     [2]uint8      // lowest and highest level for which the row holds
	guard      func(Dossier, Act, rules) error
}

// anyState is every state but retired.
const anyState State = "*"

// Transitions is the machine of GB/T 22240-2020 ch. 6-8 and 公通字〔2007〕43号
// art. 14-17. What is not in the table cannot happen.
func Transitions() []Transition {
	officer := identity.RoleSecurityOfficer
	all, filed, alone := [2]uint8{0, 5}, [2]uint8{2, 5}, [2]uint8{1, 1}
	row := func(from State, ev Event, to State, levels [2]uint8, needs ...string) Transition {
		return Transition{From: from, Event: ev, To: to, Needs: needs, Role: officer, Levels: levels}
	}
	with := func(t Transition, edit func(*Transition)) Transition { edit(&t); return t }
	deciding := func(t *Transition) { t.Deciding = true }
	signed := func(t *Transition) { t.Signed = 1 }
	version := func(t *Transition) { t.NewVersion, t.Deciding, t.Signed = true, true, 1 }
	guarded := func(g func(Dossier, Act, rules) error) func(*Transition) {
		return func(t *Transition) { t.Signed, t.guard = 1, g }
	}
	return []Transition{
		with(row(StateDraft, EventPropose, StateProposed, all, needJudgement), deciding),
		with(row(StateProposed, EventConfirm, StateConfirmed, alone), func(t *Transition) { t.Deciding, t.Signed = true, 1 }),
		row(StateProposed, EventReview, StateExpertReview, filed, needReview),
		row(StateExpertReview, EventAuthority, StateAuthorityApproval, filed, needAuthority),
		with(row(StateAuthorityApproval, EventSubmit, StateSubmitted, filed, needSubmission), guarded(submissionComplete)),
		row(StateSubmitted, EventTakeUp, StatePoliceReview, filed, needAcceptance),
		with(row(StatePoliceReview, EventCertify, StateCertified, filed, needCertificate), func(t *Transition) { t.guard = certificateFits }),
		row(StatePoliceReview, EventCorrect, StateCorrectionRequired, filed, needNotice),
		with(row(StateCorrectionRequired, EventSubmit, StateSubmitted, filed, needSubmission), guarded(submissionComplete)),
		with(row(StatePoliceReview, EventLevelWrong, StateProposed, filed, needNotice, needJudgement), version),
		with(row(StateCertified, EventChange, StateExpertReview, filed, needCause, needJudgement, needReview), version),
		with(row(StateConfirmed, EventChange, StateProposed, alone, needCause, needJudgement), version),
		with(row(StateCertified, EventRenew, StateCertified, filed, needCertificate), func(t *Transition) { t.guard = renewalInWindow }),
		with(row(StateCertified, EventGrace, StateCertified, [2]uint8{3, 5}, needGrace), func(t *Transition) { t.Signed, t.guard = 2, graceShort }),
		with(row(StateSubmitted, EventMaterials, StateSubmitted, [2]uint8{3, 5}, needSubmission), guarded(sameForms)),
		with(row(StatePoliceReview, EventMaterials, StatePoliceReview, [2]uint8{3, 5}, needSubmission), guarded(sameForms)),
		with(row(StateCertified, EventMaterials, StateCertified, [2]uint8{3, 5}, needSubmission), guarded(sameForms)),
		with(row(anyState, EventAccept, anyState, all, needBuild), func(t *Transition) { t.guard = planned }),
		with(row(anyState, EventOperate, anyState, all), func(t *Transition) { t.guard = readyToOperate }),
		with(row(anyState, EventRetire, StateRetired, all, needRetirement), signed),
	}
}

// transition finds the row for an act, or says why there is none. A change to
// another level is judged by the level under way; the level that comes follows
// from the judgement.
func transition(d Dossier, a Act) (Transition, error) {
	var found *Transition
	rows := Transitions()
	for i, t := range rows {
		if t.Event == a.Event && (t.From == d.State || t.From == anyState && d.State != StateRetired) {
			found = &rows[i]
		}
	}
	if found == nil {
		return Transition{}, fmt.Errorf("%w: %.40q of %s, which is %q", ErrState, a.Event, a.Object, d.State)
	}
	lv := d.Level()
	if d.Work != nil {
		lv = d.Work.Grade.Level()
	}
	if lv < found.Levels[0] || lv > found.Levels[1] {
		return Transition{}, fmt.Errorf("%w: %s of level %d", ErrState, a.Event, lv)
	}
	return *found, a.check(*found)
}

type validator interface{ validate() error }

// evidence lists what the act carries, by name.
func (a Act) evidence() map[string]validator {
	out := map[string]validator{}
	add := func(name string, present bool, v validator) {
		if present {
			out[name] = v
		}
	}
	add(needJudgement, a.Judgement != nil, a.Judgement)
	add(needReview, a.Review != nil, a.Review)
	add(needAuthority, a.Authority != nil, a.Authority)
	add(needSubmission, a.Submission != nil, a.Submission)
	add(needAcceptance, a.Acceptance != nil, a.Acceptance)
	add(needCertificate, a.Certificate != nil, a.Certificate)
	add(needNotice, a.Notice != nil, a.Notice)
	add(needCause, a.Cause != nil, a.Cause)
	add(needRetirement, a.Retirement != nil, a.Retirement)
	add(needBuild, a.Build != nil, a.Build)
	add(needGrace, a.Grace != nil, a.Grace)
	return out
}

// check compares the evidence with what the row needs: all of it, valid, and
// nothing else.
func (a Act) check(t Transition) error {
	has := a.evidence()
	for _, name := range t.Needs {
		v, ok := has[name]
		if !ok {
			return fmt.Errorf("%w: %s needs %s", ErrEvidence, a.Event, name)
		}
		if err := v.validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name := range has {
		if !slices.Contains(t.Needs, name) {
			return fmt.Errorf("%w: %s takes no %s", ErrEvidence, a.Event, name)
		}
	}
	if len(a.Consents) > 0 && a.Judgement == nil && a.Event != EventCertify && a.Event != EventConfirm {
		return fmt.Errorf("%w: consents to nothing", ErrEvidence)
	}
	for _, c := range a.Consents {
		if err := c.Provider.Validate(); err != nil {
			return fmt.Errorf("%w: consent: %w", ErrEvidence, err)
		}
		if err := digestForm("consent_sm3", c.Report); err != nil {
			return fmt.Errorf("%w: %w", ErrEvidence, err)
		}
	}
	return nil
}
