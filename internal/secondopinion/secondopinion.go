// Package secondopinion checks SM2 signatures (GM/T 0009, default user id) with
// tjfoc/gmsm, an implementation that shares no code with the one that the house
// signs and verifies with. It is asked by verify --second-opinion and, in tests,
// about what the house makes.
//
// It sees public data only: no private key, no ciphertext and no foreign
// structure ever reaches that library, whose known defects it works around. A
// point is taken only from a key that emmansun/gmsm validated, because the
// library accepts points off the curve; the DER of a value is read strictly
// here, because the library accepts trailing bytes; a panic is an error.
package secondopinion

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	tjfoc "github.com/tjfoc/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ErrNoAnswer: the second implementation came to no answer.
var ErrNoAnswer = errors.New("secondopinion: no answer")

// Verifier is stateless; the zero value is ready.
type Verifier struct{}

// VerifySM2 reports whether the DER signature fits the message. A value that is
// no canonical DER is a signature to nobody: false.
func (Verifier) VerifySM2(pub *ecdsa.PublicKey, message, signature []byte) (ok bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			ok, err = false, fmt.Errorf("%w: %v", ErrNoAnswer, r)
		}
	}()
	key, err := foreignKey(pub)
	if err != nil {
		return false, err
	}
	r, s, canonical := split(signature)
	if !canonical {
		return false, nil
	}
	return tjfoc.Sm2Verify(key, message, nil, r, s), nil
}

// foreignKey carries a point over after the house's own library has found it on
// the curve.
func foreignKey(pub *ecdsa.PublicKey) (*tjfoc.PublicKey, error) {
	if pub == nil || pub.Curve != sm2.P256() {
		return nil, fmt.Errorf("%w: not a key on the SM2 curve", ErrNoAnswer)
	}
	checked, err := sm2.PublicKeyToECDH(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	point := checked.Bytes() // 04 ‖ x ‖ y
	if len(point) != 65 || point[0] != 4 {
		return nil, fmt.Errorf("%w: form of the point", ErrNoAnswer)
	}
	return &tjfoc.PublicKey{
		Curve: tjfoc.P256Sm2(), X: new(big.Int).SetBytes(point[1:33]), Y: new(big.Int).SetBytes(point[33:]),
	}, nil
}

// split reads SEQUENCE{r,s} and reports whether writing it again gives the same
// bytes.
func split(signature []byte) (r, s *big.Int, canonical bool) {
	in := cryptobyte.String(signature)
	var seq cryptobyte.String
	r, s = new(big.Int), new(big.Int)
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) || !seq.Empty() {
		return nil, nil, false
	}
	var again cryptobyte.Builder
	again.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	der, err := again.Bytes()
	return r, s, err == nil && bytes.Equal(der, signature)
}
