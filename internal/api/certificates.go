package api

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Certifier keeps the certificates of a calling system: its own, no others.
type Certifier interface {
	Renew(ctx context.Context, actor ledger.Actor, r wire.RenewRequest) (wire.Pair, error)
	Revoke(ctx context.Context, actor ledger.Actor, r wire.RevokeRequest) error
	Pair(ctx context.Context, actor ledger.Actor, serial string, response bool) (wire.Pair, error)
}

// ErrCertificate: the calling system has no such certificate.
var ErrCertificate = errors.New("api: no such certificate of the caller")

func (h *handlers) renew(ctx context.Context, in *body[wire.RenewRequest]) (*body[wire.Pair], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	pair, err := h.cfg.Certifier.Renew(ctx, actor, in.Body)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Pair]{pair}, nil
}

type pairInput struct {
	Serial   string `path:"serial" maxLength:"40" doc:"of either half, hex"`
	Response bool   `query:"gmt0092" doc:"also in the form of GM/T 0092-2020"`
}

// pair is for a system whose ACME client fetched the signing certificate only.
func (h *handlers) pair(ctx context.Context, in *pairInput) (*body[wire.Pair], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	pair, err := h.cfg.Certifier.Pair(ctx, actor, in.Serial, in.Response)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Pair]{pair}, nil
}

func (h *handlers) revoke(ctx context.Context, in *body[wire.RevokeRequest]) (*struct{}, error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	if err := h.cfg.Certifier.Revoke(ctx, actor, in.Body); err != nil {
		return nil, h.problem(ctx, err)
	}
	return nil, nil
}
