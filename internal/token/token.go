// Package token issues and judges the access tokens of calling systems: OAuth
// 2.0 client credentials (RFC 6749 4.4) of a system that shows its certificate
// (RFC 8705 2.1), a JWT in the form of RFC 9068, bound to that certificate
// (RFC 8705 3). With a token a program calls the house, or another system of the
// register, in the name of the system whose certificate it holds.
//
// A token is signed with ES256, or on request with SM2 and SM3 (SGD_SM3_SM2, GM/T
// 0125.1; user id 1234567812345678, r‖s of 64 bytes). Keys live in custody, one
// for each algorithm; the next one is published before it signs, the last one
// until its tokens have ended. Each token is a row and an entry of the ledger
// before anybody gets it.
//
// It refuses, after RFC 8725: a header with anything but alg, typ and kid (so no
// jwk, jku, x5u, x5c, crit), an algorithm other than that of the key, another
// type, issuer or audience, more than one audience, a life over MaxLife, a token
// over MaxSize, a certificate other than the one it is bound to, a token that is
// not on record, revoked or ended, and one whose certificate or system does not
// stand any more. What cannot be looked up is refused (ErrUnknown).
//
// The SM2 method is registered with golang-jwt, whose parser finds methods in a
// table of the process.
package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Algorithms of tokens (JWS "alg").
const (
	ES256 = "ES256"
	SM2   = "SGD_SM3_SM2"
)

// Scopes of the house's own interfaces.
const (
	ScopeDecide   = "decide"   // questions to the decision point
	ScopeExchange = "exchange" // everything under /api
)

// Scopes lists them.
func Scopes() []string { return []string{ScopeDecide, ScopeExchange} }

// Bounds of a token.
const (
	DefaultLife = 5 * time.Minute
	MinLife     = time.Minute
	MaxLife     = 15 * time.Minute
	MaxSize     = 4096
	// leeway is what the clocks of two nodes may differ by.
	leeway = 5 * time.Second
	// remember is how long a token counts as not revoked without another look.
	remember = time.Second
	maxKnown = 8192
)

// Outcomes that callers branch on.
var (
	// ErrToken: not a token of the house that may be used here and now.
	ErrToken = errors.New("token: refused")
	// ErrScope: a good token, but not for this.
	ErrScope = errors.New("token: scope does not cover this")
	// ErrUnknown: whether a token may be used could not be found out.
	ErrUnknown = errors.New("token: not looked up")
	// ErrAudience: no such receiver of tokens.
	ErrAudience = errors.New("token: unknown audience")
	// ErrRequest: an algorithm, life or scope that there is not.
	ErrRequest = errors.New("token: invalid request")
	// ErrOwner: the token was issued to another system.
	ErrOwner = errors.New("token: of another system")
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("token: not found")
	// ErrExists: there is a row of this id.
	ErrExists = errors.New("token: exists")
	// ErrRevoked: it was revoked before.
	ErrRevoked = errors.New("token: revoked already")
)

// Client is a system with the certificate that its connection showed.
type Client struct {
	System, Unit   string
	Issuer, Serial string // of the certificate, as in the registry
	Thumbprint     [32]byte
}

func (c Client) actor(id string) ledger.Actor {
	return ledger.Actor{Kind: "system", ID: c.System, Unit: c.Unit, Certificate: c.Serial, Token: id}
}

// Grant is a token as it is on record.
type Grant struct {
	ID        string // jti
	System    string
	Unit      string
	Audience  string
	Scope     []string
	Issuer    string // of the certificate that it is bound to
	Serial    string
	KID       string
	IssuedAt  time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero: it stands
}

// Key is a signing key of tokens.
type Key struct {
	KID       string
	Number    int // of its algorithm, from 1
	Algorithm string
	Custody   string // id in custody
	Public    []byte // uncompressed point
	CreatedAt time.Time
}

// Store keeps tokens and keys. Mutating methods commit row and event together.
type Store interface {
	// AddKey returns ErrExists for a number that is taken.
	AddKey(ctx context.Context, k Key, ev ledger.Event) (ledger.Receipt, error)
	// Keys lists all, oldest first.
	Keys(ctx context.Context) ([]Key, error)
	AddGrant(ctx context.Context, g Grant, ev ledger.Event) (ledger.Receipt, error)
	// Grant returns ErrNotFound for an unknown id. It reads what was written last.
	Grant(ctx context.Context, id string) (Grant, error)
	// RevokeGrant returns ErrNotFound, or ErrRevoked for one that was revoked before.
	RevokeGrant(ctx context.Context, id string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	// RevokeGrants revokes every token of a system that stands at this time.
	RevokeGrants(ctx context.Context, system string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	// ForgetGrants drops what ended before; the ledger keeps the events.
	ForgetGrants(ctx context.Context, before time.Time) error
}

// Keyring makes and lends keys of custody.
type Keyring interface {
	// Make makes a key, or finds the one of this id.
	Make(ctx context.Context, id, algorithm string) (*ecdsa.PublicKey, error)
	Signer(ctx context.Context, id string) (crypto.Signer, error)
}

// Register knows systems and their certificates.
type Register interface {
	// System reports whether there is such a system.
	System(ctx context.Context, id string) (bool, error)
	// Stands reports whether the system of a token is there and the certificate is
	// recorded, in force and neither held nor revoked.
	Stands(ctx context.Context, system, issuer, serial string) (bool, error)
}

// Config is what New needs; every field is required.
type Config struct {
	Store    Store
	Keyring  Keyring
	Register Register
	Issuer   string // https URL of the house; also its own audience
	Now      func() time.Time
	NewID    func() string
	Actor    ledger.Actor // of what the service does for itself
}

// Service issues and judges tokens. Its methods are safe for concurrent use.
type Service struct {
	cfg    Config
	parser *jwt.Parser

	making sync.Mutex // one key is made at a time

	mu     sync.Mutex
	keys   []Key                // guarded by mu
	looked time.Time            // guarded by mu: when keys were read
	known  map[string]time.Time // guarded by mu: token by id, when it was seen to stand
}

// New checks c.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Keyring == nil || c.Register == nil || !strings.HasPrefix(c.Issuer, "https://") || c.Now == nil || c.NewID == nil || c.Actor.ID == "" {
		return nil, fmt.Errorf("token: every field of the configuration is required")
	}
	register()
	return &Service{cfg: c, known: map[string]time.Time{}, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{ES256, SM2}), jwt.WithIssuer(c.Issuer), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithNotBeforeRequired(),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(c.Now), jwt.WithStrictDecoding(),
	)}, nil
}

// Issuer is the name of the house in tokens, and its own audience.
func (s *Service) Issuer() string { return s.cfg.Issuer }

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }

func (s *Service) event(kind string, actor ledger.Actor, object ledger.Object) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAccess, Time: s.now().Truncate(time.Millisecond),
		Actor: actor, Object: object, Outcome: ledger.Success, Details: map[string]string{},
	}
}

// covers reports whether a grant has a scope.
func (g Grant) covers(scope string) bool { return scope == "" || slices.Contains(g.Scope, scope) }
