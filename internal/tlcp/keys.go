package tlcp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"io"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/tjfoc/gmsm/gmtls"
	foreign "github.com/tjfoc/gmsm/sm2"
)

// signKey and decKey are all of our keys that gmtls ever holds. Its own private
// operations, which check no point and leak their timing, are never reached.
type (
	signKey struct{ crypto.Signer }
	decKey  struct{ crypto.Decrypter }
)

// Sign gets the message of GB/T 38636 6.4.5.4 or the hash of the handshake (6.4.5.8): both
// are signed as a message, with Z of the default id before it.
func (k signKey) Sign(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	return crypto.SignMessage(k.Signer, rand.Reader, msg, sm2.DefaultSM2SignerOpts)
}

// Decrypt gets 04‖x‖y‖C3‖C2; the custody checks that the point is on the curve.
func (k decKey) Decrypt(_ io.Reader, ciphertext []byte, _ crypto.DecrypterOpts) ([]byte, error) {
	return k.Decrypter.Decrypt(rand.Reader, ciphertext, nil)
}

// Public of both is a key of the type that gmtls knows.
func (k signKey) Public() crypto.PublicKey { return publicOf(k.Signer.Public()) }
func (k decKey) Public() crypto.PublicKey  { return publicOf(k.Decrypter.Public()) }

func publicOf(pub crypto.PublicKey) crypto.PublicKey {
	k, err := foreignKey(pub)
	if err != nil {
		return nil // Pair.check has refused it
	}
	return k
}

// foreignKey carries a point over after our own library has found it on the
// curve.
func foreignKey(pub crypto.PublicKey) (*foreign.PublicKey, error) {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("not an SM2 key")
	}
	checked, err := sm2.PublicKeyToECDH(k)
	if err != nil {
		return nil, err
	}
	point := checked.Bytes() // 04 ‖ x ‖ y
	if len(point) != 65 || point[0] != 4 {
		return nil, errors.New("form of the point")
	}
	return &foreign.PublicKey{Curve: foreign.P256Sm2(), X: new(big.Int).SetBytes(point[1:33]), Y: new(big.Int).SetBytes(point[33:])}, nil
}

// serverCertificates is the order of 6.4.5.3: signing, then encryption.
func (p Pair) serverCertificates() []gmtls.Certificate {
	return []gmtls.Certificate{
		{Certificate: [][]byte{p.Sign.Raw}, PrivateKey: signKey{p.SignKey}},
		{Certificate: append([][]byte{p.Enc.Raw}, p.Above...), PrivateKey: decKey{p.EncKey}},
	}
}

// clientCertificate is both certificates in one message; only the first signs.
func (p Pair) clientCertificate() *gmtls.Certificate {
	return &gmtls.Certificate{Certificate: [][]byte{p.Sign.Raw, p.Enc.Raw}, PrivateKey: signKey{p.SignKey}}
}

// samePublic: gmtls verified signatures with the key that it read from the same
// bytes; two parsers must not have read two keys.
func samePublic(ours *smx509.Certificate, theirs any) bool {
	a, err := foreignKey(ours.PublicKey)
	b, ok := theirs.(*ecdsa.PublicKey)
	if err != nil || !ok || b.Curve != foreign.P256Sm2() {
		return false
	}
	//lint:ignore SA1019 gmtls keeps the key of its curve in this form
	x, y := b.X, b.Y
	return x != nil && y != nil && a.X.Cmp(x) == 0 && a.Y.Cmp(y) == 0
}
