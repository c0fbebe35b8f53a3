package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/store/pgtest"
)

// server is the one PostgreSQL server of this package's tests.
var server *pgtest.Server

func TestMain(m *testing.M) {
	server = pgtest.Start()
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

var bg = context.Background()

// engines are the databases that the one suite runs on: each function gives
// the address of a new, empty one.
var engines = map[string]func(testing.TB) string{
	"sqlite":   func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "house.db") },
	"postgres": func(tb testing.TB) string { return server.URL(tb) },
}

// onEngines runs a test on each engine with a migrated, open store.
func onEngines(t *testing.T, test func(t *testing.T, s *store.Store)) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) { test(t, open(t, migrated(t, address(t)))) })
	}
}

func open(tb testing.TB, url string) *store.Store {
	tb.Helper()
	s, err := store.Open(bg, store.Config{URL: url})
	if err != nil {
		tb.Fatalf("opening: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// day is a time as it comes from a clock: finer than a microsecond, not in UTC.
func day(n int) time.Time {
	return time.Date(2026, 3, n, 9, 30, 0, 123456789, time.FixedZone("CST", 8*3600))
}

// kept is day as a store gives it back.
func kept(n int) time.Time { return day(n).UTC().Truncate(time.Microsecond) }

// event is a new valid event about an object.
func event(kind, id string) ledger.Event {
	return ledger.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Type: "test." + kind + ".done", Class: ledger.ClassAdmin, Time: day(1),
		Actor: ledger.Actor{Kind: "person", ID: "p-1"}, Object: ledger.Object{Kind: kind, ID: id}, Outcome: ledger.Success,
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func count(t testing.TB, s *store.Store, table string) int64 {
	t.Helper()
	n, err := s.CountRows(bg, table)
	ok(t, err)
	return n
}

// race lets 8 callers do the same at once and returns how many were told that
// they did it; every other must be told loser.
func race(t testing.TB, loser error, do func() error) (won int) {
	t.Helper()
	var wins atomic.Int64
	start, done := make(chan struct{}), make(chan error, 8)
	for range 8 {
		go func() {
			<-start
			err := do()
			if err == nil {
				wins.Add(1)
			} else if errors.Is(err, loser) {
				err = nil
			}
			done <- err
		}()
	}
	close(start)
	for range 8 {
		if err := <-done; err != nil {
			t.Errorf("a caller who did not win was told: %v", err)
		}
	}
	return int(wins.Load())
}

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
