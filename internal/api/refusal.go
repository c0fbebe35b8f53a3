package api

import (
	"context"
	"crypto/x509"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// Refusal is a request that this room turned down before any other saw it: a
// client certificate that is not good, a body that is too large or not of the
// form. What other rooms refuse they record themselves.
type Refusal struct {
	Route  string // operation, as in the OpenAPI document
	Status int
	Code   string
	Chain  []*x509.Certificate // verified: leaf, issuer, …; nil: none
}

// Refusals records them. It answers nobody: what goes wrong is its own to log.
type Refusals interface {
	Refused(ctx context.Context, r Refusal)
}

// refused passes on what would have changed something, and whatever came with a
// certificate. A failure of the house is no refusal.
func (h *handlers) refused(hctx huma.Context, status int, code string) {
	ctx := hctx.Context()
	chain := PeerChain(ctx)
	if op := hctx.Operation(); op != nil && status < http.StatusInternalServerError && (op.Method != http.MethodGet || chain != nil) {
		h.cfg.Refusals.Refused(ctx, Refusal{Route: op.OperationID, Status: status, Code: code, Chain: chain})
	}
}

// turnAway answers an outcome in place of a handler.
func (h *handlers) turnAway(hctx huma.Context, cause error) {
	_, w := humachi.Unwrap(hctx)
	p := h.write(hctx.Context(), w, cause)
	h.refused(hctx, p.Status, p.Code)
}
