// Package authz decides who may use a shared resource. A decision is the AND
// of three guards: the sealed Go guard (authz/level and the rules it rests
// on), the core Rego of policies/core, and the officers' Rego in a compiler of
// its own. No guard can raise what another refused. Error, timeout, undefined
// and a wrong type are a denial. Every decision is recorded before it is
// answered.
//
// The sealed guard and the core state the lattice twice, in Go and in Rego; the
// core alone states the terms of sharing (西政办发〔2011〕8号 art. 26, 30;
// 西政办发〔2014〕14号 art. 14-31; 京政发〔2017〕37号 art. 16-19), the sealed guard alone
// what was agreed with a peer domain. A relabelling downwards, by whomever, is
// never permitted here: that is the provider's signed act (authz/approval).
// CheckSite is the gate before the officers' rules.
package authz

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Action is what a subject wants to do.
type Action string

// Actions. An unknown action is denied (E02).
const (
	ActionRead    Action = "read"
	ActionCopy    Action = "copy"    // keep a copy on Target
	ActionDerive  Action = "derive"  // make a new set out of one source
	ActionMerge   Action = "merge"   // make a new set out of several sources
	ActionRelabel Action = "relabel" // change the label of a copy
	ActionForward Action = "forward" // hand on to Target, of the same or another agency
	ActionStore   Action = "store"   // move a copy to another system of the same agency
	ActionPublish Action = "publish" // to the public
	ActionCarry   Action = "carry"   // be a hop of a transfer
	ActionRegrade Action = "regrade" // change the grade of a system
)

// Request is a typed question. What is not a known level, system or resource
// never reaches Rego. Properties that a caller sends may only narrow; facts
// come from the store.
type Request struct {
	ID          string       `json:"id"` // X-Request-ID or made by the PDP
	SubjectType string       `json:"subject_type"`
	SubjectID   string       `json:"subject_id"` // system id, person id or USCC
	Action      Action       `json:"action"`
	Resource    string       `json:"resource"`         // resource id or holding id
	Target      string       `json:"target,omitempty"` // system where the result will live; regrade: the system
	TargetLabel *level.Label `json:"target_label,omitempty"`
	Sources     []string     `json:"sources,omitempty"`  // further resources or holdings (derive, merge)
	Carriers    []string     `json:"carriers,omitempty"` // systems on the way
	Purpose     string       `json:"purpose,omitempty"`
	Fields      []string     `json:"fields,omitempty"`
	NewGrade    *level.Grade `json:"new_grade,omitempty"` // regrade
	// CitedIn is the decision or document in which it will be quoted: its SM3, or its
	// number or title while there is none. "": it is not quoted.
	CitedIn string `json:"cited_in,omitempty"`
	// Caller asks, for the subject; zero: the house itself. It is in the record with
	// its certificate and token, and as little as ID a part of the question: the
	// answer rests on the subject.
	Caller ledger.Actor `json:"-"`
}

// Kinds of subjects. A person or an agency has no system of its own.
const (
	SubjectSystem = "system"
	SubjectPerson = "person"
	SubjectAgency = "agency"
)

// Party is a system with its agency and grade in force; for a person, the
// person with agency and posts; for an agency, only that.
type Party struct {
	System  identity.System  `json:"system,omitzero"`
	Agency  identity.Agency  `json:"agency"`
	Grading *grading.Record  `json:"grading,omitempty"` // nil: ungraded
	Person  *identity.Person `json:"person,omitempty"`
	Posts   []identity.Post  `json:"posts,omitempty"`
	Bound   *Bound           `json:"bound,omitempty"` // nil: a system of the house
}

// Bound is what two persons of the house let a peer domain (对等域) do: it can only
// deny. The zero Level is a domain that is not in force.
type Bound struct {
	Domain   string      `json:"domain"`
	Level    level.Level `json:"level"` // highest level of information to and from it
	Actions  []Action    `json:"actions,omitempty"`
	Purposes []string    `json:"purposes,omitempty"`
	From     time.Time   `json:"from,omitzero"`
	Until    time.Time   `json:"until,omitzero"`
}

