package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Begin founds a house whose roots are offline, up to what the roots have to
// sign: folder, keys, store, and the order for the room. roots is the outcome of
// the ceremony that made them; the caller compared their fingerprints. Begun with
// the same roots, a house gives its order again.
func Begin(ctx context.Context, cfg Config, roots []byte) (order []byte, err error) {
	cfg = cfg.withDefaults()
	cfg.OfflineRoot = true
	if err := errors.Join(cfg.validate(), CheckDB(cfg.DB)); err != nil {
		return nil, err
	}
	made, rec, certs, sum, err := readOutcome(roots, nil)
	if err != nil {
		return nil, err
	}
	if rec.Kind != ceremony.RecordRoot || len(certs) != 2 || rec.Organization != cfg.Organization {
		return nil, fmt.Errorf("%w: it made no roots for %q", ceremony.ErrRecord, cfg.Organization)
	}
	if order, err := cfg.orderAgain(made.Roots); order != nil || err != nil {
		return order, err
	}
	cu, undo, err := foundBase(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, cu.Close())
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	for i, name := range []string{fileSM2Root, fileECDSARoot} {
		if err := saveCert(cfg.Dir, name, made.Roots[i]); err != nil {
			return nil, err
		}
	}
	if err := keepOutcome(cfg, roots, sum); err != nil {
		return nil, err
	}
	o := ceremony.NewOrder(cfg.Organization, cfg.Now())
	err = withRooms(ctx, cfg, cu, func(rooms *store.Rooms) error {
		return prepare(ctx, cfg, cu, rooms, certs, &o)
	})
	if err != nil {
		return nil, err
	}
	if order, err = o.Encode(); err != nil {
		return nil, err
	}
	return order, errors.Join(writeAtomic(filepath.Join(cfg.Dir, fileOrder), order, 0o600), foundingEnds(cfg.Dir))
}

// orderAgain is the order of a house that was begun with these roots and waits
// for its ceremony; nil: there is none.
func (c Config) orderAgain(roots [][]byte) ([]byte, error) {
	order, err := os.ReadFile(filepath.Join(c.Dir, fileOrder))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	for i, name := range []string{fileSM2Root, fileECDSARoot} {
		if der, err := readDER(c.Dir, name); err != nil || !bytes.Equal(der, roots[i]) {
			return nil, fmt.Errorf("%w: %s was begun with other roots", ErrInitialised, c.Dir)
		}
	}
	o, err := ceremony.ReadOrder(order)
	if err == nil && o.Organization != c.Organization {
		err = fmt.Errorf("%w: %s was begun for %q", ErrInitialised, c.Dir, o.Organization)
	}
	if err != nil {
		return nil, err
	}
	return order, foundingEnds(c.Dir)
}

// prepare records both issuing authorities and the first lists of both roots.
func prepare(ctx context.Context, cfg Config, cu *custody, rooms *store.Rooms, roots []*smx509.Certificate, o *ceremony.Order) error {
	off, err := cfg.offline(cu, rooms, roots)
	if err != nil {
		return err
	}
	rows, err := off.Prepare(ctx)
	if err != nil {
		return err
	}
	for i, name := range []profile.Name{profile.SM2Issuing, profile.ECDSAIssuing} {
		o.Items = append(o.Items, ceremony.Item{Kind: ceremony.KindAuthority, Issuer: rows[i].Issuer, Profile: name, TBS: rows[i].TBS})
	}
	lists, err := cfg.rootStatus(rooms, roots)
	if err != nil {
		return err
	}
	return orderLists(ctx, lists, o)
}
