package authzen

import "sync"

// busy bounds the questions that one caller has open, so that none takes the
// decision point from the others.
type busy struct {
	most int
	mu   sync.Mutex
	of   map[string]int // guarded by mu
}

// enter counts one more; done takes it off. Without room there is nothing to take.
func (b *busy) enter(caller string) (done func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[caller] >= b.most {
		return func() {}, false
	}
	b.of[caller]++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.of[caller]--; b.of[caller] == 0 {
			delete(b.of, caller)
		}
	}, true
}