// Item is a resource, or a holding with the resource it came from.
type Item struct {
	Resource sharing.Resource `json:"resource"`
	Holding  *sharing.Holding `json:"holding,omitempty"`
	Origins  []Origin         `json:"origins,omitempty"`  // what else is in a merged copy
	Circular bool             `json:"circular,omitempty"` // its record of sources leads back to itself
}

// Label is the resource's label and, for a holding, the join with its own and those
// of all that is in it: a copy is never lower than what it came from, also after a
// provider raised it.
func (i Item) Label() level.Label {
	labels := []level.Label{i.Resource.Label}
	if i.Holding != nil {
		labels = append(labels, i.Holding.Label)
	}
	for _, o := range i.Origins {
		labels = append(labels, o.Resource.Label)
	}
	return level.Join(labels...)
}

// Snapshot is all that a decision read: small, copied, canonical. The digest of
// all but its Revision stands in the decision record, and a replay evaluates it
// again.
type Snapshot struct {
	Revision   int64               `json:"revision,omitempty"`
	Subject    *Party              `json:"subject,omitempty"`
	Item       *Item               `json:"item,omitempty"`
	Sources    []Item              `json:"sources,omitempty"`
	Target     *Party              `json:"target,omitempty"`
	Carriers   []Party             `json:"carriers,omitempty"`
	Grants     []Granted           `json:"grants,omitempty"`     // of a person
	Agreements []sharing.Agreement `json:"agreements,omitempty"` // of the consumer concerned and, on forward, of the receiver
	Standings  []sharing.Standing  `json:"standings,omitempty"`  // of those who use, with what they use; only those that can refuse
	Holdings   []Item              `json:"holdings,omitempty"`   // what a system to be re-graded holds
	Consents   []Quotable          `json:"consents,omitempty"`   // of a use that quotes
	Missing    []string            `json:"missing,omitempty"`    // ids that the request named and the store does not know
}

// Facts loads what a request needs, from a snapshot or from an open
// transaction. It returns an error only for a failure of the store; an unknown
// id is listed in Snapshot.Missing.
type Facts interface {
	Load(ctx context.Context, r Request) (Snapshot, error)
}

// Recorder writes a decision to the ledger before it is answered.
type Recorder interface {
	Record(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Reason is one ground of a denial, from the table in policies.
type Reason struct {
	Code    string   `json:"code"`             // "E10_label_lowered"
	Clauses []string `json:"clauses"`          // row ids of the requirements: "X11-30"
	Field   string   `json:"field"`            // request or fact field that would have to change
	Detail  string   `json:"detail,omitempty"` // the values compared: "L2/S2A2 < L3/S3A3"
	Zh      string   `json:"zh"`
	En      string   `json:"en"`
	FixZh   string   `json:"fix_zh"` // what would have to change
	FixEn   string   `json:"fix_en"`
	Guard   string   `json:"guard"` // "level", "core" or "site"; "domain" of an application domain
}

// Obligation binds a permit: what the enforcement point must do.
type Obligation struct {
	Kind  string `json:"kind"` // "label", "watermark", "expiry", "fields", "mask", "citation"
	Value string `json:"value"`
}

// Digests name the exact rules and facts behind a decision, SM3 in lower-case hex.
type Digests struct {
	Engine string `json:"engine"` // OPA module version and capability set
	Core   string `json:"core"`
	Site   string `json:"site"`
	Facts  string `json:"facts"`
	// Domain is the bundle of the application domain that answered; Core, Site and
	// Facts are empty then, and Input is what was evaluated.
	Domain string `json:"domain,omitempty"`
	Input  string `json:"input,omitempty"`
}

// Decision is the answer. Allow is true only when all three guards permit.
type Decision struct {
	ID          string         `json:"id"` // UUIDv7; also the ledger entry id
	Allow       bool           `json:"allow"`
	Reasons     []Reason       `json:"reasons,omitempty"`
	Obligations []Obligation   `json:"obligations,omitempty"`
	Digests     Digests        `json:"digests"`
	At          time.Time      `json:"at"`
	Receipt     ledger.Receipt `json:"receipt"`
	// Revision of the facts that were read. An act that rests on the decision gives it
	// to the store, which refuses the act when they changed meanwhile.
	Revision int64 `json:"-"`
}
