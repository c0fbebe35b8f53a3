package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca/kmc"
)

// The KMC's key-encryption keys, each encrypted to keyKMC: the one in force, and
// former ones, named after themselves, that keys may still be wrapped with.
const (
	fileKEK      = "kmc-kek.der"
	prefixFormer = "kmc-kek-former-"
	kekSize      = 16 // SM4
)

// makeKEK draws a key-encryption key and returns it encrypted.
func (c *custody) makeKEK(ctx context.Context, cfg Config) ([]byte, error) {
	kek := make([]byte, kekSize)
	defer clear(kek)
	if _, err := io.ReadFull(cfg.Rand, kek); err != nil {
		return nil, fmt.Errorf("app: draw key-encryption key: %w", err)
	}
	pub, err := c.public(ctx, keyKMC)
	if err != nil {
		return nil, err
	}
	sealed, err := sm2.EncryptASN1(cfg.Rand, pub, kek)
	if err != nil {
		return nil, fmt.Errorf("app: wrap key-encryption key: %w", err)
	}
	return sealed, nil
}

// openKEKs decrypts all of them with the custody key of the KMC.
func (c *custody) openKEKs(ctx context.Context, cfg Config) (err error) {
	dec, err := c.dir.OpenDecrypter(ctx, keyKMC, nil)
	if err != nil {
		return fmt.Errorf("app: open key %s: %w", keyKMC, err)
	}
	defer func() { err = errors.Join(err, dec.Close()) }()
	former, err := filepath.Glob(filepath.Join(cfg.Dir, prefixFormer+"*.der"))
	if err != nil {
		return fmt.Errorf("app: former key-encryption keys: %w", err)
	}
	slices.Sort(former)
	for _, path := range append([]string{filepath.Join(cfg.Dir, fileKEK)}, former...) {
		sealed, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("app: key-encryption key: %w", err)
		}
		kek, err := dec.Decrypt(cfg.Rand, sealed, nil)
		if err != nil {
			return fmt.Errorf("app: key-encryption key %s: %w", filepath.Base(path), err)
		}
		if c.keks = append(c.keks, kek); len(kek) != kekSize {
			return fmt.Errorf("app: key-encryption key %s has %d bytes", filepath.Base(path), len(kek))
		}
	}
	return nil
}

// wrappers wrap with those keys, the one in force first.
func (c *custody) wrappers(cfg Config) (all wrappers, err error) {
	for _, kek := range c.keks {
		w, err := kmc.NewLocalKEK(kek, cfg.Rand)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// centre is the key management centre over those keys; more fills in what it does
// with a store.
func (c *custody) centre(cfg Config, more kmc.Config) (*kmc.Centre, error) {
	all, err := c.wrappers(cfg)
	if err != nil {
		return nil, err
	}
	more.Rand, more.Now, more.KEK = cfg.Rand, cfg.Now, all[0]
	for _, former := range all[1:] {
		more.Former = append(more.Former, former)
	}
	return kmc.New(more)
}

// wrappers keep what lives for days and is not wrapped anew: external account keys.
type wrappers []*kmc.LocalKEK

// Wrap implements stepca.Wrapper.
func (w wrappers) Wrap(ctx context.Context, key, associated []byte) ([]byte, error) {
	return w[0].Wrap(ctx, key, associated)
}

// Unwrap implements stepca.Wrapper: only the key that wrapped opens.
func (w wrappers) Unwrap(ctx context.Context, wrapped, associated []byte) (key []byte, err error) {
	for _, k := range w {
		if key, err = k.Unwrap(ctx, wrapped, associated); err == nil {
			break
		}
	}
	return key, err
}

// Rotated names the key-encryption keys of RotateKEK.
type Rotated struct {
	Now    string `json:"kek"`
	Former string `json:"former"`
}

// RotateKEK makes a new key-encryption key for the escrowed keys. It touches the
// data folder only: a house that serves goes on with the former one, and at its
// next start wraps all escrowed keys anew, in the background. The former key
// stays in the folder: a backup of the store from before needs it.
func RotateKEK(ctx context.Context, cfg Config) (_ Rotated, err error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), private(cfg.Dir)); err != nil {
		return Rotated{}, err
	}
	cu, err := openCustody(cfg)
	if err != nil {
		return Rotated{}, err
	}
	defer func() { err = errors.Join(err, cu.Close()) }()
	if err := cu.openKEKs(ctx, cfg); err != nil {
		return Rotated{}, err
	}
	former, err := kmc.NewLocalKEK(cu.keks[0], cfg.Rand)
	if err != nil {
		return Rotated{}, err
	}
	sealed, err := os.ReadFile(filepath.Join(cfg.Dir, fileKEK))
	if err != nil {
		return Rotated{}, fmt.Errorf("app: key-encryption key: %w", err)
	}
	next, err := cu.makeKEK(ctx, cfg)
	if err != nil {
		return Rotated{}, err
	}
	// The copy first: at no moment is a key in force that the folder lacks.
	if err := writeAtomic(filepath.Join(cfg.Dir, prefixFormer+strings.TrimPrefix(former.ID(), "local:")+".der"), sealed, 0o600); err != nil {
		return Rotated{}, err
	}
	if err := writeAtomic(filepath.Join(cfg.Dir, fileKEK), next, 0o600); err != nil {
		return Rotated{}, err
	}
	again := &custody{dir: cu.dir}
	if err := again.openKEKs(ctx, cfg); err != nil {
		return Rotated{}, err
	}
	now, err := kmc.NewLocalKEK(again.keks[0], cfg.Rand)
	if err != nil {
		return Rotated{}, err
	}
	return Rotated{Now: now.ID(), Former: former.ID()}, nil
}
