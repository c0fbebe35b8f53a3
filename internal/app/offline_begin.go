package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Begin founds a house whose roots are offline, up to what the roots have to
// sign: folder, keys, store, and the order for the room. roots is the outcome of
// the ceremony that made them; the caller compared their fingerprints.
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
	if rec.Kind != ceremony.RecordRoot || rec.Organization != cfg.Organization {
		return nil, fmt.Errorf("%w: it made no roots for %q", ceremony.ErrRecord, cfg.Organization)
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
	return order, writeAtomic(filepath.Join(cfg.Dir, fileOrder), order, 0o600)
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
