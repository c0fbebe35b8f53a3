package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// Rooms at work: their folders, keys and shares. A house that changes its offline
// roots has one room for each pair of them.

// room is one folder, read.
type room struct {
	roomFile
	dir   string
	certs []*smx509.Certificate // SM2 first
}

// rooms are those of the session, its own first. They are of one organization,
// and each is given once.
func (s Session) rooms() (all []room, err error) {
	seen := map[string]bool{}
	for _, dir := range append([]string{s.Dir}, s.Others...) {
		r, err := readRoom(dir)
		if err != nil {
			return nil, err
		}
		id := ca.IssuerID(r.certs[0])
		if seen[id] {
			return nil, fmt.Errorf("%w: %s is given twice", ErrRoom, dir)
		}
		if seen[id] = true; len(all) > 0 && r.Organization != all[0].Organization {
			return nil, fmt.Errorf("%w: %s is of %q", ErrRoom, dir, r.Organization)
		}
		all = append(all, r)
	}
	return all, nil
}

func readRoom(dir string) (room, error) {
	if err := private(dir); err != nil {
		return room{}, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, fileRoom))
	if err != nil {
		return room{}, fmt.Errorf("%w: %w", ErrRoom, err)
	}
	r := room{dir: dir}
	if err := json.Unmarshal(raw, &r.roomFile); err != nil {
		return room{}, fmt.Errorf("%w: %w", ErrRoom, err)
	}
	if len(r.Roots) != 2 {
		return room{}, fmt.Errorf("%w: %d roots", ErrRoom, len(r.Roots))
	}
	r.certs, err = ceremony.Outcome{Roots: r.Roots}.RootCertificates()
	return r, err
}

// open opens both keys of a room with enough shares.
func (r room) open(ctx context.Context, s Session, shares []keys.Share) ([]keys.Signer, func() error, error) {
	secret, err := r.Split.Join(shares)
	if err != nil {
		return nil, nil, err
	}
	defer clear(secret)
	dir, err := s.keys(r.dir)
	if err != nil {
		return nil, nil, err
	}
	return openRoots(ctx, dir, secret)
}

func (r roomFile) division(present []ceremony.Present) ceremony.Division {
	return ceremony.Division{Need: r.Split.Need, Of: len(r.Split.Custodians), Split: r.Split.ID(), Custodians: present}
}

// ReviewOrder says what an order asks for, and its SM3; no key is opened.
func ReviewOrder(s Session, order []byte) ([]ceremony.Act, string, error) {
	s = s.withDefaults()
	rooms, err := s.rooms()
	if err != nil {
		return nil, "", err
	}
	o, err := ceremony.ReadOrder(order)
	if err != nil {
		return nil, "", err
	}
	var certs []*smx509.Certificate
	for _, r := range rooms {
		certs = append(certs, r.certs...)
	}
	acts, err := o.Check(certs, s.Now())
	return acts, SM3Hex(order), err
}

// keys is a room's key folder. It has no passphrase of its own.
func (s Session) keys(room string) (*keys.Dir, error) {
	d, err := keys.OpenDir(keys.Config{Dir: filepath.Join(room, dirKeys), Rand: s.Rand, Now: s.Now, Work: s.Work})
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

// brought is what came brought to one room, and by whom.
type brought struct {
	shares  []keys.Share
	present []ceremony.Present
}

// gather opens the custodians' files, for each of these divisions apart; each
// share is checked before the next one. The caller forgets them, also after an
// error.
func (s Session) gather(custodians []Custodian, splits ...keys.Split) ([]brought, error) {
	held := make([]brought, len(splits))
	for _, c := range custodians {
		pass, err := c.Passphrase()
		if err != nil {
			return held, fmt.Errorf("app: share %s: %w", filepath.Base(c.File), err)
		}
		share, err := keys.ReadShare(c.File, pass, s.Work)
		clear(pass)
		if err != nil {
			return held, fmt.Errorf("app: share %s: %w", filepath.Base(c.File), err)
		}
		of := max(0, slices.IndexFunc(splits, func(d keys.Split) bool { return d.ID() == share.Split }))
		held[of].shares = append(held[of].shares, share)
		if err := splits[of].Check(share); err != nil {
			return held, err
		}
		held[of].present = append(held[of].present, ceremony.Present{Number: share.Number, Name: share.Custodian})
	}
	return held, nil
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
