package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/keys"
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

// Init founds a house and closes it again: `serve` opens it.
func Init(ctx context.Context, cfg Config, admins []Administrator) (Founded, error) {
	h, made, err := Found(ctx, cfg, admins)
	if err != nil {
		return Founded{}, err
	}
	return made, h.Close()
}

// Found founds a house and leaves it open: folder, keys, store, both chains,
// the operating unit, the three administrators. It refuses a folder or a store
// in use, and leaves nothing of a folder behind when it fails. A PostgreSQL
// database in which it failed late must be made anew: the ledger that was begun
// there is never erased.
func Found(ctx context.Context, cfg Config, admins []Administrator) (_ *House, _ Founded, err error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), CheckDB(cfg.DB), threePersons(admins)); err != nil {
		return nil, Founded{}, err
	}
	cu, undo, err := foundBase(ctx, cfg)
	if err != nil {
		return nil, Founded{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	if err := foundChains(ctx, cfg, cu); err != nil {
		return nil, Founded{}, errors.Join(err, cu.Close())
	}
	h, made, err := settle(ctx, cfg, cu, admins)
	if err != nil {
		return nil, Founded{}, err
	}
	if err := foundingEnds(cfg.Dir); err != nil {
		return nil, Founded{}, errors.Join(err, h.Close())
	}
	return h, made, nil
}

// foundBase makes folder, store, settings and keys. undo removes them again, but
// for what was written to a database elsewhere.
func foundBase(ctx context.Context, cfg Config) (_ *custody, undo func() error, err error) {
	remove, err := claimFolder(cfg.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	// The store first: whether it answers and is free costs nothing to find out.
	if err := makeStore(ctx, cfg); err != nil {
		return nil, nil, err
	}
	if os.Getenv(envPassword) == "" {
		if err := keys.CreateSecretFile(filepath.Join(cfg.Dir, fileSecret), cfg.Rand); err != nil {
			return nil, nil, fmt.Errorf("app: service secret: %w", err)
		}
	}
	if err := cfg.save(cfg.Dir); err != nil {
		return nil, nil, fmt.Errorf("app: settings: %w", err)
	}
	cu, err := openCustody(cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := cu.create(ctx, cfg); err != nil {
		return nil, nil, errors.Join(err, cu.Close())
	}
	if err := cu.open(ctx, cfg); err != nil {
		return nil, nil, errors.Join(err, cu.Close())
	}
	return cu, remove, nil
}

// settle opens the house whose authorities were made just now, publishes its
// first lists and lets the administrators in.
func settle(ctx context.Context, cfg Config, cu *custody, admins []Administrator) (*House, Founded, error) {
	h, err := open(ctx, cfg, cu)
	if err != nil {
		return nil, Founded{}, err
	}
	// Certificates name the lists from the first one on: they have to be there.
	if err := h.CertStatus.BuildDue(ctx); err != nil {
		return nil, Founded{}, errors.Join(fmt.Errorf("app: first lists of revoked certificates: %w", err), h.Close())
	}
	made, err := h.foundPeople(ctx, admins)
	if err != nil {
		return nil, Founded{}, errors.Join(err, h.Close())
	}
	return h, made, nil
}

// threePersons refuses anything but one system administrator, one security
// officer and one auditor with three names (三员分立). Two who share a name are
// told apart in the name.
func threePersons(admins []Administrator) error {
	want := map[identity.Role]bool{identity.RoleSystemAdmin: true, identity.RoleSecurityOfficer: true, identity.RoleAuditor: true}
	names := map[string]bool{}
	for _, a := range admins {
		if !want[a.Role] || a.Name == "" || names[a.Name] {
			return fmt.Errorf("%w: %s %q", ErrAdministrators, a.Role, a.Name)
		}
		delete(want, a.Role)
		names[a.Name] = true
	}
	if len(want) > 0 {
		return fmt.Errorf("%w: %d are missing", ErrAdministrators, len(want))
	}
	return nil
}

// foundPeople lets the administrators in.
func (h *House) foundPeople(ctx context.Context, admins []Administrator) (Founded, error) {
	out := Founded{SM2RootSM3: SM3Hex(h.anchors.sm2Root.Raw), ECDSARootSM3: SM3Hex(h.anchors.ecdsaRoot.Raw)}
	unit := identity.Agency{USCC: identity.USCC(h.cfg.USCC), Name: h.cfg.Organization, Kind: identity.KindOrgan, District: h.cfg.Division, Duties: h.cfg.Duties, Sample: h.cfg.Sample}
	if _, _, err := h.Identity.RegisterAgency(ctx, unit, h.service()); err != nil && !errors.Is(err, identity.ErrExists) {
		return Founded{}, err
	}
	for _, a := range admins {
		l, err := h.administrator(ctx, unit.USCC, a)
		if err != nil {
			return Founded{}, fmt.Errorf("app: administrator %s: %w", a.Role, err)
		}
		out.Links = append(out.Links, l)
	}
	return out, nil
}

// administrator lets one of the three in. Whom a founding that broke off has
// registered already gets a post, if it is missing, and another link.
func (h *House) administrator(ctx context.Context, unit identity.USCC, a Administrator) (Link, error) {
	post := identity.Post{Role: a.Role, Title: h.words.Get("role." + string(a.Role)).Zh}
	people, err := h.rooms.Identity.Persons(ctx, unit)
	if err != nil {
		return Link{}, err
	}
	i := slices.IndexFunc(people, func(p identity.Person) bool { return p.Name == a.Name })
	if i < 0 {
		return h.Invite(ctx, identity.Person{Name: a.Name, Agency: unit}, post, linkLife)
	}
	has, err := h.holds(ctx, people[i].ID, unit, a.Role)
	if err != nil {
		return Link{}, err
	}
	if !has {
		return h.appoint(ctx, h.service(), people[i], post, linkLife)
	}
	return h.link(ctx, h.service(), people[i], a.Role, "activate", linkLife)
}

// Invite registers a person with a post and makes the link of the first visit.
func (h *House) Invite(ctx context.Context, p identity.Person, post identity.Post, life time.Duration) (Link, error) {
	return h.invite(ctx, h.service(), p, post, life)
}

func (h *House) invite(ctx context.Context, actor ledger.Actor, p identity.Person, post identity.Post, life time.Duration) (Link, error) {
	p, _, err := h.Identity.RegisterPerson(ctx, p, actor)
	if err != nil {
		return Link{}, err
	}
	return h.appoint(ctx, actor, p, post, life)
}

func (h *House) appoint(ctx context.Context, actor ledger.Actor, p identity.Person, post identity.Post, life time.Duration) (Link, error) {
	post.Person, post.Agency = p.ID, p.Agency
	if post.From.IsZero() {
		post.From = h.cfg.Now().UTC().Truncate(time.Microsecond)
	}
	if _, _, err := h.Identity.AssignPost(ctx, post, actor); err != nil {
		return Link{}, err
	}
	return h.link(ctx, actor, p, post.Role, "activate", life)
}
