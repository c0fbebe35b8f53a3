package kmc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Rewrapped is an escrowed key under the key-encryption key in force, and the
// wrapping that it replaces.
type Rewrapped struct {
	Key ca.EscrowedKey
	Was string // id of the former key-encryption key
}

// Rewrap brings every escrowed key under the key-encryption key in force
// (GB/T 43206 annex A: renewal), a batch a transaction. What is left stands in the
// store, so that it goes on where it was broken off. A key that does not open
// stays as it is and is an error at the end: it does not hold up the others, and
// the former key-encryption key has to be kept for it.
func (c *Centre) Rewrap(ctx context.Context) error {
	done, stuck := 0, map[string]error{}
	for ctx.Err() == nil {
		keys, left, err := c.cfg.Keys.Outdated(ctx, c.cfg.KEK.ID(), rewrapBatch+len(stuck))
		if err != nil {
			return fmt.Errorf("kmc: look for keys to wrap anew: %w", err)
		}
		var batch []Rewrapped
		for _, k := range keys {
			if stuck[k.Pair] != nil {
				continue
			}
			anew, err := c.rewrap(ctx, k)
			if err != nil {
				stuck[k.Pair] = fmt.Errorf("key of pair %s: %w", k.Pair, err)
				continue
			}
			batch = append(batch, Rewrapped{Key: anew, Was: k.KEK})
		}
		if len(batch) == 0 {
			if left <= len(stuck) {
				break
			}
			continue // more stand behind those that do not open
		}
		_, err = c.cfg.Keys.Rewrap(ctx, batch, event(c.cfg.NewID(), "kmc.keys.rewrapped", ledger.ClassAdmin, c.cfg.Now(), c.cfg.Actor,
			ledger.Object{Kind: "kmc_kek", ID: c.cfg.KEK.ID()}, map[string]string{"keys": strconv.Itoa(len(batch)), "left": strconv.Itoa(left - len(batch))}))
		if err != nil && !errors.Is(err, ErrTaken) { // another node wraps too: look again
			return fmt.Errorf("kmc: keep keys that were wrapped anew: %w", err)
		}
		if err == nil {
			done += len(batch)
			c.cfg.Log.InfoContext(ctx, "escrowed keys are wrapped anew", "done", done, "left", left-len(batch))
		}
	}
	errs := make([]error, 0, len(stuck)+1)
	for _, err := range stuck {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (c *Centre) rewrap(ctx context.Context, k ca.EscrowedKey) (ca.EscrowedKey, error) {
	associated := Associated(k.Pair, k.PublicSM3)
	key, err := c.unwrap(ctx, k.KEK, k.Wrapped, associated, k.PublicSM3)
	if err != nil {
		return ca.EscrowedKey{}, err
	}
	if k.Wrapped, err = c.wrap(ctx, key, associated); err != nil {
		return ca.EscrowedKey{}, err
	}
	k.KEK = c.cfg.KEK.ID()
	return k, nil
}

// lookEvery is how often Run looks without being asked.
const lookEvery = time.Minute

// Run wraps anew what is due, and keeps the pool filled, until ctx ends. A fault
// is logged and tried again.
func (c *Centre) Run(ctx context.Context) error {
	if c.cfg.Keys == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := errors.Join(c.Rewrap(ctx), c.Refill(ctx)); err != nil && ctx.Err() == nil {
			c.cfg.Log.ErrorContext(ctx, "care for escrowed keys", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.wanted:
		case <-tick.C:
		}
		c.mu.Lock()
		c.dry = false // another node may have filled it
		c.mu.Unlock()
	}
}
