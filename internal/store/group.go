package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// group commits the shares of concurrent callers together: while one transaction
// is on its way to the disk the next one gathers. Nobody waits for company. Each
// caller is answered when the transaction with its rows has ended.
//
// A share that the database refuses never harms the others: the transaction is
// rolled back, and each of its members gets one of its own.
type group struct {
	s *Store
	// write commits statements of a group in one transaction. errApart: it was
	// rolled back; of any other failure nobody knows.
	write func(context.Context, []statement) error

	mu      sync.Mutex
	queue   []*member
	running bool // a goroutine commits the queue
}

type member struct {
	share *share
	done  chan error // one answer; its caller may have left
}

const (
	// groupSize bounds one transaction, and so how long its last member waits.
	groupSize = 64
	// groupTime bounds it in time: it hangs on no caller's context.
	groupTime = 30 * time.Second
)

// errApart tells a member to commit alone: something in the common transaction
// was refused, and it was rolled back.
var errApart = errors.New("store: the common transaction was refused")

// newGroup: one transaction at a time. More of them on PostgreSQL make smaller
// groups and cost more than they gain.
func newGroup(s *Store) *group {
	g := &group{s: s, write: s.writePostgres}
	if s.w.Dialect().Name() == dialect.SQLite {
		g.write = s.writeSQLite
	}
	return g
}

// commit commits one share with those of whoever else is there. A caller who
// leaves before its turn has written nothing; afterwards the rows may be there,
// as with any transaction whose answer was lost, and the event's id tells.
func (g *group) commit(ctx context.Context, o *share) error {
	m := &member{share: o, done: make(chan error, 1)}
	g.mu.Lock()
	g.queue = append(g.queue, m)
	if !g.running {
		g.running = true
		go g.run(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case err := <-m.done:
		if !errors.Is(err, errApart) {
			return err
		}
	case <-ctx.Done():
		g.leave(m)
		return ctx.Err()
	}
	return g.s.act(ctx, func(ctx context.Context, tx bun.Tx) error { return write(ctx, tx, g.s.statements(o)) })
}

// run commits until nobody waits.
func (g *group) run(ctx context.Context) {
	for {
		g.mu.Lock()
		n := min(len(g.queue), groupSize)
		members := slices.Clone(g.queue[:n])
		g.queue = slices.Delete(g.queue, 0, n)
		if n == 0 {
			g.running = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		g.together(ctx, members)
	}
}

func (g *group) leave(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = slices.DeleteFunc(g.queue, func(o *member) bool { return o == m })
}

// together commits the shares of all members.
func (g *group) together(ctx context.Context, members []*member) {
	shares := make([]*share, len(members))
	for i, m := range members {
		shares[i] = m.share
	}
	ctx, cancel := context.WithTimeout(ctx, groupTime)
	defer cancel()
	err := g.write(ctx, g.s.statements(shares...))
	for _, m := range members {
		m.done <- err
	}
}
