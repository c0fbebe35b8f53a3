package status

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// How a node learns of what other nodes change. A row that is kept is believed
// for staleAfter since the registry was last asked; asking is due every
// watchEvery. Both together, and the time of an answer, stay under the second in
// which a revocation shows on every node.
const (
	watchEvery   = 250 * time.Millisecond
	staleAfter   = 700 * time.Millisecond
	watchTimeout = 500 * time.Millisecond
	watchQuiet   = time.Minute // between two words about a registry that does not answer
	maxRows      = 1 << 16

	forgetEvery = time.Hour
	forgetAfter = 24 * time.Hour // no node is so far behind
)

// Key names a row.
type Key struct {
	Issuer string `bun:"issuer"`
	Serial string `bun:"serial"`
}

// Changes tells a node what changed, so that it need not read the row of a
// certificate for each answer.
type Changes interface {
	// ChangedSince returns a revision, and every certificate whose Standing
	// changed after the one given, and no later than the one returned; a few
	// more do no harm. After a negative one, of which nobody has seen anything,
	// none is named. ErrBehind: too many to be named, or forgotten. A reading of
	// a Standing that starts after the return holds everything up to that
	// revision.
	ChangedSince(ctx context.Context, revision int64) (int64, []Key, error)
	// ForgetChanges forgets what was noted before that age and is further back
	// than any node is told of at once, and says how many.
	ForgetChanges(ctx context.Context, now time.Time, age time.Duration) (int64, error)
}

// ErrBehind: more rows changed than are named; whoever keeps rows forgets all.
var ErrBehind = errors.New("status: too many changes since then")

// rows are the rows that a node has read, kept while it knows that they are the
// same in the registry.
type rows struct {
	mu       sync.Mutex
	revision int64     // guarded by mu; of the last reading of changes
	asOf     time.Time // guarded by mu; when that began; zero: never
	kept     map[Key]Standing
}

func newRows() *rows { return &rows{revision: -1, kept: map[Key]Standing{}} }

// get is a kept row with the time since which it is known to hold, if that is
// recent; and the revision that a reading may be kept under.
func (r *rows) get(k Key, now time.Time) (row Standing, asOf time.Time, revision int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok = r.kept[k]
	age := now.Sub(r.asOf)
	return row, r.asOf, r.revision, ok && !r.asOf.IsZero() && age >= 0 && age < staleAfter
}

// put keeps a row that was read after get said revision, unless changes were
// read meanwhile: the row may be older than they are.
func (r *rows) put(k Key, row Standing, revision int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if revision < 0 || revision != r.revision {
		return
	}
	if len(r.kept) >= maxRows {
		clear(r.kept)
	}
	r.kept[k] = row
}

func (r *rows) changed(revision int64, asOf time.Time, keys []Key, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if all || revision < r.revision { // a database that was set back
		clear(r.kept)
	}
	for _, k := range keys {
		delete(r.kept, k)
	}
	r.revision, r.asOf = revision, asOf
}

func (r *rows) known() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revision
}

// watch asks for changes until ctx ends. While the registry does not answer, no
// kept row is believed: each answer reads its own.
func (s *Service) watch(ctx context.Context) {
	timer := time.NewTicker(watchEvery)
	defer timer.Stop()
	var told time.Time
	for {
		if err := s.readChanges(ctx); err != nil && ctx.Err() == nil && time.Since(told) > watchQuiet {
			told = time.Now()
			s.cfg.Log.ErrorContext(ctx, "OCSP: reading what changed failed; each answer reads its row", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// forget keeps the changes few until ctx ends.
func (s *Service) forget(ctx context.Context) {
	timer := time.NewTicker(forgetEvery)
	defer timer.Stop()
	for {
		if n, err := s.cfg.Changes.ForgetChanges(ctx, s.cfg.Now(), forgetAfter); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "OCSP: old changes stay", "error", err)
		} else if n > 0 {
			s.cfg.Log.DebugContext(ctx, "OCSP: old changes are forgotten", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

func (s *Service) readChanges(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	asOf := s.cfg.Now() // before the reading: what it says holds at least then
	revision, keys, err := s.cfg.Changes.ChangedSince(ctx, s.rows.known())
	if err != nil && !errors.Is(err, ErrBehind) {
		return err
	}
	s.rows.changed(revision, asOf, keys, err != nil)
	return nil
}

// look is the row of a certificate, and since when it is known to hold: a kept
// one, or the registry's.
func (s *Service) look(ctx context.Context, i *issuer, id certID, now time.Time) (single, time.Time, error) {
	if id.serial.Sign() <= 0 {
		return single{id: id}, now, nil // no serial of ours
	}
	k := Key{Issuer: i.id, Serial: ca.FormatSerial(id.serial)}
	row, asOf, revision, ok := s.rows.get(k, now)
	if ok {
		return single{id: id, found: true, row: row}, asOf, nil
	}
	row, err := s.cfg.Registry.Standing(ctx, k.Issuer, k.Serial)
	if errors.Is(err, ca.ErrNotFound) {
		return single{id: id}, now, nil
	}
	a := single{id: id, found: err == nil, row: row}
	if a.known() { // what was not issued yet will be, and no change tells of it
		s.rows.put(k, row, revision)
	}
	return a, now, err
}
