package app

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/internal/keys"
)

// Ids of the service's keys in custody.
const (
	keySM2Root      = "sm2-root"
	keySM2Issuing   = "sm2-issuing"
	keyECDSARoot    = "ecdsa-root"
	keyECDSAIssuing = "ecdsa-issuing"
	keyLedger       = "ledger"
	keyExchange     = "exchange"
	keyMaker        = "seal-maker"
	keyKMC          = "kmc" // encrypts the key-encryption key of escrowed keys
)

// serviceKeys is what `init` makes and `serve` needs.
var serviceKeys = []keys.Spec{
	{ID: keySM2Root, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "ca"},
	{ID: keySM2Issuing, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "ca"},
	{ID: keyECDSARoot, Algorithm: keys.ECDSAP256, Purpose: keys.PurposeSign, Owner: "ca"},
	{ID: keyECDSAIssuing, Algorithm: keys.ECDSAP256, Purpose: keys.PurposeSign, Owner: "ca"},
	{ID: keyLedger, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "ledger"},
	{ID: keyExchange, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "exchange"},
	{ID: keyMaker, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "signer"},
	{ID: keyKMC, Algorithm: keys.SM2, Purpose: keys.PurposeEncrypt, Owner: "ca/kmc"},
}

// fileKEK holds the KMC's key-encryption key, encrypted to keyKMC.
const fileKEK = "kmc-kek.der"

// custody is the service's keys, opened.
type custody struct {
	dir     *keys.Dir
	secret  keys.Passphrase
	people  keys.People
	signers map[string]keys.Signer
}

// passphrase of the service: the environment when set, else the secret file.
func passphrase(dir string) keys.Passphrase {
	if os.Getenv(envPassword) != "" {
		return keys.PassphraseFromEnv(envPassword)
	}
	return keys.PassphraseFromFile(filepath.Join(dir, fileSecret))
}

func openCustody(cfg Config) (*custody, error) {
	if err := keys.SelfTest(); err != nil {
		return nil, fmt.Errorf("app: power-on self test: %w", err)
	}
	c := &custody{secret: passphrase(cfg.Dir), signers: map[string]keys.Signer{}}
	var err error
	if c.dir, err = keys.OpenDir(keys.Config{Dir: filepath.Join(cfg.Dir, dirKeys), Passphrase: c.secret, Rand: cfg.Rand, Now: cfg.Now}); err != nil {
		return nil, fmt.Errorf("app: open key folder: %w", err)
	}
	c.people = keys.People{Dir: c.dir, Service: c.secret}
	return c, nil
}

// create makes the service's keys; nothing is overwritten.
func (c *custody) create(ctx context.Context) error {
	for _, s := range serviceKeys {
		if _, err := c.dir.Create(ctx, s); err != nil {
			return fmt.Errorf("app: make key %s: %w", s.ID, err)
		}
	}
	return nil
}

// open unlocks the service's signing keys, or says which one cannot be used.
func (c *custody) open(ctx context.Context) error {
	for _, s := range serviceKeys {
		if s.Purpose != keys.PurposeSign {
			continue
		}
		k, err := c.dir.Open(ctx, s.ID, nil)
		if err != nil {
			return errors.Join(fmt.Errorf("app: open key %s: %w", s.ID, err), c.Close())
		}
		c.signers[s.ID] = k
	}
	return nil
}

// signer returns an opened service key; a missing one is a fault of the wiring.
func (c *custody) signer(id string) keys.Signer { return c.signers[id] }

// createKEK draws the KMC's key-encryption key and keeps it under keyKMC.
func (c *custody) createKEK(ctx context.Context, cfg Config) error {
	dec, err := c.dir.OpenDecrypter(ctx, keyKMC, nil)
	if err != nil {
		return fmt.Errorf("app: open key %s: %w", keyKMC, err)
	}
	defer dec.Close()
	kek := make([]byte, kekSize)
	if _, err := io.ReadFull(cfg.Rand, kek); err != nil {
		return fmt.Errorf("app: draw key-encryption key: %w", err)
	}
	pub, ok := dec.Public().(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("app: key %s is not an SM2 key", keyKMC)
	}
	sealed, err := sm2.EncryptASN1(cfg.Rand, pub, kek)
	if err != nil {
		return fmt.Errorf("app: wrap key-encryption key: %w", err)
	}
	return writeAtomic(filepath.Join(cfg.Dir, fileKEK), sealed, 0o600)
}

// kek opens the KMC's key-encryption key.
func (c *custody) kek(ctx context.Context, cfg Config) ([]byte, error) {
	dec, err := c.dir.OpenDecrypter(ctx, keyKMC, nil)
	if err != nil {
		return nil, fmt.Errorf("app: open key %s: %w", keyKMC, err)
	}
	defer dec.Close()
	sealed, err := os.ReadFile(filepath.Join(cfg.Dir, fileKEK))
	if err != nil {
		return nil, fmt.Errorf("app: key-encryption key: %w", err)
	}
	kek, err := dec.Decrypt(cfg.Rand, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("app: key-encryption key: %w", err)
	}
	if len(kek) != kekSize {
		return nil, fmt.Errorf("app: key-encryption key has %d bytes", len(kek))
	}
	return kek, nil
}

// Close forgets the keys.
func (c *custody) Close() error {
	var errs []error
	for _, k := range c.signers {
		errs = append(errs, k.Close())
	}
	return errors.Join(errs...)
}

const kekSize = 16 // SM4

// public is the public key of a key in custody, which need not be opened for it.
func (c *custody) public(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	rec, err := c.dir.Record(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("app: key %s: %w", id, err)
	}
	return rec.Public()
}

// ecPublic is the public key of an opened key.
func ecPublic(k keys.Signer) (*ecdsa.PublicKey, error) {
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("app: key %s is not an elliptic curve key", k.ID())
	}
	return pub, nil
}
