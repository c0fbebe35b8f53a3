package sharing

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// ApplicationState is where an application stands.
type ApplicationState string

// States: asked → (forward →) received → drafted → agreed | refused; refused, or kept
// waiting → objected → proposed → agreed | refused; agreed → bound.
const (
	ApplicationAsked     ApplicationState = "asked"     // waits for the signature of its own leader
	ApplicationWithdrawn ApplicationState = "withdrawn" // who did not sign
	ApplicationForward   ApplicationState = "forward"   // the information office looks for the provider
	ApplicationReceived  ApplicationState = "received"  // the provider has it, and its clock runs
	ApplicationDrafted   ApplicationState = "drafted"   // an answer waits for the provider's leader
	ApplicationAgreed    ApplicationState = "agreed"    // the parties seal its terms
	ApplicationRefused   ApplicationState = "refused"
	ApplicationObjected  ApplicationState = "objected" // the objection is coordinated
	ApplicationProposed  ApplicationState = "proposed" // its outcome waits for the leader of the office
	ApplicationBound     ApplicationState = "bound"    // the agreement is registered
)

// Application asks for a resource on application (政务信息资源共享申请单).
type Application struct {
	ID       string        `json:"id"`
	Resource string        `json:"resource,omitempty"` // empty until the office found it
	Wanted   string        `json:"wanted,omitempty"`   // in words, where nobody knows who provides it
	Consumer identity.USCC `json:"consumer"`
	Provider identity.USCC `json:"provider,omitempty"`
	Office   identity.USCC `json:"office"`
	Regime   Regime        `json:"regime,omitempty"`
	System   string        `json:"system,omitempty"` // of the consumer, that will use it
	Purposes []string      `json:"purposes"`
	Fields   []string      `json:"fields,omitempty"`
	Follows  string        `json:"follows,omitempty"` // the agreement that it renews

	Confidentiality string    `json:"confidentiality,omitempty"`
	DefectAck       string    `json:"defect_ack,omitempty"`
	NotBefore       time.Time `json:"not_before"`
	NotAfter        time.Time `json:"not_after"`

	State       ApplicationState  `json:"state"`
	Revision    int               `json:"revision"`
	Round       int               `json:"round"` // of questions; each is signed once
	AskedBy     string            `json:"asked_by"`
	AskedAt     time.Time         `json:"asked_at"`
	Filed       string            `json:"filed,omitempty"`        // approval of the consumer's leader
	FiledAt     time.Time         `json:"filed_at,omitzero"`      // receipt by the office
	ForwardedBy string            `json:"forwarded_by,omitempty"` // of the office
	ReceivedAt  time.Time         `json:"received_at,omitzero"`   // by the provider: its clock starts
	Due         workday.Due       `json:"due,omitzero"`
	Answer      ApplicationAnswer `json:"answer,omitzero"`
	Objections  []Objection       `json:"objections,omitempty"`
	Receipts    []Acknowledgement `json:"receipts,omitempty"`
	SealAsks    []SealAsk         `json:"seal_asks,omitempty"`
	Seals       []PartySeal       `json:"seals,omitempty"` // over the terms
}

// ApplicationAnswer is what the provider says, sealed by its leader's signature.
type ApplicationAnswer struct {
	Agree    bool      `json:"agree"`
	Reason   string    `json:"reason,omitempty"` // of a refusal
	Clause   string    `json:"clause,omitempty"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Approval string    `json:"approval,omitempty"`
	SignedAt time.Time `json:"signed_at,omitzero"`
}

// Objection is the consumer's (异议), against a refusal or a silence.
type Objection struct {
	Body     string    `json:"body"` // that coordinates it, in the words of the regime
	Ground   string    `json:"ground"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Upheld   bool      `json:"upheld"` // the provider has to share
	Outcome  string    `json:"outcome,omitempty"`
	Writer   string    `json:"writer,omitempty"`
	Approval string    `json:"approval,omitempty"`
	SignedAt time.Time `json:"signed_at,omitzero"`
}

// Acknowledgement is the receipt of an answer or outcome (签收).
type Acknowledgement struct {
	Round int           `json:"round"`
	Unit  identity.USCC `json:"unit"`
	By    string        `json:"by"`
	At    time.Time     `json:"at"`
}

// SealAsk is a clerk's request for the seal of a party on the terms.
type SealAsk struct {
	Unit identity.USCC `json:"unit"`
	Seal string        `json:"seal"`
	By   string        `json:"by"`
	At   time.Time     `json:"at"`
}

// Limits of a regime: how long a provider may take, and who coordinates an objection,
// one level after the other.
type Limits struct {
	Days   int // working days after the day of receipt
	Levels []string
}

// LimitsOf is 西政办发〔2014〕14号 art. 26 and 京政发〔2017〕37号 art. 17. Of a regime
// that nobody knows the shortest limit holds.
func LimitsOf(r Regime) Limits {
	if r == RegimeXicheng2014 {
		return Limits{Days: 15, Levels: []string{"task_group"}}
	}
	return Limits{Days: 10, Levels: []string{"leading_office", "leading_group"}}
}

