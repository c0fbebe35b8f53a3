package store

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite", pure Go
)

// openSQLite opens one writer connection and a read-only pool beside it: in
// WAL mode readers see the last commit and never wait for the writer.
// synchronous=FULL makes a commit mean "on the disk".
func openSQLite(path string, readers int, create bool) (w, r *bun.DB, err error) {
	path, err = databaseFile(path, create)
	if err != nil {
		return nil, nil, err
	}
	writer, err := sql.Open("sqlite", liteDSN(path, "immediate",
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(1)",
		// 32 MiB keep the hot pages of the indexes; a WAL of 16 MB spreads the
		// cost of a checkpoint over more commits.
		"cache_size(-32768)", "wal_autocheckpoint(4000)"))
	if err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", liteDSN(path, "deferred", "query_only(1)", "busy_timeout(5000)"))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), writer.Close())
	}
	if readers <= 0 {
		readers = 4
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return bun.NewDB(writer, sqlitedialect.New()), bun.NewDB(reader, sqlitedialect.New()), nil
}

func liteDSN(path, txlock string, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {txlock}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// databaseFile makes sure of the file before the driver sees it, because
// SQLite would create an empty one or say "unable to open database file" (14)
// for every cause alike. Only the owner may read it; journal files inherit that.
func databaseFile(path string, create bool) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%w: no file name", ErrURL)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrURL, err)
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%w: the folder of the database: %w", ErrURL, err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("%w: %s is a file, not a folder", ErrURL, dir)
	}
	if create {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return path, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("%w: creating the database: %w", ErrURL, err)
		}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: no file at %s", ErrEmpty, path)
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrURL, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%w: %s is not a file", ErrURL, path)
	}
	if info.Mode().Perm()&0o077 != 0 { // restored from a backup, for example
		if err := os.Chmod(path, 0o600); err != nil {
			return "", fmt.Errorf("%w: others may read the database: %w", ErrURL, err)
		}
	}
	return path, writable(path)
}

// writable asks the file and its folder, where SQLite keeps the WAL.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".writable-*")
	if err != nil {
		return fmt.Errorf("%w: the folder of the database must be writable, too: %w", ErrURL, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
