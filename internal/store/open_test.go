package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/store"
)

func refuse(t *testing.T, url string, want error, hint string) {
	t.Helper()
	s, err := store.Open(bg, store.Config{URL: url})
	if err == nil {
		_ = s.Close()
		t.Fatalf("%s was opened", url)
	}
	wantErr(t, err, want)
	if !strings.Contains(err.Error(), hint) {
		t.Errorf("%q does not say %q", err, hint)
	}
}

func TestOpenNeverMigrates(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := address(t)
			refuse(t, url, store.ErrSchema, "yinxin store migrate")
			if path, found := strings.CutPrefix(url, "sqlite:"); found {
				if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
					t.Fatal("opening left a file behind")
				}
				ok(t, os.WriteFile(path, nil, 0o600)) // a file, but empty
				refuse(t, url, store.ErrSchema, "yinxin store migrate")
			}
			applied, err := store.Migrate(bg, store.Config{URL: url})
			ok(t, err)
			if len(applied) == 0 {
				t.Fatal("nothing was applied")
			}
			ok(t, open(t, url).Ping(bg))
			again, err := store.Migrate(bg, store.Config{URL: url})
			if err != nil || len(again) != 0 {
				t.Fatalf("a second migration did %v, %v", again, err)
			}
		})
	}
}

func TestHalfDoneMigrationIsRefused(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			cfg := store.Config{URL: url}
			s := open(t, url)

			// The process was killed inside the last migration: no mark, its lock
			// still there, half of its tables made.
			ok(t, s.Exec(bg, "DELETE FROM bun_migrations WHERE name = '0003'"))
			ok(t, s.Exec(bg, "INSERT INTO bun_migration_locks (table_name) VALUES ('bun_migrations')"))
			ok(t, s.Exec(bg, "DROP TABLE signin_session"))
			refuse(t, url, store.ErrLocked, "yinxin store unlock")
			_, err := store.Migrate(bg, cfg)
			wantErr(t, err, store.ErrLocked)
			ok(t, store.Unlock(bg, cfg))
			refuse(t, url, store.ErrSchema, "yinxin store migrate")
			_, err = store.Migrate(bg, cfg)
			ok(t, err)
			_, err = house(t, open(t, url)).Signin.AddSession(bg, session("e1"), event("session", "e1"))
			ok(t, err)
		})
	}
}

func TestFailedMigrationIsNotMarkedAndRepeatable(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			ok(t, s.Exec(bg, "DELETE FROM bun_migrations WHERE name = '0003'"))
			ok(t, s.Exec(bg, "DROP TABLE approval"))
			ok(t, s.Exec(bg, "CREATE TABLE approval (id TEXT)")) // its index cannot be made on this
			ok(t, s.Exec(bg, "ALTER TABLE approval RENAME COLUMN id TO other"))
			_, err := store.Migrate(bg, store.Config{URL: url})
			wantErr(t, err, store.ErrSchema)
			refuse(t, url, store.ErrSchema, "0003")
			ok(t, s.Exec(bg, "DROP TABLE approval"))
			_, err = store.Migrate(bg, store.Config{URL: url})
			ok(t, err)
			open(t, url)
		})
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			ok(t, s.Exec(bg, "INSERT INTO bun_migrations (name, group_id) VALUES ('9999', 2)"))
			refuse(t, url, store.ErrSchema, "newer program")
			_, err := store.Migrate(bg, store.Config{URL: url})
			wantErr(t, err, store.ErrSchema)
		})
	}
}

func TestUnlockWithoutASchemaIsHarmless(t *testing.T) {
	url := engines["postgres"](t)
	ok(t, store.Unlock(bg, store.Config{URL: url}))
}

func TestAddressesThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	ok(t, os.WriteFile(file, []byte("not a folder"), 0o600))
	junk := filepath.Join(dir, "junk.db")
	ok(t, os.WriteFile(junk, []byte(strings.Repeat("this is no database ", 100)), 0o600))
	for _, c := range []struct {
		name, url, hint string
		want            error
	}{
		{"nothing", "", "empty", store.ErrURL},
		{"no file name", "sqlite:", "no file name", store.ErrURL},
		{"another engine", "mysql://root@localhost/x", "mysql", store.ErrURL},
		{"a folder that is a file", filepath.Join(file, "house.db"), "file", store.ErrURL},
		{"a folder that is missing", filepath.Join(dir, "no", "house.db"), "no such file", store.ErrURL},
		{"a database that is a folder", "sqlite:" + dir, "not a file", store.ErrURL},
		{"no database yet", filepath.Join(dir, "house.db"), "yinxin store migrate", store.ErrSchema},
	} {
		t.Run(c.name, func(t *testing.T) { refuse(t, c.url, c.want, c.hint) })
	}
	for _, url := range []string{junk, filepath.Join(file, "house.db"), "postgres://u:geheim@127.0.0.1:1/x?connect_timeout=2",
		"postgres://u:geheim@[::1/x", "postgres://u:geheim@h/x?sslmode=nonsense"} {
		_, err := store.Migrate(bg, store.Config{URL: url})
		if err == nil {
			t.Errorf("%s was migrated", url)
		} else if strings.Contains(err.Error(), "geheim") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

func TestUnwritableFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "house.db")
	migrated(t, path)
	ok(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if os.Geteuid() == 0 { // for root every folder is writable
		asNobody(t, dir, path)
	}
	refuse(t, path, store.ErrURL, "permission denied")
	_, err := store.Migrate(bg, store.Config{URL: filepath.Join(dir, "new.db")})
	wantErr(t, err, store.ErrURL)
}

// asNobody drops the rights of this thread until the test ends.
func asNobody(t *testing.T, paths ...string) {
	for _, p := range append(paths, filepath.Dir(paths[0])) {
		ok(t, os.Chown(p, 65534, 65534))
	}
	ok(t, syscall.Setreuid(-1, 65534))
	t.Cleanup(func() { ok(t, syscall.Setreuid(-1, 0)) })
}

func TestDatabaseFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "house 100%?#.db") // what an address must not trip over
	migrated(t, path)
	mode := func(name string) os.FileMode {
		info, err := os.Stat(name)
		ok(t, err)
		return info.Mode().Perm()
	}
	s := open(t, path)
	house(t, s)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if m := mode(name); m != 0o600 {
			t.Errorf("%s has mode %o", name, m)
		}
	}
	ok(t, s.Close())
	ok(t, os.Chmod(path, 0o644)) // from a backup
	open(t, path)
	if m := mode(path); m != 0o600 {
		t.Errorf("mode %o after opening", m)
	}
}

func TestAnotherWriterIsToldApart(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the busy timeout")
	}
	url := migrated(t, engines["sqlite"](t))
	first, second := open(t, url), open(t, url)
	ok(t, first.Exec(bg, "BEGIN IMMEDIATE"))
	_, err := second.Rooms(nil).Identity.AddAgency(bg, agency(provider), event("agency", "1"))
	wantErr(t, err, store.ErrLocked)
	ok(t, first.Exec(bg, "ROLLBACK"))
	_, err = second.Rooms(nil).Identity.AddAgency(bg, agency(provider), event("agency", "1"))
	ok(t, err)
}
