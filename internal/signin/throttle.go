package signin

import (
	"fmt"
	"sync"
	"time"
)

const (
	maxTries = 5
	lockTime = 15 * time.Minute
	// maxLinks bounds the memory that strangers can make us spend on secrets
	// that they make up. Beyond it new ones are not counted: nobody guesses 256
	// bits. Persons have no bound, only registered ones are counted.
	maxLinks = 10_000
)

// LockedError says until when; it is an ErrLocked.
type LockedError struct{ Until time.Time }

func (e *LockedError) Error() string {
	return fmt.Sprintf("%v, locked until %s", ErrLocked, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Unwrap() error { return ErrLocked }

// throttle counts tries. A try counts when it begins, not when it fails:
// else many at once would all pass before the first one is counted. It lives
// in memory: a restart forgets it, which costs an attacker more than it gives.
type throttle struct {
	now func() time.Time
	max int // keys; 0: no bound

	mu    sync.Mutex
	tries map[string]count // guarded by mu
	swept time.Time        // guarded by mu; when expired keys were last dropped
}

type count struct {
	n    int
	last time.Time
}

// begin counts a try and returns its number, or a LockedError.
func (t *throttle) begin(key string) (int, error) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	c, known := t.tries[key]
	if now.Sub(c.last) >= lockTime {
		c = count{}
	}
	if c.n >= maxTries {
		return c.n, &LockedError{Until: c.last.Add(lockTime)}
	}
	if !known && t.max > 0 && len(t.tries) >= t.max {
		return 1, nil
	}
	if t.tries == nil {
		t.tries = map[string]count{}
	}
	t.tries[key] = count{c.n + 1, now}
	return c.n + 1, nil
}

// good forgets the tries of a key.
func (t *throttle) good(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tries, key)
}

// undo takes one try back: it failed for no fault of the one who tried.
func (t *throttle) undo(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.tries[key]; ok && c.n > 1 {
		c.n--
		t.tries[key] = c
	} else {
		delete(t.tries, key)
	}
}

// sweep drops what has expired, once a minute. It never drops what still
// counts: that would be a way to unlock. The caller holds mu.
func (t *throttle) sweep(now time.Time) {
	if now.Sub(t.swept) < time.Minute {
		return
	}
	t.swept = now
	for k, c := range t.tries {
		if now.Sub(c.last) >= lockTime {
			delete(t.tries, k)
		}
	}
}
