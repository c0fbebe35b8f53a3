package kmc

import (
	"context"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// LocalKEK wraps with SM4-GCM under a 16-byte key that the application read
// from its custody file. The key is in this process's memory: custody class
// "software"; a key in a device implements Wrapper instead.
//
// A wrapped key is version 1 (one octet), nonce (12), ciphertext and tag (16).
// Nonces are random: one key may wrap 2^32 times (NIST SP 800-38D 8.3) before
// it has to be changed.
type LocalKEK struct {
	id   string
	aead cipher.AEAD
	rand io.Reader
}

var _ Wrapper = (*LocalKEK)(nil)

// ErrUnwrap: wrong key, other pair, or changed bytes; which of them is not told.
var ErrUnwrap = errors.New("kmc: wrapped key does not open")

const wrapVersion = 1

// NewLocalKEK takes the key material; the caller may wipe its copy afterwards.
// The id is derived from the key, so that a changed key shows in EscrowedKey.
func NewLocalKEK(key []byte, rand io.Reader) (*LocalKEK, error) {
	if len(key) != sm4.BlockSize || rand == nil {
		return nil, errors.New("kmc: key-encryption key must have 16 bytes, and needs randomness")
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("kmc: key-encryption key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("kmc: key-encryption key: %w", err)
	}
	sum := sm3.Sum(append([]byte("yinxin kek id v1\n"), key...))
	return &LocalKEK{id: "local:" + hex.EncodeToString(sum[:8]), aead: aead, rand: rand}, nil
}

// ID implements Wrapper.
func (k *LocalKEK) ID() string { return k.id }

// Wrap implements Wrapper.
func (k *LocalKEK) Wrap(_ context.Context, key, associated []byte) ([]byte, error) {
	out := make([]byte, 1+k.aead.NonceSize(), 1+k.aead.NonceSize()+len(key)+k.aead.Overhead())
	out[0] = wrapVersion
	if _, err := io.ReadFull(k.rand, out[1:]); err != nil {
		return nil, fmt.Errorf("kmc: draw nonce: %w", err)
	}
	return k.aead.Seal(out, out[1:], key, associated), nil
}

// Unwrap implements Wrapper.
func (k *LocalKEK) Unwrap(_ context.Context, wrapped, associated []byte) ([]byte, error) {
	head := 1 + k.aead.NonceSize()
	if len(wrapped) < head+k.aead.Overhead() || wrapped[0] != wrapVersion {
		return nil, ErrUnwrap
	}
	key, err := k.aead.Open(nil, wrapped[1:head], wrapped[head:], associated)
	if err != nil {
		return nil, ErrUnwrap
	}
	return key, nil
}
