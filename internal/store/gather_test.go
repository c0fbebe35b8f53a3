package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/store"
)

// Callers that come together share a read that began after they came, each gets
// its own row, and one query stays bounded.
func TestASharedReadBeginsAfterTheCall(t *testing.T) {
	var committed, reads atomic.Int64
	odd := errors.New("odd")
	read := store.Gather(func(_ context.Context, keys []int) (map[int]int64, error) {
		reads.Add(1)
		if len(keys) > 64 {
			t.Errorf("%d keys in one query", len(keys))
		}
		out, now := map[int]int64{}, committed.Load()
		for _, k := range keys {
			if k%2 == 0 {
				out[k] = now + int64(k)<<32
			}
		}
		return out, nil
	})
	var wg sync.WaitGroup
	for caller := range 100 {
		wg.Go(func() {
			for range 50 {
				mine := committed.Add(1)
				got, ok, err := read(bg, caller)
				switch {
				case err != nil || ok != (caller%2 == 0):
					t.Errorf("caller %d: %v, %v", caller, ok, err)
				case ok && (got>>32 != int64(caller) || got&0xffffffff < mine):
					t.Errorf("caller %d read %d after %d was committed", caller, got, mine)
				}
			}
		})
	}
	wg.Wait()
	if n := reads.Load(); n > 100*50 {
		t.Errorf("%d reads", n)
	}
	failing := store.Gather(func(context.Context, []int) (map[int]int64, error) { return nil, odd })
	if _, _, err := failing(bg, 1); !errors.Is(err, odd) {
		t.Errorf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	hanging := store.Gather(func(context.Context, []int) (map[int]int64, error) { <-hang; return nil, nil })
	if _, _, err := hanging(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
}