// Agreement is the draft that an application becomes: its terms, word for word.
func (a Application) Agreement() (Agreement, error) {
	out, err := Draft(Agreement{
		ID: "agr-" + a.ID, Resource: a.Resource, Provider: a.Provider, Consumer: a.Consumer, Office: a.Office, Purposes: a.Purposes, Fields: a.Fields,
		Confidentiality: a.Confidentiality, DefectAck: a.DefectAck, NotBefore: a.NotBefore, NotAfter: a.NotAfter,
	})
	out.Seals = a.Seals
	return out, err
}

// check is what can be checked before a resource is known, and with it all.
func (a Application) check() error {
	for _, s := range []string{a.Wanted, a.System, a.Follows, a.Confidentiality} {
		if !plain(s) {
			return fmt.Errorf("%w: text of the application", ErrInvalid)
		}
	}
	if a.Resource != "" {
		_, err := a.Agreement()
		return err
	}
	if strings.TrimSpace(a.Wanted) == "" || !a.NotAfter.After(a.NotBefore) || a.NotBefore.IsZero() || len(a.Fields) > 0 {
		return fmt.Errorf("%w: without a resource an application says what is wanted, for which time", ErrInvalid)
	}
	return list("purposes", a.Purposes)
}

// Question is the id of what waits for a signature; each round has one answer.
func (a Application) Question() string { return a.ID + "/" + strconv.Itoa(a.Round) }

// ApplicationOf is the id of the application that a question is about.
func ApplicationOf(question string) string {
	id, _, _ := strings.Cut(question, "/")
	return id
}

// Signer is whose leader signs next, and who asked; empty when nothing waits.
func (a Application) Signer() (unit identity.USCC, requester string) {
	switch a.State {
	case ApplicationAsked:
		return a.Consumer, a.AskedBy
	case ApplicationDrafted:
		return a.Provider, a.Answer.By
	case ApplicationProposed:
		return a.Office, a.Objections[len(a.Objections)-1].Writer
	}
	return "", ""
}

// Digest is SM3 over the whole record, in lower-case hex, as the signer sees it.
// Receipts are no part of it: one may come while a page is being read.
func (a Application) Digest() (string, error) {
	a.Receipts, a.Revision, a.Due = nil, 0, workday.Due{}
	raw, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("sharing: application: %w", err)
	}
	sum := sm3.Sum(append([]byte("yinxin/application/v1\n"), raw...))
	return hex.EncodeToString(sum[:]), nil
}

// Waits: the provider has not answered yet.
func (a Application) Waits() bool {
	return a.State == ApplicationReceived || a.State == ApplicationDrafted
}

// OverdueAt: the answer was due before today.
func (a Application) OverdueAt(now time.Time) bool {
	return a.Waits() && workday.Of(now) > a.Due.Day
}

// Next is the body that would coordinate an objection now; none when the last has
// spoken, or the provider still has time.
func (a Application) Next(now time.Time) (body string, may bool) {
	levels := LimitsOf(a.Regime).Levels
	if len(a.Objections) >= len(levels) || a.State != ApplicationRefused && !a.OverdueAt(now) {
		return "", false
	}
	return levels[len(a.Objections)], true
}

// Delivered: an answer or outcome of this round is to be acknowledged.
func (a Application) Delivered() bool {
	return a.State == ApplicationRefused || a.State == ApplicationAgreed
}

// Acknowledged: a unit has acknowledged what stands now.
func (a Application) Acknowledged(unit identity.USCC) bool {
	return slices.ContainsFunc(a.Receipts, func(r Acknowledgement) bool { return r.Round == a.Round && r.Unit == unit })
}

// SealAskOf is what the leader of a party is to approve: nothing once its seal stands.
func (a Application) SealAskOf(unit identity.USCC) (SealAsk, bool) {
	i := slices.IndexFunc(a.SealAsks, func(q SealAsk) bool { return q.Unit == unit })
	if i < 0 || a.State != ApplicationAgreed || a.sealedBy(unit) {
		return SealAsk{}, false
	}
	return a.SealAsks[i], true
}

// MaySeal: a clerk of the unit may ask for its seal; the same one again for another, when
// the first could not be used. The leader signs for the clerk who asked.
func (a Application) MaySeal(unit identity.USCC, clerk string) bool {
	ask, asked := a.SealAskOf(unit)
	return a.State == ApplicationAgreed && (!asked || ask.By == clerk) && !a.sealedBy(unit) && slices.Contains([]identity.USCC{a.Provider, a.Consumer, a.Office}, unit)
}

// sealedBy: the unit's seal stands on the terms.
func (a Application) sealedBy(unit identity.USCC) bool {
	return slices.ContainsFunc(a.Seals, func(s PartySeal) bool { return s.Party == unit })
}
