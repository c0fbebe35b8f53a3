package api

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Recoverer hands a system the encryption keys that were recovered for it.
type Recoverer interface {
	RecoveriesOf(ctx context.Context, actor ledger.Actor) ([]wire.Recovery, error)
	RecoverKey(ctx context.Context, actor ledger.Actor, id string) (wire.RecoveredKey, error)
}

func (h *handlers) recoveries(ctx context.Context, _ *struct{}) (*body[[]wire.Recovery], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	list, err := h.cfg.Recoverer.RecoveriesOf(ctx, actor)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[[]wire.Recovery]{list}, nil
}

func (h *handlers) recover(ctx context.Context, in *idPath) (*body[wire.RecoveredKey], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	key, err := h.cfg.Recoverer.RecoverKey(ctx, actor, in.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.RecoveredKey]{key}, nil
}
