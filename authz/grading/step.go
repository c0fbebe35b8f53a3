package grading

import (
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Step is one line of an object's history: what happened, by whom, on which
// approvals. Steps are appended and never changed.
type Step struct {
	Object    string       `json:"object"`
	Revision  int          `json:"revision"` // that it made
	From      State        `json:"from"`
	To        State        `json:"to"`
	Act       Act          `json:"act"`
	Actor     ledger.Actor `json:"actor"`
	Approvals []string     `json:"approvals,omitempty"`
	Late      []string     `json:"late,omitempty"` // rules whose day had passed
	At        time.Time    `json:"at"`             // when it was entered
	Event     string       `json:"event_id"`
}

// outcome is what a step leads to.
type outcome struct {
	next   Dossier
	record *Record // to append to what the decision point reads; nil: no change
	unique []Claim
	late   []string
}

// apply carries out a step on a copy. It checks order and guard; who acts and
// what is held is the procedure's to ask.
func apply(d Dossier, a Act, t Transition, r rules, today workday.Date) (outcome, error) {
	if a.On == 0 || a.On > today {
		return outcome{}, fmt.Errorf("%w: %s on %q, today is %s", ErrOrder, a.Event, a.On, today)
	}
	if a.On < d.LastOn {
		return outcome{}, fmt.Errorf("%w: %s on %s, but the step before it was on %s", ErrOrder, a.Event, a.On, d.LastOn)
	}
	if t.guard != nil {
		if err := t.guard(d, a, r); err != nil {
			return outcome{}, err
		}
	}
	o := outcome{next: d.clone()}
	n := &o.next
	n.Revision++
	n.LastOn = a.On
	if t.To != anyState {
		n.State = t.To
	}
	if a.Judgement != nil {
		if err := n.judge(a); err != nil {
			return outcome{}, err
		}
	} else if n.Work != nil {
		n.Work.Consents = append(n.Work.Consents, a.Consents...)
	}
	switch a.Event {
	case EventReview:
		n.Work.Review = a.Review
	case EventAuthority:
		n.Work.Authority, n.Work.DecidedOn = a.Authority, a.On
	case EventSubmit:
		n.Work.Submission, n.Work.SubmittedOn = a.Submission, a.On
		o.late = lateFiling(d, a.On, r)
		o.interim(d)
	case EventMaterials:
		if n.Work != nil {
			n.Work.Submission = a.Submission
		} else {
			n.InForce.Submission = a.Submission
		}
	case EventTakeUp:
		n.Work.Acceptance = a.Acceptance
	case EventConfirm:
		n.Work.DecidedOn = a.On
		o.inForce(a, 0)
	case EventCertify:
		n.Work.Certificate = a.Certificate
		o.inForce(a, CertificateEnd(r.Profile, a.On, a.Certificate.ValidUntil))
	case EventLevelWrong:
		o.withdraw(d)
	case EventRenew:
		n.InForce.Certificate, n.Extensions = a.Certificate, 0
		n.ValidUntil = a.Certificate.ValidUntil
		if n.ValidUntil == 0 {
			n.ValidUntil = d.ValidUntil.AddMonths(r.TermMonths)
		}
		o.record = n.inForceRecord()
	case EventGrace:
		n.GraceUntil = a.Grace.Until
		o.record = n.inForceRecord()
	case EventAccept:
		n.Object.Phase = PhaseAccepted
	case EventOperate:
		n.Object.Phase, n.Object.OperationSince = PhaseOperating, a.On
	case EventRetire:
		o.retire(d, a)
	}
	return o, nil
}

// judge begins a version with what the judgement yields. Change goes on at the
// expert review that it carries, unless the new level needs none.
func (n *Dossier) judge(a Act) error {
	g, err := a.Judgement.Grade()
	if err != nil {
		return err
	}
	n.Versions++
	n.Work = &Grading{Version: n.Versions, Judgement: *a.Judgement, Grade: g, Cause: a.Cause, Review: a.Review, Consents: a.Consents, ProposedOn: a.On}
	if g.Level() == 1 {
		n.State = StateProposed
	}
	return nil
}

// interim lets a first version operate on its filing, as long as the profile
// lets the CA accept that. A version beside one in force waits for its
// certificate.
func (o *outcome) interim(d Dossier) {
	if d.InForce != nil || d.Interim || d.Adopted != nil {
		return
	}
	o.next.Interim = true
	o.record = o.next.record(o.next.Work, StateSubmitted)
}

func (o *outcome) inForce(a Act, until workday.Date) {
	n := &o.next
	n.Work.InForceOn = a.On
	n.InForce, n.Work, n.Interim, n.Adopted = n.Work, nil, false, nil
	n.ValidUntil, n.Extensions, n.GraceUntil = until, 0, 0
	if c := n.InForce.Certificate; c != nil {
		o.unique = append(o.unique, Claim{Key: "certificate:" + plainNumber(c.Number), Again: true})
	}
	o.record = n.inForceRecord()
}

// withdraw: the organ says that the level is wrong. A version that worked on its
// filing stops; one in force beside it goes on.
func (o *outcome) withdraw(d Dossier) {
	if d.Interim {
		o.next.Interim = false
		o.record = o.next.record(d.Work, StateSuperseded)
	}
}

func (o *outcome) retire(d Dossier, a Act) {
	n := &o.next
	last := d.InForce
	if last == nil && d.Interim {
		last = d.Work
	}
	switch {
	case last != nil:
		o.record = n.record(last, StateRetired)
	case d.Adopted != nil:
		r := *d.Adopted
		r.Version, r.State = 0, StateRetired
		o.record = &r
	}
	if o.record != nil {
		o.record.Reason = a.Retirement.Reason
	}
	n.Work, n.InForce, n.Interim, n.Adopted, n.Tasks = nil, nil, false, nil, nil
}

// inForceRecord is the version in force as the decision point reads it.
func (d Dossier) inForceRecord() *Record {
	state := StateCertified
	if d.InForce.Grade.Level() == 1 {
		state = StateConfirmed
	}
	return d.record(d.InForce, state)
}

// record has version 0: the store numbers it inside its transaction.
func (d Dossier) record(g *Grading, s State) *Record {
	decided := g.DecidedOn
	if decided == 0 {
		decided = g.ProposedOn
	}
	r := &Record{
		System: d.Object.ID, Grade: g.Grade, Reason: g.Judgement.Reason(), State: s, BuildingUnit: d.Object.BuildingUnit,
		DecidedOn: decided.Start(), AssessedOn: d.Latest[PaperAssessment].On.Start(), Sample: d.Object.Sample,
	}
	if g.Certificate != nil {
		r.Filing = g.Certificate.Number
	}
	if s == StateCertified {
		r.ValidUntil = (d.ValidUntil + 1).Start() // the last day counts in full
		if d.GraceUntil != 0 {
			r.GraceUntil = (d.GraceUntil + 1).Start()
		}
	}
	return r
}
