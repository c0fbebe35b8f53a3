package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// The ceremony room: a folder on a machine without a network, with both root
// keys encrypted under a secret that only the custodians' shares restore. No
// database and no house is there.

// fileRoom is the public part of the room.
const fileRoom = "room.json"

// ErrRoom: the folder is no ceremony room, or two shares would lie together.
var ErrRoom = errors.New("app: not usable as a ceremony room")

// roomFile is what the folder says about itself.
type roomFile struct {
	Organization string     `json:"organization"`
	Split        keys.Split `json:"split"`
	Roots        [][]byte   `json:"roots"` // DER, SM2 first
}

// Session is who is in the room.
type Session struct {
	Dir       string // of the room
	Place     string
	Operator  string
	Witnesses []string
	Now       func() time.Time // nil: time.Now
	Rand      io.Reader        // nil: crypto/rand
	Work      keys.Work        // zero: production's
}

func (s Session) withDefaults() Session {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Rand == nil {
		s.Rand = rand.Reader
	}
	return s
}

// Custodian is one of those who keep a share, and the file for it: on a medium
// of their own, under a passphrase of their own.
type Custodian struct {
	Name       string // not needed to sign
	File       string
	Passphrase keys.Passphrase
}

// script collects the steps as they are done.
type script struct {
	now   func() time.Time
	steps []ceremony.Step
}

func (s *script) did(format string, args ...any) {
	s.steps = append(s.steps, ceremony.Step{At: s.now().UTC().Truncate(time.Second), What: fmt.Sprintf(format, args...)})
}

