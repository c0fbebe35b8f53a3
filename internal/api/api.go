// Package api is the house's HTTP API: OpenAPI 3.1 from Go types (huma), RFC
// 9457 problems with a stable code and Chinese and English text. Systems are
// known by their mTLS certificate (ECDSA track), looked up in the registry at
// each request, so that a revocation acts at once.
//
// It refuses bodies over its limits, a peer whose certificate is not in state
// good, and never tells a client the internal cause of a failure: that goes to
// the log with the request id.
package api

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Limits of request bodies, in bytes. A document travels as base64 in JSON.
const (
	maxJSON     = 1 << 20
	maxDocument = 64 << 20
	maxSendBody = maxDocument*4/3 + maxJSON
)

// Exchange moves documents (internal/exchange).
type Exchange interface {
	Send(ctx context.Context, actor ledger.Actor, r exchange.SendRequest) (exchange.Transfer, authz.Decision, ledger.Receipt, error)
	Fetch(ctx context.Context, actor ledger.Actor, id string) (exchange.Transfer, io.ReadCloser, error)
	Receive(ctx context.Context, actor ledger.Actor, id string, signature []byte) (exchange.Transfer, ledger.Receipt, error)
	Inbox(ctx context.Context, system string) ([]exchange.Transfer, error)
}

// Enroller turns a token and a CSR into certificates of both tracks.
type Enroller interface {
	Enrol(ctx context.Context, token string, sm2CSR []byte) (wire.EnrolAnswer, error)
}

// Ledger is the read side that the API shows.
type Ledger interface {
	LedgerHead(ctx context.Context) (wire.Head, error)
	// ExportLedger writes the export file of the whole shard.
	ExportLedger(ctx context.Context, w io.Writer) error
}

// Peers finds who stands behind a verified client certificate. It returns
// ErrPeer for one that is not (any more) good.
type Peers interface {
	Peer(ctx context.Context, leaf, issuer *x509.Certificate) (ledger.Actor, error)
}

// Config holds what the API shows. Every field is required.
type Config struct {
	Exchange Exchange
	Enroller Enroller
	Ledger   Ledger
	Peers    Peers
	Verify   func(ctx context.Context, document []byte) (verify.Report, error)
	Status   func(ctx context.Context) wire.Status
	Anchors  wire.Anchors
	Words    *text.Catalogue
	Log      *slog.Logger
	Version  string
}

// Mount adds the API's routes to r and returns the OpenAPI document's owner.
func Mount(r chi.Router, cfg Config) huma.API {
	hc := huma.DefaultConfig("Yinxin 印信", cfg.Version)
	hc.OpenAPIPath, hc.DocsPath, hc.SchemasPath = "/api/openapi", "", "/api/schemas"
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"mtls": {Type: "mutualTLS", Description: "certificate of an enrolled system, ECDSA track"}}
	h := &handlers{cfg: cfg}
	a := humachi.New(r, hc)
	huma.Register(a, huma.Operation{OperationID: "status", Method: http.MethodGet, Path: wire.PathStatus, Summary: "Status of the house"}, h.status)
	huma.Register(a, huma.Operation{OperationID: "anchors", Method: http.MethodGet, Path: wire.PathAnchors, Summary: "Trust anchors"}, h.anchors)
	huma.Register(a, huma.Operation{OperationID: "enrol", Method: http.MethodPost, Path: wire.PathEnrol, Summary: "Spend an enrolment token", MaxBodyBytes: maxJSON}, h.enrol)
	huma.Register(a, huma.Operation{OperationID: "verify", Method: http.MethodPost, Path: wire.PathVerify, Summary: "Verify a sealed document", MaxBodyBytes: maxDocument, BodyReadTimeout: time.Minute}, h.verify)
	huma.Register(a, huma.Operation{OperationID: "ledger-head", Method: http.MethodGet, Path: wire.PathHead, Summary: "Head of the ledger with its signed checkpoint"}, h.head)
	mtls := []map[string][]string{{"mtls": {}}}
	huma.Register(a, huma.Operation{OperationID: "send", Method: http.MethodPost, Path: wire.PathTransfers, Summary: "Send a sealed document", MaxBodyBytes: maxSendBody, BodyReadTimeout: time.Minute, Security: mtls, DefaultStatus: http.StatusCreated}, h.send)
	huma.Register(a, huma.Operation{OperationID: "inbox", Method: http.MethodGet, Path: wire.PathTransfers, Summary: "What was sent to the calling system", Security: mtls}, h.inbox)
	huma.Register(a, huma.Operation{OperationID: "envelope", Method: http.MethodGet, Path: wire.PathTransfers + "/{id}/envelope", Summary: "Fetch an envelope (decided again)", Security: mtls}, h.envelope)
	huma.Register(a, huma.Operation{OperationID: "receipt", Method: http.MethodPost, Path: wire.PathTransfers + "/{id}/receipt", Summary: "Confirm receipt by a signature", MaxBodyBytes: maxJSON, Security: mtls}, h.receipt)
	return a
}

