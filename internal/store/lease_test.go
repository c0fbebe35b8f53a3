package store_test

import (
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/store"
)

// The newest holder counts, a lease ends by itself, and nobody ends another's.
func TestLease(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		now := time.Now()
		held := func(want bool) {
			t.Helper()
			if _, is, err := s.Leased(t.Context(), "x", now); err != nil || is != want {
				t.Errorf("held: %v, %v", is, err)
			}
		}
		held(false)
		ok(t, s.TakeLease(t.Context(), "x", "one", now.Add(time.Second)))
		ok(t, s.TakeLease(t.Context(), "x", "two", now.Add(time.Minute)))
		held(true)
		ok(t, s.DropLease(t.Context(), "x", "one"))
		held(true)
		if until, _, err := s.Leased(t.Context(), "x", now.Add(30*time.Second)); err != nil || until.Sub(now).Round(time.Second) != time.Minute {
			t.Errorf("until %s, %v", until, err)
		}
		now = now.Add(time.Minute)
		held(false)
		ok(t, s.TakeLease(t.Context(), "x", "two", now.Add(time.Minute)))
		ok(t, s.DropLease(t.Context(), "x", "two"))
		held(false)
	})
}
