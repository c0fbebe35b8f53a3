package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Ledger is the store behind the ledger's sequencer and its readers.
type Ledger struct{ s *Store }

var _ ledger.Store = (*Ledger)(nil)

// Ledger returns the ledger's tables.
func (s *Store) Ledger() *Ledger { return &Ledger{s} }

type outboxRow struct {
	bun.BaseModel `bun:"table:ledger_outbox"`

	ID        string `bun:"id,pk"`
	CreatedUS int64  `bun:"created_us"`
	Body      []byte `bun:"body"`
	Salt      []byte `bun:"salt"`
}

func (r outboxRow) pending() ledger.Pending {
	return ledger.Pending{ID: r.ID, Body: r.Body, Salt: r.Salt}
}

type headRow struct {
	bun.BaseModel `bun:"table:ledger_head"`

	Shard          int64  `bun:"shard,pk"`
	Epoch          int64  `bun:"epoch"`
	Size           int64  `bun:"size"`
	LastLeaf       []byte `bun:"last_leaf"`
	Root           []byte `bun:"root"`
	TimeMS         int64  `bun:"time_ms"`
	Checkpoint     []byte `bun:"checkpoint"`
	CheckpointSize int64  `bun:"checkpoint_size"`
}

func (r headRow) head() ledger.Head {
	return ledger.Head{
		Shard: uint32(r.Shard), Epoch: uint64(r.Epoch), Size: uint64(r.Size), LastLeaf: r.LastLeaf, Root: r.Root,
		Time: r.TimeMS, Checkpoint: r.Checkpoint,
	}
}

type entryRow struct {
	bun.BaseModel `bun:"table:ledger_entry"`

	Shard  int64  `bun:"shard,pk"`
	Seq    int64  `bun:"seq,pk"`
	ID     string `bun:"entry_id"`
	Object int64  `bun:"object_key"`
	Leaf   []byte `bun:"leaf"`
	Header []byte `bun:"header"`
	Salt   []byte `bun:"salt"`
	Body   []byte `bun:"body"`
}

func (r entryRow) entry() ledger.Entry {
	return ledger.Entry{
		ID: r.ID, Shard: uint32(r.Shard), Seq: uint64(r.Seq), Leaf: r.Leaf, Header: r.Header, Salt: r.Salt, Body: r.Body,
	}
}

// Head implements ledger.Backend.
func (l *Ledger) Head(ctx context.Context, shard uint32) (ledger.Head, error) {
	row, err := one[headRow](ctx, l.s.r, "shard = ?", int64(shard))
	if errors.Is(err, sql.ErrNoRows) {
		empty := sm3.Sum(nil)
		first := headRow{Shard: int64(shard), Epoch: 1, LastLeaf: make([]byte, sm3.Size), Root: empty[:]}
		err = retried(ctx, func() error {
			_, err := l.s.w.NewInsert().Model(&first).Exec(ctx)
			return err
		})
		if err == nil || isDuplicate(err) {
			row, err = one[headRow](ctx, l.s.w, "shard = ?", int64(shard))
		}
	}
	if err != nil {
		return ledger.Head{}, fmt.Errorf("reading the head of shard %d: %w", shard, err)
	}
	return row.head(), nil
}

