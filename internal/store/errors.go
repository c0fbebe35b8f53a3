package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Outcomes that callers branch on.
var (
	// ErrURL: the address of the database cannot be understood or reached as written.
	ErrURL = errors.New("store: bad database address")
	// ErrSchema: migrations are missing, or were applied by a newer program.
	ErrSchema = errors.New("store: the schema is not the one of this program")
	// ErrEmpty: no migration was ever applied; it is an ErrSchema.
	ErrEmpty = fmt.Errorf("%w: the database is empty; run `yinxin store migrate`", ErrSchema)
	// ErrLocked: a migration runs or broke off, or another writer does not let go.
	ErrLocked = errors.New("store: locked")
	// ErrUnintegrated: the act is committed and will get its sequence number,
	// but did not get it within this call. The Receipt beside it is Durable.
	ErrUnintegrated = errors.New("store: committed, but not yet in the ledger's chain")
)

// Extended result codes of SQLite and SQLSTATEs of PostgreSQL.
const (
	sqliteError      = 1
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteForeignKey = 787
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067

	pgUnique        = "23505"
	pgForeignKey    = "23503"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgMissingTable  = "42P01"
)

func codes(err error) (lite int, pg string) {
	var l *sqlite.Error
	if errors.As(err, &l) {
		lite = l.Code()
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		pg = p.Code
	}
	return lite, pg
}

func isDuplicate(err error) bool {
	lite, pg := codes(err)
	return lite == sqlitePrimaryKey || lite == sqliteUnique || pg == pgUnique
}

func isForeignKey(err error) bool {
	lite, pg := codes(err)
	return lite == sqliteForeignKey || pg == pgForeignKey
}

func isMissingTable(err error) bool {
	lite, pg := codes(err)
	return pg == pgMissingTable || lite == sqliteError && strings.Contains(err.Error(), "no such table")
}

// isBusy: another process holds SQLite's write lock (the low byte is the
// primary result code).
func isBusy(err error) bool {
	lite, _ := codes(err)
	return lite&0xff == sqliteBusy || lite&0xff == sqliteLocked
}

func isRetryable(err error) bool {
	_, pg := codes(err)
	return pg == pgSerialization || pg == pgDeadlock
}

// attempts bounds the retries of a transaction that a cluster asked to repeat.
const attempts = 8

// retried runs do until it neither conflicts nor deadlocks with another
// transaction. do must be harmless to repeat after its own roll-back.
func retried(ctx context.Context, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		switch {
		case err == nil:
			return nil
		case isBusy(err):
			return fmt.Errorf("%w by another writer: %w", ErrLocked, err)
		case !isRetryable(err) || n == attempts:
			return err
		}
		pause := time.Duration(1<<n) * time.Millisecond
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
