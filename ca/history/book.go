package history

import (
	"context"
	"time"
)

// book adds up what the registry counts, by unit.
type book struct{ units map[string]*account }

// account is a unit, or all of them, before it is closed.
type account struct {
	Figures
	systems []System
}

func (b *book) of(agency string) *account {
	if b.units[agency] == nil {
		b.units[agency] = &account{}
	}
	return b.units[agency]
}

type span struct{ from, to time.Time }

// tallies adds plain numbers.
func (b *book) tallies(ctx context.Context, in span, read func(context.Context, time.Time, time.Time) ([]Tally, error), into func(*account) *int) error {
	all, err := read(ctx, in.from, in.to)
	for _, t := range all {
		*into(b.of(t.Agency)) += t.Count
	}
	return err
}

func (b *book) certificates(ctx context.Context, c Counts, in span) error {
	made, err := c.Made(ctx, in.from, in.to)
	if err != nil {
		return err
	}
	for _, m := range made {
		a := b.of(m.Agency)
		a.issue(m.Issued)
		if m.Follows {
			a.Renewed += m.Count
		}
	}
	gone, err := c.Gone(ctx, in.from, in.to)
	if err != nil {
		return err
	}
	for _, g := range gone {
		if a := b.of(g.Agency); g.Late {
			a.Late += g.Count
		} else {
			a.revoke(g.Revoked)
		}
	}
	if err := b.tallies(ctx, in, c.Expired, func(a *account) *int { return &a.Expired }); err != nil {
		return err
	}
	return b.tallies(ctx, in, c.Held, func(a *account) *int { return &a.Held })
}

func (b *book) requests(ctx context.Context, c Counts, in span) error {
	if err := b.tallies(ctx, in, c.Submitted, func(a *account) *int { return &a.Requests }); err != nil {
		return err
	}
	settled, err := c.Settled(ctx, in.from, in.to)
	if err != nil {
		return err
	}
	for _, s := range settled {
		if into := b.of(s.Agency).settled(s.State); into != nil {
			*into += s.Count
		}
	}
	waits, err := c.Waits(ctx, in.from, in.to)
	if err != nil {
		return err
	}
	for _, w := range waits {
		a := b.of(w.Agency)
		a.First++
		a.Waited += w.Made.Sub(w.Asked)
	}
	return b.tallies(ctx, in, c.Recovered, func(a *account) *int { return &a.Recoveries })
}

// standing counts what is in force at the end of the span, and which of the
// systems registered by then have part in it.
func (b *book) standing(ctx context.Context, c Counts, in span) error {
	systems, err := c.Registered(ctx, in.to)
	if err != nil {
		return err
	}
	at := map[string]*System{}
	for i := range systems {
		at[systems[i].ID] = &systems[i]
	}
	stand, err := c.StandingAt(ctx, in.to)
	if err != nil {
		return err
	}
	for _, t := range stand {
		b.of(t.Agency).InForce += t.Count
		if s := at[t.System]; s != nil {
			s.has(t.Kind)
		}
	}
	for _, s := range systems {
		a := b.of(s.Agency)
		a.systems = append(a.systems, s)
	}
	return nil
}
