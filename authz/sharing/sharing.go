// Package sharing keeps what is shared, on what terms, who keeps which copy and
// who may be quoted: the catalogue (目录), agreements (三方协议), holdings
// (留存信息) and consents to citations (引用同意).
//
// It refuses a resource labelled as a state secret, one without a secrecy
// review or a legal basis where the rules ask for it, an agreement without its
// three seals, a holding whose label does not dominate its sources, and a
// citation that its provider's leader did not sign for
// (西政办发〔2014〕14号 art. 14-16, 23-26, 31; 京政发〔2017〕37号 art. 16-19).
package sharing

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// ShareType is the sharing type (共享类型) in the words of both regimes.
type ShareType string

// Sharing types: X14 art. 24 knows the first two, BJ17 art. 16 the last three.
const (
	ShareProactive     ShareType = "proactive"      // 主动共享
	ShareOnApplication ShareType = "on_application" // 依申请共享
	ShareUnconditional ShareType = "unconditional"  // 无条件共享
	ShareConditional   ShareType = "conditional"    // 有条件共享
	ShareNotShared     ShareType = "not_shared"     // 不予共享
)

// Regime names the rule set of a district and date (reference/regulations §3).
type Regime string

// Regimes that ship.
const (
	RegimeXicheng2014 Regime = "xicheng-2014" // onward transfer with the provider's consent
	RegimeBeijing2017 Regime = "beijing-2017" // no third party in any way
)

// Resource is an entry of the catalogue (政务信息资源).
type Resource struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Provider      identity.USCC `json:"provider"`
	Label         level.Label   `json:"label"`
	ShareType     ShareType     `json:"share_type"`
	Regime        Regime        `json:"regime"`
	Items         []string      `json:"items"`                    // information items (信息项): fields one may ask for
	ItemTags      []ItemTag     `json:"item_tags,omitempty"`      // of those that are personal, secret …, in the order of Items
	SecrecyReview string        `json:"secrecy_review,omitempty"` // record number (保密审查)
	Basis         string        `json:"basis,omitempty"`          // legal basis for not sharing, or for on_application
	DefectNotice  string        `json:"defect_notice,omitempty"`  // 瑕疵告知, SM3 of the notice; must be acknowledged before use
	UpdatedAt     time.Time     `json:"updated_at"`
	Sample        bool          `json:"sample"`
}

// Agreement is a sharing agreement. It is in force when now is inside its
// period, it is not terminated, and three seals stand over its digest.
type Agreement struct {
	ID              string          `json:"id"`
	Resource        string          `json:"resource"`
	Provider        identity.USCC   `json:"provider"`
	Consumer        identity.USCC   `json:"consumer"`
	Office          identity.USCC   `json:"office"` // information office (信息办)
	Purposes        []string        `json:"purposes"`
	Fields          []string        `json:"fields"`
	Onward          []identity.USCC `json:"onward,omitempty"` // third parties the provider consented to
	Confidentiality string          `json:"confidentiality,omitempty"`
	DefectAck       string          `json:"defect_ack,omitempty"` // SM3 of the acknowledged defect notice
	NotBefore       time.Time       `json:"not_before"`
	NotAfter        time.Time       `json:"not_after"` // exclusive
	Terminated      time.Time       `json:"terminated,omitzero"`
	Digest          string          `json:"digest_sm3"` // SM3 over the canonical terms
	Seals           []PartySeal     `json:"seals"`
	Sample          bool            `json:"sample"`
}

// PartySeal is a party's SM2 signature over Agreement.Digest.
type PartySeal struct {
	Party     identity.USCC `json:"party"`
	SealID    string        `json:"seal_id"`
	CertDER   []byte        `json:"certificate"`
	Signature []byte        `json:"signature"`
	At        time.Time     `json:"at"`
}

// Holding is a copy that a system keeps.
type Holding struct {
	ID        string        `json:"id"`
	System    string        `json:"system"`
	Agency    identity.USCC `json:"agency"`
	Resource  string        `json:"resource"` // of origin
	Agreement string        `json:"agreement"`
	Sources   []string      `json:"sources,omitempty"` // holdings it was derived or merged from
	Origins   []Origin      `json:"origins,omitempty"` // what else is in it by its sources; the store finds them
	Label     level.Label   `json:"label"`
	Payload   string        `json:"payload_sm3"`
	Transfer  string        `json:"transfer,omitempty"`
	At        time.Time     `json:"at"`
	Until     time.Time     `json:"until,omitzero"`
	Ended     time.Time     `json:"ended,omitzero"` // destroyed
	// Facts is the facts revision of the decision that it rests on; 0: on none. It is no
	// part of the row.
	Facts int64 `json:"-"`
}

// Origin is a resource that a copy came from, and the agreement under which it did.
type Origin struct {
	Resource  string `json:"resource"`
	Agreement string `json:"agreement,omitempty"`
}

// Outcomes that callers branch on.
var (
	ErrNotFound = errors.New("sharing: not found")
	ErrExists   = errors.New("sharing: already registered")
	ErrInvalid  = errors.New("sharing: invalid record")
	ErrUnsealed = errors.New("sharing: the agreement lacks a seal")
	ErrLowered  = errors.New("sharing: the label would be lower than its sources")
	// ErrStale: what the decision rested on changed before the copy was registered.
	ErrStale = errors.New("sharing: the facts changed after the decision")
	// ErrNotInForce: before or after its period, or terminated.
	ErrNotInForce = errors.New("sharing: the agreement is not in force")
	// ErrBasis: the rules ask for a legal basis or a secrecy review, and none is named.
	ErrBasis = errors.New("sharing: legal basis or secrecy review is missing")
)

// Catalogue is the store of this room; see identity.Register for the promises.
type Catalogue interface {
	AddResource(ctx context.Context, r Resource, ev ledger.Event) (ledger.Receipt, error)
	AddAgreement(ctx context.Context, a Agreement, ev ledger.Event) (ledger.Receipt, error)
	TerminateAgreement(ctx context.Context, id string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	// AddHolding refuses with ErrLowered, inside the transaction, a label that
	// does not dominate its resource's and its sources', and with ErrStale what rests
	// on a decision whose facts changed since (Holding.Facts).
	AddHolding(ctx context.Context, h Holding, ev ledger.Event) (ledger.Receipt, error)
	Reader
}

// Reader is the read side of a Catalogue.
type Reader interface {
	Resource(ctx context.Context, id string) (Resource, error)
	Agreement(ctx context.Context, id string) (Agreement, error)
	Agreements(ctx context.Context, resource string, consumer identity.USCC) ([]Agreement, error)
	Holding(ctx context.Context, id string) (Holding, error)
	// HoldingsOf returns the live holdings of a system.
	HoldingsOf(ctx context.Context, system string) ([]Holding, error)
}
