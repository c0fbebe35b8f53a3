package keys

import (
	"bytes"
	"crypto/hkdf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
	"github.com/emmansun/gmsm/sm3"
)

// MaxCustodians bounds a split. Two is the least that must come together: a
// secret that one person can restore is not split (密钥分管, GM/T 0034 10.3).
const (
	MaxCustodians = 16
	minCustodians = 2
)

// Outcomes of shares.
var (
	// ErrSplit: not m of n distinct custodians, 2 ≤ m ≤ n ≤ MaxCustodians.
	ErrSplit = errors.New("keys: no such division among custodians")
	// ErrShares: too few, one twice, or one of another secret.
	ErrShares = errors.New("keys: the shares do not restore the secret")
)

// Split is the public part of a secret that is divided among custodians so that
// any Need of them restore it and fewer learn nothing (Shamir). Commitment
// (Feldman) lets a share be checked before it is used, so that a wrong one is
// named instead of spoiling the whole; it hides the secret as the discrete
// logarithm of P-256 does.
//
// The mathematics are those of github.com/cloudflare/circl, over the scalars of
// P-256. They are not all of constant time: a split is made and joined in a
// closed room without a network, where nobody measures.
type Split struct {
	Need       int      `json:"need"`
	Custodians []string `json:"custodians"` // share i+1 is that of the i-th
	Commitment [][]byte `json:"commitment"` // compressed points
}

// Share is one custodian's part. Its value is never printed and leaves the
// process only sealed (Share.Seal).
type Share struct {
	Split     string // Split.ID
	Number    int    // from 1
	Custodian string
	value     []byte
}

// NewSplit draws a secret and divides it. The secret is text, so that it can be
// the passphrase of keys (Spec.Passphrase); the caller clears it.
func NewSplit(rand io.Reader, need int, custodians []string) (secret []byte, s Split, shares []Share, err error) {
	s = Split{Need: need, Custodians: slices.Clone(custodians)}
	if err := s.validNames(); err != nil {
		return nil, Split{}, nil, err
	}
	defer func() {
		// The library panics when randomness cannot be read.
		if recover() != nil {
			secret, s, shares, err = nil, Split{}, nil, errors.New("keys: reading randomness")
		}
	}()
	drawn := group.P256.RandomNonZeroScalar(rand)
	sharing := secretsharing.New(rand, uint(need-1), drawn)
	for _, point := range sharing.CommitSecret() {
		raw, err := point.MarshalBinaryCompress()
		if err != nil {
			return nil, Split{}, nil, fmt.Errorf("keys: encoding a commitment: %w", err)
		}
		s.Commitment = append(s.Commitment, raw)
	}
	id := s.ID()
	for i, part := range sharing.Share(uint(len(custodians))) {
		value, err := part.Value.MarshalBinary()
		if err != nil {
			return nil, Split{}, nil, fmt.Errorf("keys: encoding a share: %w", err)
		}
		shares = append(shares, Share{Split: id, Number: i + 1, Custodian: custodians[i], value: value})
	}
	secret, err = secretOf(drawn)
	return secret, s, shares, err
}

// ID names the split: SM3 of its public part.
func (s Split) ID() string {
	raw, err := json.Marshal(s)
	if err != nil {
		return "" // strings and bytes always encode
	}
	sum := sm3.Sum(raw)
	return hex.EncodeToString(sum[:])
}

// Check refuses a share that is not of this split (ErrShares).
func (s Split) Check(share Share) error {
	_, err := s.part(share)
	return err
}

// Join restores the secret from at least Need shares, each checked by itself.
func (s Split) Join(shares []Share) ([]byte, error) {
	if err := s.validNames(); err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	var parts []secretsharing.Share
	for _, share := range shares {
		part, err := s.part(share)
		if err != nil {
			return nil, err
		}
		if seen[share.Number] {
			return nil, fmt.Errorf("%w: share %d is given twice", ErrShares, share.Number)
		}
		seen[share.Number] = true
		parts = append(parts, part)
	}
	if len(parts) < s.Need {
		return nil, fmt.Errorf("%w: %d of %d needed", ErrShares, len(parts), s.Need)
	}
	secret, err := secretsharing.Recover(uint(s.Need-1), parts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrShares, err)
	}
	return secretOf(secret)
}

func (s Split) part(share Share) (secretsharing.Share, error) {
	bad := func(why string) (secretsharing.Share, error) {
		return secretsharing.Share{}, fmt.Errorf("%w: share %d of %q %s", ErrShares, share.Number, share.Custodian, why)
	}
	switch {
	case share.Number < 1 || share.Number > len(s.Custodians) || s.Custodians[share.Number-1] != share.Custodian:
		return bad("is of no custodian of this split")
	case share.Split != s.ID():
		return bad("is of another split")
	case len(s.Commitment) != s.Need || len(share.value) != 32:
		return bad("is not complete")
	}
	commitment := make(secretsharing.SecretCommitment, len(s.Commitment))
	for i, raw := range s.Commitment {
		commitment[i] = group.P256.NewElement()
		if err := commitment[i].UnmarshalBinary(raw); err != nil {
			return bad("has no commitment")
		}
	}
	part := secretsharing.Share{ID: group.P256.NewScalar().SetUint64(uint64(share.Number)), Value: group.P256.NewScalar()}
	if err := part.Value.UnmarshalBinary(share.value); err != nil {
		return bad("is no number")
	}
	if again, err := part.Value.MarshalBinary(); err != nil || !bytes.Equal(again, share.value) {
		return bad("is no number")
	}
	if !secretsharing.Verify(uint(s.Need-1), part, commitment) {
		return bad("does not fit its commitment")
	}
	return part, nil
}

func (s Split) validNames() error {
	n := len(s.Custodians)
	if s.Need < minCustodians || s.Need > n || n > MaxCustodians {
		return fmt.Errorf("%w: %d of %d", ErrSplit, s.Need, n)
	}
	seen := map[string]bool{}
	for _, name := range s.Custodians {
		if name == "" || len(name) > 128 || seen[name] {
			return fmt.Errorf("%w: custodian %q", ErrSplit, name)
		}
		seen[name] = true
	}
	return nil
}

// secretOf makes the passphrase: the number itself is never used as a key.
func secretOf(drawn group.Scalar) ([]byte, error) {
	raw, err := drawn.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("keys: encoding: %w", err)
	}
	defer clear(raw)
	key, err := hkdf.Key(sm3.New, raw, nil, "yinxin/custodians/v1", sm3.Size)
	if err != nil {
		return nil, fmt.Errorf("keys: deriving: %w", err)
	}
	defer clear(key)
	return []byte(hex.EncodeToString(key)), nil
}