// MakeRoots is the root key ceremony: both roots are made, their keys encrypted
// under a secret that is divided at once, every share is written to its
// custodian's file and read back, and the keys are opened once more with the
// fewest shares that have to be enough. It leaves nothing behind when it fails.
func MakeRoots(ctx context.Context, s Session, organization, cps string, need int, custodians []Custodian) (_ ceremony.Outcome, err error) {
	s = s.withDefaults()
	if err := keys.SelfTest(); err != nil {
		return ceremony.Outcome{}, fmt.Errorf("app: power-on self test: %w", err)
	}
	if err := apart(s.Dir, custodians); err != nil {
		return ceremony.Outcome{}, err
	}
	undo, err := claimEmpty(s.Dir)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	var written []string
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
			for _, path := range written {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	log := script{now: s.Now}
	var names []string
	for _, c := range custodians {
		names = append(names, c.Name)
	}
	secret, split, shares, err := keys.NewSplit(s.Rand, need, names)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer clear(secret)
	log.did("divide the secret: %d of %d", need, len(names))
	dir, err := s.keys()
	if err != nil {
		return ceremony.Outcome{}, err
	}
	for _, spec := range rootKeys(secret) {
		if _, err := dir.Create(ctx, spec); err != nil {
			return ceremony.Outcome{}, fmt.Errorf("app: make key %s: %w", spec.ID, err)
		}
		log.did("make key %s", spec.ID)
	}
	for i, c := range custodians {
		if err := s.giveShare(c, &shares[i], &written); err != nil {
			return ceremony.Outcome{}, fmt.Errorf("app: share of %s: %w", c.Name, err)
		}
		log.did("custodian %d has the share", i+1)
	}
	// From here on only what the custodians hold counts.
	held, present, err := s.gather(split, custodians)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer forget(held)
	again, err := split.Join(held[len(held)-need:])
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer clear(again)
	log.did("open both keys with %d of the shares as written", need)
	signers, closeAll, err := openRoots(ctx, dir, again)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	roots, err := ceremony.MakeRoots(ceremony.RootSpec{Organization: organization, CPS: cps, SM2: signers[0], ECDSA: signers[1], Now: s.Now(), Rand: s.Rand})
	if err != nil {
		return ceremony.Outcome{}, err
	}
	room := roomFile{Organization: organization, Split: split}
	for _, r := range roots {
		log.did("root %s: %s", r.Certificate.Subject.CommonName, SM3Hex(r.Certificate.Raw))
		room.Roots = append(room.Roots, r.Certificate.Raw)
	}
	raw, err := json.MarshalIndent(room, "", "  ")
	if err != nil {
		return ceremony.Outcome{}, fmt.Errorf("app: encode room: %w", err)
	}
	if err := writeAtomic(filepath.Join(s.Dir, fileRoom), raw, 0o600); err != nil {
		return ceremony.Outcome{}, err
	}
	rec := s.record(room, present, log)
	rec.Kind = ceremony.RecordRoot
	return ceremony.Seal(rec, roots, s.Rand, s.Now)
}

// SignOrder signs a house's order with both roots, opened by enough custodians
// for this one call. Nothing is signed unless the order is the one whose SM3 is
// given: the people in the room read it from the house's print.
func SignOrder(ctx context.Context, s Session, order []byte, sum string, custodians []Custodian) (_ ceremony.Outcome, err error) {
	s = s.withDefaults()
	if err := keys.SelfTest(); err != nil {
		return ceremony.Outcome{}, fmt.Errorf("app: power-on self test: %w", err)
	}
	room, certs, err := s.room()
	if err != nil {
		return ceremony.Outcome{}, err
	}
	if got := SM3Hex(order); got != strings.ToLower(strings.TrimSpace(sum)) {
		return ceremony.Outcome{}, fmt.Errorf("%w: its SM3 is %s", ceremony.ErrOrder, got)
	}
	if err := apart(s.Dir, custodians); err != nil {
		return ceremony.Outcome{}, err
	}
	log := script{now: s.Now}
	log.did("order %s compared with the print of the house", SM3Hex(order))
	held, present, err := s.gather(room.Split, custodians)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer forget(held)
	secret, err := room.Split.Join(held)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer clear(secret)
	log.did("%d custodians present", len(held))
	dir, err := s.keys()
	if err != nil {
		return ceremony.Outcome{}, err
	}
	signers, closeAll, err := openRoots(ctx, dir, secret)
	if err != nil {
		return ceremony.Outcome{}, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	roots := []ceremony.Root{{Certificate: certs[0], Signer: signers[0]}, {Certificate: certs[1], Signer: signers[1]}}
	return ceremony.Sign(order, roots, s.record(room, present, log), s.Rand, s.Now)
}

// ReviewOrder says what an order asks for, and its SM3; no key is opened.
func ReviewOrder(s Session, order []byte) ([]ceremony.Act, string, error) {
	s = s.withDefaults()
	_, certs, err := s.room()
	if err != nil {
		return nil, "", err
	}
	o, err := ceremony.ReadOrder(order)
	if err != nil {
		return nil, "", err
	}
	acts, err := o.Check(certs, s.Now())
	return acts, SM3Hex(order), err
}

func (s Session) record(room roomFile, present []ceremony.Present, log script) ceremony.Record {
	return ceremony.Record{
		Organization: room.Organization, Place: s.Place, Operator: s.Operator, Witnesses: s.Witnesses,
		Need: room.Split.Need, Of: len(room.Split.Custodians), Split: room.Split.ID(), Custodians: present,
		Script: log.steps, Software: "yinxin " + Version,
	}
}

func (s Session) room() (roomFile, []*smx509.Certificate, error) {
	if err := private(s.Dir); err != nil {
		return roomFile{}, nil, err
	}
	raw, err := os.ReadFile(filepath.Join(s.Dir, fileRoom))
	if err != nil {
		return roomFile{}, nil, fmt.Errorf("%w: %w", ErrRoom, err)
	}
	var room roomFile
	if err := json.Unmarshal(raw, &room); err != nil {
		return roomFile{}, nil, fmt.Errorf("%w: %w", ErrRoom, err)
	}
	if len(room.Roots) != 2 {
		return roomFile{}, nil, fmt.Errorf("%w: %d roots", ErrRoom, len(room.Roots))
	}
	certs, err := ceremony.Outcome{Roots: room.Roots}.RootCertificates()
	return room, certs, err
}

// keys is the room's key folder. It has no passphrase of its own.
func (s Session) keys() (*keys.Dir, error) {
	d, err := keys.OpenDir(keys.Config{Dir: filepath.Join(s.Dir, dirKeys), Rand: s.Rand, Now: s.Now, Work: s.Work})
	if err != nil {
		return nil, fmt.Errorf("app: open key folder: %w", err)
	}
	return d, nil
}

func rootKeys(secret []byte) []keys.Spec {
	return []keys.Spec{
		{ID: keySM2Root, Algorithm: keys.SM2, Purpose: keys.PurposeSign, Owner: "ca", Passphrase: secret},
		{ID: keyECDSARoot, Algorithm: keys.ECDSAP256, Purpose: keys.PurposeSign, Owner: "ca", Passphrase: secret},
	}
}

func openRoots(ctx context.Context, dir *keys.Dir, secret []byte) ([]keys.Signer, func() error, error) {
	var out []keys.Signer
	closeAll := func() (err error) {
		for _, k := range out {
			err = errors.Join(err, k.Close())
		}
		return err
	}
	for _, id := range []string{keySM2Root, keyECDSARoot} {
		k, err := dir.Open(ctx, id, secret)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("app: open key %s: %w", id, err), closeAll())
		}
		out = append(out, k)
	}
	return out, closeAll, nil
}

