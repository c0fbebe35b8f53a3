package secondopinion_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	mrand "math/rand/v2"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/internal/secondopinion"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

var _ verify.SecondOpinion = secondopinion.Verifier{}

// leadingZero generates keys until a coordinate starts with a zero byte: the
// place where implementations that write numbers without padding differ.
func leadingZero(t testing.TB, y bool) *sm2.PrivateKey {
	t.Helper()
	for range 20_000 {
		k, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !y && k.X.BitLen() <= 248 || y && k.Y.BitLen() <= 248 {
			return k
		}
	}
	t.Fatal("no key with a leading zero found")
	return nil
}

// both asks the two implementations the same question.
func both(t testing.TB, pub *ecdsa.PublicKey, msg, sig []byte) bool {
	t.Helper()
	first := sm2.VerifyASN1WithSM2(pub, nil, msg, sig)
	second, err := secondopinion.Verifier{}.VerifySM2(pub, msg, sig)
	if err != nil || first != second {
		key, keyErr := sm2.PublicKeyToECDH(pub)
		if keyErr != nil {
			t.Fatal(keyErr)
		}
		t.Fatalf("first %t, second %t (%v): key %x message %x value %x", first, second, err, key.Bytes(), msg, sig)
	}
	return first
}

// Differential test: random keys, keys with leading zeros, messages of many
// lengths; genuine signatures and mutants of every part.
func TestImplementationsAgree(t *testing.T) {
	keys := []*sm2.PrivateKey{leadingZero(t, false), leadingZero(t, true)}
	for range 6 {
		k, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	r := mrand.New(mrand.NewPCG(1, 2))
	for _, k := range keys {
		for _, n := range []int{1, 31, 32, 55, 56, 64, 1000} {
			msg := make([]byte, n)
			if _, err := rand.Read(msg); err != nil {
				t.Fatal(err)
			}
			sig, err := k.SignWithSM2(rand.Reader, nil, msg)
			if err != nil {
				t.Fatal(err)
			}
			if !both(t, &k.PublicKey, msg, sig) {
				t.Fatal("a genuine signature is refused")
			}
			other := bytes.Clone(msg)
			other[r.IntN(n)] ^= 1 << r.IntN(8)
			flipped := bytes.Clone(sig)
			flipped[r.IntN(len(sig))] ^= 1 << r.IntN(8)
			stranger := keys[0]
			if k == stranger {
				stranger = keys[1]
			}
			if both(t, &k.PublicKey, other, sig) || both(t, &k.PublicKey, msg, flipped) || both(t, &stranger.PublicKey, msg, sig) {
				t.Fatal("a forgery is accepted")
			}
		}
	}
}

// Values at the edges, and encodings that the second library would accept
// although they are no DER.
func TestValuesAtTheEdge(t *testing.T) {
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("印信")
	sig, err := k.SignWithSM2(rand.Reader, nil, msg)
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &rs); err != nil {
		t.Fatal(err)
	}
	n := sm2.P256().Params().N
	write := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
	for name, v := range map[string][]byte{
		"r+n": write(add(rs.R, n), rs.S), "s+n": write(rs.R, add(rs.S, n)), "zero": write(new(big.Int), new(big.Int)),
		"negative": write(new(big.Int).Neg(rs.R), rs.S), "t is zero": write(rs.R, new(big.Int).Sub(n, rs.R)),
		"trailing byte": append(bytes.Clone(sig), 0), "empty": {}, "cut off": sig[:len(sig)-1],
		"third element": append([]byte{0x30, sig[1] + 3}, append(bytes.Clone(sig[2:]), 2, 1, 1)...),
		"long length":   append([]byte{0x30, 0x81}, sig[1:]...), "n, n": write(n, n),
	} {
		if both(t, &k.PublicKey, msg, v) {
			t.Errorf("%s accepted", name)
		}
	}
}

// A key that is not on the curve is no answer, never a panic.
func TestForeignKeys(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*ecdsa.PublicKey{
		"nil": nil, "no point": {Curve: sm2.P256()}, "P-256": &p256.PublicKey,
		"off the curve": {Curve: sm2.P256(), X: big.NewInt(5), Y: big.NewInt(7)},
		"negative":      {Curve: sm2.P256(), X: big.NewInt(-5), Y: big.NewInt(7)},
		"too large":     {Curve: sm2.P256(), X: new(big.Int).Lsh(big.NewInt(1), 300), Y: big.NewInt(7)},
	} {
		ok, err := secondopinion.Verifier{}.VerifySM2(k, []byte("m"), []byte{0x30, 6, 2, 1, 1, 2, 1, 1})
		if ok || !errors.Is(err, secondopinion.ErrNoAnswer) {
			t.Errorf("%s: %t %v", name, ok, err)
		}
	}
}

func FuzzSecondOpinion(f *testing.F) {
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	sig, err := k.SignWithSM2(rand.Reader, nil, []byte("m"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("m"), sig)
	f.Add([]byte("m"), []byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, msg, sig []byte) {
		if len(msg) > 0 {
			both(t, &k.PublicKey, msg, sig)
		}
	})
}
