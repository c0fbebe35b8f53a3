package kmc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca/kmc"
)

func newCentre(t *testing.T, kek kmc.Wrapper) *kmc.Centre {
	t.Helper()
	c, err := kmc.New(kmc.Config{KEK: kek, Rand: rand.Reader, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKEK(t *testing.T, b byte) *kmc.LocalKEK {
	t.Helper()
	k, err := kmc.NewLocalKEK(bytes.Repeat([]byte{b}, 16), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newKey(t *testing.T) *sm2.PrivateKey {
	t.Helper()
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOnlyTheSigningKeyOpensTheEnvelopeGBT35276(t *testing.T) {
	signing, other := newKey(t), newKey(t)
	got, err := newCentre(t, newKEK(t, 1)).NewPair(context.Background(), "pair-1", &signing.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sm2.ParseEnvelopedPrivateKey(signing, got.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if !key.PublicKey.Equal(got.Public) {
		t.Error("envelope holds another key")
	}
	if _, err := sm2.ParseEnvelopedPrivateKey(other, got.Envelope); err == nil {
		t.Error("another key opened the envelope")
	}
}

func TestEscrowIsWrappedAndBoundToItsPair(t *testing.T) {
	signing, kek := newKey(t), newKEK(t, 1)
	got, err := newCentre(t, kek).NewPair(context.Background(), "pair-1", &signing.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sm2.ParseEnvelopedPrivateKey(signing, got.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	scalar := key.D.FillBytes(make([]byte, 32))
	if bytes.Contains(got.Escrow.Wrapped, scalar) || got.Escrow.KEK != kek.ID() || got.Escrow.Pair != "pair-1" {
		t.Errorf("escrow: %+v", got.Escrow)
	}
	right := kmc.Associated("pair-1", got.Escrow.PublicSM3)
	back, err := kek.Unwrap(context.Background(), got.Escrow.Wrapped, right)
	if err != nil || !bytes.Equal(back, scalar) {
		t.Errorf("unwrap: %v", err)
	}
	flipped := bytes.Clone(got.Escrow.Wrapped)
	flipped[len(flipped)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"other pair": func() ([]byte, error) {
			return kek.Unwrap(context.Background(), got.Escrow.Wrapped, kmc.Associated("pair-2", got.Escrow.PublicSM3))
		},
		"other public": func() ([]byte, error) {
			return kek.Unwrap(context.Background(), got.Escrow.Wrapped, kmc.Associated("pair-1", strings.Repeat("0", 64)))
		},
		"flipped bit": func() ([]byte, error) { return kek.Unwrap(context.Background(), flipped, right) },
		"other key":   func() ([]byte, error) { return newKEK(t, 2).Unwrap(context.Background(), got.Escrow.Wrapped, right) },
		"truncated":   func() ([]byte, error) { return kek.Unwrap(context.Background(), got.Escrow.Wrapped[:20], right) },
		"empty":       func() ([]byte, error) { return kek.Unwrap(context.Background(), nil, right) },
	} {
		if _, err := try(); !errors.Is(err, kmc.ErrUnwrap) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

// TestNoKeyCanEnterTheCentre walks the method sets: no parameter is, or contains,
// anything that can hold a private key, and no result does but for bytes that
// leave wrapped or enveloped (电子签名法 art. 13: a signing key is never escrowed).
func TestNoKeyCanEnterTheCentre(t *testing.T) {
	known := map[string][]string{ // a new method has to prove here that no key passes by it
		"*kmc.Centre":     {"NewPair", "Refill", "Rewrap", "Run"},
		"*kmc.Recoveries": {"Ask", "Deliver", "LapseAll", "Officers", "Recoveries", "Recovery", "Settle", "Signed", "WithdrawAll"},
	}
	for _, room := range []reflect.Type{reflect.TypeFor[*kmc.Centre](), reflect.TypeFor[*kmc.Recoveries]()} {
		var names []string
		for i := range room.NumMethod() {
			m := room.Method(i)
			names = append(names, m.Name)
			for j := 1; j < m.Type.NumIn(); j++ {
				keyless(t, room.String()+"."+m.Name+" takes", m.Type.In(j), "")
			}
			for j := range m.Type.NumOut() {
				keyless(t, room.String()+"."+m.Name+" returns", m.Type.Out(j), "")
			}
		}
		if !slices.Equal(names, known[room.String()]) {
			t.Errorf("%s has %v", room, names)
		}
	}
	for _, cfg := range []reflect.Type{reflect.TypeFor[kmc.Config](), reflect.TypeFor[kmc.RecoveryConfig]()} {
		for _, f := range reflect.VisibleFields(cfg) {
			if f.Type.Implements(reflect.TypeFor[crypto.Signer]()) || f.Type == reflect.TypeFor[*sm2.PrivateKey]() {
				t.Errorf("%s.%s can hold a signing key", cfg, f.Name)
			}
		}
	}
}

// keyless fails on a type in which a private key could stand. Bytes are allowed
// by name only: certificates, and keys that are wrapped or enveloped.
func keyless(t *testing.T, where string, typ reflect.Type, field string) {
	t.Helper()
	open := []reflect.Type{reflect.TypeFor[context.Context](), reflect.TypeFor[error](), reflect.TypeFor[*ecdsa.PublicKey](), reflect.TypeFor[time.Time]()}
	bytesIn := []string{"Receiver", "Certificate", "Envelope", "Wrapped", "Leaf"}
	switch {
	case slices.Contains(open, typ):
	case typ.Implements(reflect.TypeFor[crypto.Signer]()), typ == reflect.TypeFor[*big.Int](), reflect.PointerTo(typ).Implements(reflect.TypeFor[crypto.Signer]()):
		t.Errorf("%s a %s", where, typ)
	case typ == reflect.TypeFor[[]byte]():
		if !slices.Contains(bytesIn, field) {
			t.Errorf("%s bytes as %q", where, field)
		}
	case typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer:
		keyless(t, where, typ.Elem(), field)
	case typ.Kind() == reflect.Struct:
		for i := range typ.NumField() {
			keyless(t, where, typ.Field(i).Type, typ.Field(i).Name)
		}
	case typ.Kind() == reflect.Interface, typ.Kind() == reflect.Map, typ.Kind() == reflect.Func, typ.Kind() == reflect.Chan, typ.Kind() == reflect.Array:
		t.Errorf("%s a %s, which may hold anything", where, typ)
	}
}

// forgetful is custody that loses what it wraps.
type forgetful struct{ *kmc.LocalKEK }

func (forgetful) Unwrap(context.Context, []byte, []byte) ([]byte, error) {
	return make([]byte, 32), nil
}

func TestNothingIsDeliveredThatCannotBeOpenedAgain(t *testing.T) {
	signing := newKey(t)
	got, err := newCentre(t, forgetful{newKEK(t, 1)}).NewPair(context.Background(), "p", &signing.PublicKey)
	if !errors.Is(err, kmc.ErrWrap) || got.Envelope != nil || got.Public != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestBadInput(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	off := p256.PublicKey // a point of P-256 is none of the SM2 curve
	off.Curve = sm2.P256()
	c := newCentre(t, newKEK(t, 1))
	for name, pub := range map[string]*ecdsa.PublicKey{"nil": nil, "P-256": &p256.PublicKey, "off the curve": &off} {
		if _, err := c.NewPair(context.Background(), "p", pub); !errors.Is(err, kmc.ErrSigningKey) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	if _, err := c.NewPair(context.Background(), "", &newKey(t).PublicKey); err == nil {
		t.Error("pair without id accepted")
	}
	if _, err := kmc.NewLocalKEK(make([]byte, 15), rand.Reader); err == nil {
		t.Error("short key-encryption key accepted")
	}
	if _, err := kmc.New(kmc.Config{}); err == nil {
		t.Error("empty configuration accepted")
	}
}
