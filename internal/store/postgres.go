package store

import (
	"database/sql"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// openPostgres opens a bounded pool: without a bound, a burst of callers runs
// into the server's max_connections and fails instead of waiting.
//
// default_query_exec_mode=exec, because bun writes values into the SQL text:
// each statement is new, and caching its plan would cost a round trip and churn
// the cache. It also suits poolers in transaction mode.
func openPostgres(cfg Config) (*bun.DB, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil { // err holds the address, and so the password
		return nil, fmt.Errorf("%w: not a URL", ErrURL)
	}
	q := u.Query()
	if !q.Has("default_query_exec_mode") {
		q.Set("default_query_exec_mode", "exec")
		u.RawQuery = q.Encode()
	}
	conf, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err) // pgx leaves the password out
	}
	return bun.NewDB(pool(stdlib.OpenDB(*conf), cfg.MaxConns), pgdialect.New()), nil
}

func pool(db *sql.DB, conns int) *sql.DB {
	if conns <= 0 {
		conns = 24
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db
}
