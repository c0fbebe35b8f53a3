package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/api/envoy"
)

// openRoutes builds the register of routes.
func (h *House) openRoutes() (err error) {
	h.Routing, err = route.New(route.Config{
		Register: h.rooms.Routes, Approver: routeApprover{h}, Posts: holders{h}, Systems: h.rooms.Identity, Actions: actionNames(), Now: h.cfg.Now, NewID: newID,
	})
	return err
}

// RouteSubject is what the leader of the system's unit signs.
func (h *House) RouteSubject(r route.Route) approval.Subject {
	return approval.Subject{Kind: approval.KindRoute, ID: r.ID, Digest: r.Digest(), Unit: r.Unit, Requester: r.AskedBy}
}

// routeApprover verifies the signature over an entry.
type routeApprover struct{ h *House }

func (p routeApprover) Answer(ctx context.Context, r route.Route) (route.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.RouteSubject(r))
	if err != nil {
		err = fmt.Errorf("%w: %w", route.ErrNotApproved, err)
	}
	return route.Answer{ID: id, Yes: yes}, err
}

// mountEnvoy serves enforcement points that know paths only. Decisions are those of
// every other door.
func (h *House) mountEnvoy(r chi.Router, d authzen.Decider) error {
	overGRPC, overHTTP, err := envoy.New(envoy.Config{
		Decider: d, Routes: h.Routing, Subjects: &clients{of: &clientele{house: h}, house: h}, Caller: h.caller, Words: h.words, Log: h.cfg.Log,
	})
	if err != nil {
		return err
	}
	r.Handle(envoy.PathGRPC, overGRPC)
	r.Handle(envoy.PathHTTP+"/*", overHTTP)
	return nil
}

// clients are the systems that enforcement points tell of.
type clients struct {
	of    *clientele
	house *House
}

var _ envoy.Subjects = (*clients)(nil)

// OfCertificate implements envoy.Subjects: chain, period and standing as at a
// handshake with the house itself. That the client holds the key is what the
// enforcement point says.
func (c *clients) OfCertificate(ctx context.Context, der []byte) (ledger.Actor, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return ledger.Actor{}, fmt.Errorf("%w: %w", envoy.ErrSubject, err)
	}
	cfg, err := c.of.now(ctx)
	if err != nil {
		return ledger.Actor{}, err
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: cfg.ClientCAs, CurrentTime: c.house.cfg.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil || len(chains[0]) < 2 {
		return ledger.Actor{}, errors.Join(envoy.ErrSubject, err)
	}
	a, err := c.house.peers().Peer(ctx, leaf, chains[0][1])
	for _, not := range []error{ca.ErrNotFound, ca.ErrState, ca.ErrRevoked, peer.ErrRefused, identity.ErrNotFound} {
		if errors.Is(err, not) {
			return ledger.Actor{}, errors.Join(envoy.ErrSubject, err)
		}
	}
	return a, err
}

// OfHost implements envoy.Subjects.
func (c *clients) OfHost(ctx context.Context, unit, host string) (ledger.Actor, error) {
	all, err := c.house.rooms.Identity.Systems(ctx)
	if err != nil {
		return ledger.Actor{}, err
	}
	all = slices.DeleteFunc(all, func(s identity.System) bool { return string(s.Agency) != unit || !slices.Contains(s.Hosts, host) })
	if len(all) != 1 {
		return ledger.Actor{}, fmt.Errorf("%w: %d systems have the name", envoy.ErrSubject, len(all))
	}
	return ledger.Actor{Kind: "system", ID: all[0].ID, Unit: unit}, nil
}
