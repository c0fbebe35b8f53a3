package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// share is what one caller brings to a common transaction: rows of the
// certificate registry and the event that tells of them.
type share struct {
	events []ledger.Pending
	claims []tokenClaim
	tokens []usedTokenRow
	certs  []certificateRow
	lines  []lineageRow
	keys   []escrowRow
	signed []signedRow
	bases  []deliveryRow // claims of deliveries that nobody had before
	later  []laterClaim
	handed []handedRow
}

// statement is one step of a transaction. It reads nothing that another step
// needs, so that all can be sent at once.
type statement struct {
	sql  string // with its values
	none bool   // a query that must not find a row
	rows int64  // of a guarded change: how many it has to change; 0: whatever it does
	// refused says what a refusal means: err is the database's, or nil when the
	// rows were not as wanted.
	refused func(ctx context.Context, tx bun.Tx, err error) error
}

// statements writes what shares bring, mostly a statement for each table.
func (s *Store) statements(shares ...*share) []statement {
	var all share
	for _, o := range shares {
		all.events, all.claims, all.tokens = append(all.events, o.events...), append(all.claims, o.claims...), append(all.tokens, o.tokens...)
		all.certs, all.keys, all.signed = append(all.certs, o.certs...), append(all.keys, o.keys...), append(all.signed, o.signed...)
		all.bases, all.later, all.handed = append(all.bases, o.bases...), append(all.later, o.later...), append(all.handed, o.handed...)
		all.lines = append(all.lines, o.lines...)
	}
	var out []statement
	if len(all.events) > 0 {
		out = append(out, s.enqueueing(all.events)...)
	}
	// Before the token: who waits for another to be done is told so.
	if len(all.bases) > 0 {
		out = append(out, s.claimingBases(all.bases))
	}
	for _, k := range all.later {
		out = append(out, s.claimingLater(k))
	}
	if len(all.claims) > 0 {
		out = append(out, s.claiming(all.claims))
	}
	if len(all.tokens) > 0 {
		out = append(out, s.usingTokens(all.tokens))
	}
	if len(all.certs) > 0 {
		out = append(out, s.withinEnd(all.certs), s.reserving(all.certs))
	}
	if len(all.lines) > 0 {
		out = append(out, s.tracing(all.lines))
	}
	if len(all.keys) > 0 {
		out = append(out, s.escrowing(all.keys))
	}
	if len(all.handed) > 0 {
		out = append(out, s.handing(all.handed))
	}
	if len(all.signed) > 0 {
		out = append(out, s.activating(all.signed))
	}
	return out
}

// inserting is a statement for rows, a pointer to a slice of them.
func (s *Store) inserting(rows any, refused func(error) error) statement {
	return statement{
		sql:     s.w.NewInsert().Model(rows).String(),
		refused: func(_ context.Context, _ bun.Tx, err error) error { return refused(err) },
	}
}

// write runs statements one by one; its error says which was refused, and why.
func write(ctx context.Context, tx bun.Tx, steps []statement) error {
	for _, o := range steps {
		if o.none {
			found, err := exists(ctx, tx, o.sql)
			if err != nil || found {
				return o.refused(ctx, tx, err)
			}
			continue
		}
		// The values are in the text already: nothing in it is a parameter.
		res, err := tx.Tx.ExecContext(ctx, o.sql)
		if err != nil {
			return o.refused(ctx, tx, err)
		}
		if n, err := res.RowsAffected(); err != nil || o.rows > 0 && n != o.rows {
			return o.refused(ctx, tx, err)
		}
	}
	return nil
}

func exists(ctx context.Context, tx bun.Tx, query string) (bool, error) {
	rows, err := tx.Tx.QueryContext(ctx, query)
	if err != nil {
		return false, err
	}
	found := rows.Next()
	return found, errors.Join(rows.Err(), rows.Close())
}

// writeSQLite writes for a group. Only a commit can fail without a word whether
// it happened.
func (s *Store) writeSQLite(ctx context.Context, steps []statement) error {
	written := false
	err := s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := write(ctx, tx, steps)
		written = err == nil
		return err
	})
	if err != nil && !written {
		return errApart
	}
	return err
}

// writePostgres writes for a group in two round trips, the second its commit: on
// a busy machine each further one costs more than the work in between.
func (s *Store) writePostgres(ctx context.Context, steps []statement) error {
	text := "BEGIN"
	for _, o := range steps {
		text += "; " + o.sql
	}
	conn, err := s.w.DB.Conn(ctx)
	if err != nil {
		return errors.Join(errApart, err)
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("store: unexpected driver %T", driver)
		}
		pg := c.Conn().PgConn()
		done, err := pg.Exec(ctx, text).ReadAll()
		if err == nil && asWanted(steps, done) {
			// Refused, it is rolled back. Without an answer nobody knows.
			if _, err = pg.Exec(ctx, "COMMIT").ReadAll(); !errors.As(err, new(*pgconn.PgError)) {
				return err
			}
		}
		// The connection goes back to the pool: not in a broken transaction.
		if _, undo := pg.Exec(ctx, "ROLLBACK").ReadAll(); undo != nil {
			return errors.Join(errApart, err, undo, c.Conn().Close(ctx))
		}
		return errApart
	})
}

// asWanted compares what the database did, BEGIN first, with the guards.
func asWanted(steps []statement, done []*pgconn.Result) bool {
	if len(done) != len(steps)+1 {
		return false
	}
	for i, o := range steps {
		r := done[i+1]
		if o.none && len(r.Rows) > 0 || o.rows > 0 && r.CommandTag.RowsAffected() != o.rows {
			return false
		}
	}
	return true
}
