// Package status answers whether a certificate still holds: lists of revoked
// certificates (CRL, 证书吊销列表) and OCSP (在线证书状态), for both trust tracks
// and from the one registry that ca.Service changes.
//
// OCSP reads the registry's row at each request, or keeps rows and asks four
// times a second what changed (Config.Changes): a revocation shows in every
// node's answers within a second, and costs what one row costs. Lists are built
// beside the revocation, never in its transaction: on a timer, and when somebody
// asks. Each list is linted, recorded with its number and its bytes, signed, and
// recorded again (design law 4); UNIQUE (issuer, shard, number) decides between
// nodes, so no number is ever signed twice.
//
// It refuses to sign a list that a lint rejects, to answer "good" for a serial
// that the registry does not hold, and to serve a list that a newer one has
// overtaken. RFC 5280 5, RFC 6960, RFC 5019, RFC 9654; 电子签名法 art. 22.
package status

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Standing is as much of a registry row as an answer needs.
type Standing struct {
	Serial    string
	State     ca.State
	Reason    int       // RFC 5280 5.3.1
	RevokedAt time.Time // or held
	InvalidAt time.Time // invalidityDate (RFC 5280 5.3.2); zero: none
}

// Registry is the certificates, read only.
type Registry interface {
	// Standing is the row of a certificate, or ca.ErrNotFound. It reads what
	// was committed last on any node.
	Standing(ctx context.Context, issuer, serial string) (Standing, error)
	// Revoked is every certificate of an issuer that is held or revoked and was
	// not yet over at a time, in order of serial.
	Revoked(ctx context.Context, issuer string, notOverAt time.Time) ([]Standing, error)
}

// CRLState of a recorded list.
type CRLState string

// States: pending → published, or void when a later number was published first.
const (
	CRLPending   CRLState = "pending" // recorded, not yet signed
	CRLPublished CRLState = "published"
	CRLVoid      CRLState = "void" // never was and never will be published
)

// CRL is a list as the store keeps it; (Issuer, Shard, Number) is unique. Full
// and delta lists of one scope share their numbers (RFC 5280 5.2.3).
type CRL struct {
	Issuer     string // as in ca.Certificate
	Shard      string // profile.Shard; empty: the complete list
	Number     int64  // from 1
	Base       int64  // 0: a full list; else the full list that this delta builds on
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    int
	TBSSM3     string // SM3 of the to-be-signed bytes, hex
	TBS        []byte // while pending
	DER        []byte // once published
	State      CRLState
}

// Delta tells the two kinds of list apart.
func (c CRL) Delta() bool { return c.Base != 0 }

// Lists is where lists are recorded. Mutating methods commit row and event in
// one transaction.
type Lists interface {
	// AddCRL records a pending list before it is signed; ErrNumber when the
	// number is taken.
	AddCRL(ctx context.Context, c CRL, ev ledger.Event) (ledger.Receipt, error)
	// PublishCRL moves pending → published with the DER, and voids whatever is
	// pending below it; ErrOvertaken when it is not pending any more, ErrNoList
	// when it has no DER.
	PublishCRL(ctx context.Context, c CRL, ev ledger.Event) (ledger.Receipt, error)
	// CRLsSince is every list of a scope from a number on, in order: void ones
	// without bytes, pending ones with TBS, published ones with DER.
	CRLsSince(ctx context.Context, issuer, shard string, number int64) ([]CRL, error)
}

// Published reads what may be handed out.
type Published interface {
	// PublishedCRL is the newest published full or delta list of a scope, or
	// ErrNoList. Its DER is left out when its number is have.
	PublishedCRL(ctx context.Context, issuer, shard string, delta bool, have int64) (CRL, error)
}

// Outcomes that callers branch on.
var (
	// ErrNumber: another builder recorded this number first.
	ErrNumber = errors.New("status: list number is taken")
	// ErrOvertaken: a later list was published meanwhile; this one never will be.
	ErrOvertaken = errors.New("status: list was overtaken by a later one")
	// ErrNoList: nothing was published for this scope yet.
	ErrNoList = errors.New("status: no list")
	// ErrUnknownIssuer: this service does not answer for that authority.
	ErrUnknownIssuer = errors.New("status: unknown issuer")
	// ErrLint: a list that breaks a rule; it was not signed.
	ErrLint = errors.New("status: lint refused the list")
)
