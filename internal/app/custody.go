package app

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

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
	keyStampSM2     = "tsa-sm2"
	keyStampECDSA   = "tsa-ecdsa"
	keyKMC          = "kmc" // encrypts the key-encryption key of escrowed keys
)

// serviceKeys is what `init` makes and `serve` needs. Those of the time-stamp
// service came later: see openStamps.
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

// serviceKeys are those that this house holds: offline roots are elsewhere.
func (c Config) serviceKeys() []keys.Spec {
	if !c.OfflineRoot {
		return serviceKeys
	}
	return slices.DeleteFunc(slices.Clone(serviceKeys), func(s keys.Spec) bool { return s.ID == keySM2Root || s.ID == keyECDSARoot })
}

// custody is the service's keys, opened, and those of seals once they were used.
type custody struct {
	dir     *keys.Dir
	secret  keys.Passphrase
	people  keys.People
	signers map[string]keys.Signer // written by open and openLater, read only after
	keks    [][]byte               // of the KMC, the one in force first; set by open

	mu     sync.Mutex
	seals  map[string]keys.Signer // guarded by mu; and those of later authorities
	closed bool                   // guarded by mu
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
	c := &custody{secret: passphrase(cfg.Dir), signers: map[string]keys.Signer{}, seals: map[string]keys.Signer{}}
	var err error
	if c.dir, err = keys.OpenDir(keys.Config{Dir: filepath.Join(cfg.Dir, dirKeys), Passphrase: c.secret, Rand: cfg.Rand, Now: cfg.Now, Work: cfg.Work}); err != nil {
		return nil, fmt.Errorf("app: open key folder: %w", err)
	}
	c.people = keys.People{Dir: c.dir, Service: c.secret}
	return c, nil
}

// create makes the service's keys and the KMC's key-encryption key; nothing is
// overwritten.
func (c *custody) create(ctx context.Context, cfg Config) error {
	for _, s := range cfg.serviceKeys() {
		if _, err := c.dir.Create(ctx, s); err != nil {
			return fmt.Errorf("app: make key %s: %w", s.ID, err)
		}
	}
	kek, err := c.makeKEK(ctx, cfg)
	if err != nil {
		return err
	}
	return writeAtomic(filepath.Join(cfg.Dir, fileKEK), kek, 0o600)
}

// open unlocks the service's keys, or says which one cannot be used.
func (c *custody) open(ctx context.Context, cfg Config) error {
	for _, s := range cfg.serviceKeys() {
		if s.Purpose != keys.PurposeSign {
			continue
		}
		k, err := c.dir.Open(ctx, s.ID, nil)
		if err != nil {
			return fmt.Errorf("app: open key %s: %w", s.ID, err)
		}
		c.signers[s.ID] = k
	}
	return c.openKEKs(ctx, cfg)
}

// openLater unlocks a key that houses of an earlier version do not have
// (keys.ErrNotFound). Not for use once the house serves.
func (c *custody) openLater(ctx context.Context, s keys.Spec) (keys.Signer, error) {
	k, err := c.dir.Open(ctx, s.ID, nil)
	if err != nil {
		return nil, err
	}
	c.signers[s.ID] = k
	return k, nil
}

// signer returns an opened service key; nil for that of an offline root, any
// other missing one is a fault of the wiring.
func (c *custody) signer(id string) keys.Signer { return c.signers[id] }

// Signer gives the signer room the seal maker's key or that of a seal. A seal's
// key is unlocked at its first use, which costs a scrypt, and stays open until
// Close: who may use it is decided by the approval of each use, not by the file.
func (c *custody) Signer(ctx context.Context, id string) (crypto.Signer, error) {
	if id == keyMaker {
		return c.signers[id], nil
	}
	if !strings.HasPrefix(id, sealPrefix) {
		return nil, fmt.Errorf("app: key %q is not a seal's: %w", id, keys.ErrPurpose)
	}
	return c.opened(ctx, id)
}

// authority gives the key of an authority of the house: one of its founding, or
// one that was made later, possibly by another node.
func (c *custody) authority(ctx context.Context, id string) (crypto.Signer, error) {
	if k := c.signers[id]; k != nil {
		return k, nil
	}
	return c.opened(ctx, id)
}

// opened unlocks a key at its first use.
func (c *custody) opened(ctx context.Context, id string) (crypto.Signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, keys.ErrClosed
	}
	if k := c.seals[id]; k != nil {
		return k, nil
	}
	k, err := c.dir.Open(ctx, id, nil)
	if err != nil {
		return nil, fmt.Errorf("app: open key %s: %w", id, err)
	}
	c.seals[id] = k
	return k, nil
}

// Class names the custody of a seal's key, as reports print it.
func (c *custody) Class(ctx context.Context, id string) (string, error) {
	k, err := c.Signer(ctx, id)
	if err != nil {
		return "", err
	}
	held, ok := k.(keys.Signer)
	if !ok {
		return "", fmt.Errorf("app: key %q: %w", id, keys.ErrPurpose)
	}
	return string(held.Class()), nil
}

// Close forgets the keys; every use after is refused.
func (c *custody) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, kek := range c.keks {
		clear(kek)
	}
	var errs []error
	for _, opened := range []map[string]keys.Signer{c.signers, c.seals} {
		for _, k := range opened {
			errs = append(errs, k.Close())
		}
	}
	return errors.Join(errs...)
}

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
