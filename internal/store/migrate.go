package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/migrate"
)

//go:embed migrations/*.up.sql
var migrationFiles embed.FS

// lockTable is the migration lock: a row, so that it works on every engine; a
// crash leaves it behind.
const lockTable = "bun_migration_locks"

// Migrate brings the schema to this program's and returns the names of what it
// applied. It creates a missing SQLite file, readable by the owner only. Each
// migration is harmless to repeat: after a failure, run it again.
func Migrate(ctx context.Context, cfg Config) (applied []string, err error) {
	db, done, err := migrationDB(ctx, cfg, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	m, err := migrator(db)
	if err != nil {
		return nil, err
	}
	if err := m.Init(ctx); err != nil {
		return nil, fmt.Errorf("preparing the migrations: %w", err)
	}
	if err := refuseNewer(ctx, db, m); err != nil {
		return nil, err
	}
	if err := m.Lock(ctx); err != nil {
		if isDuplicate(err) {
			return nil, lockedByMigration()
		}
		return nil, err
	}
	// A broken-off migration must not keep its lock because ctx has ended.
	defer func() { err = errors.Join(err, m.Unlock(context.WithoutCancel(ctx))) }()
	group, err := m.Migrate(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: migration broke off, run `yinxin store migrate` again: %w", ErrSchema, err)
	}
	for _, one := range group.Migrations {
		applied = append(applied, one.String())
	}
	return applied, nil
}

// Unlock removes the lock of a migration that crashed. The caller has made
// sure that no migration runs.
func Unlock(ctx context.Context, cfg Config) (err error) {
	db, done, err := migrationDB(ctx, cfg, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	m, err := migrator(db)
	if err != nil {
		return err
	}
	if err := m.Unlock(ctx); err != nil && !isMissingTable(err) {
		return fmt.Errorf("unlocking the migrations: %w", err)
	}
	return nil
}

func migrationDB(ctx context.Context, cfg Config, create bool) (*bun.DB, func() error, error) {
	w, r, err := connect(ctx, cfg.withDefaults(), create)
	if err != nil {
		return nil, nil, err
	}
	return w, (&Store{w: w, r: r}).Close, nil
}

// types are the only words of the schema in which the engines differ. Instant is
// what a Time is cast to in a statement: SQLite keeps times as text. Find is the
// function that says where in a text another begins.
type types struct{ Bytes, Time, Instant, Clustered, Find string }

func typesOf(db *bun.DB) types {
	if db.Dialect().Name() == dialect.SQLite {
		return types{Bytes: "BLOB", Time: "TIMESTAMP", Instant: "TEXT", Clustered: " WITHOUT ROWID", Find: "INSTR"}
	}
	return types{Bytes: "BYTEA", Time: "TIMESTAMPTZ", Instant: "TIMESTAMPTZ", Find: "STRPOS"}
}

func migrator(db *bun.DB) (*migrate.Migrator, error) {
	known := migrate.NewMigrations()
	if err := known.Discover(migrationFiles); err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return migrate.NewMigrator(db, known,
		migrate.WithMarkAppliedOnSuccess(true), // the default marks before it runs
		migrate.WithTemplateData(typesOf(db))), nil
}

// checkSchema refuses whatever is not exactly what this program's migrations
// make.
func checkSchema(ctx context.Context, db *bun.DB) error {
	m, err := migrator(db)
	if err != nil {
		return err
	}
	all, err := m.MigrationsWithStatus(ctx)
	if isMissingTable(err) {
		return ErrEmpty
	}
	if err != nil {
		return fmt.Errorf("reading the state of the schema: %w", err)
	}
	locks, err := db.NewSelect().Table(lockTable).Count(ctx)
	if err != nil {
		return fmt.Errorf("reading the migration lock: %w", err)
	}
	if locks > 0 {
		return lockedByMigration()
	}
	if err := refuseNewer(ctx, db, m); err != nil {
		return err
	}
	if missing := all.Unapplied(); len(missing) > 0 {
		return fmt.Errorf("%w: %d migrations are missing (next: %s); run `yinxin store migrate`",
			ErrSchema, len(missing), missing[0].String())
	}
	return nil
}

// refuseNewer keeps an old program off a schema whose rules it does not know.
func refuseNewer(ctx context.Context, db *bun.DB, m *migrate.Migrator) error {
	applied, err := m.AppliedMigrations(ctx)
	if err != nil {
		return fmt.Errorf("reading the applied migrations: %w", err)
	}
	all, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return fmt.Errorf("reading the applied migrations: %w", err)
	}
	var unknown []string
	for _, a := range applied {
		if !slices.ContainsFunc(all, func(k migrate.Migration) bool { return k.Name == a.Name }) {
			unknown = append(unknown, a.Name)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%w: it was migrated by a newer program (%s); use that program",
			ErrSchema, strings.Join(unknown, ", "))
	}
	return nil
}

func lockedByMigration() error {
	return fmt.Errorf("%w: a migration runs or broke off; if none runs, `yinxin store unlock` and then `yinxin store migrate`", ErrLocked)
}
