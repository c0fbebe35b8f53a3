package kmc

import (
	"context"
	"crypto/ecdsa"
	"crypto/subtle"
	"fmt"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca"
)

// Associated is what a wrapped key is bound to: its pair and the SM3 of its
// public key (SubjectPublicKeyInfo), in a form without ambiguity.
func Associated(pair, publicSM3 string) []byte {
	return fmt.Appendf(nil, "yinxin kmc v1\n%d:%s\n%s\n", len(pair), pair, publicSM3)
}

// pooled is what a spare key is bound to until it belongs to a pair. The first
// line differs: a spare key does not pass for that of a pair.
func pooled(id, publicSM3 string) []byte {
	return fmt.Appendf(nil, "yinxin kmc pool v1\n%d:%s\n%s\n", len(id), id, publicSM3)
}

// wrap returns a key under the key-encryption key in force, having opened it
// again.
func (c *Centre) wrap(ctx context.Context, key *sm2.PrivateKey, associated []byte) ([]byte, error) {
	// 32 octets, leading zeros kept. The library holds further copies of the
	// scalar that cannot be wiped; this one can.
	scalar := key.D.FillBytes(make([]byte, 32))
	defer clear(scalar)
	wrapped, err := c.cfg.KEK.Wrap(ctx, scalar, associated)
	if err != nil {
		return nil, fmt.Errorf("kmc: wrap key: %w", err)
	}
	back, err := c.cfg.KEK.Unwrap(ctx, wrapped, associated)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrap, err)
	}
	defer clear(back)
	if subtle.ConstantTimeCompare(back, scalar) != 1 {
		return nil, ErrWrap
	}
	return wrapped, nil
}

// unwrap opens what wrap made, and refuses a key whose public half is not the
// one on record: rows that were exchanged in the database do not open.
func (c *Centre) unwrap(ctx context.Context, kek string, wrapped, associated []byte, publicSM3 string) (*sm2.PrivateKey, error) {
	ring := c.rings[kek]
	if ring == nil {
		return nil, fmt.Errorf("%w: %.80q", ErrKEK, kek)
	}
	scalar, err := ring.Unwrap(ctx, wrapped, associated)
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	key, err := sm2.NewPrivateKey(scalar)
	if err != nil {
		return nil, fmt.Errorf("%w: no key inside", ErrUnwrap)
	}
	if sum, err := fingerprint(&key.PublicKey); err != nil || sum != publicSM3 {
		return nil, fmt.Errorf("%w: it is another key", ErrUnwrap)
	}
	return key, nil
}

// envelope opens an escrowed key for the one purpose of closing it again to a
// public key (GB/T 35276). It is not exported: Recoveries decides to whom.
func (c *Centre) envelope(ctx context.Context, k ca.EscrowedKey, to *ecdsa.PublicKey) ([]byte, error) {
	if err := onCurve(to); err != nil {
		return nil, err
	}
	key, err := c.unwrap(ctx, k.KEK, k.Wrapped, Associated(k.Pair, k.PublicSM3), k.PublicSM3)
	if err != nil {
		return nil, err
	}
	out, err := sm2.MarshalEnvelopedPrivateKey(c.cfg.Rand, to, key)
	if err != nil {
		return nil, fmt.Errorf("kmc: make envelope: %w", err)
	}
	return out, nil
}
