package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/emmansun/gmsm/sm3"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// AppendBatch implements ledger.Backend. It is the one place where the engines
// differ: PostgreSQL takes the batch as arrays in one statement, SQLite as rows
// in one transaction. Both move the head by compare-and-set first.
func (l *Ledger) AppendBatch(ctx context.Context, b ledger.Batch) error {
	if bad := fits(b); bad != nil {
		head, err := l.Head(ctx, b.Old.Shard)
		if err == nil && (head.Size != b.Old.Size || head.Epoch != b.Old.Epoch) {
			return fenced(b.Old)
		}
		return errors.Join(bad, err)
	}
	appendTo := l.appendPostgres
	if l.s.append != nil {
		appendTo = l.appendSQLite
	}
	err := retried(ctx, func() error { return appendTo(ctx, b) })
	if isDuplicate(err) && strings.Contains(err.Error(), "entry_id") {
		return fmt.Errorf("%w: shard %d at %d", ledger.ErrDuplicate, b.Old.Shard, b.Old.Size)
	}
	if err != nil && !errors.Is(err, ledger.ErrFenced) {
		return fmt.Errorf("appending to shard %d: %w", b.Old.Shard, err)
	}
	return err
}

// fits refuses what the columns cannot hold and a batch that is not the next
// stretch of its shard: a gap could not be repaired later.
func fits(b ledger.Batch) error {
	if b.New.Shard != b.Old.Shard || b.New.Size != b.Old.Size+uint64(len(b.Entries)) ||
		b.New.Size > maxSize || b.New.Epoch > math.MaxInt64 || b.New.Epoch < b.Old.Epoch {
		return fmt.Errorf("store: batch from size %d, epoch %d to size %d, epoch %d with %d entries",
			b.Old.Size, b.Old.Epoch, b.New.Size, b.New.Epoch, len(b.Entries))
	}
	for i, e := range b.Entries {
		if e.Shard != b.Old.Shard || e.Seq != b.Old.Size+uint64(i) || len(e.Leaf) != sm3.Size {
			return fmt.Errorf("store: entry %q has no place at %d of shard %d", e.ID, b.Old.Size+uint64(i), b.Old.Shard)
		}
	}
	return nil
}

func joinLeaves(entries []ledger.Entry) []byte {
	out := make([]byte, 0, sm3.Size*len(entries))
	for _, e := range entries {
		out = append(out, e.Leaf...)
	}
	return out
}

func fenced(h ledger.Head) error {
	return fmt.Errorf("%w: shard %d is not at size %d, epoch %d any more", ledger.ErrFenced, h.Shard, h.Size, h.Epoch)
}

// appendStatement does all or nothing in one round trip and one commit. Without
// the head's row h is empty, and so is everything that selects from it.
const appendStatement = `
WITH h AS (
  UPDATE ledger_head SET epoch = $1, size = $2, last_leaf = $3, root = $4, time_ms = $5
  WHERE shard = $6 AND epoch = $7 AND size = $8 RETURNING shard
), gone AS (
  DELETE FROM ledger_outbox WHERE id = ANY($9::text[]) AND EXISTS (SELECT 1 FROM h)
), leaves AS (
  INSERT INTO ledger_leaves (shard, first_seq, leaves)
  SELECT h.shard, $8, $10 FROM h WHERE length($10::bytea) > 0
), entries AS (
  INSERT INTO ledger_entry (shard, seq, entry_id, object_key, leaf, header, salt, body)
  SELECT h.shard, u.seq, u.entry_id, u.object_key, u.leaf, u.header, u.salt, u.body
  FROM h, unnest($11::bigint[], $12::text[], $13::bigint[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bytea[])
    AS u (seq, entry_id, object_key, leaf, header, salt, body)
  RETURNING seq
)
SELECT (SELECT count(*) FROM h), (SELECT count(*) FROM entries)`

