package ca_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
)

var errGate = errors.New("refused for the test")

// lyingKey says that it is the authority and signs with another key.
type lyingKey struct {
	crypto.Signer
	other crypto.Signer
}

func (k lyingKey) Sign(r io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.other.Sign(r, msg, opts)
}

// lockedKey is a key for concurrent tests.
type lockedKey struct {
	crypto.Signer
	mu *sync.Mutex
}

func (k lockedKey) Sign(r io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.Signer.Sign(r, msg, opts)
}

// brokenCentre is a key centre that is down.
type brokenCentre struct{}

func (brokenCentre) NewPair(context.Context, string, *ecdsa.PublicKey) (ca.EncryptionKey, error) {
	return ca.EncryptionKey{}, errGate
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[T, U any](v T, _ U, err error) T { return must(v, err) }

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pemBody(t testing.TB, data []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("not PEM")
	}
	return block.Bytes
}
