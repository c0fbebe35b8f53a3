package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// half is the length of r and of s, of either curve.
const half = 32

// custodyMethod signs with a key of custody, which is a crypto.Signer; the
// methods of golang-jwt want the private key itself. ES256 is verified by theirs.
type custodyMethod struct{ alg string }

var _ jwt.SigningMethod = custodyMethod{}

// register lets golang-jwt's parser find the SM2 method. Doing it again changes
// nothing.
func register() {
	jwt.RegisterSigningMethod(SM2, func() jwt.SigningMethod { return custodyMethod{SM2} })
}

func (m custodyMethod) Alg() string { return m.alg }

// Sign makes r‖s (RFC 7518 3.4; the same form for SM2).
func (m custodyMethod) Sign(text string, key any) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, jwt.ErrInvalidKeyType
	}
	pub, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != curveOf(m.alg) {
		return nil, fmt.Errorf("%w: not a key of %s", jwt.ErrInvalidKey, m.alg)
	}
	input, opts := []byte(text), crypto.SignerOpts(sm2.DefaultSM2SignerOpts)
	if m.alg == ES256 {
		sum := sha256.Sum256(input)
		input, opts = sum[:], crypto.SHA256
	}
	der, err := signer.Sign(rand.Reader, input, opts)
	if err != nil {
		return nil, err
	}
	return fixed(der)
}

// Verify is for SM2 only. The curve is looked at here too: the type of the key
// does not tell P-256 from SM2.
func (m custodyMethod) Verify(text string, sig []byte, key any) error {
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || m.alg != SM2 || pub.Curve != sm2.P256() {
		return jwt.ErrInvalidKey
	}
	if len(sig) != 2*half {
		return jwt.ErrTokenSignatureInvalid
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(sig[:half]))
		b.AddASN1BigInt(new(big.Int).SetBytes(sig[half:]))
	})
	der, err := b.Bytes()
	if err != nil || !sm2.VerifyASN1WithSM2(pub, nil, []byte(text), der) {
		return jwt.ErrTokenSignatureInvalid
	}
	return nil
}

// fixed is a DER signature as r‖s.
func fixed(der []byte) ([]byte, error) {
	in, r, s := cryptobyte.String(der), new(big.Int), new(big.Int)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) || !seq.Empty() ||
		r.Sign() <= 0 || s.Sign() <= 0 || r.BitLen() > 8*half || s.BitLen() > 8*half {
		return nil, errors.New("token: custody made no signature")
	}
	out := make([]byte, 2*half)
	r.FillBytes(out[:half])
	s.FillBytes(out[half:])
	return out, nil
}

func curveOf(alg string) elliptic.Curve {
	if alg == SM2 {
		return sm2.P256()
	}
	return elliptic.P256()
}