func (l *Ledger) appendPostgres(ctx context.Context, b ledger.Batch) error {
	n := len(b.Entries)
	seqs, objects, ids := make([]int64, n), make([]int64, n), make([]string, n)
	leaves, headers, salts, bodies := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, e := range b.Entries {
		seqs[i], ids[i], objects[i] = int64(e.Seq), e.ID, objectKey(e.Seq, objectOf(e.Body))
		leaves[i], headers[i], salts[i], bodies[i] = e.Leaf, e.Header, e.Salt, e.Body
	}
	outbox := b.OutboxIDs
	if outbox == nil {
		outbox = []string{} // a nil array is NULL
	}
	conn, err := l.s.w.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var won, written int
	err = conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("store: unexpected driver %T", driver)
		}
		// Arrays as binary parameters: no value is ever written into SQL text, and
		// nothing stays prepared on the server, which poolers would lose.
		return c.Conn().QueryRow(ctx, appendStatement, pgx.QueryExecModeCacheDescribe,
			int64(b.New.Epoch), int64(b.New.Size), b.New.LastLeaf, b.New.Root, b.New.Time,
			int64(b.Old.Shard), int64(b.Old.Epoch), int64(b.Old.Size),
			outbox, joinLeaves(b.Entries), seqs, ids, objects, leaves, headers, salts, bodies).Scan(&won, &written)
	})
	switch {
	case err != nil:
		return err
	case won != 1:
		return fenced(b.Old)
	case written != n:
		return fmt.Errorf("store: %d of %d entries were written", written, n)
	}
	return nil
}

// liteAppend holds the prepared statements of the writer connection. many
// inserts liteRows rows, single one.
type liteAppend struct{ head, many, single, leaves, outbox *sql.Stmt }

// liteRows entries go into one statement: 8 parameters each, far below SQLite's
// limit of 32,766.
const liteRows = 64

func prepareLiteAppend(ctx context.Context, db *sql.DB) (*liteAppend, error) {
	const into = "INSERT INTO ledger_entry (shard, seq, entry_id, object_key, leaf, header, salt, body) VALUES "
	const row = "(?, ?, ?, ?, ?, ?, ?, ?)"
	var a liteAppend
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&a.head, "UPDATE ledger_head SET epoch = ?, size = ?, last_leaf = ?, root = ?, time_ms = ? WHERE shard = ? AND epoch = ? AND size = ?"},
		{&a.many, into + strings.Repeat(row+", ", liteRows-1) + row},
		{&a.single, into + row},
		{&a.leaves, "INSERT INTO ledger_leaves (shard, first_seq, leaves) VALUES (?, ?, ?)"},
		{&a.outbox, "DELETE FROM ledger_outbox WHERE id IN (SELECT value FROM json_each(?))"},
	} {
		stmt, err := db.PrepareContext(ctx, p.sql)
		if err != nil {
			return nil, fmt.Errorf("preparing the append: %w", err)
		}
		*p.to = stmt
	}
	return &a, nil
}

func (l *Ledger) appendSQLite(ctx context.Context, b ledger.Batch) (err error) {
	tx, err := l.s.w.DB.BeginTx(ctx, nil) // BEGIN IMMEDIATE, by the address of the writer
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	run := func(stmt *sql.Stmt, args ...any) (int64, error) {
		res, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	}
	a := l.s.append
	n, err := run(a.head, int64(b.New.Epoch), int64(b.New.Size), b.New.LastLeaf, b.New.Root, b.New.Time,
		int64(b.Old.Shard), int64(b.Old.Epoch), int64(b.Old.Size))
	if err != nil {
		return err
	}
	if n != 1 {
		return fenced(b.Old)
	}
	for rest := b.Entries; len(rest) > 0; {
		stmt, k := a.many, liteRows
		if len(rest) < k {
			stmt, k = a.single, 1
		}
		args := make([]any, 0, 8*k)
		for _, e := range rest[:k] {
			args = append(args, int64(e.Shard), int64(e.Seq), e.ID, objectKey(e.Seq, objectOf(e.Body)), e.Leaf, e.Header, e.Salt, e.Body)
		}
		if _, err := run(stmt, args...); err != nil {
			return err
		}
		rest = rest[k:]
	}
	if len(b.Entries) > 0 {
		if _, err := run(a.leaves, int64(b.Old.Shard), int64(b.Old.Size), joinLeaves(b.Entries)); err != nil {
			return err
		}
	}
	if len(b.OutboxIDs) > 0 {
		ids, err := json.Marshal(b.OutboxIDs)
		if err != nil {
			return err
		}
		if _, err := run(a.outbox, string(ids)); err != nil {
			return err
		}
	}
	return tx.Commit()
}
