package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// makeStore makes an empty store, or takes one; ErrInitialised when a house
// lives there, whose schema is then left as it is.
func makeStore(ctx context.Context, cfg Config) error {
	sc := store.Config{URL: cfg.Store(), Now: cfg.Now, Rand: cfg.Rand}
	if cfg.DB != "" {
		// A database somewhere else may be anybody's: look before migrating.
		switch err := unused(ctx, sc); {
		case errors.Is(err, store.ErrEmpty): // the usual case
		case err != nil:
			return err
		default:
			return nil
		}
	}
	if _, err := store.Migrate(ctx, sc); err != nil {
		return fmt.Errorf("app: make store: %w", err)
	}
	return nil
}

// unused refuses a store with a ledger in it.
func unused(ctx context.Context, sc store.Config) (err error) {
	st, err := store.Open(ctx, sc)
	if err != nil {
		return fmt.Errorf("app: open store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	head, err := st.Ledger().Head(ctx, 0)
	if err != nil {
		return fmt.Errorf("app: look at the store: %w", err)
	}
	if head.Size > 0 {
		return fmt.Errorf("%w: the store holds a ledger of %d entries", ErrInitialised, head.Size)
	}
	return nil
}

// foundChains makes both chains of authorities over the new store.
func foundChains(ctx context.Context, cfg Config, cu *custody) error {
	return withRooms(ctx, cfg, cu, func(rooms *store.Rooms) error { return foundCA(ctx, cfg, cu, rooms) })
}

// withRooms opens store and ledger for a house that is not founded yet.
func withRooms(ctx context.Context, cfg Config, cu *custody, do func(*store.Rooms) error) (err error) {
	st, err := store.Open(ctx, store.Config{URL: cfg.Store(), Now: cfg.Now, Rand: cfg.Rand})
	if err != nil {
		return fmt.Errorf("app: open store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	seq, err := ledger.New(ctx, ledger.Config{Store: st.Ledger(), Now: cfg.Now, Rand: cfg.Rand, Origin: cfg.origin(), Signer: cu.signer(keyLedger)})
	if err != nil {
		return fmt.Errorf("app: ledger: %w", err)
	}
	defer func() { err = errors.Join(err, seq.Close(context.WithoutCancel(ctx))) }()
	return do(st.Rooms(seq))
}

// foundCA makes both chains and the certificates of the house's own keys.
func foundCA(ctx context.Context, cfg Config, cu *custody, rooms *store.Rooms) error {
	four, err := ca.Bootstrap(ctx, ca.BootstrapConfig{
		Organization: cfg.Organization, Agency: cfg.USCC, Site: cfg.site(),
		SM2Root: cu.signer(keySM2Root), SM2Issuing: cu.signer(keySM2Issuing), ECDSARoot: cu.signer(keyECDSARoot), ECDSAIssuing: cu.signer(keyECDSAIssuing),
		Registry: rooms.CA, Actor: cfg.actor(), Now: cfg.Now, Rand: cfg.Rand, NewID: newID,
	})
	if err != nil {
		return err
	}
	if err := saveAuthorities(cfg, four); err != nil {
		return err
	}
	return foundServices(ctx, cfg, cu, rooms)
}

func saveAuthorities(cfg Config, four ca.Authorities) error {
	for name, der := range map[string][]byte{fileSM2Root: four.SM2Root, fileSM2Issuing: four.SM2Issuing, fileECDSARoot: four.ECDSARoot, fileECDSAIssuing: four.ECDSAIssuing} {
		if err := saveCert(cfg.Dir, name, der); err != nil {
			return err
		}
	}
	return nil
}

// foundServices makes the certificates of the house's own keys.
func foundServices(ctx context.Context, cfg Config, cu *custody, rooms *store.Rooms) error {
	a, err := loadAuthorities(cfg.Dir)
	if err != nil {
		return err
	}
	centre, err := cu.centre(cfg, kmc.Config{})
	if err != nil {
		return err
	}
	founder, err := ca.New(ca.Config{
		Registry: rooms.CA, Hosts: hosts{rooms.Identity}, KMC: centre, SM2Issuing: a.sm2Issuing, SM2Root: a.sm2Root,
		SM2Signer: cu.signer(keySM2Issuing), Site: cfg.site(), Now: cfg.Now, Rand: cfg.Rand, NewID: newID, Founding: true,
	})
	if err != nil {
		return err
	}
	for _, k := range ownKeys() {
		pub, err := ecPublic(cu.signer(k.id))
		if err != nil {
			return err
		}
		row, err := k.newest(ctx, rooms.CA, pub) // of a founding that broke off
		if err != nil {
			return err
		}
		if row.DER == nil {
			out, err := founder.IssueSM2(ctx, cfg.actor(), ca.IssueSpec{
				ID: "service-" + k.id, Kind: k.kind, Profile: k.profile, Public: pub, Agency: cfg.USCC, System: k.id,
				Subject: profile.Subject{CommonName: cfg.Organization + k.name, Organization: cfg.Organization, USCC: cfg.USCC},
			})
			if err != nil {
				return fmt.Errorf("app: certificate of %s: %w", k.id, err)
			}
			row = out.Certificate
		}
		if err := saveCert(cfg.Dir, k.file, row.DER); err != nil {
			return err
		}
	}
	return nil
}
