package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/yinxin-gov/yinxin/internal/store"
)

// migrated returns the address of a migrated database: url, or, when that is new
// and empty, a copy of one that was migrated once for all tests.
func migrated(tb testing.TB, url string) string {
	tb.Helper()
	path, sqlite := strings.CutPrefix(url, "sqlite:")
	_, err := os.Stat(path)
	switch {
	case sqlite && errors.Is(err, os.ErrNotExist):
		raw, err := template()
		ok(tb, err)
		ok(tb, os.WriteFile(path, raw, 0o600))
		return url
	case strings.HasPrefix(url, "postgres:") && untouched(tb, url):
		return server.Copy(tb, templatePG(tb))
	}
	if _, err := store.Migrate(bg, store.Config{URL: url}); err != nil {
		tb.Fatalf("migrating: %v", err)
	}
	return url
}

// template is the file of a migrated, empty SQLite database.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "yinxin-template")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "house.db")
	if _, err := store.Migrate(bg, store.Config{URL: "sqlite:" + path}); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the template is not all in one file: %w", err)
	}
	return os.ReadFile(path)
})

// filled is the address of a migrated, empty PostgreSQL database once there is one.
var filled struct {
	sync.Mutex
	url string
}

func templatePG(tb testing.TB) string {
	tb.Helper()
	filled.Lock()
	defer filled.Unlock()
	if filled.url == "" {
		url := server.URL(tb)
		_, err := store.Migrate(bg, store.Config{URL: url})
		ok(tb, err)
		filled.url = url
	}
	return filled.url
}

// untouched: nobody made anything in this database.
func untouched(tb testing.TB, url string) bool {
	tb.Helper()
	conn, err := pgx.Connect(bg, url)
	ok(tb, err)
	defer func() { ok(tb, conn.Close(bg)) }()
	var n int
	ok(tb, conn.QueryRow(bg, "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public'").Scan(&n))
	return n == 0
}
