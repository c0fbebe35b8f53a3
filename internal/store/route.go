package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
)

// Routes keeps what paths of systems' interfaces stand for.
type Routes struct{ acts }

var _ route.Register = (*Routes)(nil)

// routeRow holds what was proposed, and signed, as one body that never changes.
type routeRow struct {
	bun.BaseModel `bun:"table:route"`

	ID      string              `bun:"id,pk"`
	System  string              `bun:"system"`
	Unit    string              `bun:"unit"`
	Prefix  string              `bun:"prefix"`
	Methods string              `bun:"methods"`
	Body    nested[route.Route] `bun:"body"`
	AskedAt bun.NullTime        `bun:"asked_at"`
	settledRow
}

func (r routeRow) route() route.Route {
	a := r.Body.V
	a.State, a.Approval, a.SettledAt = route.State(r.State), r.Approval, utc(r.SettledAt)
	a.EndedBy, a.EndReason, a.EndedAt = r.EndedBy, r.EndReason, utc(r.EndedAt)
	return a
}

// AddRoute implements route.Register. Of two proposals of one route at once the
// index of open entries refuses one.
func (c *Routes) AddRoute(ctx context.Context, r route.Route, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &routeRow{
			ID: r.ID, System: r.System, Unit: string(r.Unit), Prefix: r.Prefix, Methods: strings.Join(r.Methods, " "), Body: nested[route.Route]{r},
			AskedAt: at(r.AskedAt), settledRow: settledRow{State: string(route.Proposed)},
		}, route.ErrExists, route.ErrNotFound, "route", r.ID)
	})
}

// MoveRoute implements route.Register.
func (c *Routes) MoveRoute(ctx context.Context, r route.Route, from route.State, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := settledRow{string(r.State), r.Approval, at(r.SettledAt), r.EndedBy, r.EndReason, at(r.EndedAt)}.move(ctx, tx, "route", r.ID, string(from))
		if err != nil {
			return fmt.Errorf("moving route %q: %w", r.ID, err)
		}
		return guarded[routeRow](ctx, tx, n, "route", r.ID, string(from), route.ErrNotFound, route.ErrState)
	})
}

// Route implements route.Register.
func (c *Routes) Route(ctx context.Context, id string) (route.Route, error) {
	r, err := one[routeRow](ctx, c.s.r, "id = ?", id)
	return r.route(), found(err, route.ErrNotFound, "route", id)
}

// Routes implements route.Register.
func (c *Routes) Routes(ctx context.Context, unit identity.USCC, states ...route.State) ([]route.Route, error) {
	if len(states) == 0 {
		states = []route.State{route.Proposed, route.InForce, route.Refused, route.Withdrawn}
	}
	if unit == "" {
		return list(ctx, c.s.r, routeRow.route, "asked_at, id", "state IN (?)", bun.List(states))
	}
	return list(ctx, c.s.r, routeRow.route, "asked_at, id", "unit = ? AND state IN (?)", string(unit), bun.List(states))
}
