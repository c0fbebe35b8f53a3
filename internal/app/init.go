package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Administrator is one of the three (三员分立): different persons, each let in
// by a one-time link.
type Administrator struct {
	Role identity.Role
	Name string
}

// Founded is what Init made. Links are shown once and kept nowhere.
type Founded struct {
	SM2RootSM3   string
	ECDSARootSM3 string
	Links        []Link
}

// Link lets one person in, once.
type Link struct {
	Person  string
	Role    identity.Role
	Name    string
	URL     string
	Expires time.Time
}

// linkLife is how long the first links of a house are good.
const linkLife = 72 * time.Hour

// Init founds a house: folder, keys, store, both chains, the operating unit,
// the three administrators. It refuses a folder or store in use, and leaves
// nothing of a folder behind when it fails.
func Init(ctx context.Context, cfg Config, admins []Administrator) (_ Founded, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Founded{}, err
	}
	if err := identity.USCC(cfg.USCC).Validate(); err != nil {
		return Founded{}, err
	}
	undo, err := claimFolder(cfg.Dir)
	if err != nil {
		return Founded{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	if os.Getenv(envPassword) == "" {
		if err := keys.CreateSecretFile(filepath.Join(cfg.Dir, fileSecret), cfg.Rand); err != nil {
			return Founded{}, fmt.Errorf("app: service secret: %w", err)
		}
	}
	if err := foundKeys(ctx, cfg); err != nil {
		return Founded{}, err
	}
	if err := cfg.save(cfg.Dir); err != nil {
		return Founded{}, fmt.Errorf("app: settings: %w", err)
	}
	return foundPeople(ctx, cfg, admins)
}

// claimFolder makes the data folder, or takes an empty one. undo removes what
// was put into it.
func claimFolder(dir string) (undo func() error, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFolder, err)
		}
		undo = func() error { return os.RemoveAll(dir) }
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	case len(entries) > 0:
		return nil, fmt.Errorf("%w: %s is not empty", ErrInitialised, dir)
	default:
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFolder, err)
		}
		undo = func() error {
			var errs []error
			left, err := os.ReadDir(dir)
			errs = append(errs, err)
			for _, e := range left {
				errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
			}
			return errors.Join(errs...)
		}
	}
	for _, sub := range []string{dirAnchors, dirBlobs} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrFolder, err), undo())
		}
	}
	return undo, nil
}

// foundKeys makes keys, store and both chains of authorities.
func foundKeys(ctx context.Context, cfg Config) (err error) {
	cu, err := openCustody(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cu.Close()) }()
	if err := cu.create(ctx); err != nil {
		return err
	}
	if err := cu.createKEK(ctx, cfg); err != nil {
		return err
	}
	if err := cu.open(ctx); err != nil {
		return err
	}
	sc := store.Config{URL: cfg.store(), Now: cfg.Now, Rand: cfg.Rand}
	if _, err := store.Migrate(ctx, sc); err != nil {
		return fmt.Errorf("app: make store: %w", err)
	}
	st, err := store.Open(ctx, sc)
	if err != nil {
		return fmt.Errorf("app: open store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if head, err := st.Ledger().Head(ctx, 0); err != nil || head.Size > 0 {
		return errors.Join(fmt.Errorf("%w: the store holds a ledger of %d entries", ErrInitialised, head.Size), err)
	}
	seq, err := ledger.New(ctx, ledger.Config{Store: st.Ledger(), Now: cfg.Now, Rand: cfg.Rand, Origin: cfg.origin(), Signer: cu.signer(keyLedger)})
	if err != nil {
		return fmt.Errorf("app: ledger: %w", err)
	}
	defer func() { err = errors.Join(err, seq.Close(context.WithoutCancel(ctx))) }()
	return foundCA(ctx, cfg, cu, st.Rooms(seq))
}

// foundCA makes both chains and the certificates of the house's own keys.
func foundCA(ctx context.Context, cfg Config, cu *custody, rooms *store.Rooms) error {
	actor := ledger.Actor{Kind: "service", ID: "yinxin", Unit: cfg.USCC}
	four, err := ca.Bootstrap(ctx, ca.BootstrapConfig{
		Organization: cfg.Organization, Agency: cfg.USCC, Site: cfg.site(),
		SM2Root: cu.signer(keySM2Root), SM2Issuing: cu.signer(keySM2Issuing), ECDSARoot: cu.signer(keyECDSARoot), ECDSAIssuing: cu.signer(keyECDSAIssuing),
		Registry: rooms.CA, Actor: actor, Now: cfg.Now, Rand: cfg.Rand, NewID: newID,
	})
	if err != nil {
		return err
	}
	for name, der := range map[string][]byte{fileSM2Root: four.SM2Root, fileSM2Issuing: four.SM2Issuing, fileECDSARoot: four.ECDSARoot, fileECDSAIssuing: four.ECDSAIssuing} {
		if err := saveCert(cfg.Dir, name, der); err != nil {
			return err
		}
	}
	a, err := loadAuthorities(cfg.Dir)
	if err != nil {
		return err
	}
	kek, err := cu.kek(ctx, cfg)
	if err != nil {
		return err
	}
	wrapper, err := kmc.NewLocalKEK(kek, cfg.Rand)
	if err != nil {
		return err
	}
	centre, err := kmc.New(kmc.Config{KEK: wrapper, Rand: cfg.Rand, Now: cfg.Now})
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
		out, err := founder.IssueSM2(ctx, actor, ca.IssueSpec{
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

// foundPeople opens the house for the first time and lets the administrators in.
func foundPeople(ctx context.Context, cfg Config, admins []Administrator) (_ Founded, err error) {
	h, err := Open(ctx, cfg)
	if err != nil {
		return Founded{}, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	out := Founded{SM2RootSM3: SM3Hex(h.anchors.sm2Root.Raw), ECDSARootSM3: SM3Hex(h.anchors.ecdsaRoot.Raw)}
	unit := identity.Agency{USCC: identity.USCC(cfg.USCC), Name: cfg.Organization, Kind: identity.KindOrgan, District: cfg.Division, Duties: cfg.Duties, Sample: cfg.Sample}
	if _, _, err := h.Identity.RegisterAgency(ctx, unit, h.service()); err != nil {
		return Founded{}, err
	}
	for _, a := range admins {
		l, err := h.Invite(ctx, identity.Person{Name: a.Name, Agency: unit.USCC}, identity.Post{Role: a.Role, Title: h.words.Get("role." + string(a.Role)).Zh}, linkLife)
		if err != nil {
			return Founded{}, fmt.Errorf("app: administrator %s: %w", a.Role, err)
		}
		out.Links = append(out.Links, l)
	}
	return out, nil
}

// Invite registers a person with a post and makes the link of the first visit.
func (h *House) Invite(ctx context.Context, p identity.Person, post identity.Post, life time.Duration) (Link, error) {
	p, _, err := h.Identity.RegisterPerson(ctx, p, h.service())
	if err != nil {
		return Link{}, err
	}
	post.Person, post.Agency = p.ID, p.Agency
	if post.From.IsZero() {
		post.From = h.cfg.Now().UTC().Truncate(time.Microsecond)
	}
	if _, _, err := h.Identity.AssignPost(ctx, post, h.service()); err != nil {
		return Link{}, err
	}
	return h.link(ctx, p, post.Role, "activate", life)
}
