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
	Dir       string   // of the room
	Others    []string // further rooms, whose roots sign the same order
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
	dir, err := s.keys(s.Dir)
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
	held, err := s.gather(custodians, split)
	defer func() { forget(held[0].shares) }()
	if err != nil {
		return ceremony.Outcome{}, err
	}
	again, err := split.Join(held[0].shares[len(held[0].shares)-need:])
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
	rec := s.record(room, held[0].present, log)
	rec.Kind = ceremony.RecordRoot
	return ceremony.Seal(rec, roots, s.Rand, s.Now)
}

// SignOrder signs a house's order with the roots of every room of the session,
// opened by enough custodians of each for this one call. Nothing is signed unless
// the order is the one whose SM3 is given: the people in the room read it from the
// house's print.
func SignOrder(ctx context.Context, s Session, order []byte, sum string, custodians []Custodian) (_ ceremony.Outcome, err error) {
	s = s.withDefaults()
	if err := keys.SelfTest(); err != nil {
		return ceremony.Outcome{}, fmt.Errorf("app: power-on self test: %w", err)
	}
	rooms, err := s.rooms()
	if err != nil {
		return ceremony.Outcome{}, err
	}
	if got := SM3Hex(order); got != strings.ToLower(strings.TrimSpace(sum)) {
		return ceremony.Outcome{}, fmt.Errorf("%w: its SM3 is %s", ceremony.ErrOrder, got)
	}
	var splits []keys.Split
	for _, r := range rooms {
		if err := apart(r.dir, custodians); err != nil {
			return ceremony.Outcome{}, err
		}
		splits = append(splits, r.Split)
	}
	log := script{now: s.Now}
	log.did("order %s compared with the print of the house", SM3Hex(order))
	held, err := s.gather(custodians, splits...)
	defer func() {
		for _, h := range held {
			forget(h.shares)
		}
	}()
	if err != nil {
		return ceremony.Outcome{}, err
	}
	var roots []ceremony.Root
	for i, r := range rooms {
		signers, closeRoom, err := r.open(ctx, s, held[i].shares)
		if err != nil {
			return ceremony.Outcome{}, err
		}
		defer func() { err = errors.Join(err, closeRoom()) }()
		log.did("%d custodians present", len(held[i].shares))
		for n, c := range r.certs {
			roots = append(roots, ceremony.Root{Certificate: c, Signer: signers[n]})
		}
	}
	rec := s.record(rooms[0].roomFile, held[0].present, log)
	for i, r := range rooms[1:] {
		rec.Others = append(rec.Others, r.division(held[i+1].present))
	}
	return ceremony.Sign(order, roots, rec, s.Rand, s.Now)
}

func (s Session) record(room roomFile, present []ceremony.Present, log script) ceremony.Record {
	return ceremony.Record{
		Organization: room.Organization, Place: s.Place, Operator: s.Operator, Witnesses: s.Witnesses, Division: room.division(present),
		Script: log.steps, Software: "yinxin " + Version,
	}
}
