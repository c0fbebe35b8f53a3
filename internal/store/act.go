package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Integrator gives a committed outbox entry its place in the chain: the
// ledger's sequencer.
type Integrator interface {
	// Integrate returns the Receipt of an entry that is in the outbox or
	// already in the ledger, once it has a sequence number.
	Integrate(ctx context.Context, entryID string) (ledger.Receipt, error)
}

// Rooms implements what the rooms of the house ask of a store.
type Rooms struct {
	Identity   *Identity
	Grading    *Grading
	Sharing    *Sharing
	Approvals  *Approvals
	CA         *CA
	Seals      *Seals
	Transfers  *Transfers
	Signin     *Signin
	ACME       *ACME
	KMC        *KMC
	Anchors    *Anchors
	Closing    *Closing
	Retention  *Retention
	Peers      *Peers
	Notify     *Notify
	Succession *Generations
	Tokens     *Tokens
	Grants     *Grants
	Reclass    *Reclass
	Facts      *Facts
	Index      *Index // of facts, for decisions
}

// Rooms returns the rooms over this store. With a nil Integrator acts are
// answered when durable (ledger.Durable); else once they have their sequence
// number.
//
// Every act follows one contract. The row and its event are written together or
// not at all. An event id that is already in the outbox or the ledger is
// refused with ledger.ErrDuplicate and changes nothing, so that a caller whose
// answer was lost can repeat the act and look the first one up by that id.
// ErrUnintegrated beside a Durable receipt: committed, still on its way.
func (s *Store) Rooms(in Integrator) *Rooms {
	a := acts{s: s, in: in}
	people, gradings, shared := &Identity{a}, &Grading{a}, &Sharing{a}
	index := &Index{m: newMemory(s), identity: people, grading: gradings, sharing: shared}
	return &Rooms{
		Facts: &Facts{index.m, index}, Index: index, Identity: people, Grading: gradings, Sharing: shared, Approvals: &Approvals{a},
		CA: newCA(a), Seals: &Seals{a}, Transfers: &Transfers{a}, Signin: &Signin{a},
		ACME: &ACME{a}, KMC: &KMC{a}, Anchors: &Anchors{a}, Closing: &Closing{a},
		Retention:  &Retention{a},
		Peers:      &Peers{a},
		Notify:     &Notify{a},
		Succession: newGenerations(a),
		Tokens:     &Tokens{a},
		Grants:     &Grants{a},
		Reclass:    &Reclass{a},
	}
}

// acts is the one way from a room to a table.
type acts struct {
	s  *Store
	in Integrator
}

// commit writes the event to the outbox, the notice that it may ask for, and lets
// do write the rows, in one transaction. do may run more than once and touches nothing but tx.
func (a acts) commit(ctx context.Context, ev ledger.Event, do func(context.Context, bun.Tx) error) (ledger.Receipt, error) {
	return a.record(ctx, []ledger.Event{ev}, func(p []ledger.Pending) error {
		return a.s.act(ctx, func(ctx context.Context, tx bun.Tx) error {
			if err := write(ctx, tx, a.s.enqueueing(p)); err != nil {
				return err
			}
			if err := a.s.notice(ctx, tx, ev); err != nil {
				return err
			}
			return do(ctx, tx)
		})
	})
}

// share is commit for acts of which many come at a time: the rows of o and its
// events are written with those of other callers, in one transaction.
func (a acts) share(ctx context.Context, o *share, evs ...ledger.Event) (ledger.Receipt, error) {
	return a.record(ctx, evs, func(p []ledger.Pending) error {
		o.events = p
		return a.s.group.commit(ctx, o)
	})
}

// alone is share in a transaction of its own, for what is likely to be refused.
func (a acts) alone(ctx context.Context, o *share, evs ...ledger.Event) (ledger.Receipt, error) {
	return a.record(ctx, evs, func(p []ledger.Pending) error {
		o.events = p
		return a.s.act(ctx, func(ctx context.Context, tx bun.Tx) error { return write(ctx, tx, a.s.statements(o)) })
	})
}

// record makes the outbox entries of events and, once write has committed them,
// waits until the first has its place in the chain.
func (a acts) record(ctx context.Context, evs []ledger.Event, write func([]ledger.Pending) error) (ledger.Receipt, error) {
	all := make([]ledger.Pending, len(evs))
	for i, ev := range evs {
		var err error
		if all[i], err = ledger.NewPending(ev, a.s.rand); err != nil {
			return ledger.Receipt{}, err
		}
	}
	if err := write(all); err != nil {
		return ledger.Receipt{}, err
	}
	p := all[0]
	durable := ledger.Receipt{EntryID: p.ID, Promise: ledger.Durable}
	if a.in == nil {
		return durable, nil
	}
	r, err := a.in.Integrate(ctx, p.ID)
	if err != nil {
		return durable, fmt.Errorf("%w: event %s: %w", ErrUnintegrated, p.ID, err)
	}
	return r, nil
}

// enqueueing writes the events of acts in their transaction. It inserts first and looks for the entries afterwards: a sequencer that
// moves the same id from the outbox to the ledger holds back the insert until
// its entry can be seen.
func (s *Store) enqueueing(pending []ledger.Pending) []statement {
	rows, ids := make([]outboxRow, len(pending)), make([]string, len(pending))
	for i, p := range pending {
		rows[i], ids[i] = outboxRow{ID: p.ID, CreatedUS: s.tick(), Body: p.Body, Salt: p.Salt}, p.ID
	}
	return []statement{
		s.inserting(&rows, func(err error) error {
			if isDuplicate(err) {
				return fmt.Errorf("%w: %s is in the outbox", ledger.ErrDuplicate, strings.Join(ids, ", "))
			}
			return fmt.Errorf("writing the event: %w", err)
		}),
		{
			sql: s.w.NewSelect().Model((*entryRow)(nil)).ColumnExpr("1").Where("entry_id IN (?)", bun.List(ids)).String(), none: true,
			refused: func(_ context.Context, _ bun.Tx, err error) error {
				if err != nil {
					return fmt.Errorf("looking for the event: %w", err)
				}
				return fmt.Errorf("%w: %s", ledger.ErrDuplicate, strings.Join(ids, ", "))
			},
		},
	}
}

// commitFacts is commit for the rows that decisions rest on: identity, grading
// and sharing. It moves the facts revision on, before anything is read: acts run
// one after the other, so that what do checks still holds when do writes, at any
// isolation level. touched names what changes; without it nodes forget all that
// they remember.
func (a acts) commitFacts(ctx context.Context, ev ledger.Event, do func(context.Context, bun.Tx) error, touched ...fact) (ledger.Receipt, error) {
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := touch(ctx, tx, touched); err != nil {
			return err
		}
		return do(ctx, tx)
	})
}

// Revision counts the committed changes of identity, grading and sharing: two
// reads with one revision saw the same facts.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	var n int64
	if err := s.facts.QueryRowContext(ctx).Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the facts revision: %w", err)
	}
	return n, nil
}