// Outbox implements ledger.Backend.
func (l *Ledger) Outbox(ctx context.Context, limit int) ([]ledger.Pending, error) {
	var rows []outboxRow
	err := l.s.r.NewSelect().Model(&rows).OrderExpr("created_us, id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	out := make([]ledger.Pending, len(rows))
	for i, r := range rows {
		out[i] = r.pending()
	}
	return out, nil
}

// Entries implements ledger.Reader.
func (l *Ledger) Entries(ctx context.Context, shard uint32, from, to uint64) ([]ledger.Entry, error) {
	lo, hi := span(from, to)
	return list(ctx, l.s.r, entryRow.entry, "seq", "shard = ? AND seq >= ? AND seq < ?", int64(shard), lo, hi)
}

// EntryByID implements ledger.Reader.
func (l *Ledger) EntryByID(ctx context.Context, id string) (ledger.Entry, error) {
	r, err := one[entryRow](ctx, l.s.r, "entry_id = ?", id)
	return r.entry(), found(err, ledger.ErrNotFound, "entry", id)
}

// Leaves implements ledger.Reader.
func (l *Ledger) Leaves(ctx context.Context, shard uint32, from, to uint64) ([]byte, error) {
	lo, hi := span(from, to)
	if lo >= hi {
		return nil, nil
	}
	// The batch that holds lo starts at or before it; a NULL bound selects none.
	rows, err := l.s.r.QueryContext(ctx, `SELECT first_seq, leaves FROM ledger_leaves WHERE shard = ? AND first_seq < ?
		AND first_seq >= (SELECT MAX(first_seq) FROM ledger_leaves WHERE shard = ? AND first_seq <= ?)
		ORDER BY first_seq`, int64(shard), hi, int64(shard), lo)
	if err != nil {
		return nil, fmt.Errorf("reading leaves: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := make([]byte, 0, sm3.Size*min(hi-lo, 1<<16))
	for rows.Next() {
		var first int64
		var b sql.RawBytes
		if err := rows.Scan(&first, &b); err != nil {
			return nil, fmt.Errorf("reading leaves: %w", err)
		}
		start := max(lo-first, 0) * sm3.Size
		end := min(int64(len(b)), (hi-first)*sm3.Size)
		if start < end {
			out = append(out, b[start:end]...)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading leaves: %w", err)
	}
	return out, nil
}

// maxSize is how long a shard may grow: what the keys of its index can name.
const maxSize = stretch << 31

// span brings a range into what the columns can hold.
func span(from, to uint64) (lo, hi int64) {
	const top = maxSize
	return int64(min(from, top)), int64(min(to, top))
}

// SetCheckpoint implements ledger.CheckpointStore.
func (l *Ledger) SetCheckpoint(ctx context.Context, shard uint32, epoch, size uint64, note []byte) error {
	return retried(ctx, func() error {
		n, err := changed(ctx, l.s.w, `UPDATE ledger_head SET checkpoint = ?, checkpoint_size = ?
			WHERE shard = ? AND epoch = ? AND size >= ? AND (checkpoint IS NULL OR checkpoint_size < ?)`,
			note, int64(size), int64(shard), int64(epoch), int64(size), int64(size))
		if err != nil {
			return fmt.Errorf("storing a checkpoint: %w", err)
		}
		if n != 1 {
			return fmt.Errorf("%w: checkpoint of shard %d at size %d", ledger.ErrFenced, shard, size)
		}
		return nil
	})
}

// EntriesByObject traces one object through all shards, oldest first in each.
// Entries whose body was erased are not found: nothing says any more what they
// were about.
func (l *Ledger) EntriesByObject(ctx context.Context, object ledger.Object, limit int) ([]ledger.Entry, error) {
	want, err := objectBytes(object)
	if err != nil {
		return nil, err
	}
	heads, err := list(ctx, l.s.r, headRow.head, "shard", "size > 0")
	if err != nil {
		return nil, fmt.Errorf("tracing %s %q: %w", object.Kind, object.ID, err)
	}
	var out []ledger.Entry
	for _, h := range heads {
		for from := uint64(0); from < h.Size; from += probes * stretch {
			var keys []int64
			for seq := from; seq < min(from+probes*stretch, h.Size); seq += stretch {
				keys = append(keys, objectKey(seq, want))
			}
			found, err := list(ctx, l.s.r, entryRow.entry, "seq", "shard = ? AND object_key IN (?)", int64(h.Shard), bun.List(keys))
			if err != nil {
				return nil, fmt.Errorf("tracing %s %q: %w", object.Kind, object.ID, err)
			}
			for _, e := range found {
				if !bytes.Equal(objectOf(e.Body), want) { // the key is a short hash: others may share it
					continue
				}
				if out = append(out, e); len(out) == limit {
					return out, nil
				}
			}
		}
	}
	return out, nil
}

// objectBytes is an object as it stands in every canonical body that names it.
func objectBytes(o ledger.Object) ([]byte, error) {
	body, err := ledger.Encode(ledger.Event{
		ID: "trace", Type: "ledger.object.traced", Class: ledger.ClassLog, Time: time.UnixMilli(1),
		Actor: ledger.Actor{Kind: "service", ID: "store"}, Object: o, Outcome: ledger.Success,
	})
	return objectOf(body), err
}

// objectOf is the object's member of a canonical body, as it stands there. The
// marks cannot stand inside a text, where quotes are escaped.
func objectOf(body []byte) []byte {
	_, rest, ok := bytes.Cut(body, []byte(`"object":{`))
	if !ok {
		return nil
	}
	object, _, _ := bytes.Cut(rest, []byte(`,"outcome":`))
	return object
}

// The index over objects is cut into stretches of the chain, one after the
// other: new keys all fall into the pages of the last stretch. Keys spread over
// the whole index would make each batch rewrite most of its pages, and a commit
// several times as expensive. Tracing asks every stretch, many in one query.
const (
	stretch = 1 << 13
	probes  = 256
)

// objectKey is where the index keeps an object in the stretch of seq: 31 bits
// of stretch, 32 bits of hash. It is no proof of anything.
func objectKey(seq uint64, object []byte) int64 {
	h := fnv.New32a()
	_, _ = h.Write(object)
	return int64(seq/stretch)<<32 | int64(h.Sum32())
}
