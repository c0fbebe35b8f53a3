// Package acmestore is what the ACME server of ca/stepca (RFC 8555) remembers:
// external account keys, accounts, orders with their authorizations and
// challenges, and nonces, as typed rows behind one store interface. It stands
// apart from ca/stepca so that a store need not link smallstep.
//
// What a store promises here is what the stock backends break: a nonce is
// consumed once, an external account key is bound once, an order is finalized
// once, whatever the number of callers and processes. It keeps no certificate:
// those are rows of ca.Registry, an order only names one.
package acmestore

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Outcomes that callers branch on.
var (
	ErrNotFound = errors.New("acmestore: not found")
	ErrExists   = errors.New("acmestore: already registered")
	// ErrKey: the external account key is unknown, bound, replaced or expired.
	ErrKey = errors.New("acmestore: external account key cannot be bound")
	// ErrState: a guarded change came too late, or from the wrong state.
	ErrState = errors.New("acmestore: not in a state for this")
)

// Status of an account, order, authorization or challenge (RFC 8555 7.1.6).
type Status string

// Statuses. "processing" is not kept: a claimed order is Ready until it is done.
const (
	Pending     Status = "pending"
	Ready       Status = "ready"
	Valid       Status = "valid"
	Invalid     Status = "invalid"
	Deactivated Status = "deactivated"
)

// KeyState of an external account key.
type KeyState string

// Key states: open → bound or replaced.
const (
	KeyOpen     KeyState = "open"
	KeyBound    KeyState = "bound"
	KeyReplaced KeyState = "replaced"
)

// Key is an external account key (外部账户绑定密钥, RFC 8555 7.3.4): it ties an
// account to the system of one approved enrolment request.
type Key struct {
	ID        string // the kid that the client sends
	System    string
	Agency    string
	Request   string
	HMAC      []byte // wrapped by the caller; nil once bound or replaced
	TextHash  string // SM3 of the secret that may set TXT records for the system, hex
	State     KeyState
	Account   string // that it is bound to
	CreatedAt time.Time
	ExpiresAt time.Time // an open key cannot be bound from then on
	BoundAt   time.Time
}

// Account of one system. System, Agency and Request are those of its key.
type Account struct {
	ID         string
	Thumbprint string // RFC 7638, of JWK; unique
	JWK        []byte // public key, JSON
	Contact    []string
	Status     Status
	Location   string // URL before the id
	Key        string
	System     string
	Agency     string
	Request    string
	CreatedAt  time.Time
}

// Order for a certificate over Hosts.
type Order struct {
	ID             string
	Account        string
	Status         Status
	Hosts          []string
	Authorizations []string
	NotBefore      time.Time
	NotAfter       time.Time
	ExpiresAt      time.Time
	Certificate    string // serial in the registry, once valid
	Problem        []byte // RFC 7807, JSON
	CreatedAt      time.Time
}

// Authorization of an account for one host.
type Authorization struct {
	ID         string
	Account    string
	Host       string
	Token      string
	Status     Status
	ExpiresAt  time.Time
	Challenges []Challenge // any one valid makes the authorization valid
}

// Challenge is one way to prove control of the host.
type Challenge struct {
	ID            string
	Authorization string
	Account       string
	Host          string
	Type          string
	Token         string
	Status        Status
	Validated     string // RFC 3339, as it is shown
	Problem       []byte
}

// Store keeps them. Methods with an event are acts: rows and event are
// committed together or not at all. The others are protocol state and replay
// guards, of which the ledger takes no note.
type Store interface {
	Keys
	Accounts
	Orders
	Challenges
	Nonces
	Texts
}

// Keys are external account keys.
type Keys interface {
	// AddKey adds an open key and replaces the one that is open for the same
	// system; ErrExists when the request ever had one.
	AddKey(ctx context.Context, k Key, ev ledger.Event) (ledger.Receipt, error)
	Key(ctx context.Context, id string) (Key, error)
}

// Accounts are created by binding a key, in no other way.
type Accounts interface {
	// Bind adds the account and binds a.Key to it, exactly once; the HMAC key
	// is forgotten. ErrKey when the key is not open or expired at now,
	// ErrExists when the account's own key is registered.
	Bind(ctx context.Context, a Account, now time.Time, ev ledger.Event) (ledger.Receipt, error)
	Account(ctx context.Context, id string) (Account, error)
	AccountByThumbprint(ctx context.Context, thumbprint string) (Account, error)
	// UpdateAccount stores Contact and Status; ErrState unless it was valid.
	UpdateAccount(ctx context.Context, a Account, ev ledger.Event) (ledger.Receipt, error)
	// RollAccount gives a valid account a new key: ErrState when the old one is
	// not was any more, ErrExists when the new one is registered.
	RollAccount(ctx context.Context, id, was, thumbprint string, jwk []byte, ev ledger.Event) (ledger.Receipt, error)
}

// Orders move pending → ready → valid, or to invalid from both.
type Orders interface {
	// AddOrder adds a pending order with its authorizations and challenges.
	AddOrder(ctx context.Context, o Order, az []Authorization, ev ledger.Event) (ledger.Receipt, error)
	Order(ctx context.Context, id string) (Order, error)
	// OrdersOf lists up to 100 open orders of an account, oldest first.
	OrdersOf(ctx context.Context, account string) ([]string, error)
	// OrderOfCertificate finds the order that a certificate was issued on.
	OrderOfCertificate(ctx context.Context, serial string) (Order, error)
	// MoveOrder is for pending → ready and → invalid; ErrState when it is not
	// in from.
	MoveOrder(ctx context.Context, id string, from, to Status, problem []byte) error
	// ClaimOrder lets one caller issue on a ready order until a time; ErrState
	// while another has it. What a dead process had claimed becomes free then.
	ClaimOrder(ctx context.Context, id string, now, until time.Time) error
	// ReleaseOrder gives up the claim that ends at until.
	ReleaseOrder(ctx context.Context, id string, until time.Time) error
	// FinishOrder makes it valid with its certificate; ErrState when the claim
	// that ends at until is not held any more.
	FinishOrder(ctx context.Context, id string, until time.Time, certificate string, ev ledger.Event) (ledger.Receipt, error)
}

// Challenges and the authorizations that they decide.
type Challenges interface {
	Authorization(ctx context.Context, id string) (Authorization, error)
	// EndAuthorization moves pending → invalid; ErrState otherwise.
	EndAuthorization(ctx context.Context, id string) error
	Challenge(ctx context.Context, id string) (Challenge, error)
	// AnswerChallenge stores the outcome (valid or invalid) of a pending
	// challenge and moves its pending authorization along; ErrState when it was
	// answered before.
	AnswerChallenge(ctx context.Context, c Challenge) error
}

// Nonces against replay (RFC 8555 6.5).
type Nonces interface {
	AddNonce(ctx context.Context, id string, expires time.Time) error
	// UseNonce is true for exactly one caller, and for none from expiry on.
	UseNonce(ctx context.Context, id string, now time.Time) (bool, error)
	// DropNonces forgets those that expired before a time.
	DropNonces(ctx context.Context, before time.Time) error
}
