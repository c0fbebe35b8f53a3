package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// gather reads rows for many callers by one query. Who comes while a query is
// under way waits for the next one: what it gets was read after it asked. Nobody
// waits for company.
type gather[K comparable, V any] struct {
	// read answers for keys, at most gatherSize; one without a row is left out.
	read func(ctx context.Context, keys []K) (map[K]V, error)

	mu      sync.Mutex
	next    []*reading[K, V] // each but the last is full
	running bool
}

type reading[K comparable, V any] struct {
	keys map[K]struct{}
	done chan struct{}
	rows map[K]V
	err  error
}

const (
	gatherSize = 64
	// gatherTime bounds one query: it hangs on no caller's context.
	gatherTime = 10 * time.Second
)

func newGather[K comparable, V any](read func(context.Context, []K) (map[K]V, error)) *gather[K, V] {
	return &gather[K, V]{read: read}
}

// get returns the row of a key, and whether there is one.
func (g *gather[K, V]) get(ctx context.Context, key K) (V, bool, error) {
	g.mu.Lock()
	if n := len(g.next); n == 0 || len(g.next[n-1].keys) == gatherSize {
		g.next = append(g.next, &reading[K, V]{keys: map[K]struct{}{}, done: make(chan struct{})})
	}
	mine := g.next[len(g.next)-1]
	mine.keys[key] = struct{}{}
	if !g.running {
		g.running = true
		go g.run(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case <-mine.done:
		row, ok := mine.rows[key]
		return row, ok, mine.err
	case <-ctx.Done():
		var none V
		return none, false, ctx.Err()
	}
}

func (g *gather[K, V]) run(ctx context.Context) {
	for {
		g.mu.Lock()
		if len(g.next) == 0 {
			g.running = false
			g.mu.Unlock()
			return
		}
		r := g.next[0]
		g.next = slices.Delete(g.next, 0, 1)
		g.mu.Unlock()
		bounded, cancel := context.WithTimeout(ctx, gatherTime)
		r.rows, r.err = g.read(bounded, slices.Collect(maps.Keys(r.keys)))
		cancel()
		close(r.done)
	}
}
