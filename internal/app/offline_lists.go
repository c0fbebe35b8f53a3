package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// OrderLists records the next lists of the offline roots and returns the order
// for the room. The house must not be serving: its store is opened here.
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
	if err := orderLists(ctx, h.CertStatus, &o); err != nil {
		return nil, err
	}
	return o.Encode()
}

// ImportCeremony publishes the lists that a ceremony signed, and returns how
// many. The house must not be serving.
func ImportCeremony(ctx context.Context, cfg Config, raw []byte) (lists int, err error) {
	h, err := Open(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	roots, err := h.cfg.savedRoots()
	if err != nil {
		return 0, err
	}
	out, rec, _, sum, err := readOutcome(raw, roots)
	if err != nil {
		return 0, err
	}
	// The record first: what the roots signed is never in use without it.
	if err := errors.Join(keepOutcome(h.cfg, raw, sum), h.importedEvent(ctx, rec, sum)); err != nil {
		return 0, err
	}
	if lists, err = importLists(ctx, h.CertStatus, h.rooms.CA, out); err == nil && lists == 0 {
		err = fmt.Errorf("%w: nothing in it is new to this house", ceremony.ErrRecord)
	}
	return lists, err
}
