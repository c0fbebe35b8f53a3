package store

import (
	"context"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Enqueue commits outbox rows without a row of a room, as the ledger's suite
// needs them.
func (s *Store) Enqueue(ctx context.Context, pending ...ledger.Pending) error {
	return s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, p := range pending {
			if err := write(ctx, tx, s.enqueueing([]ledger.Pending{p})); err != nil {
				return err
			}
		}
		return nil
	})
}

// Exec runs a statement behind the store's back, to break things.
func (s *Store) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.w.ExecContext(ctx, query, args...)
	return err
}

// CountRows says how many rows a table has.
func (s *Store) CountRows(ctx context.Context, table string) (int64, error) {
	return s.w.NewSelect().Table(table).Count(ctx)
}

// Hold lets shares gather until release is called. through stands between the
// group and the database, and may be nil.
func (s *Store) Hold(through func(write func() error) error) (release func()) {
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = true
	if write := g.write; through != nil {
		g.write = func(ctx context.Context, steps []statement) error {
			return through(func() error { return write(ctx, steps) })
		}
	}
	return func() { g.run(context.Background()) }
}

// Waiting is how many shares have gathered.
func (s *Store) Waiting() int {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return len(s.group.queue)
}

// Overhear calls heard with every statement that readers send.
func (s *Store) Overhear(heard func(query string)) { s.r = s.r.WithQueryHook(overhearing(heard)) }

type overhearing func(string)

func (o overhearing) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (o overhearing) AfterQuery(_ context.Context, e *bun.QueryEvent) { o(e.Query) }

// Plan asks the engine how it would run a query.
func (s *Store) Plan(ctx context.Context, query string) (lines []string, err error) {
	if s.w.Dialect().Name() == dialect.SQLite {
		var steps []struct {
			ID      int64  `bun:"id"`
			Parent  int64  `bun:"parent"`
			NotUsed int64  `bun:"notused"`
			Detail  string `bun:"detail"`
		}
		err = s.r.NewRaw("EXPLAIN QUERY PLAN "+query).Scan(ctx, &steps)
		for _, l := range steps {
			lines = append(lines, l.Detail)
		}
		return lines, err
	}
	// Few rows are read as a whole whatever indexes there are: without that choice,
	// what is still read so has none.
	err = s.r.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
			return err
		}
		return tx.NewRaw("EXPLAIN "+query).Scan(ctx, &lines)
	})
	return lines, err
}

// Dialect is "sqlite" or "pg".
func (s *Store) Dialect() string { return s.w.Dialect().Name().String() }

// Gather is a read that callers share.
func Gather(read func(context.Context, []int) (map[int]int64, error)) func(context.Context, int) (int64, bool, error) {
	return newGather(read).get
}
