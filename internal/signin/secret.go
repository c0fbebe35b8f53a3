package signin

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm3"
)

const secretBytes = 32

// newSecret returns 256 random bits as text, and their digest for the store.
func newSecret(rand io.Reader) (secret, hash string, err error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return "", "", fmt.Errorf("signin: reading randomness: %w", err)
	}
	secret = base64.RawURLEncoding.EncodeToString(raw)
	return secret, hashOf(secret), nil
}

// wellFormed keeps what cannot be a secret of ours away from the store.
func wellFormed(secret string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	return err == nil && len(raw) == secretBytes
}

// hashOf needs no salt and no stretching: its input is 256 random bits.
func hashOf(secret string) string {
	sum := sm3.Sum([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// same compares what the store found with what was asked for, so that an
// index with a looser idea of equality cannot widen a secret.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
