// Package kmc is the key management centre (密钥管理中心, GM/T 0034 ch. 6): it
// makes the encryption key of a dual certificate, keeps it wrapped, and hands
// it to its owner in an envelope that only the owner's signing key opens
// (GB/T 35276).
//
// It refuses to deliver a key that it could not open again from its own
// wrapping. A signing key cannot get in: a key is born and forgotten inside
// NewPair, no method takes one, and nothing here can read one from bytes; a
// test walks the method set to prove it. Recovery (司法恢复, 用户恢复) is a
// separate act with its own approvals and has no part here.
package kmc

import (
	"context"
	"crypto/ecdsa"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
)

// Wrapper is a key-encryption key (密钥加密密钥) in custody. Associated data is
// bound: what was wrapped for one pair does not unwrap for another.
type Wrapper interface {
	ID() string
	Wrap(ctx context.Context, key, associated []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, associated []byte) ([]byte, error)
}

// Config of a centre; every field is required.
type Config struct {
	KEK  Wrapper
	Rand io.Reader
	Now  func() time.Time
}

// Centre is safe for concurrent use when its Wrapper and Rand are.
type Centre struct{ cfg Config }

var _ ca.KeyCentre = (*Centre)(nil)

// Outcomes that callers branch on.
var (
	// ErrSigningKey: the public key that should open the envelope is not one.
	ErrSigningKey = errors.New("kmc: not a public key on the SM2 curve")
	// ErrWrap: the wrapped key does not open again; nothing was delivered.
	ErrWrap = errors.New("kmc: wrapped key does not open again")
)

// New checks the configuration.
func New(cfg Config) (*Centre, error) {
	if cfg.KEK == nil || cfg.Rand == nil || cfg.Now == nil || cfg.KEK.ID() == "" {
		return nil, errors.New("kmc: needs a named key-encryption key, randomness and a clock")
	}
	return &Centre{cfg: cfg}, nil
}

// NewPair makes the encryption key of a pair whose signing half has the public
// key signing. The caller records Escrow before it delivers Envelope.
func (c *Centre) NewPair(ctx context.Context, pair string, signing *ecdsa.PublicKey) (ca.EncryptionKey, error) {
	if pair == "" {
		return ca.EncryptionKey{}, errors.New("kmc: a pair needs an id")
	}
	if signing == nil || signing.Curve != sm2.P256() {
		return ca.EncryptionKey{}, ErrSigningKey
	}
	// Encoding refuses a point off the curve, to which nothing may be encrypted.
	if _, err := smx509.MarshalPKIXPublicKey(signing); err != nil {
		return ca.EncryptionKey{}, fmt.Errorf("%w: %w", ErrSigningKey, err)
	}
	key, err := sm2.GenerateKey(c.cfg.Rand)
	if err != nil {
		return ca.EncryptionKey{}, fmt.Errorf("kmc: make key: %w", err)
	}
	envelope, err := sm2.MarshalEnvelopedPrivateKey(c.cfg.Rand, signing, key)
	if err != nil {
		return ca.EncryptionKey{}, fmt.Errorf("kmc: make envelope: %w", err)
	}
	escrow, err := c.escrow(ctx, pair, key)
	if err != nil {
		return ca.EncryptionKey{}, err
	}
	public := key.PublicKey
	return ca.EncryptionKey{Public: &public, Escrow: escrow, Envelope: envelope}, nil
}

func (c *Centre) escrow(ctx context.Context, pair string, key *sm2.PrivateKey) (ca.EscrowedKey, error) {
	spki, err := smx509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return ca.EscrowedKey{}, fmt.Errorf("kmc: encode public key: %w", err)
	}
	sum := sm3.Sum(spki)
	publicSM3 := hex.EncodeToString(sum[:])
	// 32 octets, leading zeros kept. The library holds further copies of the
	// scalar that cannot be wiped; this one can.
	scalar := key.D.FillBytes(make([]byte, 32))
	defer clear(scalar)
	associated := Associated(pair, publicSM3)
	wrapped, err := c.cfg.KEK.Wrap(ctx, scalar, associated)
	if err != nil {
		return ca.EscrowedKey{}, fmt.Errorf("kmc: wrap key: %w", err)
	}
	back, err := c.cfg.KEK.Unwrap(ctx, wrapped, associated)
	if err != nil {
		return ca.EscrowedKey{}, fmt.Errorf("%w: %w", ErrWrap, err)
	}
	defer clear(back)
	if subtle.ConstantTimeCompare(back, scalar) != 1 {
		return ca.EscrowedKey{}, ErrWrap
	}
	return ca.EscrowedKey{
		Pair: pair, Wrapped: wrapped, KEK: c.cfg.KEK.ID(), PublicSM3: publicSM3,
		CreatedAt: c.cfg.Now().UTC().Truncate(time.Microsecond),
	}, nil
}

// Associated is what a wrapped key is bound to: its pair and the SM3 of its
// public key (SubjectPublicKeyInfo), in a form without ambiguity.
func Associated(pair, publicSM3 string) []byte {
	return fmt.Appendf(nil, "yinxin kmc v1\n%d:%s\n%s\n", len(pair), pair, publicSM3)
}
