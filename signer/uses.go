package signer

import (
	"context"
	"fmt"
	"time"
)

// UseQuery selects uses; an empty field selects all.
type UseQuery struct {
	Unit      string // owner of the seal
	Seals     []string
	States    []UseState
	Requester string
	Heads     bool      // no items of batches
	Since     time.Time // sealed, or at least counted, at or after this moment
	Before    string    // id: older ones than this use, for paging
	Limit     int       // 0: DefaultUses
}

// Bounds of a list.
const (
	DefaultUses = 100
	MaxUses     = 1000
)

// Uses lists uses of seals, newest first: what pages show, and with
// UseRequested what waits for the leader of a unit. Who may see them is the
// caller's to decide.
func (s *Service) Uses(ctx context.Context, q UseQuery) ([]Use, error) {
	if q.Limit < 0 || q.Limit > MaxUses {
		return nil, fmt.Errorf("%w: %d uses, at most %d", ErrInvalid, q.Limit, MaxUses)
	}
	if q.Limit == 0 {
		q.Limit = DefaultUses
	}
	out, err := s.cfg.Register.Uses(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("signer: list uses: %w", err)
	}
	return out, nil
}

// Use returns one use.
func (s *Service) Use(ctx context.Context, id string) (Use, error) {
	u, err := s.cfg.Register.Use(ctx, id)
	if err != nil {
		return Use{}, fmt.Errorf("signer: use %s: %w", id, err)
	}
	return u, nil
}
