package history

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// Bounds of how far ahead one may look.
const (
	DefaultDays = 30
	MaxDays     = 400
	day         = 24 * time.Hour
)

// Soon asks what ends from Now to Until, both included, for X.509 certificates
// are valid at the moment of their end (RFC 5280 4.1.2.5).
type Soon struct {
	Now, Until     time.Time
	System, Agency string // empty: of any
	// Superseded lists those too that have a successor in force: one that follows it,
	// or was made later in its line, and ends later than it.
	Superseded bool
	// Tests lists certificates for tests too. They live 30 days and are asked for
	// anew: nobody waits for their end.
	Tests bool
	After Cursor // of the record before; At is its end
	Limit int
}

// Ending is a certificate that ends soon.
type Ending struct {
	Record
	Superseded bool `json:"superseded"`
}

// Ends reads what ends. Only what is good is listed: what is held or revoked does
// not wait for its end.
type Ends interface {
	// Ending lists by end, soonest first.
	Ending(ctx context.Context, q Soon) ([]Ending, error)
}

// ExpiringQuery selects what ends within a number of days.
type ExpiringQuery struct {
	Days           int    // 0: 30; at most 400
	System, Agency string // empty: of any
	Superseded     bool
	After          Cursor
	Limit          int // 0: 20, at most 200
}

// ExpiringPage is a part of the list, soonest first.
type ExpiringPage struct {
	Entries []Ending
	Next    Cursor // zero: that was all
}

// Ending lists a page of what ends soon.
func (s *Service) Ending(ctx context.Context, q ExpiringQuery) (ExpiringPage, error) {
	if q.Days == 0 {
		q.Days = DefaultDays
	}
	if q.Limit == 0 {
		q.Limit = pageSize
	}
	if q.Days < 1 || q.Days > MaxDays || q.Limit < 0 || q.Limit > maxPage {
		return ExpiringPage{}, fmt.Errorf("%w: 1 to %d days, %d certificates at most", ErrQuery, MaxDays, maxPage)
	}
	now := s.cfg.Now()
	all, err := s.cfg.Ends.Ending(ctx, Soon{
		Now: now, Until: now.Add(time.Duration(q.Days) * day), System: q.System, Agency: q.Agency,
		Superseded: q.Superseded, After: q.After, Limit: q.Limit + 1,
	})
	if err != nil {
		return ExpiringPage{}, fmt.Errorf("history: what ends: %w", err)
	}
	if len(all) <= q.Limit {
		return ExpiringPage{Entries: all}, nil
	}
	all = all[:q.Limit]
	last := all[len(all)-1]
	return ExpiringPage{all, Cursor{last.NotAfter, last.Issuer, last.Serial}}, nil
}

// maxExpiring bounds one answer of Expiring.
const maxExpiring = 10_000

// Expiring lists what ends within a time and has no successor in force, soonest
// first, for whoever sends notices; a list that is longer than 10,000 is cut.
func (s *Service) Expiring(ctx context.Context, within time.Duration) ([]Ending, error) {
	if within <= 0 || within > MaxDays*day {
		return nil, fmt.Errorf("%w: at most %d days", ErrQuery, MaxDays)
	}
	now := s.cfg.Now()
	all, err := s.cfg.Ends.Ending(ctx, Soon{Now: now, Until: now.Add(within), Limit: maxExpiring})
	if err != nil {
		return nil, fmt.Errorf("history: what ends: %w", err)
	}
	return all, nil
}

// Tests are the kinds of certificates for tests.
func Tests() []ca.Kind { return []ca.Kind{ca.KindECDSATest, ca.KindSM2SignTest, ca.KindSM2EncTest} }
