// Package kmc is the key management centre (密钥管理中心, GM/T 0034 ch. 6): it
// makes the encryption key of a dual certificate, keeps it wrapped, and hands
// it to its owner in an envelope that only the owner's signing key opens
// (GB/T 35276). Keys may be made ahead into a pool of spare ones (备用密钥库);
// each is taken once, and with none left a key is made on the spot.
//
// A key comes out again by Recoveries only: for its owner (用户密钥恢复, 12.4) or
// for a legal order (司法密钥恢复, 12.5), after several officers signed, once per
// approval, and again only inside an envelope, to a certificate that was named
// in what they signed.
//
// It refuses to deliver a key that it could not open again from its own
// wrapping. A signing key cannot get in: a key is born and forgotten inside
// NewPair and Refill, no method takes one, and nothing here can read one from
// bytes that somebody brings; a test walks the method sets to prove it.
package kmc

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Wrapper is a key-encryption key (密钥加密密钥) in custody. Associated data is
// bound: what was wrapped for one pair does not unwrap for another.
type Wrapper interface {
	ID() string
	Wrap(ctx context.Context, key, associated []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, associated []byte) ([]byte, error)
}

// Config of a centre. KEK, Rand and Now are required; the rest is for what a
// centre with a store does.
type Config struct {
	KEK    Wrapper
	Former []Wrapper // that keys may still be wrapped with; see Rewrap
	Rand   io.Reader
	Now    func() time.Time

	Keys     Keys          // nil: no pool, and nothing is wrapped anew
	PoolSize int           // spare keys kept; 0: none, at most 100,000
	NewID    func() string // UUIDv7; required with Keys
	Actor    ledger.Actor  // the house itself, in events; required with Keys
	Log      *slog.Logger  // nil: discard
}

// Centre is safe for concurrent use when its Wrapper and Rand are.
type Centre struct {
	cfg    Config
	rings  map[string]Wrapper // by id; the one in force and former ones
	wanted chan struct{}      // a pool that was drawn from

	mu    sync.Mutex
	ready []PooledKey // taken from the store for this process, not yet used; guarded by mu
	dry   bool        // nothing was left at the last look; guarded by mu
}

var _ ca.KeyCentre = (*Centre)(nil)

// Outcomes that callers branch on.
var (
	// ErrSigningKey: the public key that should open the envelope is not one.
	ErrSigningKey = errors.New("kmc: not a public key on the SM2 curve")
	// ErrWrap: the wrapped key does not open again; nothing was delivered.
	ErrWrap = errors.New("kmc: wrapped key does not open again")
	// ErrKEK: wrapped under a key-encryption key that this centre does not hold.
	ErrKEK = errors.New("kmc: wrapped under a key-encryption key that is not here")
	// ErrNotFound: no such key or request.
	ErrNotFound = errors.New("kmc: not found")
	// ErrTaken: somebody else took or changed these keys first.
	ErrTaken = errors.New("kmc: keys were taken")
)

const maxPool = 100_000

// New checks the configuration.
func New(cfg Config) (*Centre, error) {
	if cfg.KEK == nil || cfg.Rand == nil || cfg.Now == nil || cfg.KEK.ID() == "" {
		return nil, errors.New("kmc: needs a named key-encryption key, randomness and a clock")
	}
	if cfg.Keys != nil && (cfg.NewID == nil || cfg.Actor.ID == "") {
		return nil, errors.New("kmc: a store of keys needs ids and an actor")
	}
	if cfg.PoolSize < 0 || cfg.PoolSize > maxPool || cfg.PoolSize > 0 && cfg.Keys == nil {
		return nil, fmt.Errorf("kmc: a pool of %d keys", cfg.PoolSize)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Centre{cfg: cfg, rings: map[string]Wrapper{}, wanted: make(chan struct{}, 1)}
	for _, w := range append([]Wrapper{cfg.KEK}, cfg.Former...) {
		if _, twice := c.rings[w.ID()]; !twice {
			c.rings[w.ID()] = w
		}
	}
	return c, nil
}

// NewPair makes the encryption key of a pair whose signing half has the public
// key signing, or takes a spare one. The caller records Escrow before it
// delivers Envelope.
func (c *Centre) NewPair(ctx context.Context, pair string, signing *ecdsa.PublicKey) (ca.EncryptionKey, error) {
	if pair == "" {
		return ca.EncryptionKey{}, errors.New("kmc: a pair needs an id")
	}
	if err := onCurve(signing); err != nil {
		return ca.EncryptionKey{}, err
	}
	key, err := c.draw(ctx)
	if err != nil {
		return ca.EncryptionKey{}, err
	}
	envelope, err := sm2.MarshalEnvelopedPrivateKey(c.cfg.Rand, signing, key)
	if err != nil {
		return ca.EncryptionKey{}, fmt.Errorf("kmc: make envelope: %w", err)
	}
	publicSM3, err := fingerprint(&key.PublicKey)
	if err != nil {
		return ca.EncryptionKey{}, err
	}
	wrapped, err := c.wrap(ctx, key, Associated(pair, publicSM3))
	if err != nil {
		return ca.EncryptionKey{}, err
	}
	public := key.PublicKey
	return ca.EncryptionKey{Public: &public, Envelope: envelope, Escrow: ca.EscrowedKey{
		Pair: pair, Wrapped: wrapped, KEK: c.cfg.KEK.ID(), PublicSM3: publicSM3, CreatedAt: c.cfg.Now().UTC().Truncate(time.Microsecond),
	}}, nil
}

// onCurve refuses what is no key to which an envelope may be made. Encoding
// refuses a point off the curve, to which nothing may be encrypted.
func onCurve(public *ecdsa.PublicKey) error {
	if public == nil || public.Curve != sm2.P256() {
		return ErrSigningKey
	}
	if _, err := smx509.MarshalPKIXPublicKey(public); err != nil {
		return fmt.Errorf("%w: %w", ErrSigningKey, err)
	}
	return nil
}

// fingerprint is the SM3 of a SubjectPublicKeyInfo.
func fingerprint(public *ecdsa.PublicKey) (string, error) {
	spki, err := smx509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("kmc: encode public key: %w", err)
	}
	sum := sm3.Sum(spki)
	return hex.EncodeToString(sum[:]), nil
}

// event fills what all events of this room share.
func event(id, kind string, class ledger.Class, now time.Time, actor ledger.Actor, object ledger.Object, details map[string]string) ledger.Event {
	return ledger.Event{
		ID: id, Type: kind, Class: class, Time: now.UTC().Truncate(time.Millisecond), Actor: actor, Object: object, Outcome: ledger.Success, Details: details,
	}
}
