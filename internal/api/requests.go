package api

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Requester takes requests for the certificates of a calling system. It shows a
// system its own only; checks and approvals are signed at the desk, never here.
type Requester interface {
	AskCertificates(ctx context.Context, actor ledger.Actor, f wire.RequestForm) (wire.CertificateRequest, error)
	RequestsOf(ctx context.Context, actor ledger.Actor) ([]wire.CertificateRequest, error)
	RequestOf(ctx context.Context, actor ledger.Actor, id string) (wire.CertificateRequest, error)
	WithdrawRequest(ctx context.Context, actor ledger.Actor, id, reason string) (wire.CertificateRequest, error)
	DrawToken(ctx context.Context, actor ledger.Actor, id string) (wire.EnrolmentToken, error)
}

// ErrRequest: the calling system has no such request.
var ErrRequest = errors.New("api: no such certificate request of the caller")

// called runs a room's method for the calling system.
func called[I, O any](h *handlers, do func(ctx context.Context, actor ledger.Actor, in *I) (O, error)) func(context.Context, *I) (*body[O], error) {
	return func(ctx context.Context, in *I) (*body[O], error) {
		actor, err := caller(ctx)
		if err != nil {
			return nil, h.problem(ctx, err)
		}
		out, err := do(ctx, actor, in)
		if err != nil {
			return nil, h.problem(ctx, err)
		}
		return &body[O]{out}, nil
	}
}

type withdrawInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body wire.RequestReason
}

// requestRoutes are those of certificate requests; at makes an operation for
// systems only.
func (h *handlers) requestRoutes(a huma.API, at func(id, method, path, summary string, maxBody int64) huma.Operation) {
	r, one := h.cfg.Requester, wire.PathRequests+"/{id}"
	ask := at("request-ask", "POST", wire.PathRequests, "Ask for certificates of the calling system", maxJSON)
	ask.DefaultStatus = 201
	huma.Register(a, ask, called(h, func(ctx context.Context, actor ledger.Actor, in *body[wire.RequestForm]) (wire.CertificateRequest, error) {
		return r.AskCertificates(ctx, actor, in.Body)
	}))
	huma.Register(a, at("requests", "GET", wire.PathRequests, "Requests for certificates of the calling system, newest first", 0), called(h, func(ctx context.Context, actor ledger.Actor, _ *struct{}) ([]wire.CertificateRequest, error) {
		return r.RequestsOf(ctx, actor)
	}))
	huma.Register(a, at("request", "GET", one, "One of them", 0), called(h, func(ctx context.Context, actor ledger.Actor, in *idPath) (wire.CertificateRequest, error) {
		return r.RequestOf(ctx, actor, in.ID)
	}))
	huma.Register(a, at("request-withdraw", "POST", one+"/withdrawal", "Withdraw a request that the calling system made", maxJSON), called(h, func(ctx context.Context, actor ledger.Actor, in *withdrawInput) (wire.CertificateRequest, error) {
		return r.WithdrawRequest(ctx, actor, in.ID, in.Body.Reason)
	}))
	huma.Register(a, at("request-token", "POST", one+"/token", "Draw the enrolment token of an approved request, shown once", 0), called(h, func(ctx context.Context, actor ledger.Actor, in *idPath) (wire.EnrolmentToken, error) {
		return r.DrawToken(ctx, actor, in.ID)
	}))
}
