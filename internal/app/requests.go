package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// requester is the registration authority for a system that asks itself. It sees
// the requests for its own certificates, whoever made them, and no others.
type requester struct{ h *House }

var _ api.Requester = requester{}

func (q requester) AskCertificates(ctx context.Context, actor ledger.Actor, f wire.RequestForm) (wire.CertificateRequest, error) {
	unit, name, err := raSystems{register: q.h.rooms.Identity}.AgencyOf(ctx, actor.ID)
	if err != nil {
		return wire.CertificateRequest{}, err
	}
	r, _, err := q.h.RA.Submit(ctx, actor, ca.Request{
		Agency: unit, System: actor.ID, CommonName: f.CommonName, Organization: name, Hosts: f.Hosts, Purpose: ca.Purpose(f.Purpose),
	})
	return requestWire(r, actor), err
}

func (q requester) RequestsOf(ctx context.Context, actor ledger.Actor) ([]wire.CertificateRequest, error) {
	all, err := q.h.RA.Requests(ctx, ra.Query{Agency: actor.Unit})
	if err != nil {
		return nil, err
	}
	out := []wire.CertificateRequest{}
	for _, r := range all {
		if r.System == actor.ID {
			out = append(out, requestWire(r, actor))
		}
	}
	return out, nil
}

func (q requester) RequestOf(ctx context.Context, actor ledger.Actor, id string) (wire.CertificateRequest, error) {
	r, err := q.own(ctx, actor, id)
	return requestWire(r, actor), err
}

func (q requester) WithdrawRequest(ctx context.Context, actor ledger.Actor, id, reason string) (wire.CertificateRequest, error) {
	if _, err := q.own(ctx, actor, id); err != nil {
		return wire.CertificateRequest{}, err
	}
	r, _, err := q.h.RA.Withdraw(ctx, actor, id, reason)
	return requestWire(r, actor), err
}

func (q requester) DrawToken(ctx context.Context, actor ledger.Actor, id string) (wire.EnrolmentToken, error) {
	if _, err := q.own(ctx, actor, id); err != nil {
		return wire.EnrolmentToken{}, err
	}
	d, err := q.h.RA.Draw(ctx, actor, id)
	return wire.EnrolmentToken{Request: id, Token: d.Token, Expires: d.Request.TokenExpires}, err
}

// own is a request for certificates of the caller; others are nobody's business.
func (q requester) own(ctx context.Context, actor ledger.Actor, id string) (ca.Request, error) {
	r, err := q.h.RA.Request(ctx, id)
	if errors.Is(err, ca.ErrNotFound) || err == nil && (actor.Kind != "system" || r.System != actor.ID) {
		return ca.Request{}, fmt.Errorf("%w: %w", api.ErrRequest, ca.ErrNotFound)
	}
	return r, err
}

func requestWire(r ca.Request, actor ledger.Actor) wire.CertificateRequest {
	return wire.CertificateRequest{
		ID: r.ID, System: r.System, CommonName: r.CommonName, Organization: r.Organization, Hosts: slices.Clone(r.Hosts), Purpose: string(r.Purpose),
		State: string(r.State), Reason: r.Reason, Mine: r.SubmittedBy == actor.ID, AskedAt: r.CreatedAt, TokenUntil: r.TokenExpires,
	}
}
