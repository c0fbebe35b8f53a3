package tokentest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// Issuer is the name of the house of the tests.
const Issuer = "https://house.example"

// House is a token service with all around it.
type House struct {
	Service *token.Service
	Client  token.Client
	Cert    []byte // what Client's connection shows

	keys *keyring

	mu    sync.Mutex
	at    time.Time       // guarded by mu
	gone  map[string]bool // guarded by mu: serials that do not stand
	fails error           // guarded by mu
}

// NewHouse has one client, civil-a, and a clock that only Pass moves.
func NewHouse(t testing.TB, s token.Store) *House {
	t.Helper()
	h := &House{Cert: []byte("a certificate"), at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), gone: map[string]bool{}, keys: &keyring{keys: map[string]crypto.Signer{}}}
	h.Client = token.Client{System: "civil-a", Unit: "11110100MB00000000", Issuer: "i", Serial: "5a", Thumbprint: sha256.Sum256(h.Cert)}
	h.Service = h.Another(t, s)
	return h
}

// Another is a second service of the same house, as on another node.
func (h *House) Another(t testing.TB, s token.Store) *token.Service {
	t.Helper()
	out, err := token.New(token.Config{
		Store: s, Keyring: h.keys, Register: h, Issuer: Issuer, Now: h.Now, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		Actor: ledger.Actor{Kind: "service", ID: "house"},
	})
	ok(t, err)
	return out
}

// Now is the clock.
func (h *House) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// Pass moves it.
func (h *House) Pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// Stop holds or revokes the certificate of a serial.
func (h *House) Stop(serial string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone[serial] = true
}

// Break lets the register fail.
func (h *House) Break(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails = err
}

// System implements token.Register.
func (h *House) System(_ context.Context, id string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return id == "civil-a" || id == "civil-b", h.fails
}

// Stands implements token.Register.
func (h *House) Stands(_ context.Context, system, issuer, serial string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return system == "civil-a" && issuer == "i" && !h.gone[serial], h.fails
}

// Key is a signing key, for tests that forge.
func (h *House) Key(id string) crypto.Signer {
	h.keys.mu.Lock()
	defer h.keys.mu.Unlock()
	return h.keys.keys[id]
}

// keyring is custody: of a key it shows only what a crypto.Signer has.
type keyring struct {
	mu   sync.Mutex
	keys map[string]crypto.Signer
}

type sealed struct{ key crypto.Signer }

func (s sealed) Public() crypto.PublicKey { return s.key.Public() }

// Sign takes what custody takes, and nothing else.
func (s sealed) Sign(rnd io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	_, gm := s.key.(*sm2.PrivateKey)
	if gm != (opts == crypto.SignerOpts(sm2.DefaultSM2SignerOpts)) || !gm && opts != crypto.SHA256 {
		return nil, errors.New("tokentest: custody refuses this option")
	}
	return s.key.Sign(rnd, input, opts)
}

func (k *keyring) Make(_ context.Context, id, algorithm string) (*ecdsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if had := k.keys[id]; had != nil {
		return had.Public().(*ecdsa.PublicKey), nil
	}
	if algorithm == token.SM2 {
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		k.keys[id] = sealed{key}
		return &key.PublicKey, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k.keys[id] = sealed{key}
	return &key.PublicKey, nil
}

func (k *keyring) Signer(_ context.Context, id string) (crypto.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[id] == nil {
		return nil, errors.New("tokentest: no such key")
	}
	return k.keys[id], nil
}
