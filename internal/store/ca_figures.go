package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
)

var _ history.Counts = (*CA)(nil)

// tallyRow is one line of any count.
type tallyRow struct {
	Agency  string       `bun:"agency"`
	System  string       `bun:"system"`
	Kind    string       `bun:"kind"`
	Way     string       `bun:"way"`
	State   string       `bun:"state"`
	Reason  int64        `bun:"reason"`
	Mark    bool         `bun:"mark"`
	Asked   bun.NullTime `bun:"asked"`
	Made    bun.NullTime `bun:"made"`
	Counted int64        `bun:"counted"`
}

// tally runs a count. Months are bounds by the time that it gets here: no engine
// reckons with time zones.
func tally[T any](ctx context.Context, c *CA, to func(tallyRow) T, query string, args ...any) ([]T, error) {
	var rows []tallyRow
	if err := c.s.r.NewRaw(query, args...).Scan(ctx, &rows); err != nil {
		return nil, fmt.Errorf("counting: %w", err)
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = to(r)
	}
	return out, nil
}

func plainTally(r tallyRow) history.Tally {
	return history.Tally{Agency: r.Agency, Count: int(r.Counted)}
}

// Made implements history.Counts.
func (c *CA) Made(ctx context.Context, from, to time.Time) ([]history.MadeTally, error) {
	return tally(ctx, c, func(r tallyRow) history.MadeTally {
		return history.MadeTally{Agency: r.Agency, Issued: history.Issued{Kind: ca.Kind(r.Kind), Way: ca.Way(r.Way), Count: int(r.Counted), Follows: r.Mark}}
	}, `SELECT c.agency, c.kind, COALESCE(l.way, '') AS way, COALESCE(l.previous, '') <> '' AS mark, COUNT(*) AS counted`+recordTables+`
		WHERE c.created_at >= ? AND c.created_at < ? AND c.der IS NOT NULL
		GROUP BY c.agency, c.kind, COALESCE(l.way, ''), COALESCE(l.previous, '') <> ''`, at(from), at(to))
}

// Gone implements history.Counts. A revocation after the end changes nothing any
// more, and is told apart.
func (c *CA) Gone(ctx context.Context, from, to time.Time) ([]history.GoneTally, error) {
	return tally(ctx, c, func(r tallyRow) history.GoneTally {
		return history.GoneTally{Agency: r.Agency, Revoked: history.Revoked{Reason: int(r.Reason), Count: int(r.Counted), Late: r.Mark}}
	}, `SELECT agency, reason, revoked_at > not_after AS mark, COUNT(*) AS counted FROM ca_certificate
		WHERE revoked_at >= ? AND revoked_at < ? AND revoked_at IS NOT NULL AND state = 'revoked' AND der IS NOT NULL
		GROUP BY agency, reason, revoked_at > not_after`, at(from), at(to))
}

// Expired implements history.Counts.
func (c *CA) Expired(ctx context.Context, from, to time.Time) ([]history.Tally, error) {
	return tally(ctx, c, plainTally, `SELECT agency, COUNT(*) AS counted FROM ca_certificate
		WHERE not_after >= ? AND not_after < ? AND der IS NOT NULL AND (state <> 'revoked' OR revoked_at > not_after) GROUP BY agency`, at(from), at(to))
}

// Held implements history.Counts.
func (c *CA) Held(ctx context.Context, from, to time.Time) ([]history.Tally, error) {
	return tally(ctx, c, plainTally, `SELECT c.agency, COUNT(*) AS counted FROM ca_suspension AS s JOIN ca_certificate AS c ON c.issuer = s.issuer AND c.serial = s.serial
		WHERE s.held_at >= ? AND s.held_at < ? GROUP BY c.agency`, at(from), at(to))
}

// StandingAt implements history.Counts.
func (c *CA) StandingAt(ctx context.Context, when time.Time) ([]history.StandTally, error) {
	return tally(ctx, c, func(r tallyRow) history.StandTally {
		return history.StandTally{Agency: r.Agency, System: r.System, Kind: ca.Kind(r.Kind), Count: int(r.Counted)}
	}, `SELECT agency, system, kind, COUNT(*) AS counted FROM ca_certificate
		WHERE not_after >= ? AND der IS NOT NULL AND created_at < ? AND (state <> 'revoked' OR revoked_at >= ?) GROUP BY agency, system, kind`, at(when), at(when), at(when))
}

// Submitted implements history.Counts.
func (c *CA) Submitted(ctx context.Context, from, to time.Time) ([]history.Tally, error) {
	return tally(ctx, c, plainTally, "SELECT agency, COUNT(*) AS counted FROM ca_request WHERE created_at >= ? AND created_at < ? GROUP BY agency", at(from), at(to))
}

// Settled implements history.Counts.
func (c *CA) Settled(ctx context.Context, from, to time.Time) ([]history.SettledTally, error) {
	return tally(ctx, c, func(r tallyRow) history.SettledTally {
		return history.SettledTally{Agency: r.Agency, State: ca.RequestState(r.State), Count: int(r.Counted)}
	}, `SELECT q.agency, s.state, COUNT(*) AS counted FROM ca_request_settled AS s JOIN ca_request AS q ON q.id = s.request
		WHERE s.settled_at >= ? AND s.settled_at < ? GROUP BY q.agency, s.state`, at(from), at(to))
}

// Waits implements history.Counts. An older certificate of the request is found
// by its system.
func (c *CA) Waits(ctx context.Context, from, to time.Time) ([]history.Wait, error) {
	return tally(ctx, c, func(r tallyRow) history.Wait {
		return history.Wait{Agency: r.Agency, Asked: utc(r.Asked), Made: utc(r.Made)}
	}, `SELECT q.agency, q.created_at AS asked, MIN(c.created_at) AS made FROM ca_certificate AS c JOIN ca_request AS q ON q.id = c.request
		WHERE c.created_at >= ? AND c.created_at < ? AND c.der IS NOT NULL AND c.request <> ''
		AND NOT EXISTS (SELECT 1 FROM ca_certificate AS o WHERE o.system = c.system AND o.created_at < ? AND o.request = c.request AND o.der IS NOT NULL)
		GROUP BY q.id, q.agency, q.created_at`, at(from), at(to), at(from))
}

// Recovered implements history.Counts.
func (c *CA) Recovered(ctx context.Context, from, to time.Time) ([]history.Tally, error) {
	return tally(ctx, c, plainTally, `SELECT agency, COUNT(*) AS counted FROM kmc_recovery
		WHERE delivered_at >= ? AND delivered_at < ? AND delivered_at IS NOT NULL GROUP BY agency`, at(from), at(to))
}

// Registered implements history.Counts.
func (c *CA) Registered(ctx context.Context, before time.Time) ([]history.System, error) {
	return list(ctx, c.s.r, func(r systemRow) history.System {
		return history.System{ID: r.ID, Name: r.Name, Agency: r.Agency}
	}, "id", "created_at IS NULL OR created_at < ?", at(before))
}
