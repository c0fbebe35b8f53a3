package keystest

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/keys"
)

func purposes(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	create(t, b, "s", keys.SM2, keys.PurposeSign)
	create(t, b, "e", keys.SM2, keys.PurposeEncrypt)
	_, err := b.Open(t.Context(), "e", credential)
	wantErr(t, "an encryption key opened for signing", err, keys.ErrPurpose)
	_, err = b.OpenDecrypter(t.Context(), "s", credential)
	wantErr(t, "a signing key opened for decryption", err, keys.ErrPurpose)
	s, err := b.Open(t.Context(), "s", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, ok := s.(crypto.Decrypter); ok {
		t.Error("a signing key has a Decrypt method")
	}
	e, err := b.OpenDecrypter(t.Context(), "e", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, ok := e.(crypto.Signer); ok {
		t.Error("an encryption key has a Sign method")
	}
}

func wrongCredential(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	create(t, b, "k", keys.SM2, keys.PurposeSign)
	words := map[string]bool{}
	for _, c := range []string{"correct horse battery stable", "Correct horse battery staple", "short", strings.Repeat("x", 5000)} {
		_, err := b.Open(t.Context(), "k", []byte(c))
		wantErr(t, "wrong credential", err, keys.ErrPassphrase)
		words[err.Error()] = true
	}
	_, err := b.Open(t.Context(), "k", []byte{})
	wantErr(t, "empty credential", err, keys.ErrPassphrase)
	words[err.Error()] = true
	if len(words) != 1 {
		t.Errorf("the error tells wrong credentials apart: %v", words)
	}
	_, err = b.Open(t.Context(), "absent", credential)
	wantErr(t, "absent key", err, keys.ErrNotFound)
}

func neverOverwrites(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	first := create(t, b, "k", keys.SM2, keys.PurposeSign)
	var wg sync.WaitGroup
	var made sync.Map
	for i := range 4 {
		wg.Go(func() {
			if _, err := b.Create(t.Context(), keys.Spec{ID: "k", Algorithm: keys.SM2, Purpose: keys.PurposeSign, Passphrase: credential}); !errors.Is(err, keys.ErrExists) {
				t.Errorf("second key under one id: %v", err)
			}
			if _, err := b.Create(t.Context(), keys.Spec{ID: "race", Algorithm: keys.SM2, Purpose: keys.PurposeSign, Passphrase: credential}); err == nil {
				made.Store(i, true)
			}
		})
	}
	wg.Wait()
	winners := 0
	made.Range(func(any, any) bool { winners++; return true })
	if winners != 1 {
		t.Errorf("%d concurrent creations of one id succeeded", winners)
	}
	k, err := b.Open(t.Context(), "k", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if a, err := k.Attest(t.Context()); err != nil || a.SPKISM3 != first.SPKISM3 {
		t.Errorf("the first key is gone: %v", err)
	}
}

func oddSpecs(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	ok := keys.Spec{ID: "k", Algorithm: keys.SM2, Purpose: keys.PurposeSign, Passphrase: credential}
	for name, change := range map[string]func(*keys.Spec){
		"empty id":           func(s *keys.Spec) { s.ID = "" },
		"path in id":         func(s *keys.Spec) { s.ID = "../k" },
		"hidden id":          func(s *keys.Spec) { s.ID = ".k" },
		"upper case id":      func(s *keys.Spec) { s.ID = "K" },
		"unknown algorithm":  func(s *keys.Spec) { s.Algorithm = "rsa" },
		"unknown purpose":    func(s *keys.Spec) { s.Purpose = "both" },
		"ECDSA decryption":   func(s *keys.Spec) { s.Algorithm, s.Purpose = keys.ECDSAP256, keys.PurposeEncrypt },
		"owner like a novel": func(s *keys.Spec) { s.Owner = strings.Repeat("x", 1000) },
	} {
		s := ok
		change(&s)
		_, err := b.Create(t.Context(), s)
		wantErr(t, name, err, keys.ErrSpec)
	}
	s := ok
	s.Passphrase = []byte("7 bytes")
	_, err := b.Create(t.Context(), s)
	wantErr(t, "short credential", err, keys.ErrWeak)
	_, err = b.Open(t.Context(), "k", credential)
	wantErr(t, "after refusals", err, keys.ErrNotFound)
}

// noWayOut looks at the method set and the exported fields: nothing may return
// a private key, and no verb of fmt may print one.
func noWayOut(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	create(t, b, "e", keys.SM2, keys.PurposeEncrypt)
	d, err := b.OpenDecrypter(t.Context(), "e", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	allowed := []string{"ID", "Backend", "Class", "Algorithm", "Public", "Attest", "Close", "Sign", "Decrypt", "Format", "Unverified"}
	k := signer(t, b, keys.SM2)
	faces := []any{k, d}
	if u, ok := k.(interface{ Unverified() crypto.Signer }); ok {
		faces = append(faces, u.Unverified())
	}
	for _, k := range faces {
		typ := reflect.TypeOf(k)
		for m := range typ.Methods() {
			if !slices.Contains(allowed, m.Name) {
				t.Errorf("%v has a method %s", typ, m.Name)
			}
		}
		if typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct {
			for f := range typ.Elem().Fields() {
				if f.IsExported() {
					t.Errorf("%v has an exported field %s", typ, f.Name)
				}
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s", "%q"} {
			if s := fmt.Sprintf(verb, k); len(s) > 200 || strings.Contains(s, "0x") {
				t.Errorf("%s prints %d characters: %.80s", verb, len(s), s)
			}
		}
	}
}

func concurrent(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.SM2)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			msg := fmt.Appendf(nil, "message %d", i)
			sig, err := k.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
			if err != nil || !sm2.VerifyASN1WithSM2(public(t, k), nil, msg, sig) {
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func closed(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	k := signer(t, b, keys.SM2)
	if err := errors.Join(k.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := k.Sign(rand.Reader, []byte("m"), sm2.DefaultSM2SignerOpts)
	wantErr(t, "sign", err, keys.ErrClosed)
	if u, ok := k.(interface{ Unverified() crypto.Signer }); ok {
		_, err := u.Unverified().Sign(rand.Reader, []byte("m"), sm2.DefaultSM2SignerOpts)
		wantErr(t, "sign unverified", err, keys.ErrClosed)
	}
	_, err = k.Attest(t.Context())
	wantErr(t, "attest", err, keys.ErrClosed)
	create(t, b, "e", keys.SM2, keys.PurposeEncrypt)
	d, err := b.OpenDecrypter(t.Context(), "e", credential)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = d.Decrypt(rand.Reader, []byte("m"), nil)
	wantErr(t, "decrypt", err, keys.ErrClosed)
}

func restart(t *testing.T, open func(*testing.T, string) Backend) {
	dir := t.TempDir()
	first := signer(t, open(t, dir), keys.SM2)
	second, err := open(t, dir).Open(t.Context(), "k", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if !public(t, first).Equal(second.Public()) {
		t.Error("another key after the restart")
	}
}

func attests(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.SM2)
	a, err := k.Attest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != "k" || a.Backend != k.Backend() || a.Class != k.Class() || a.Algorithm != keys.SM2 || k.Algorithm() != keys.SM2 ||
		a.Purpose != keys.PurposeSign || a.Owner != "unit" || len(a.SPKISM3) != 64 || a.CheckedAt.IsZero() || a.CreatedAt.IsZero() {
		t.Errorf("incomplete: %+v", a)
	}
}

// requests runs the key through the library that makes certificates: it hands
// over messages, and checks the signature itself.
func requests(t *testing.T, open func(*testing.T, string) Backend) {
	k := signer(t, open(t, t.TempDir()), keys.SM2)
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3}, k)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := smx509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := csr.CheckSignature(); err != nil {
		t.Error(err)
	}
}

func deadContext(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	k := signer(t, b, keys.SM2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Open(ctx, "k", credential)
	wantErr(t, "open", err, context.Canceled)
	_, err = b.Create(ctx, keys.Spec{ID: "n", Algorithm: keys.SM2, Purpose: keys.PurposeSign, Passphrase: credential})
	wantErr(t, "create", err, context.Canceled)
	_, err = k.Attest(ctx)
	wantErr(t, "attest", err, context.Canceled)
}

func sizes(t *testing.T, open func(*testing.T, string) Backend) {
	b := open(t, t.TempDir())
	k := signer(t, b, keys.SM2)
	_, err := k.Sign(rand.Reader, nil, sm2.DefaultSM2SignerOpts)
	wantErr(t, "empty message", err, keys.ErrOptions)
	create(t, b, "e", keys.SM2, keys.PurposeEncrypt)
	d, err := b.OpenDecrypter(t.Context(), "e", credential)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.Decrypt(rand.Reader, nil, nil)
	wantErr(t, "empty ciphertext", err, keys.ErrOptions)
}
