package catest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// changesTold: every change of a Standing is told once, by whoever it is made;
// what was refused is none, and a reader that follows never misses one.
func changesTold(t *testing.T, s StatusStore) {
	ctx := context.Background()
	at := time.Now().UTC().Truncate(time.Second)
	since := func(revision int64) (int64, []status.Key) {
		t.Helper()
		now, keys, err := s.ChangedSince(ctx, revision)
		if err != nil {
			t.Fatal(err)
		}
		return now, keys
	}
	start, _ := since(-1)
	a, b := good(t, s), good(t, s) // issuing tells nothing: nobody keeps what is not issued
	if now, keys := since(start); now != start || len(keys) != 0 {
		t.Errorf("revision %d after %d, %v", now, start, keys)
	}
	last := start
	step := func(c ca.Certificate, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		now, keys := since(last)
		if now <= last || !slices.Equal(keys, []status.Key{{Issuer: c.Issuer, Serial: c.Serial}}) {
			t.Errorf("revision %d after %d, %v", now, last, keys)
		}
		last = now
	}
	set := func(c ca.Certificate, to ca.State, reason int) func() error {
		return func() error {
			_, err := s.SetState(ctx, c.Issuer, c.Serial, to, reason, at, event())
			return err
		}
	}
	step(a, set(a, ca.StateHold, 6))
	step(a, set(a, ca.StateGood, 0))
	step(b, set(b, ca.StateRevoked, 1))
	step(b, func() error {
		_, err := s.Invalidate(ctx, b.Issuer, b.Serial, at.Add(-time.Hour), event())
		return err
	})
	if err := set(b, ca.StateRevoked, 1)(); !errors.Is(err, ca.ErrRevoked) {
		t.Error(err)
	}
	if now, keys := since(last); now != last || len(keys) != 0 {
		t.Errorf("after a refusal: revision %d after %d, %v", now, last, keys)
	}
	if _, keys := since(start); len(keys) < 2 || !slices.Contains(keys, status.Key{Issuer: a.Issuer, Serial: a.Serial}) || !slices.Contains(keys, status.Key{Issuer: b.Issuer, Serial: b.Serial}) {
		t.Errorf("from the start: %v", keys)
	}
	changesFollowed(t, s, last)
}

// changesFollowed: eight writers at once, and a reader that asks all the time.
func changesFollowed(t *testing.T, s StatusStore, from int64) {
	ctx := context.Background()
	at := time.Now().UTC().Truncate(time.Second)
	want := map[status.Key]bool{}
	var certs []ca.Certificate
	for range 8 {
		c := good(t, s)
		certs, want[status.Key{Issuer: c.Issuer, Serial: c.Serial}] = append(certs, c), true
	}
	var writers sync.WaitGroup
	for _, c := range certs {
		writers.Go(func() {
			if _, err := s.SetState(ctx, c.Issuer, c.Serial, ca.StateRevoked, 1, at, event()); err != nil {
				t.Error(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-done:
			over = true // one more look
		default:
		}
		now, keys, err := s.ChangedSince(ctx, from)
		if err != nil {
			t.Error(err)
			return
		}
		for _, k := range keys {
			// Told no later than it can be seen.
			if row, err := s.Standing(ctx, k.Issuer, k.Serial); err != nil || row.State != ca.StateRevoked {
				t.Errorf("%+v, %v", row, err)
			}
			delete(want, k)
		}
		from = now
	}
	if len(want) != 0 {
		t.Errorf("%d changes were missed", len(want))
	}
}
