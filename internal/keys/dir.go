package keys

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Passphrase brings the passphrase when it is needed; see PassphraseFromFile
// and PassphraseFromEnv. A prompt is just another function. It never comes
// from a command line.
type Passphrase func() ([]byte, error)

// Config of a Dir. Every field is required but Passphrase and Work.
type Config struct {
	Dir        string           // made with mode 0700 when absent
	Passphrase Passphrase       // of keys that are created and opened without one of their own; nil: they all need one
	Rand       io.Reader        // crypto/rand.Reader, but for tests
	Now        func() time.Time // clock
	Work       Work             // zero: production's
}

// Dir keeps keys as encrypted files: <dir>/<id>/key.pem (PKCS#8, SM4-CBC,
// scrypt; `openssl pkey` reads it) and <dir>/<id>/record.json. A key's folder
// appears whole or not at all.
type Dir struct {
	cfg Config
}

// Spec says what key to create.
type Spec struct {
	ID         string // [a-z0-9][a-z0-9._-]{0,95}
	Algorithm  Algorithm
	Purpose    Purpose
	Owner      string // unit, system or person; no personal number
	Passphrase []byte // of its own; nil: Config.Passphrase
	Salt       []byte // of a person's PIN, public; nil for all other keys
}

// Record is what is written beside a key: no secret, and the public half in
// digest, because CBC alone cannot tell that a key file was changed.
type Record struct {
	ID        string    `json:"id"`
	Algorithm Algorithm `json:"algorithm"`
	Purpose   Purpose   `json:"purpose"`
	Class     Class     `json:"class"`
	Owner     string    `json:"owner,omitempty"`
	SPKI      []byte    `json:"spki"` // SubjectPublicKeyInfo, DER
	SPKISM3   string    `json:"spki_sm3"`
	Salt      []byte    `json:"pin_salt,omitempty"`
	CreatedAt time.Time `json:"created_at"`

	DestroyedAt time.Time `json:"destroyed_at,omitzero"`
}

