package kmc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// PooledKey is a spare key (备用密钥), wrapped and bound to its own id.
type PooledKey struct {
	ID        string
	Wrapped   []byte
	KEK       string
	PublicSM3 string
	CreatedAt time.Time
}

// Keys is the store of wrapped keys. Every change commits with its event; row
// counts decide races.
type Keys interface {
	AddPooled(ctx context.Context, keys []PooledKey, ev ledger.Event) (ledger.Receipt, error)
	// Pooled returns at most limit spare keys, oldest first, and how many there are.
	Pooled(ctx context.Context, limit int) ([]PooledKey, int, error)
	// TakePooled deletes all of these or none: ErrTaken when one is gone.
	TakePooled(ctx context.Context, ids []string, ev ledger.Event) (ledger.Receipt, error)

	// Escrowed returns the key of a pair, or ErrNotFound. The key of a pair that was
	// abandoned (ca.Sweeper) is kept and wrapped anew with the others, but is found
	// by nobody: its certificates were never signed, nothing was encrypted to it.
	Escrowed(ctx context.Context, pair string) (ca.EscrowedKey, error)
	// Outdated returns at most limit keys that are wrapped under another
	// key-encryption key than this, and how many there are.
	Outdated(ctx context.Context, kek string, limit int) ([]ca.EscrowedKey, int, error)
	// Rewrap exchanges the wrapping of all of these or none: ErrTaken when one is
	// no longer wrapped as Was says.
	Rewrap(ctx context.Context, keys []Rewrapped, ev ledger.Event) (ledger.Receipt, error)
}

// Sizes of a batch: an event and a transaction each.
const (
	takeBatch   = 32
	makeBatch   = 64
	rewrapBatch = 64
)

// takeTries bounds how often a batch is looked for while others take theirs.
const takeTries = 16

// draw returns a key that nobody has: a spare one, or one made now.
func (c *Centre) draw(ctx context.Context) (*sm2.PrivateKey, error) {
	spare, found, err := c.spare(ctx)
	if err != nil {
		return nil, err
	}
	if !found {
		key, err := sm2.GenerateKey(c.cfg.Rand)
		if err != nil {
			return nil, fmt.Errorf("kmc: make key: %w", err)
		}
		return key, nil
	}
	key, err := c.unwrap(ctx, spare.KEK, spare.Wrapped, pooled(spare.ID, spare.PublicSM3), spare.PublicSM3)
	if err != nil {
		return nil, fmt.Errorf("kmc: spare key %s: %w", spare.ID, err)
	}
	return key, nil
}

// spare hands out a spare key that this process took out of the store. Those
// that it took and did not use are lost when it ends: they were never anybody's.
func (c *Centre) spare(ctx context.Context) (PooledKey, bool, error) {
	if c.cfg.PoolSize == 0 {
		return PooledKey{}, false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ready) == 0 && !c.dry {
		var err error
		if c.ready, err = c.take(ctx); err != nil {
			return PooledKey{}, false, err
		}
		c.dry = len(c.ready) == 0
		select {
		case c.wanted <- struct{}{}:
		default:
		}
	}
	if len(c.ready) == 0 {
		return PooledKey{}, false, nil
	}
	k := c.ready[0]
	c.ready = c.ready[1:]
	return k, true, nil
}

// take moves a batch out of the store. Nodes that look at once would all see the
// same oldest keys: each picks its batch at random among several.
func (c *Centre) take(ctx context.Context) ([]PooledKey, error) {
	for range takeTries {
		have, _, err := c.cfg.Keys.Pooled(ctx, 8*takeBatch)
		if err != nil {
			return nil, fmt.Errorf("kmc: look into the pool: %w", err)
		}
		if len(have) == 0 {
			return nil, nil
		}
		from := 0
		if spares := len(have) - takeBatch; spares > 0 {
			from = rand.N(spares + 1)
		}
		batch := have[from:min(from+takeBatch, len(have))]
		_, err = c.cfg.Keys.TakePooled(ctx, idsOf(batch), c.poolEvent("kmc.pool.taken", batch))
		if errors.Is(err, ErrTaken) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("kmc: take from the pool: %w", err)
		}
		return batch, nil
	}
	return nil, nil // others are quicker: a key is made on the spot
}

// Refill makes spare keys until the pool has its size, a batch at a time, and
// throws away those under a former key-encryption key.
func (c *Centre) Refill(ctx context.Context) error {
	for ctx.Err() == nil {
		oldest, n, err := c.cfg.Keys.Pooled(ctx, makeBatch)
		if err != nil {
			return fmt.Errorf("kmc: look into the pool: %w", err)
		}
		old := slices.DeleteFunc(oldest, func(k PooledKey) bool { return k.KEK == c.cfg.KEK.ID() })
		if len(old) > 0 {
			if _, err := c.cfg.Keys.TakePooled(ctx, idsOf(old), c.poolEvent("kmc.pool.discarded", old)); err != nil && !errors.Is(err, ErrTaken) {
				return fmt.Errorf("kmc: discard spare keys: %w", err)
			}
			continue
		}
		lacks := min(c.cfg.PoolSize-n, makeBatch)
		if lacks <= 0 {
			return nil
		}
		if err := c.fill(ctx, lacks); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (c *Centre) fill(ctx context.Context, n int) error {
	made := make([]PooledKey, n)
	for i := range made {
		key, err := sm2.GenerateKey(c.cfg.Rand)
		if err != nil {
			return fmt.Errorf("kmc: make key: %w", err)
		}
		k := PooledKey{ID: c.cfg.NewID(), KEK: c.cfg.KEK.ID(), CreatedAt: c.cfg.Now().UTC().Truncate(time.Microsecond)}
		if k.PublicSM3, err = fingerprint(&key.PublicKey); err != nil {
			return err
		}
		if k.Wrapped, err = c.wrap(ctx, key, pooled(k.ID, k.PublicSM3)); err != nil {
			return err
		}
		made[i] = k
	}
	if _, err := c.cfg.Keys.AddPooled(ctx, made, c.poolEvent("kmc.pool.filled", made)); err != nil {
		return fmt.Errorf("kmc: keep spare keys: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dry = false
	return nil
}

// poolEvent says how many keys, and by Payload which.
func (c *Centre) poolEvent(kind string, keys []PooledKey) ledger.Event {
	all := sm3.New()
	for _, k := range keys {
		fmt.Fprintf(all, "%s %s\n", k.ID, k.PublicSM3)
	}
	ev := event(c.cfg.NewID(), kind, ledger.ClassAdmin, c.cfg.Now(), c.cfg.Actor, ledger.Object{Kind: "kmc_pool", ID: c.cfg.KEK.ID()},
		map[string]string{"keys": strconv.Itoa(len(keys))})
	ev.Payload = hex.EncodeToString(all.Sum(nil))
	return ev
}

func idsOf(keys []PooledKey) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.ID
	}
	return out
}
