package app

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

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

// issuedBefore is the certificate that a founding which broke off has made for a
// service's key, or nil.
func issuedBefore(ctx context.Context, rooms *store.Rooms, service string, key *ecdsa.PublicKey) ([]byte, error) {
	all, err := rooms.CA.CertificatesOf(ctx, service)
	if err != nil {
		return nil, fmt.Errorf("app: certificates of %s: %w", service, err)
	}
	for _, c := range all {
		if crt, err := smx509.ParseCertificate(c.DER); err == nil && c.State == ca.StateGood && key.Equal(crt.PublicKey) {
			return c.DER, nil
		}
	}
	return nil, nil
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
	for _, s := range []struct {
		key, file, name string
		kind            ca.Kind
		profile         profile.Name
	}{
		{keyLedger, fileLedgerCert, "台账检查点签名", ca.KindService, profile.SM2Ledger},
		{keyExchange, fileExchangeCert, "交换服务签名", ca.KindService, profile.SM2Exchange},
		{keyMaker, fileMakerCert, "制章系统", ca.KindMaker, profile.SM2Maker},
	} {
		pub, err := ecPublic(cu.signer(s.key))
		if err != nil {
			return err
		}
		had, err := issuedBefore(ctx, rooms, s.key, pub)
		if err != nil {
			return err
		}
		if had != nil {
			if err := saveCert(cfg.Dir, s.file, had); err != nil {
				return err
			}
			continue
		}
		out, err := founder.IssueSM2(ctx, cfg.actor(), ca.IssueSpec{
			ID: "service-" + s.key, Kind: s.kind, Profile: s.profile, Public: pub, Agency: cfg.USCC, System: s.key,
			Subject: profile.Subject{CommonName: cfg.Organization + s.name, Organization: cfg.Organization, USCC: cfg.USCC},
		})
		if err != nil {
			return fmt.Errorf("app: certificate of %s: %w", s.key, err)
		}
		if err := saveCert(cfg.Dir, s.file, out.Certificate.DER); err != nil {
			return err
		}
	}
	return nil
}
