package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/uptrace/bun"
)

// ErrNotKept: no document of this digest; its decision was never made here, or
// it was erased.
var ErrNotKept = errors.New("store: the document is not kept")

// Decisions keeps the requests and facts that decisions were made of, as JSON by
// its SM3, so that a decision can be evaluated again (2014 rule art. 31). It is the
// second way in without an event, and no act: a document says nothing until the
// ledger entry of a decision names its digest, and that entry is written only
// after Keep has returned. A row never changes, so one that is there already,
// from this node or another, is the same.
type Decisions struct {
	s       *Store
	writing sync.Mutex // one batch at a time; the next one gathers meanwhile

	mu         sync.Mutex // guards what follows; held for memory access only
	young, old map[digest32]struct{}
	next       *keeping
}

type digest32 [sm3.Size]byte

// keeping is a batch that gathers.
type keeping struct {
	docs map[string][]byte
	done chan struct{}
	err  error // after done
}

// Bounds: digests known to be kept, in each of two generations, and how long a
// batch may take. Rows of one statement, far below what an engine takes.
const (
	knownDigests = 1 << 17
	keepTimeout  = 30 * time.Second
	keepRows     = 64
)

type factRow struct {
	bun.BaseModel `bun:"table:decision_fact"`

	SM3  string `bun:"sm3,pk"`
	Body string `bun:"body"` // JSON: text takes half of what bytes take in a statement
}

// Decisions returns the documents of decisions. One of them serves the whole
// process: it remembers what is kept.
func (s *Store) Decisions() *Decisions { return &Decisions{s: s} }

// Kept returns a document, or ErrNotKept.
func (d *Decisions) Kept(ctx context.Context, sum string) ([]byte, error) {
	row, err := one[factRow](ctx, d.s.r, "sm3 = ?", sum)
	return []byte(row.Body), found(err, ErrNotKept, "document", sum)
}

// Keep returns once all documents are durable. Callers that come while a batch
// is written share the next one.
func (d *Decisions) Keep(ctx context.Context, docs map[string][]byte) error {
	b, first, err := d.join(docs)
	if b == nil || err != nil {
		return err
	}
	if !first {
		select {
		case <-b.done:
			return b.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	d.next = nil
	d.mu.Unlock()
	// Others wait for this batch: it does not end with the caller who leads it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if b.err = d.write(ctx, b.docs); b.err == nil {
		d.remember(b.docs)
	}
	close(b.done)
	return b.err
}

// join adds what is not known to be kept to the batch that gathers; nil when
// that is nothing.
func (d *Decisions) join(docs map[string][]byte) (b *keeping, first bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for sum, body := range docs {
		key, err := parseDigest(sum)
		if err != nil {
			return nil, false, err
		}
		if d.known(key) {
			continue
		}
		if b == nil {
			if b = d.next; b == nil {
				b, first = &keeping{docs: map[string][]byte{}, done: make(chan struct{})}, true
				d.next = b
			}
		}
		b.docs[sum] = body
	}
	return b, first, nil
}

func parseDigest(sum string) (key digest32, err error) {
	if n, err := hex.Decode(key[:], []byte(sum)[:min(len(sum), hex.EncodedLen(sm3.Size))]); err != nil || n != sm3.Size || len(sum) != hex.EncodedLen(sm3.Size) {
		return key, fmt.Errorf("store: %.80q is no digest", sum)
	}
	return key, nil
}

func (d *Decisions) known(key digest32) bool {
	if _, ok := d.young[key]; ok {
		return true
	}
	_, ok := d.old[key]
	if ok {
		d.add(key)
	}
	return ok
}

func (d *Decisions) add(key digest32) {
	if d.young == nil || len(d.young) >= knownDigests {
		d.old, d.young = d.young, map[digest32]struct{}{}
	}
	d.young[key] = struct{}{}
}

func (d *Decisions) remember(docs map[string][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for sum := range docs {
		if key, err := parseDigest(sum); err == nil {
			d.add(key)
		}
	}
}

// write inserts what is not there. Another node may win the race for a digest:
// then its row is there at the next try.
func (d *Decisions) write(ctx context.Context, docs map[string][]byte) (err error) {
	for range 3 {
		err = d.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
			for sums := range slices.Chunk(slices.Sorted(maps.Keys(docs)), keepRows) {
				if err := insertMissing(ctx, tx, sums, docs); err != nil {
					return err
				}
			}
			return nil
		})
		if !isDuplicate(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("keeping the facts of a decision: %w", err)
	}
	return nil
}

func insertMissing(ctx context.Context, tx bun.Tx, sums []string, docs map[string][]byte) error {
	var there []string
	if err := tx.NewSelect().Model((*factRow)(nil)).Column("sm3").Where("sm3 IN (?)", bun.List(sums)).Scan(ctx, &there); err != nil {
		return err
	}
	var rows []factRow
	for _, sum := range sums {
		if !slices.Contains(there, sum) {
			rows = append(rows, factRow{SM3: sum, Body: string(docs[sum])})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	return err
}
