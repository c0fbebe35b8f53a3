package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// The house's side of an offline root: it records what the roots shall sign and
// carries it out as an order; what comes back is the outcome of a ceremony. The
// room itself is in ceremony.go.

// ErrAwaiting: the house was begun with offline roots, whose signatures have not
// come yet.
var ErrAwaiting = errors.New("app: the ceremony of the roots has not been brought in yet")

const (
	fileOrder     = "ceremony-order.json" // of the founding, until its signatures are here
	dirCeremonies = "ceremonies"          // outcomes that were brought in
)

// founded refuses a house that waits for its first ceremony.
func founded(cfg Config) error {
	if !cfg.OfflineRoot {
		return nil
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, fileOrder)); err == nil {
		return fmt.Errorf("%w: %s", ErrAwaiting, cfg.Dir)
	}
	return nil
}

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

func orderLists(ctx context.Context, s *status.Service, o *ceremony.Order) error {
	for _, id := range s.Offline() {
		c, err := s.Order(ctx, id)
		if err != nil {
			return err
		}
		o.Items = append(o.Items, ceremony.Item{Kind: ceremony.KindList, Issuer: id, TBS: c.TBS})
	}
	return nil
}

func (c Config) offline(cu *custody, rooms *store.Rooms, roots []*smx509.Certificate) (ca.Offline, error) {
	sm2Key, err := ecPublic(cu.signer(keySM2Issuing))
	if err != nil {
		return ca.Offline{}, err
	}
	ecdsaKey, err := ecPublic(cu.signer(keyECDSAIssuing))
	if err != nil {
		return ca.Offline{}, err
	}
	return ca.Offline{
		Organization: c.Organization, Agency: c.USCC, Site: c.site(), SM2Root: roots[0], ECDSARoot: roots[1], SM2Issuing: sm2Key, ECDSAIssuing: ecdsaKey,
		Registry: rooms.CA, Actor: c.actor(), Now: c.Now, Rand: c.Rand, NewID: newID,
	}, nil
}

// rootStatus speaks for the roots alone, before there is a house.
func (c Config) rootStatus(rooms *store.Rooms, roots []*smx509.Certificate) (*status.Service, error) {
	return status.New(status.Config{
		Authorities: []status.Authority{{Certificate: roots[0], Offline: true}, {Certificate: roots[1], Offline: true}},
		Registry:    rooms.CA, Lists: rooms.CA, Published: rooms.CA, Site: c.site(), Actor: c.actor(), Now: c.Now, Rand: c.Rand, NewID: newID, Log: c.Log,
	})
}

// Complete takes the outcome of the ceremony that signed Begin's order, and ends
// the founding. It may be repeated after a failure.
func Complete(ctx context.Context, cfg Config, signed []byte, admins []Administrator) (_ Founded, err error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), threePersons(admins), private(cfg.Dir)); err != nil {
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
		err = errors.Join(keepOutcome(cfg, signed, sum), os.Remove(filepath.Join(cfg.Dir, fileOrder)))
	}
	if err != nil {
		return Founded{}, errors.Join(err, cu.Close())
	}
	h, made, err := settle(ctx, cfg, cu, admins)
	if err != nil {
		return Founded{}, err
	}
	return made, errors.Join(h.recordKept(ctx, roots), h.Close())
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

// importLists publishes the lists that an outcome signed and returns how many. A
// list that it published before is no error: an import may be repeated.
func importLists(ctx context.Context, s *status.Service, published status.Published, out ceremony.Outcome) (int, error) {
	n := 0
	for _, id := range s.Offline() {
		for _, sig := range out.Signatures {
			if sig.Issuer != id {
				continue
			}
			_, err := s.Import(ctx, id, sig.TBSSM3, sig.Value)
			switch newest, perr := published.PublishedCRL(ctx, id, "", false, 0); {
			case errors.Is(err, status.ErrNoList): // of another thing that the root signed
			case errors.Is(err, status.ErrOvertaken) && perr == nil && newest.TBSSM3 == sig.TBSSM3:
			case err != nil:
				return n, err
			default:
				n++
			}
		}
	}
	return n, nil
}

// savedRoots are the roots of the house as its folder has them.
func (c Config) savedRoots() ([]*smx509.Certificate, error) {
	var out []*smx509.Certificate
	for _, name := range []string{fileSM2Root, fileECDSARoot} {
		der, err := readDER(c.Dir, name)
		if err != nil {
			return nil, err
		}
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("app: certificate %s: %w", name, err)
		}
		out = append(out, cert)
	}
	return out, nil
}

