package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Complete takes the outcome of the ceremony that signed Begin's order, and ends
// the founding. Broken off at any step it is repeated: what is there stays, and
// the administrators get other links.
func Complete(ctx context.Context, cfg Config, signed []byte, admins []Administrator) (_ Founded, err error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), threePersons(admins), private(cfg.Dir), brokeOff(cfg.Dir)); err != nil {
		return Founded{}, err
	}
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, fileOrder))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Founded{}, fmt.Errorf("%w: no ceremony is awaited here", ErrInitialised)
	case err != nil:
		return Founded{}, fmt.Errorf("app: read order: %w", err)
	}
	roots, err := cfg.savedRoots()
	if err != nil {
		return Founded{}, err
	}
	out, rec, _, sum, err := readOutcome(signed, roots)
	if err != nil {
		return Founded{}, err
	}
	if rec.Kind != ceremony.RecordSign || rec.Order != SM3Hex(raw) {
		return Founded{}, fmt.Errorf("%w: it signed another order", ceremony.ErrRecord)
	}
	o, err := ceremony.ReadOrder(raw)
	if err != nil {
		return Founded{}, err
	}
	cu, err := openCustody(cfg)
	if err != nil {
		return Founded{}, err
	}
	if err := cu.open(ctx, cfg); err != nil {
		return Founded{}, errors.Join(err, cu.Close())
	}
	err = withRooms(ctx, cfg, cu, func(rooms *store.Rooms) error {
		return cfg.adopt(ctx, cu, rooms, roots, o, out, sum)
	})
	if err == nil {
		err = keepOutcome(cfg, signed, sum)
	}
	if err != nil {
		return Founded{}, errors.Join(err, cu.Close())
	}
	h, made, err := settle(ctx, cfg, cu, admins)
	if err != nil {
		return Founded{}, err
	}
	// The order last: as long as it is there, everything here is done again.
	if err = h.recordKept(ctx, roots); err == nil {
		err = os.Remove(filepath.Join(cfg.Dir, fileOrder))
	}
	return made, errors.Join(err, h.Close())
}

// recordKept puts the founding's ceremonies on the ledger: the one that made the
// roots and the one that signed with them.
func (h *House) recordKept(ctx context.Context, roots []*smx509.Certificate) error {
	kept, err := filepath.Glob(filepath.Join(h.cfg.Dir, dirCeremonies, "*.json"))
	if err != nil {
		return fmt.Errorf("app: ceremonies: %w", err)
	}
	for _, path := range kept {
		raw, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("app: ceremonies: %w", err)
		}
		_, rec, _, sum, err := readOutcome(raw, roots)
		if err != nil {
			return err
		}
		if err := h.importedEvent(ctx, rec, sum); err != nil {
			return err
		}
	}
	return nil
}

// adopt records what the ceremony signed: authorities, then lists, then the
// certificates that hang on them.
func (c Config) adopt(ctx context.Context, cu *custody, rooms *store.Rooms, roots []*smx509.Certificate, o ceremony.Order, out ceremony.Outcome, sum string) error {
	off, err := c.offline(cu, rooms, roots)
	if err != nil {
		return err
	}
	var tbs, signatures [2][]byte
	for _, item := range o.Items {
		for i, root := range roots {
			if item.Kind != ceremony.KindAuthority || item.Issuer != ca.IssuerID(root) {
				continue
			}
			if signatures[i], err = out.Signed(root, item.TBS); err != nil {
				return err
			}
			tbs[i] = item.TBS
		}
	}
	four, err := off.Complete(ctx, tbs, signatures, sum)
	if err != nil {
		return err
	}
	lists, err := c.rootStatus(rooms, roots)
	if err != nil {
		return err
	}
	if _, err := importLists(ctx, lists, rooms.CA, out); err != nil {
		return err
	}
	if err := saveAuthorities(c, four); err != nil {
		return err
	}
	return foundServices(ctx, c, cu, rooms)
}
