package kmc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"reflect"
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

// TestNoKeyCanEnterTheCentre walks the method set: no parameter or result is,
// or contains, anything that can hold a private key, but for bytes that leave
// wrapped or enveloped (电子签名法 art. 13: a signing key is never escrowed).
func TestNoKeyCanEnterTheCentre(t *testing.T) {
	centre := reflect.TypeFor[*kmc.Centre]()
	signer := reflect.TypeFor[crypto.Signer]()
	allowed := map[reflect.Type]bool{
		centre: true, reflect.TypeFor[context.Context](): true, reflect.TypeFor[string](): true, reflect.TypeFor[*ecdsa.PublicKey](): true,
	}
	if n := centre.NumMethod(); n != 1 || centre.Method(0).Name != "NewPair" {
		t.Errorf("%d methods: a new one has to prove here that no key enters by it", n)
	}
	for i := range centre.NumMethod() {
		m := centre.Method(i)
		for j := range m.Type.NumIn() {
			in := m.Type.In(j)
			if !allowed[in] || in.Implements(signer) {
				t.Errorf("%s takes a %s", m.Name, in)
			}
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[kmc.Config]()) {
		if f.Type.Implements(signer) || f.Type == reflect.TypeFor[*sm2.PrivateKey]() {
			t.Errorf("Config.%s can hold a signing key", f.Name)
		}
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