// readOutcome verifies an outcome against these roots; nil: against its own,
// whose fingerprints somebody has to compare.
func readOutcome(raw []byte, roots []*smx509.Certificate) (ceremony.Outcome, ceremony.Record, []*smx509.Certificate, string, error) {
	out, err := ceremony.ReadOutcome(raw)
	if err == nil && roots == nil {
		roots, err = out.RootCertificates()
	}
	if err != nil {
		return out, ceremony.Record{}, nil, "", err
	}
	rec, sum, err := out.Verify(roots)
	return out, rec, roots, sum, err
}

// keepOutcome keeps the file that the ledger names by its record's digest.
func keepOutcome(cfg Config, raw []byte, sum string) error {
	dir := filepath.Join(cfg.Dir, dirCeremonies)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return writeAtomic(filepath.Join(dir, sum+".json"), raw, 0o600)
}

// importedEvent puts a ceremony on the ledger: what it did by the digest of its
// record, and how many were there. Names stay in the record.
func (h *House) importedEvent(ctx context.Context, rec ceremony.Record, sum string) error {
	details := map[string]string{
		"record": sum, "kind": rec.Kind, "need": fmt.Sprint(rec.Need), "of": fmt.Sprint(rec.Of), "custodians": fmt.Sprint(len(rec.Custodians)),
		"witnesses": fmt.Sprint(len(rec.Witnesses)), "split": rec.Split, "sm2_check": rec.Keys[0].CheckValue, "ecdsa_check": rec.Keys[1].CheckValue,
	}
	if rec.Order != "" {
		details["order"] = rec.Order
	}
	_, err := h.Ledger.Record(ctx, ledger.Event{
		ID: newID(), Type: "ca.ceremony.imported", Class: ledger.ClassCertificate, Time: h.now(), Actor: h.service(),
		Object: ledger.Object{Kind: "ceremony", ID: sum}, Outcome: ledger.Success, Payload: sum, Details: details,
	})
	if err != nil {
		return fmt.Errorf("app: record ceremony: %w", err)
	}
	return nil
}

// OrderLists records the next lists of the offline roots and returns the order
// for the room: these, and the certificates of a generation that waits for its
// roots. The house must not be serving: its store is opened here.
func OrderLists(ctx context.Context, cfg Config) (order []byte, err error) {
	h, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if len(h.CertStatus.Offline()) == 0 {
		return nil, status.ErrOnline
	}
	o := ceremony.NewOrder(h.cfg.Organization, h.cfg.Now())
	_, members, err := h.Succession.Awaited(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		p, err := m.Profile()
		if err != nil {
			return nil, err
		}
		o.Items = append(o.Items, ceremony.Item{Kind: ceremony.KindAuthority, Issuer: m.Issuer, Profile: p.Name, TBS: m.TBS})
	}
	if err := orderLists(ctx, h.CertStatus, &o); err != nil {
		return nil, err
	}
	return o.Encode()
}

// Imported is what a ceremony brought to the house.
type Imported struct {
	Lists      int `json:"lists"`                // published
	Generation int `json:"generation,omitempty"` // of authorities, which now waits for approval; 0: none
}

// ImportCeremony publishes the lists that a ceremony signed, and takes the
// certificates of the generation that waited for it. The house must not be serving.
func ImportCeremony(ctx context.Context, cfg Config, raw []byte) (got Imported, err error) {
	h, err := Open(ctx, cfg)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	roots, err := h.cfg.savedRoots()
	if err != nil {
		return got, err
	}
	out, rec, _, sum, err := readOutcome(raw, roots)
	if err != nil {
		return got, err
	}
	// The record first: what the roots signed is never in use without it.
	if err := errors.Join(keepOutcome(h.cfg, raw, sum), h.importedEvent(ctx, rec, sum)); err != nil {
		return got, err
	}
	if got.Lists, err = importLists(ctx, h.CertStatus, h.rooms.CA, out); err != nil {
		return got, err
	}
	g, members, err := h.Succession.Awaited(ctx)
	if err != nil {
		return got, err
	}
	if len(members) > 0 && signs(out, members[0].TBS) {
		if _, err := h.Succession.Import(ctx, h.service(), out.Signed, sum); err != nil {
			return got, err
		}
		got.Generation = g.Number
	}
	if got == (Imported{}) {
		err = fmt.Errorf("%w: nothing in it is new to this house", ceremony.ErrRecord)
	}
	return got, err
}

// signs reports whether an outcome has a signature over some bytes: one of an
// earlier order has none for what was recorded since.
func signs(out ceremony.Outcome, tbs []byte) bool {
	return slices.ContainsFunc(out.Signatures, func(s ceremony.Signature) bool { return s.TBSSM3 == SM3Hex(tbs) })
}
