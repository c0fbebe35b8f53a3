package ca

import (
	"sync"
	"time"
)

// strangersEvery is how often a refusal of somebody unknown is recorded.
const strangersEvery = time.Minute

// Strangers spaces the records about callers whom nobody knows: anybody may send
// rubbish, and must not fill the ledger with it. What is passed over is counted
// in the next record. The zero value is ready; safe for concurrent use.
type Strangers struct {
	mu     sync.Mutex
	last   time.Time
	passed int
}

// Due says whether to record now, and how many were passed over since.
func (s *Strangers) Due(now time.Time) (passed int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last).Abs() < strangersEvery {
		s.passed++
		return 0, false
	}
	passed, s.last, s.passed = s.passed, now, 0
	return passed, true
}
