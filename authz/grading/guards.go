package grading

import (
	"fmt"
	"maps"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// submissionComplete: expert review and authority are on file (R2, R3), and from
// level 3 on form four, or a day for what is missing (R6).
func submissionComplete(d Dossier, a Act, r rules) error {
	if d.Work.Review == nil || d.Work.Authority == nil {
		return fmt.Errorf("%w: filed without expert review or authority approval", ErrEvidence)
	}
	if len(d.Work.Review.Experts) < r.LeastExperts {
		return fmt.Errorf("%w: the review names fewer than %d experts", ErrEvidence, r.LeastExperts)
	}
	if n := a.Submission.FormNumber; n != "" && !slices.Contains(r.regions, n[:6]) {
		return fmt.Errorf("%w: form number %s is of no known organ", ErrEvidence, n)
	}
	if d.Work.Grade.Level() < 3 || a.Submission.complete() {
		return nil
	}
	if a.Submission.MaterialsBy <= a.On {
		return fmt.Errorf("%w: form four is not complete and no day is set for it", ErrEvidence)
	}
	return nil
}

// sameForms: handing in form four later changes nothing else.
func sameForms(d Dossier, a Act, _ rules) error {
	g := d.Work
	if g == nil {
		g = d.InForce
	}
	was, is := *g.Submission, *a.Submission
	for name, sum := range was.Materials {
		if is.Materials[name] != sum {
			return fmt.Errorf("%w: %s was handed in already", ErrEvidence, name)
		}
	}
	if len(is.Materials) <= len(was.Materials) {
		return fmt.Errorf("%w: nothing new in form four", ErrEvidence)
	}
	if was.FormNumber != is.FormNumber || was.UnitForm != is.UnitForm || was.SystemForm != is.SystemForm ||
		was.GradingForm != is.GradingForm || was.DataSurvey != is.DataSurvey || was.Organ != is.Organ {
		return fmt.Errorf("%w: only form four may change", ErrEvidence)
	}
	return nil
}

// certificateFits: the number is of an organ that we know and continues the form
// number; its end comes after its issue; and the whole chain of evidence stands,
// whatever wrote the dossier.
func certificateFits(d Dossier, a Act, r rules) error {
	w, c := d.Work, a.Certificate
	if w.Review == nil || w.Authority == nil || w.Submission == nil || w.Acceptance == nil {
		return fmt.Errorf("%w: certified without its evidence", ErrEvidence)
	}
	if g, err := w.Judgement.Grade(); err != nil || g != w.Grade {
		return fmt.Errorf("%w: the grade is not the judgement's", ErrEvidence)
	}
	if !slices.Contains(r.regions, c.Number[:6]) {
		return fmt.Errorf("%w: certificate number %s is of no known organ", ErrEvidence, c.Number)
	}
	if f := w.Submission.FormNumber; f != "" && c.Number[:11] != f {
		return fmt.Errorf("%w: certificate number %s does not continue form number %s", ErrEvidence, c.Number, f)
	}
	if c.ValidUntil != 0 && c.ValidUntil <= a.On {
		return fmt.Errorf("%w: the certificate ends on %s, before its issue", ErrOrder, c.ValidUntil)
	}
	return nil
}

// renewalInWindow: R9, and the number stays.
func renewalInWindow(d Dossier, a Act, r rules) error {
	opens := RenewalOpens(r.Profile, d.ValidUntil)
	if a.On < opens || a.On > d.ValidUntil {
		return fmt.Errorf("%w: renewal from %s to %s", ErrOrder, opens, d.ValidUntil)
	}
	if plainNumber(a.Certificate.Number) != plainNumber(d.InForce.Certificate.Number) {
		return fmt.Errorf("%w: a renewal keeps its number", ErrEvidence)
	}
	if u := a.Certificate.ValidUntil; u != 0 && u <= d.ValidUntil {
		return fmt.Errorf("%w: the renewed certificate ends on %s", ErrOrder, u)
	}
	return nil
}

func graceShort(_ Dossier, a Act, r rules) error {
	if a.Grace.Until <= a.On || a.Grace.Until > a.On+workday.Date(r.MaxGraceDays) {
		return fmt.Errorf("%w: a grace ends within %d days", ErrEvidence, r.MaxGraceDays)
	}
	return nil
}

func planned(d Dossier, _ Act, _ rules) error {
	if d.Object.Phase != PhasePlanned {
		return fmt.Errorf("%w: accepted already", ErrState)
	}
	return nil
}

// readyToOperate: no operation without acceptance (XA18 art. 17) and without a
// grade (X11 art. 23, XA18 art. 13). New objects are filed within 30 days after
// they began (R5), so the unit's own decision is enough here.
func readyToOperate(d Dossier, a Act, _ rules) error {
	if d.Object.Phase != PhaseAccepted {
		return fmt.Errorf("%w: %s cannot begin to operate", ErrState, d.Object.Phase)
	}
	g := d.InForce
	if g == nil {
		g = d.Work
	}
	if g == nil || g.Grade.Level() > 1 && g.DecidedOn == 0 || g.Grade.Level() == 1 && d.InForce == nil {
		return fmt.Errorf("%w: no grade is decided", ErrState)
	}
	if day := max(g.DecidedOn, g.ProposedOn); day > a.On {
		return fmt.Errorf("%w: graded on %s", ErrOrder, day)
	}
	return nil
}

// Held is something that a system holds: whose it is and what it needs.
type Held struct {
	ID       string
	Provider string
	Label    level.Label
}

// mayBecome is R14: no grade below what is held, and for one that falls in S or A
// the consent of every provider concerned (X14 art. 30).
func mayBecome(from, to level.Grade, held []Held, consents []Consent) error {
	providers := map[string]bool{}
	for _, h := range held {
		if !to.Carries(h.Label) {
			return fmt.Errorf("%w: %s does not carry %s (%s)", ErrBelowHoldings, to, h.ID, h.Label)
		}
		providers[h.Provider] = true
	}
	if !from.Valid() || to.S >= from.S && to.A >= from.A {
		return nil
	}
	for _, c := range consents {
		delete(providers, string(c.Provider))
	}
	if missing := slices.Sorted(maps.Keys(providers)); len(missing) > 0 {
		return fmt.Errorf("%w: %v to %s → %s", ErrConsent, missing, from, to)
	}
	return nil
}
