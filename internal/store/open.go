package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// Config says where the database is and what the store runs on.
type Config struct {
	// URL is "sqlite:PATH", a bare path, or "postgres://…".
	URL string
	// Now orders the outbox; nil is time.Now.
	Now func() time.Time
	// Rand makes the salts of ledger entries; nil is crypto/rand.Reader.
	Rand io.Reader
	// MaxConns bounds the pool on PostgreSQL and the read pool on SQLite, which
	// has one writer in any case; 0 is 24 and 4.
	MaxConns int
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c
}

// Store is an open database. Its methods, and those of the rooms over it, are
// safe for concurrent use.
type Store struct {
	// w writes. r reads, and never lags: who issues, whom the house trusts and which
	// token was revoked are read from it. In SQLite's WAL mode it sees every commit
	// that ended before the read began and never waits for the one writer; on
	// PostgreSQL both are the same pool.
	w, r   *bun.DB
	types  types
	now    func() time.Time
	rand   io.Reader
	append *liteAppend  // prepared statements of AppendBatch; nil on PostgreSQL
	facts  *sql.Stmt    // the facts revision, which every decision asks for
	last   atomic.Int64 // newest tick
	group  *group
}

// tick is the time in microseconds, never the same twice: it orders the outbox
// by the order in which this process wrote it, whatever the clock does.
func (s *Store) tick() int64 {
	for {
		last := s.last.Load()
		next := max(s.now().UnixMicro(), last+1)
		if s.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Open connects to a database whose schema is exactly this program's, or says
// with ErrSchema, ErrLocked or ErrURL why it does not. It never migrates and
// never creates a file.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	w, r, err := connect(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	s := &Store{w: w, r: r, now: cfg.Now, rand: cfg.Rand, types: typesOf(w)}
	s.group = newGroup(s)
	if err := checkSchema(ctx, s.w); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.facts, err = r.DB.PrepareContext(ctx, "SELECT revision FROM facts_revision WHERE id = 1"); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing for decisions: %w", err), s.Close())
	}
	if w.Dialect().Name() == dialect.SQLite {
		if s.append, err = prepareLiteAppend(ctx, w.DB); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close ends all connections; acts under way are rolled back.
func (s *Store) Close() error {
	if s.r == s.w {
		return s.w.Close()
	}
	return errors.Join(s.r.Close(), s.w.Close())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.r.PingContext(ctx) }

// connect opens the pools of either engine. create lets SQLite make its file.
func connect(ctx context.Context, cfg Config, create bool) (w, r *bun.DB, err error) {
	switch scheme, rest, found := strings.Cut(cfg.URL, ":"); {
	case cfg.URL == "":
		return nil, nil, fmt.Errorf("%w: it is empty", ErrURL)
	case found && (scheme == "postgres" || scheme == "postgresql"):
		w, err = openPostgres(cfg)
		r = w
	case found && scheme == "sqlite":
		w, r, err = openSQLite(rest, cfg.MaxConns, create)
	case strings.Contains(cfg.URL, "://"):
		return nil, nil, fmt.Errorf("%w: unknown scheme %q; use sqlite:PATH or postgres://…", ErrURL, scheme)
	default:
		w, r, err = openSQLite(cfg.URL, cfg.MaxConns, create)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := w.PingContext(ctx); err != nil {
		if isBusy(err) {
			err = fmt.Errorf("%w by another process: %w", ErrLocked, err)
		}
		return nil, nil, errors.Join(fmt.Errorf("connecting to the database: %w", err), w.Close(), closeOther(r, w))
	}
	return w, r, nil
}

func closeOther(r, w *bun.DB) error {
	if r == w {
		return nil
	}
	return r.Close()
}

// act runs do in one writing transaction.
func (s *Store) act(ctx context.Context, do func(context.Context, bun.Tx) error) error {
	return retried(ctx, func() error { return s.w.RunInTx(ctx, nil, do) })
}

// changed returns how many rows a guarded statement changed: the row count
// decides who of several concurrent callers won.
func changed(ctx context.Context, db bun.IDB, query string, args ...any) (int64, error) {
	res, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// found turns the driver's "no rows" into a room's sentinel.
func found(err, missing error, what, id string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: %s %q", missing, what, id)
	default:
		return fmt.Errorf("reading %s %q: %w", what, id, err)
	}
}
