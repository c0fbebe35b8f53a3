// Package ca is the agency certificate authority (机关证书认证): enrol →
// approve (ca/ra) → lint → record → sign → record, for two trust tracks in one
// registry: ECDSA for mTLS through the embedded smallstep authority
// (ca/stepca), SM2 dual certificates (双证书, GM/T 0015, GM/T 0034) here.
//
// It refuses to sign what was not approved by a second person, what a lint
// rejects, a CSR whose signature or named curve is wrong, a name outside the
// system's registered hosts, and anything that it could not record first. A
// signing key never enters it; the encryption key comes from ca/kmc.
package ca

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Kind tells the certificates of the registry apart.
type Kind string

// Kinds.
const (
	KindECDSA   Kind = "ecdsa"    // mTLS leaf
	KindSM2Sign Kind = "sm2-sign" // signing certificate of a pair
	KindSM2Enc  Kind = "sm2-enc"  // encryption certificate of a pair

	// The same of a test certificate: kinds of their own, so that nothing that
	// asks for a production certificate ever takes one.
	KindECDSATest   Kind = "ecdsa-test"
	KindSM2SignTest Kind = "sm2-sign-test"
	KindSM2EncTest  Kind = "sm2-enc-test"

	KindSeal    Kind = "sm2-seal" // signing certificate of an electronic seal
	KindMaker   Kind = "sm2-maker"
	KindPerson  Kind = "sm2-person"
	KindService Kind = "service" // the house itself: ledger, exchange, TLS
	KindCA      Kind = "ca"
)

// Paired reports whether a certificate of the kind is half of a pair (双证书).
func (k Kind) Paired() bool {
	switch k {
	case KindSM2Sign, KindSM2Enc, KindSM2SignTest, KindSM2EncTest:
		return true
	}
	return false
}

// State of a certificate. Changes are guarded updates: pending → good ⇄ hold →
// revoked, and pending → revoked for what a dead process left behind (Sweeper).
type State string

// States.
const (
	StatePending State = "pending" // recorded, not yet signed
	StateGood    State = "good"
	StateHold    State = "hold"
	StateRevoked State = "revoked"
)

// Certificate is a row of the registry; (Issuer, Serial) is unique.
type Certificate struct {
	Issuer    string    `json:"issuer"` // SM3 of the issuer's subject DER and key, hex
	Serial    string    `json:"serial"` // lower-case hex without leading zeros
	Kind      Kind      `json:"kind"`
	Pair      string    `json:"pair,omitempty"` // joins sm2-sign and sm2-enc
	Agency    string    `json:"agency"`
	System    string    `json:"system,omitempty"`
	Person    string    `json:"person,omitempty"`
	Request   string    `json:"request,omitempty"`
	Subject   string    `json:"subject"`
	TBSSM3    string    `json:"tbs_sm3"`       // SM3 of the to-be-signed bytes, recorded before signing
	TBS       []byte    `json:"-"`             // those bytes
	DER       []byte    `json:"der,omitempty"` // nil until it is good
	State     State     `json:"state"`
	Reason    int       `json:"reason,omitempty"` // RFC 5280 5.3.1
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	RevokedAt time.Time `json:"revoked_at,omitzero"` // or held; taken away when a hold ends
	CreatedAt time.Time `json:"created_at"`
	Purged    string    `json:"purged_sm3,omitempty"` // SM3 of the DER, once that was purged (ca/retention)
	// Origin is what Reserve records; Certificate and CertificatesOf leave it out.
	Origin Origin `json:"origin,omitzero"`
}

// Signed reports whether the certificate was ever handed out. One that is
// pending was not, nor one that was abandoned.
func (c Certificate) Signed() bool { return len(c.DER) > 0 || c.Purged != "" }

// EscrowedKey is an encryption key as the KMC keeps it: wrapped, never clear.
type EscrowedKey struct {
	Pair      string    `json:"pair"`
	Wrapped   []byte    `json:"-"`
	KEK       string    `json:"kek"` // id of the key-encryption key
	PublicSM3 string    `json:"public_sm3"`
	CreatedAt time.Time `json:"created_at"`
}

// Outcomes that callers branch on.
var (
	ErrNotFound = errors.New("ca: not found")
	ErrExists   = errors.New("ca: already registered")
	// ErrKeyGiven: a request gives one external account key, ever.
	ErrKeyGiven    = errors.New("ca: the request has given its ACME key")
	ErrNotApproved = errors.New("ca: not approved")
	ErrDecided     = errors.New("ca: request already decided")
	ErrToken       = errors.New("ca: enrolment token unknown, expired or used")
	ErrCSR         = errors.New("ca: certificate request refused")
	ErrLint        = errors.New("ca: lint refused the certificate")
	ErrState       = errors.New("ca: certificate is not in a state for this")
	ErrRevoked     = errors.New("ca: certificate already revoked")
	ErrHost        = errors.New("ca: host is not registered for the system")
	ErrSelf        = errors.New("ca: requester and approver are one person")
	ErrInvalid     = errors.New("ca: request is not complete")
)

// Registry is the store of this room. Each mutating method commits rows and
// event in one transaction; row counts decide races, so that exactly one of
// many concurrent callers wins.
type Registry interface {
	Request(ctx context.Context, id string) (Request, error)
	// RequestByToken looks without claiming (Deliveries.Begin claims); ErrToken when
	// the hash is unknown, used, or expired at now.
	RequestByToken(ctx context.Context, tokenHash string, now time.Time) (Request, error)

	// Reserve inserts certificates in StatePending, and the escrowed key of
	// their pair, all or nothing; ErrExists on a serial collision. Where an Origin
	// names no predecessor, it is the newest signed certificate of the same Line.
	Reserve(ctx context.Context, certs []Certificate, key *EscrowedKey, ev ledger.Event) (ledger.Receipt, error)
	// Activate moves pending → good and stores the DER of each; ErrState when
	// one of them is not pending.
	Activate(ctx context.Context, certs []Certificate, ev ledger.Event) (ledger.Receipt, error)
	// SetState moves good ⇄ hold → revoked with reason; ErrRevoked when it
	// already is revoked, ErrState otherwise. Half of a pair takes the other half
	// with it: both or none.
	SetState(ctx context.Context, issuer, serial string, s State, reason int, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	// Invalidate records from when on a revoked certificate is not to be trusted
	// (invalidityDate, RFC 5280 5.3.2); ErrState when it is not revoked, ErrExists
	// when the date on record is as early.
	Invalidate(ctx context.Context, issuer, serial string, from time.Time, ev ledger.Event) (ledger.Receipt, error)
	Certificate(ctx context.Context, issuer, serial string) (Certificate, error)
	CertificatesOf(ctx context.Context, system string) ([]Certificate, error)

	// ReserveOnce is Reserve, without a key, on a one-time token of the ECDSA
	// track: it passes for one caller per id, ever, and is ErrToken for every other.
	// Refused for whatever reason, it uses up no token.
	ReserveOnce(ctx context.Context, by OneTime, certs []Certificate, ev ledger.Event) (ledger.Receipt, error)
}

// OneTime is what may be used once: a token by its id. Expires is when nobody
// would take it any more, used or not.
type OneTime struct {
	ID      string
	Expires time.Time
}
