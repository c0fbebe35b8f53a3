package kmc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

func (w *world) spares(kek string) int {
	w.t.Helper()
	have, n, err := w.store.Pooled(bg, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range have {
		if k.KEK != kek {
			w.t.Errorf("spare key %s is under %s", k.ID, k.KEK)
		}
	}
	return n
}

func TestPoolIsFilledTakenAndBound(t *testing.T) {
	w := newWorld(t)
	c := w.centreWith(w.kek, 100)
	if err := c.Refill(bg); err != nil || w.spares(w.kek.ID()) != 100 {
		t.Fatalf("%d keys, %v", w.spares(w.kek.ID()), err)
	}
	if err := c.Refill(bg); err != nil || w.spares(w.kek.ID()) != 100 {
		t.Errorf("filled above its size: %d, %v", w.spares(w.kek.ID()), err)
	}
	spare := map[string]bool{}
	have, _, err := w.store.Pooled(bg, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range have {
		spare[k.PublicSM3] = true
	}
	seen := map[string]bool{}
	for i := range 120 { // and twenty on the spot
		sign := newKey(t)
		got, err := c.NewPair(bg, fmt.Sprintf("pair-%d", i), &sign.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if seen[got.Escrow.PublicSM3] || spare[got.Escrow.PublicSM3] != (i < 100) {
			t.Fatalf("pair %d: seen before, or from the wrong place", i)
		}
		seen[got.Escrow.PublicSM3] = true
		// Bound to its pair now, and no more to the pool.
		if _, err := w.kek.Unwrap(bg, got.Escrow.Wrapped, kmc.Associated(got.Escrow.Pair, got.Escrow.PublicSM3)); err != nil {
			t.Errorf("pair %d: %v", i, err)
		}
		if key, err := sm2.ParseEnvelopedPrivateKey(sign, got.Envelope); err != nil || !key.PublicKey.Equal(got.Public) {
			t.Errorf("pair %d: envelope: %v", i, err)
		}
	}
	events := map[string]int{}
	for _, ev := range w.store.Events() {
		events[ev.Type]++
		if strings.HasPrefix(ev.Type, "kmc.pool.") && (ev.Class != ledger.ClassAdmin || len(ev.Payload) != 64 || ev.Details["keys"] == "") {
			t.Errorf("%+v", ev)
		}
	}
	if events["kmc.pool.filled"] != 2 || events["kmc.pool.taken"] != 4 {
		t.Errorf("events: %v", events)
	}
}

// Two centres on one store, four callers each: no key goes to two pairs.
func TestNoSpareKeyGoesToTwo(t *testing.T) {
	w := newWorld(t)
	if err := w.centreWith(w.kek, 300).Refill(bg); err != nil {
		t.Fatal(err)
	}
	sign := newKey(t)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 2 {
		c := w.centreWith(w.kek, 300)
		for range 4 {
			wg.Go(func() {
				for range 50 {
					got, err := c.NewPair(bg, newID(), &sign.PublicKey)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[got.Escrow.PublicSM3] {
						t.Error("a key went to two pairs")
					}
					seen[got.Escrow.PublicSM3] = true
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	if len(seen) != 400 {
		t.Errorf("%d keys", len(seen))
	}
}

// mixedUp answers with the wrapped bytes of another spare key.
type mixedUp struct{ *catest.KMC }

func (m mixedUp) Pooled(ctx context.Context, limit int) ([]kmc.PooledKey, int, error) {
	keys, n, err := m.KMC.Pooled(ctx, limit)
	for i := range len(keys) / 2 {
		keys[i].Wrapped, keys[len(keys)-1-i].Wrapped = keys[len(keys)-1-i].Wrapped, keys[i].Wrapped
	}
	return keys, n, err
}

func TestSpareKeysThatWereExchangedDoNotOpen(t *testing.T) {
	w := newWorld(t)
	if err := w.centreWith(w.kek, 2).Refill(bg); err != nil {
		t.Fatal(err)
	}
	c, err := kmc.New(kmc.Config{KEK: w.kek, Rand: rand.Reader, Now: w.clock, Keys: mixedUp{w.store}, PoolSize: 2, NewID: newID, Actor: service})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.NewPair(bg, "p", &newKey(t).PublicKey); !errors.Is(err, kmc.ErrUnwrap) || !strings.Contains(err.Error(), "spare key") || got.Public != nil {
		t.Errorf("%+v, %v", got, err)
	}
	down := errors.New("store is down")
	w.store.FailNext("Pooled", down)
	if _, err := w.centreWith(w.kek, 2).NewPair(bg, "p", &newKey(t).PublicKey); !errors.Is(err, down) {
		t.Errorf("the store is down: %v", err)
	}
}

// A new key-encryption key: every escrowed key comes under it, in as many
// batches as it takes, from wherever it was broken off; spare keys are thrown
// away; a row that does not open stays and is told.
func TestRewrapGoesOnWhereItStopped(t *testing.T) {
	w := newWorld(t)
	var pairs []pair
	for range 150 {
		pairs = append(pairs, w.enrol("civil-a", unit))
	}
	if err := w.centreWith(w.kek, 3).Refill(bg); err != nil {
		t.Fatal(err)
	}
	next := newKEK(t, 2)
	if err := w.centreWith(next, 0).Rewrap(bg); !errors.Is(err, kmc.ErrKEK) {
		t.Errorf("without the former key: %v", err)
	}
	c := w.centreWith(next, 5, w.kek)
	down := errors.New("store is down")
	w.store.FailNext("Rewrap", down)
	if err := c.Rewrap(bg); !errors.Is(err, down) {
		t.Errorf("broken off: %v", err)
	}
	ok, _ := w.store.Registry.Escrowed(pairs[7].id)
	w.store.Tamper(pairs[7].id, func(k *ca.EscrowedKey) { k.Wrapped = bytes.Repeat([]byte{1}, 61) })
	if err := c.Rewrap(bg); !errors.Is(err, kmc.ErrUnwrap) || !strings.Contains(err.Error(), pairs[7].id) || strings.Count(err.Error(), "pair") != 1 {
		t.Errorf("a row that does not open: %v", err)
	}
	w.store.Tamper(pairs[7].id, func(k *ca.EscrowedKey) { *k = ok })
	if err := c.Rewrap(bg); err != nil {
		t.Fatal(err)
	}
	if _, left, err := w.store.Outdated(bg, next.ID(), 1); err != nil || left != 0 {
		t.Errorf("%d are left, %v", left, err)
	}
	for _, p := range pairs {
		k, _ := w.store.Registry.Escrowed(p.id)
		scalar, err := next.Unwrap(bg, k.Wrapped, kmc.Associated(p.id, k.PublicSM3))
		if err != nil {
			t.Fatalf("pair %s: %v", p.id, err)
		}
		key, err := sm2.NewPrivateKey(scalar)
		if err != nil || !key.PublicKey.Equal(p.encPublic.(*ecdsa.PublicKey)) {
			t.Errorf("pair %s holds another key: %v", p.id, err)
		}
	}
	if err := c.Refill(bg); err != nil || w.spares(next.ID()) != 5 {
		t.Errorf("%d spare keys, %v", w.spares(next.ID()), err)
	}
	moved := 0
	for _, ev := range w.store.Events() {
		if ev.Type == "kmc.keys.rewrapped" {
			moved++
		}
	}
	if moved != 4 { // 64, 64, 21 and the one that was mended
		t.Errorf("%d events", moved)
	}
}

// Run fills the pool at the start, and again when it was drawn from.
func TestRunKeepsThePoolFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.centreWith(w.kek, 40)
		ctx, stop := context.WithCancel(bg)
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		synctest.Wait()
		if n := w.spares(w.kek.ID()); n != 40 {
			t.Errorf("%d at the start", n)
		}
		if _, err := c.NewPair(bg, "p", &newKey(t).PublicKey); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := w.spares(w.kek.ID()); n != 40 {
			t.Errorf("%d after one was taken", n)
		}
		time.Sleep(2 * time.Minute)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// BenchmarkNewPair compares keys made on the spot with spare ones: making a key
// in this process costs less than opening one again, so that the pool serves
// custody whose generator is slow, and the inventory that GM/T 0034 asks for.
func BenchmarkNewPair(b *testing.B) {
	kek, err := kmc.NewLocalKEK(bytes.Repeat([]byte{1}, 16), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	sign, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{0, 1024} {
		b.Run(fmt.Sprintf("pool=%d", size), func(b *testing.B) {
			c, err := kmc.New(kmc.Config{KEK: kek, Rand: rand.Reader, Now: time.Now, Keys: catest.NewKMC(catest.New()), PoolSize: size, NewID: newID, Actor: service})
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				if size > 0 && i%size == 0 {
					b.StopTimer()
					if err := c.Refill(bg); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				if _, err := c.NewPair(bg, "p", &sign.PublicKey); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}
