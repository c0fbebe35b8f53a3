package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/internal/store"
)

// A house that serves says so in its store. Whoever opens a store takes its
// ledger over, and the house before writes nothing any more: commands that open
// it for a moment look first.

// ErrServing: a house serves on this store, or ended without a word a moment ago.
var ErrServing = errors.New("app: a house is serving on this store")

const (
	leaseServing = "serving"
	leaseLife    = 20 * time.Second // a dead house is believed to serve for so long
	leaseEvery   = 5 * time.Second
)

// runServing keeps the word until ctx ends, and then takes it back.
func (h *House) runServing(ctx context.Context) {
	holder := newID()
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	for {
		if err := h.store.TakeLease(ctx, leaseServing, holder, h.cfg.Now().Add(leaseLife)); err != nil && ctx.Err() == nil {
			h.cfg.Log.WarnContext(ctx, "the store does not know that this house serves", "error", err)
		}
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseEvery)
			defer cancel()
			if err := h.store.DropLease(ctx, leaseServing, holder); err != nil {
				h.cfg.Log.WarnContext(ctx, "the store believes for a while that this house serves", "error", err)
			}
			return
		case <-tick.C:
		}
	}
}

// openAlone opens a house for one command, unless it serves.
func openAlone(ctx context.Context, cfg Config) (*House, error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), private(cfg.Dir), founded(cfg)); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Config{URL: cfg.Store(), Now: cfg.Now, Rand: cfg.Rand})
	if err != nil {
		return nil, fmt.Errorf("app: open store: %w", err)
	}
	until, serves, err := st.Leased(ctx, leaseServing, cfg.Now())
	if err = errors.Join(err, st.Close()); err != nil {
		return nil, err
	}
	if serves {
		return nil, fmt.Errorf("%w: until %s", ErrServing, until.Format(time.RFC3339))
	}
	return Open(ctx, cfg)
}
