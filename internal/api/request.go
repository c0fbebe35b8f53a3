package api

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/token"
)

type ctxKey int

const (
	keyRequestID ctxKey = iota
	keyPeer
	keyAsk
	keyCaller
	keyGrant
)

// HeaderRequestID names a request. A client's own is echoed unchanged (AuthZEN
// 1.0) when it is printable and of at most 128 characters; else one is made.
const HeaderRequestID = "X-Request-ID"

// Identify puts the request id and the verified client certificate into the
// context, and the id into the answer.
func Identify(newID func() string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(HeaderRequestID)
			if !printable(id) {
				id = newID()
			}
			w.Header().Set(HeaderRequestID, id)
			ctx := context.WithValue(r.Context(), keyRequestID, id)
			if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && len(r.TLS.VerifiedChains[0]) > 1 {
				ctx = context.WithValue(ctx, keyPeer, r.TLS.VerifiedChains[0])
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func printable(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range id {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return true
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(keyRequestID).(string)
	return id
}

// PeerChain returns the verified chain (leaf, issuer, …) of a request that
// Identify saw, or nil.
func PeerChain(ctx context.Context) []*x509.Certificate {
	chain, _ := ctx.Value(keyPeer).([]*x509.Certificate)
	return chain
}

// WithPeer puts into the context of a connection how its peer is found, where
// that is not by TLS (internal/tlcp). ask is called at each request and returns
// what Peers returns.
func WithPeer(ctx context.Context, ask func(context.Context) (ledger.Actor, error)) context.Context {
	return context.WithValue(ctx, keyAsk, ask)
}

// Peer is the system behind a request that Identify saw: ErrNoPeer without a
// verified certificate, ErrPeer for one that is not good. A token that Bearer saw
// must be that system's (token.ErrToken), and is named in the record of what it does.
func Peer(ctx context.Context, peers Peers) (ledger.Actor, error) {
	ask, other := ctx.Value(keyAsk).(func(context.Context) (ledger.Actor, error))
	chain := PeerChain(ctx)
	if !other {
		if len(chain) < 2 {
			return ledger.Actor{}, ErrNoPeer
		}
		ask = func(ctx context.Context) (ledger.Actor, error) { return peers.Peer(ctx, chain[0], chain[1]) }
	}
	a, err := ask(ctx)
	for _, not := range []error{ca.ErrNotFound, ca.ErrState, ca.ErrRevoked, peer.ErrRefused, identity.ErrNotFound} {
		if errors.Is(err, not) {
			return ledger.Actor{}, errors.Join(ErrPeer, err)
		}
	}
	if err != nil {
		return ledger.Actor{}, err
	}
	if g, ok := ctx.Value(keyGrant).(token.Grant); ok {
		if g.System != a.ID {
			return ledger.Actor{}, fmt.Errorf("%w: of another system than the connection", token.ErrToken)
		}
		a.Token = g.ID
	}
	return a, nil
}

// authenticate finds the system behind the connection before the body is read.
func (h *handlers) authenticate(hctx huma.Context, next func(huma.Context)) {
	actor, err := Peer(hctx.Context(), h.cfg.Peers)
	if err != nil {
		h.turnAway(hctx, err)
		return
	}
	next(huma.WithValue(hctx, keyCaller, actor))
}

// refuseGuests stands behind authenticate on routes that are for the systems of the
// house.
func (h *handlers) refuseGuests(hctx huma.Context, next func(huma.Context)) {
	actor, err := caller(hctx.Context())
	guest := false
	if err == nil {
		guest, err = h.cfg.Guest(hctx.Context(), actor.ID)
	}
	if err == nil && guest {
		err = errGuest
	}
	if err != nil {
		h.turnAway(hctx, err)
		return
	}
	next(hctx)
}

// caller is whom authenticate found; a route without it has none.
func caller(ctx context.Context) (ledger.Actor, error) {
	a, ok := ctx.Value(keyCaller).(ledger.Actor)
	if !ok || a.ID == "" {
		return ledger.Actor{}, ErrNoPeer
	}
	return a, nil
}

// headers keeps answers out of caches and from being read as something else.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
