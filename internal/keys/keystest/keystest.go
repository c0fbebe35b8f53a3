// Package keystest is the one conformance suite of key custody: every backend
// of internal/keys passes Run, or it is not a backend.
package keystest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/internal/keys"
)

// Backend is what the suite drives.
type Backend interface {
	Create(ctx context.Context, s keys.Spec) (keys.Record, error)
	Open(ctx context.Context, id string, credential []byte) (keys.Signer, error)
	OpenDecrypter(ctx context.Context, id string, credential []byte) (keys.Decrypter, error)
}

// Run checks the contract. open returns a backend over dir; calling it again
// with the same dir is a restart.
func Run(t *testing.T, open func(t *testing.T, dir string) Backend) {
	for name, test := range map[string]func(*testing.T, func(*testing.T, string) Backend){
		"SM2SignsMessages":            sm2Messages,
		"SM2SignsE":                   sm2Digest,
		"SM2RefusesOtherOptions":      sm2Options,
		"ECDSASignsDigests":           ecdsaDigests,
		"EncryptionKeyDecrypts":       decrypts,
		"PurposesDoNotMix":            purposes,
		"WrongCredential":             wrongCredential,
		"NeverOverwrites":             neverOverwrites,
		"RefusesOddSpecifications":    oddSpecs,
		"NoWayOut":                    noWayOut,
		"ConcurrentUse":               concurrent,
		"ClosedKeyDoesNothing":        closed,
		"SurvivesRestart":             restart,
		"AttestsWhatItIs":             attests,
		"MakesCertificateRequests":    requests,
		"RefusesWorkInDeadContext":    deadContext,
		"EmptyAndOversizedAreRefused": sizes,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

var credential = []byte("correct horse battery staple")

func create(t *testing.T, b Backend, id string, a keys.Algorithm, p keys.Purpose) keys.Record {
	t.Helper()
	rec, err := b.Create(t.Context(), keys.Spec{ID: id, Algorithm: a, Purpose: p, Owner: "unit", Passphrase: credential})
	if err != nil {
		t.Fatalf("create %s: %v", id, err)
	}
	return rec
}

func signer(t *testing.T, b Backend, a keys.Algorithm) keys.Signer {
	t.Helper()
	create(t, b, "k", a, keys.PurposeSign)
	s, err := b.Open(t.Context(), "k", credential)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func public(t *testing.T, k keys.Key) *ecdsa.PublicKey {
	t.Helper()
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("public key is %T", k.Public())
	}
	return pub
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func sm2Messages(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.SM2)
	pub := public(t, k)
	if pub.Curve != sm2.P256() {
		t.Fatal("not on the SM2 curve")
	}
	// 32 and 64 bytes look like digests: the option decides, not the length.
	for _, n := range []int{1, 32, 64, 1000} {
		msg := bytes.Repeat([]byte{7}, n)
		sig, err := k.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
		if err != nil {
			t.Fatal(err)
		}
		if !sm2.VerifyASN1WithSM2(pub, nil, msg, sig) {
			t.Errorf("%d bytes: does not verify as a message", n)
		}
		if sm2.VerifyASN1(pub, msg, sig) {
			t.Errorf("%d bytes: verifies as a digest", n)
		}
	}
}

func sm2Digest(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.SM2)
	e, err := sm2.CalculateSM2Hash(public(t, k), []byte("message"), nil)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := k.Sign(nil, e, keys.Digest{})
	if err != nil {
		t.Fatal(err)
	}
	if !sm2.VerifyASN1WithSM2(public(t, k), nil, []byte("message"), sig) {
		t.Error("e does not verify as its message")
	}
	_, err = k.Sign(nil, append(e, 0), keys.Digest{})
	wantErr(t, "33 bytes as e", err, keys.ErrOptions)
}

func sm2Options(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.SM2)
	msg := bytes.Repeat([]byte{1}, 32)
	for _, o := range []crypto.SignerOpts{
		nil, crypto.SHA256, crypto.Hash(0), &keys.Digest{}, (*sm2.SM2SignerOption)(nil),
		sm2.NewSM2SignerOption(true, nil), sm2.NewSM2SignerOption(true, []byte("other")), sm2.NewSM2SignerOption(false, nil),
	} {
		_, err := k.Sign(rand.Reader, msg, o)
		wantErr(t, fmt.Sprintf("option %T %v", o, o), err, keys.ErrOptions)
	}
}

func ecdsaDigests(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.ECDSAP256)
	if public(t, k).Curve != elliptic.P256() {
		t.Fatal("not on P-256")
	}
	sum := sha256.Sum256([]byte("message"))
	sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(public(t, k), sum[:], sig) {
		t.Error("does not verify")
	}
	for _, o := range []crypto.SignerOpts{nil, crypto.SHA384, crypto.SHA1, crypto.MD5, keys.Digest{}, sm2.DefaultSM2SignerOpts} {
		_, err := k.Sign(rand.Reader, sum[:], o)
		wantErr(t, fmt.Sprintf("option %T", o), err, keys.ErrOptions)
	}
}

func decrypts(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	create(t, b, "e", keys.SM2, keys.PurposeEncrypt)
	k, err := b.OpenDecrypter(t.Context(), "e", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ct, err := sm2.EncryptASN1(rand.Reader, public(t, k), []byte("content key"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := k.Decrypt(rand.Reader, ct, nil)
	if err != nil || string(plain) != "content key" {
		t.Fatalf("got %q, %v", plain, err)
	}
	ct[len(ct)-1] ^= 1
	if plain, err := k.Decrypt(rand.Reader, ct, nil); err == nil || plain != nil {
		t.Error("changed ciphertext decrypts")
	}
	_, err = k.Decrypt(rand.Reader, ct, crypto.SHA256)
	wantErr(t, "an option", err, keys.ErrOptions)
}
