package api

import (
	"context"
	"crypto/x509"
	"net/http"
)

type ctxKey int

const (
	keyRequestID ctxKey = iota
	keyPeer
)

// HeaderRequestID is echoed unchanged when a client sends it (AuthZEN 1.0).
const HeaderRequestID = "X-Request-ID"

// Identify puts the request id and the verified client certificate into the
// context. A client's own id is kept when it is printable and short.
func Identify(newID func() string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(HeaderRequestID)
			if id != "" {
				w.Header().Set(HeaderRequestID, id)
			}
			if !printable(id) {
				id = newID()
			}
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