const (
	keyFile    = "key.pem"
	recordFile = "record.json"
)

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,95}$`)

// OpenDir opens or makes the folder of keys; ErrMode when others may look in.
func OpenDir(c Config) (*Dir, error) {
	if c.Dir == "" || c.Rand == nil || c.Now == nil {
		return nil, fmt.Errorf("%w: Config lacks Dir, Rand or Now", ErrSpec)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("keys: making the folder: %w", err)
	}
	if err := checkMode(c.Dir); err != nil {
		return nil, err
	}
	return &Dir{c}, nil
}

// File is the path of a key's PEM file, for tools that read PKCS#8.
func (d *Dir) File(id string) string { return filepath.Join(d.cfg.Dir, id, keyFile) }

// Create makes a key, checks the pair and writes it. It returns ErrExists when
// the id is taken; nothing is ever overwritten.
func (d *Dir) Create(ctx context.Context, s Spec) (Record, error) {
	if err := s.validate(); err != nil {
		return Record{}, err
	}
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	k, err := generate(s.Algorithm, d.cfg.Rand)
	if err != nil {
		return Record{}, err
	}
	return d.keep(k, s)
}

// Open returns a signing key. A nil passphrase stands for Config.Passphrase.
func (d *Dir) Open(ctx context.Context, id string, passphrase []byte) (Signer, error) {
	k, rec, err := d.load(ctx, id, passphrase)
	if err != nil {
		return nil, err
	}
	if rec.Purpose != PurposeSign {
		return nil, fmt.Errorf("%w: %s decrypts only", ErrPurpose, id)
	}
	s := &signing{software{rec: rec, pub: publicCopy(k), rand: d.cfg.Rand, now: d.cfg.Now}}
	s.key.Store(k)
	return s, nil
}

// OpenDecrypter returns an encryption key, as Open does.
func (d *Dir) OpenDecrypter(ctx context.Context, id string, passphrase []byte) (Decrypter, error) {
	k, rec, err := d.load(ctx, id, passphrase)
	if err != nil {
		return nil, err
	}
	if rec.Purpose != PurposeEncrypt {
		return nil, fmt.Errorf("%w: %s signs only", ErrPurpose, id)
	}
	s := &decrypting{software{rec: rec, pub: publicCopy(k), rand: d.cfg.Rand, now: d.cfg.Now}}
	s.key.Store(k)
	return s, nil
}

// publicCopy keeps the public key usable, and out of the private one, after Close.
func publicCopy(k *private) *ecdsa.PublicKey {
	p := *k.public()
	return &p
}

// Record returns what is known about a key without opening it.
func (d *Dir) Record(ctx context.Context, id string) (Record, error) {
	if !idForm.MatchString(id) {
		return Record{}, ErrNotFound
	}
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	raw, err := readPrivate(filepath.Join(d.cfg.Dir, id, recordFile))
	if err != nil {
		return Record{}, err
	}
	var rec Record
	if err := json.Unmarshal(raw, &rec); err != nil || rec.ID != id || rec.SPKISM3 == "" {
		return Record{}, fmt.Errorf("%w: record of %s", ErrRecord, id)
	}
	if (Spec{ID: rec.ID, Algorithm: rec.Algorithm, Purpose: rec.Purpose}).validate() != nil {
		return Record{}, fmt.Errorf("%w: record of %s", ErrRecord, id)
	}
	return rec, nil
}

// List returns the records of all keys, by id.
func (d *Dir) List(ctx context.Context) ([]Record, error) {
	entries, err := os.ReadDir(d.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("keys: listing: %w", err)
	}
	var out []Record
	for _, e := range entries {
		if !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue
		}
		rec, err := d.Record(ctx, e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	return out, nil // ReadDir sorts by name
}

func (d *Dir) load(ctx context.Context, id string, passphrase []byte) (*private, Record, error) {
	rec, err := d.Record(ctx, id)
	if err != nil {
		return nil, Record{}, err
	}
	if !rec.DestroyedAt.IsZero() {
		return nil, Record{}, fmt.Errorf("%w: %s", ErrDestroyed, id)
	}
	file, err := readPrivate(d.File(id))
	if err != nil {
		return nil, Record{}, err
	}
	if passphrase == nil {
		if passphrase, err = d.passphrase(); err != nil {
			return nil, Record{}, err
		}
	}
	k, err := unseal(file, passphrase, rec.Algorithm, d.cfg.Work)
	if err != nil {
		return nil, Record{}, err
	}
	spki, sum, err := spkiSM3(k.public())
	if err != nil {
		return nil, Record{}, err
	}
	if sum != rec.SPKISM3 || !bytes.Equal(spki, rec.SPKI) {
		return nil, Record{}, fmt.Errorf("%w: %s holds another key", ErrRecord, id)
	}
	return k, rec, nil
}

func (d *Dir) passphrase() ([]byte, error) {
	if d.cfg.Passphrase == nil {
		return nil, fmt.Errorf("%w: none given", ErrPassphrase)
	}
	return d.cfg.Passphrase()
}

func (s Spec) validate() error {
	if !idForm.MatchString(s.ID) {
		return fmt.Errorf("%w: id %q", ErrSpec, s.ID)
	}
	switch {
	case s.Algorithm == SM2 && (s.Purpose == PurposeSign || s.Purpose == PurposeEncrypt):
	case s.Algorithm == ECDSAP256 && s.Purpose == PurposeSign:
	default:
		return fmt.Errorf("%w: algorithm %q for %q", ErrSpec, s.Algorithm, s.Purpose)
	}
	if len(s.Owner) > 128 || len(s.Salt) > maxSalt {
		return fmt.Errorf("%w: owner or salt too long", ErrSpec)
	}
	return nil
}

// notFound turns the absence of a file into the outcome of this room.
func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return fmt.Errorf("keys: reading: %w", err)
}