type handlers struct{ cfg Config }

type body[T any] struct{ Body T }

func (h *handlers) status(ctx context.Context, _ *struct{}) (*body[wire.Status], error) {
	return &body[wire.Status]{h.cfg.Status(ctx)}, nil
}

func (h *handlers) anchors(context.Context, *struct{}) (*body[wire.Anchors], error) {
	return &body[wire.Anchors]{h.cfg.Anchors}, nil
}

func (h *handlers) enrol(ctx context.Context, in *body[wire.EnrolRequest]) (*body[wire.EnrolAnswer], error) {
	ans, err := h.cfg.Enroller.Enrol(ctx, in.Body.Token, in.Body.SM2CSR)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.EnrolAnswer]{ans}, nil
}

type rawBody struct {
	RawBody []byte `contentType:"application/octet-stream"`
}

func (h *handlers) verify(ctx context.Context, in *rawBody) (*body[verify.Report], error) {
	rep, err := h.cfg.Verify(ctx, in.RawBody)
	if err != nil {
		return nil, h.problem(ctx, fmt.Errorf("%w: %w", errNotADocument, err))
	}
	return &body[verify.Report]{rep}, nil
}

func (h *handlers) head(ctx context.Context, _ *struct{}) (*body[wire.Head], error) {
	hd, err := h.cfg.Ledger.LedgerHead(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Head]{hd}, nil
}

func (h *handlers) send(ctx context.Context, in *body[wire.SendRequest]) (*body[wire.Transfer], error) {
	actor, err := h.caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	b := in.Body
	t, _, rcpt, err := h.cfg.Exchange.Send(ctx, actor, exchange.SendRequest{
		FromSystem: actor.ID, ToSystem: b.To, Resource: b.Resource, Purpose: b.Purpose, Fields: b.Fields, Carriers: b.Carriers,
		Name: b.Name, Document: b.Document, RequestID: requestID(ctx),
	})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := toWire(t)
	out.Receipt = rcpt
	return &body[wire.Transfer]{out}, nil
}

func (h *handlers) inbox(ctx context.Context, _ *struct{}) (*body[[]wire.Transfer], error) {
	actor, err := h.caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	ts, err := h.cfg.Exchange.Inbox(ctx, actor.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := make([]wire.Transfer, len(ts))
	for i, t := range ts {
		out[i] = toWire(t)
	}
	return &body[[]wire.Transfer]{out}, nil
}

type idPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (h *handlers) envelope(ctx context.Context, in *idPath) (*huma.StreamResponse, error) {
	actor, err := h.caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	_, rc, err := h.cfg.Exchange.Fetch(ctx, actor, in.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer rc.Close()
		hctx.SetHeader("Content-Type", "application/octet-stream")
		hctx.SetHeader("Cache-Control", "no-store")
		if _, err := io.Copy(hctx.BodyWriter(), rc); err != nil {
			h.cfg.Log.WarnContext(ctx, "envelope not delivered whole", "transfer", in.ID, "error", err)
		}
	}}, nil
}

func (h *handlers) receipt(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body wire.ReceiptRequest
}) (*body[wire.Transfer], error) {
	actor, err := h.caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	t, rcpt, err := h.cfg.Exchange.Receive(ctx, actor, in.ID, in.Body.Signature)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := toWire(t)
	out.Receipt = rcpt
	return &body[wire.Transfer]{out}, nil
}

// caller is the system behind the connection.
func (h *handlers) caller(ctx context.Context) (ledger.Actor, error) {
	chain := PeerChain(ctx)
	if chain == nil {
		return ledger.Actor{}, ErrNoPeer
	}
	a, err := h.cfg.Peers.Peer(ctx, chain[0], chain[1])
	if err != nil {
		return ledger.Actor{}, errors.Join(ErrPeer, err)
	}
	return a, nil
}

func toWire(t exchange.Transfer) wire.Transfer {
	return wire.Transfer{
		ID: t.ID, From: t.FromSystem, To: t.ToSystem, Resource: t.Resource, Purpose: t.Purpose, Label: t.Label, Name: t.Name,
		Document: t.Document, Decision: t.Decision, Agreement: t.Agreement, Holding: t.Holding, State: string(t.State),
		SentAt: t.SentAt, FetchedAt: t.FetchedAt, ReceivedAt: t.ReceivedAt,
	}
}
