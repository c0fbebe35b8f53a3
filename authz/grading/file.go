package grading

import (
	"fmt"
	"slices"
)

// file puts a checked paper into a copy of the dossier.
func file(d Dossier, p Paper, r rules) (outcome, error) {
	if d.State == StateRetired || d.State == StateDraft {
		return outcome{}, fmt.Errorf("%w: %s for an object that is %s", ErrState, p.Kind, d.State)
	}
	o := outcome{next: d.clone()}
	n := &o.next
	n.Revision++
	seen := Seen{ID: p.ID, On: p.On}
	switch p.Kind {
	case PaperAssessment:
		seen.Major = p.Assessment.Major.Found - p.Assessment.Major.Fixed
		o.unique = []Claim{{Key: "assessment:" + p.Report}, {Key: "assessment_no:" + p.Assessment.Agency + "/" + p.Assessment.ReportNo}}
		o.assessed(d, p, r)
	case PaperCrypto:
		o.unique = []Claim{{Key: "crypto:" + p.Report}}
	case PaperCryptoSent:
		if c, ok := d.Latest[PaperCrypto]; !ok || p.On < c.On {
			return outcome{}, fmt.Errorf("%w: no assessment to file", ErrOrder)
		}
	case PaperTask:
		n.Tasks[p.ID] = *p.Task
	case PaperTaskDone:
		if _, open := d.Tasks[p.Done.Task]; !open {
			return outcome{}, fmt.Errorf("%w: no open task %.64q", ErrEvidence, p.Done.Task)
		}
		delete(n.Tasks, p.Done.Task)
	case PaperExcuse:
		if err := excuse(d, *p.Excuse, r); err != nil {
			return outcome{}, err
		}
		n.Excuses[p.Excuse.key()] = *p.Excuse
	}
	if p.Check != nil {
		seen.Next = p.Check.Next
	}
	if old, ok := d.Latest[p.Kind]; !ok || old.On <= p.On { // an older one may be filed late
		n.Latest[p.Kind] = seen
	}
	return o, nil
}

// assessed: R8 and R10. A completed assessment extends the certificate in force
// once, and the decision point learns of its day.
func (o *outcome) assessed(d Dossier, p Paper, r rules) {
	n := &o.next
	if d.InForce == nil || p.On < d.Latest[PaperAssessment].On {
		return
	}
	n.Latest[PaperAssessment] = Seen{On: p.On}
	if until, ok := Extend(r.Profile, d.ValidUntil, p.On, d.InForce.InForceOn, d.Extensions); ok {
		n.ValidUntil, n.Extensions = until, d.Extensions+1
	}
	if d.GraceUntil != 0 && p.On <= d.GraceUntil {
		n.GraceUntil = 0 // what it was given for has come
	}
	o.record = n.inForceRecord()
}

// excuse must be about a limit that runs, with its very day.
func excuse(d Dossier, e ExcuseForDelay, r rules) error {
	runs, err := deadlines(d, r)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(runs, func(l Deadline) bool { return l.Rule == e.Rule && l.Ref == e.Ref && l.Due == e.Due }) {
		return fmt.Errorf("%w: no limit %.40q of %s runs", ErrEvidence, e.Rule, e.Due)
	}
	return nil
}
