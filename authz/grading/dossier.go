package grading

import (
	"errors"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// Outcomes of the procedure that callers branch on.
var (
	// ErrState: the object is in no state in which that can happen.
	ErrState = errors.New("grading: not possible in this state")
	// ErrEvidence: what the step must show is missing or contradicts itself.
	ErrEvidence = errors.New("grading: evidence is missing or wrong")
	// ErrOrder: a day before its cause, or in the future.
	ErrOrder = errors.New("grading: day out of order")
	// ErrNotApproved: the signed approval is missing.
	ErrNotApproved = errors.New("grading: not approved")
	// ErrRole: the actor holds another role than the step asks for.
	ErrRole = errors.New("grading: the actor may not do this")
	// ErrHost: a host would be graded below what it carries (R13).
	ErrHost = errors.New("grading: a host is graded below what it carries")
	// ErrConsent: a provider concerned has not agreed to a lower grade (R14).
	ErrConsent = errors.New("grading: a provider has not consented")
	// ErrInUse: something is still held or certified.
	ErrInUse = errors.New("grading: still in use")
	// ErrExists: the object, certificate number or report is registered already.
	ErrExists = errors.New("grading: already registered")
	// ErrConflict: somebody else changed the dossier; read it again.
	ErrConflict = errors.New("grading: the dossier was changed in between")
	// ErrProcedure: the object has a dossier; its record changes through the procedure only.
	ErrProcedure = errors.New("grading: the object is graded by procedure")
)

// Grading is one version of an object's grading with the evidence it gathered.
type Grading struct {
	Version     int                `json:"version"`
	Judgement   Judgement          `json:"judgement"`
	Grade       level.Grade        `json:"grade"` // derived from Judgement, never taken from outside
	Cause       *Cause             `json:"cause,omitempty"`
	Consents    []Consent          `json:"consents,omitempty"`
	Review      *ExpertReview      `json:"expert_review,omitempty"`
	Authority   *AuthorityApproval `json:"authority_approval,omitempty"`
	Submission  *Submission        `json:"submission,omitempty"`
	Acceptance  *Acceptance        `json:"acceptance,omitempty"`
	Certificate *FilingCertificate `json:"certificate,omitempty"`
	Approver    string             `json:"approver,omitempty"` // who signed the decision of the unit

	ProposedOn  workday.Date `json:"proposed_on"`
	DecidedOn   workday.Date `json:"decided_on,omitzero"` // the unit's own part is done
	SubmittedOn workday.Date `json:"submitted_on,omitzero"`
	InForceOn   workday.Date `json:"in_force_on,omitzero"` // certificate issued, or confirmed
}

// Dossier is an object with where its grading stands. Its history (Step, Paper)
// is append-only beside it.
type Dossier struct {
	Object   Object       `json:"object"`
	Revision int          `json:"revision"` // grows by one with each act
	State    State        `json:"state"`
	LastOn   workday.Date `json:"last_on,omitzero"` // day of the last step
	Versions int          `json:"versions"`         // gradings so far
	Work     *Grading     `json:"work,omitempty"`   // the version under way
	InForce  *Grading     `json:"in_force,omitempty"`
	Interim  bool         `json:"interim"` // a first version operates on its filing (R15)
	// Adopted is a record that was in force before the dossier was opened. It
	// stays so until a version of the dossier is.
	Adopted *Record `json:"adopted,omitempty"`

	ValidUntil workday.Date              `json:"valid_until,omitzero"` // of the certificate in force, last day
	Extensions int                       `json:"extensions"`
	GraceUntil workday.Date              `json:"grace_until,omitzero"`
	Latest     map[PaperKind]Seen        `json:"latest,omitempty"`
	Tasks      map[string]Rectification  `json:"tasks,omitempty"` // open rectification, by paper id
	Excuses    map[string]ExcuseForDelay `json:"excuses,omitempty"`
}

// Seen is the newest paper of a kind.
type Seen struct {
	ID    string       `json:"id"`
	On    workday.Date `json:"on"`
	Major int          `json:"major_open,omitempty"` // major hazards that are not fixed
	Next  workday.Date `json:"next,omitzero"`        // a day that the paper itself sets
	Filed bool         `json:"filed,omitempty"`
}

// grade is what is in force now, zero when nothing is.
func (d Dossier) grade() level.Grade {
	switch {
	case d.InForce != nil:
		return d.InForce.Grade
	case d.Interim:
		return d.Work.Grade
	case d.Adopted != nil:
		return d.Adopted.Grade
	}
	return level.Grade{}
}

// Level is that of the version in force, else of the one under way, else 0.
func (d Dossier) Level() uint8 {
	if d.InForce != nil {
		return d.InForce.Grade.Level()
	}
	if d.Work != nil {
		return d.Work.Grade.Level()
	}
	return 0
}

// Needs is the level that hosts must have: also the one proposed counts, for
// what they will carry (GB/T 22240-2020 ch. 5).
func (d Dossier) Needs() uint8 {
	if d.State == StateRetired {
		return 0
	}
	need := d.Level()
	if d.Work != nil {
		need = max(need, d.Work.Grade.Level())
	}
	return need
}

// Offers is the level that hosted objects may count on: of two versions the
// lower.
func (d Dossier) Offers() uint8 {
	offer := d.Level()
	if d.Work != nil {
		offer = min(offer, d.Work.Grade.Level())
	}
	return offer
}

// clone lets a step work on a copy: a refused one leaves nothing behind.
func (d Dossier) clone() Dossier {
	if d.Work != nil {
		w := *d.Work
		w.Consents = slices.Clone(w.Consents)
		d.Work = &w
	}
	if d.InForce != nil {
		f := *d.InForce
		d.InForce = &f
	}
	d.Latest, d.Tasks, d.Excuses = cloneMap(d.Latest), cloneMap(d.Tasks), cloneMap(d.Excuses)
	return d
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