// giveShare writes a share to its custodian and forgets it here.
func (s Session) giveShare(c Custodian, share *keys.Share, written *[]string) error {
	pass, err := c.Passphrase()
	if err != nil {
		return err
	}
	defer clear(pass)
	defer share.Clear()
	if err := keys.WriteShare(c.File, *share, pass, s.Rand, s.Work); err != nil {
		return err
	}
	*written = append(*written, c.File)
	return nil
}

// gather opens the custodians' files; each share is checked before the next one.
func (s Session) gather(split keys.Split, custodians []Custodian) (held []keys.Share, present []ceremony.Present, err error) {
	defer func() {
		if err != nil {
			forget(held)
		}
	}()
	for _, c := range custodians {
		pass, err := c.Passphrase()
		if err != nil {
			return held, nil, fmt.Errorf("app: share %s: %w", filepath.Base(c.File), err)
		}
		share, err := keys.ReadShare(c.File, pass, s.Work)
		clear(pass)
		if err != nil {
			return held, nil, fmt.Errorf("app: share %s: %w", filepath.Base(c.File), err)
		}
		held = append(held, share)
		if err := split.Check(share); err != nil {
			return held, nil, err
		}
		present = append(present, ceremony.Present{Number: share.Number, Name: share.Custodian})
	}
	return held, present, nil
}

func forget(shares []keys.Share) {
	for i := range shares {
		shares[i].Clear()
	}
}

// apart refuses two shares in one folder, and one in the room: whoever carries
// off a medium gets one share at most.
func apart(room string, custodians []Custodian) error {
	own, err := filepath.Abs(room)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRoom, err)
	}
	if real, err := filepath.EvalSymlinks(own); err == nil {
		own = real
	}
	seen := map[string]bool{}
	for _, c := range custodians {
		dir, err := filepath.Abs(filepath.Dir(c.File))
		if err == nil {
			dir, err = filepath.EvalSymlinks(dir)
		}
		if err != nil {
			return fmt.Errorf("%w: folder of a share: %w", ErrRoom, err)
		}
		inside, err := filepath.Rel(own, dir)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRoom, err)
		}
		if inside == "." || filepath.IsLocal(inside) {
			return fmt.Errorf("%w: a share may not lie in the room", ErrRoom)
		}
		if seen[dir] {
			return fmt.Errorf("%w: two shares in one folder: %s", ErrRoom, dir)
		}
		seen[dir] = true
	}
	return nil
}
