package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// share is what one caller brings to a common transaction: rows of the
// certificate registry and the event that tells of them.
type share struct {
	events []ledger.Pending
	claims []*tokenClaim
	tokens []usedTokenRow
	certs  []certificateRow
	keys   []escrowRow
	signed []signedRow
	basis  []deliveryRow // claims of deliveries that nobody had before
	handed []handedRow
}

// write writes what shares bring, a statement for each table. When a row of one
// share is refused nothing of any is written; with one share the error says why.
func (s *Store) write(ctx context.Context, tx bun.Tx, shares ...*share) error {
	var all share
	for _, o := range shares {
		all.events, all.claims, all.tokens = append(all.events, o.events...), append(all.claims, o.claims...), append(all.tokens, o.tokens...)
		all.certs, all.keys, all.signed = append(all.certs, o.certs...), append(all.keys, o.keys...), append(all.signed, o.signed...)
		all.basis, all.handed = append(all.basis, o.basis...), append(all.handed, o.handed...)
	}
	for _, step := range []func() error{
		func() error { return s.enqueue(ctx, tx, all.events...) },
		func() error { return s.claimTokens(ctx, tx, all.claims) },
		func() error { return useTokens(ctx, tx, all.tokens) },
		func() error { return reserve(ctx, tx, all.certs, all.keys) },
		func() error { return claimBasis(ctx, tx, all.basis) },
		func() error { return hand(ctx, tx, all.handed) },
		func() error { return s.activate(ctx, tx, all.signed) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// group commits the shares of concurrent callers together: while one transaction
// is on its way to the disk the next one gathers. Nobody waits for company. Each
// caller is answered when the transaction with its rows has ended.
//
// A share that the database refuses never harms the others: the transaction is
// rolled back, and each of its members gets one of its own.
type group struct {
	s     *Store
	lanes int // transactions at a time

	mu      sync.Mutex
	queue   []*member
	running int
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

// newGroup: SQLite has one writer. PostgreSQL writes the log for two
// transactions at once in about the time of one.
func newGroup(s *Store) *group {
	g := &group{s: s, lanes: 2}
	if s.w.Dialect().Name() == dialect.SQLite {
		g.lanes = 1
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
	if g.running < g.lanes {
		g.running++
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
	return g.s.act(ctx, func(ctx context.Context, tx bun.Tx) error { return g.s.write(ctx, tx, o) })
}

// run commits until nobody waits.
func (g *group) run(ctx context.Context) {
	for {
		g.mu.Lock()
		n := min(len(g.queue), groupSize)
		members := slices.Clone(g.queue[:n])
		g.queue = slices.Delete(g.queue, 0, n)
		if n == 0 {
			g.running--
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

// together commits the shares of all members. What write refuses was rolled
// back; of a commit that fails nobody knows, and trying again could find its own
// rows.
func (g *group) together(ctx context.Context, members []*member) {
	shares := make([]*share, len(members))
	for i, m := range members {
		shares[i] = m.share
	}
	ctx, cancel := context.WithTimeout(ctx, groupTime)
	defer cancel()
	refused := false
	err := g.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := g.s.write(ctx, tx, shares...)
		refused = err != nil
		return err
	})
	if refused && err != nil && len(members) > 1 {
		err = errApart
	}
	for _, m := range members {
		m.done <- err
	}
}
