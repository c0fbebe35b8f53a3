package status

import (
	"context"
	"fmt"
	"sync"
)

// scope names one published list.
type scope struct {
	issuer, shard string
	delta         bool
}

// listCache keeps the newest list of each scope, so that megabytes are read
// from the store once a number and not once a request.
type listCache struct {
	mu    sync.Mutex
	lists map[scope]CRL
}

func newListCache() *listCache { return &listCache{lists: map[scope]CRL{}} }

func (c *listCache) get(key scope) CRL {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists[key]
}

// put keeps the later one: a slow reader does not bring an old list back.
func (c *listCache) put(key scope, l CRL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.Number > c.lists[key].Number {
		c.lists[key] = l
	}
}

// newest is the list to hand out. The store is asked for the number each time,
// so that every node serves the newest.
func (s *Service) newest(ctx context.Context, issuerID, shard string, delta bool) (CRL, error) {
	key := scope{issuerID, shard, delta}
	had := s.served.get(key)
	c, err := s.cfg.Published.PublishedCRL(ctx, issuerID, shard, delta, had.Number)
	if err != nil {
		return CRL{}, fmt.Errorf("status: read list: %w", err)
	}
	if c.Number <= had.Number { // the same, or a replica that lags behind
		return had, nil
	}
	s.served.put(key, c)
	return c, nil
}
