package api

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Historian tells a system of its own certificates, of no other's: ErrCertificate.
type Historian interface {
	CertificatesOf(ctx context.Context, actor ledger.Actor, system, after string, limit int) (wire.Certificates, error)
	Expiring(ctx context.Context, actor ledger.Actor, system string, days int, superseded bool, after string) (wire.Certificates, error)
}

type historyInput struct {
	ID    string `path:"id" maxLength:"63"`
	After string `query:"after" maxLength:"200" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"20"`
}

func (h *handlers) certificates(ctx context.Context, in *historyInput) (*body[wire.Certificates], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	page, err := h.cfg.Historian.CertificatesOf(ctx, actor, in.ID, in.After, in.Limit)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Certificates]{page}, nil
}

type expiringInput struct {
	ID         string `path:"id" maxLength:"63"`
	After      string `query:"after" maxLength:"200" doc:"next of the page before"`
	Days       int    `query:"days" minimum:"1" maximum:"400" default:"30"`
	Superseded bool   `query:"superseded" doc:"list those too that have a successor in force"`
}

func (h *handlers) expiring(ctx context.Context, in *expiringInput) (*body[wire.Certificates], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	page, err := h.cfg.Historian.Expiring(ctx, actor, in.ID, in.Days, in.Superseded, in.After)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Certificates]{page}, nil
}
