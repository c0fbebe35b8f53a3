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

// founded refuses a house whose founding broke off, or waits for its first
// ceremony.
func founded(cfg Config) error {
	if err := brokeOff(cfg.Dir); err != nil || !cfg.OfflineRoot {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, fileOrder)); err == nil {
		return fmt.Errorf("%w: %s", ErrAwaiting, cfg.Dir)
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
