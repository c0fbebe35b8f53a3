package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// OrderLists records the next lists of the offline roots and returns the order
// for the room: these, and the certificates of a generation that waits for its
// roots, with the first lists of its new roots; ErrServing while the house serves:
// its store is opened here.
func OrderLists(ctx context.Context, cfg Config) (order []byte, err error) {
	h, err := openAlone(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if len(h.CertStatus.Offline()) == 0 {
		return nil, status.ErrOnline
	}
	o := ceremony.NewOrder(h.cfg.Organization, h.cfg.Now())
	g, members, err := h.Succession.Awaited(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		p, err := m.Profile()
		if err != nil {
			return nil, err
		}
		item := ceremony.Item{Kind: ceremony.KindAuthority, Issuer: m.Issuer, Profile: p.Name, TBS: m.TBS}
		if m.Kind == authority.NewWithOld || m.Kind == authority.OldWithNew {
			item.Kind = ceremony.KindCross
		}
		o.Items = append(o.Items, item)
	}
	if err := h.listAwaited(g); err != nil {
		return nil, err
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

// ImportCeremony publishes the lists that a ceremony signed, and returns how
// many, and takes the certificates of the generation that waited for it;
// ErrServing while the house serves.
func ImportCeremony(ctx context.Context, cfg Config, raw []byte) (got Imported, err error) {
	h, err := openAlone(ctx, cfg)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	g, members, err := h.Succession.Awaited(ctx)
	if err != nil {
		return got, err
	}
	roots, err := h.rootsAtWork(ctx, raw, g)
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
	if err := h.listAwaited(g); err != nil {
		return got, err
	}
	if got.Lists, err = importLists(ctx, h.CertStatus, h.rooms.CA, out); err != nil {
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
