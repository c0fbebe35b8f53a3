// Package api is the house's HTTP API: OpenAPI 3.1 from Go types (huma), RFC
// 9457 problems with a stable code and Chinese and English text. Systems are
// known by their mTLS certificate (ECDSA track), or by what another transport
// says of the connection (WithPeer), looked up in the registry at each request,
// so that a revocation acts at once.
//
// It refuses a peer whose certificate is not in state good before it reads the
// body, bodies over their limit, unknown JSON fields, and more large bodies at
// once than memory is meant for. It never tells a client the internal cause of
// a failure, nor repeats what a client sent: the cause goes to the log with the
// request id.
package api

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Limits of request bodies, in bytes. A document travels as base64 in JSON.
const (
	maxJSON     = 1 << 20
	maxDocument = exchange.MaxDocument
	maxSendBody = maxDocument*4/3 + maxJSON
)

// Limits of time and number. A body over maxJSON is held in memory as a whole.
const (
	shortBody   = 20 * time.Second
	longBody    = 2 * time.Minute
	sendTimeout = 5 * time.Minute // of an envelope to a slow reader
	largeBodies = 4               // at once, per operation
	largeWait   = 30 * time.Second
)

// Exchange moves documents (internal/exchange).
type Exchange interface {
	Send(ctx context.Context, actor ledger.Actor, r exchange.SendRequest) (exchange.Transfer, authz.Decision, ledger.Receipt, error)
	Fetch(ctx context.Context, actor ledger.Actor, id string) (exchange.Transfer, io.ReadCloser, error)
	Receive(ctx context.Context, actor ledger.Actor, id string, signature []byte) (exchange.Transfer, ledger.Receipt, error)
	Inbox(ctx context.Context, system string) ([]exchange.Transfer, error)
	Confirm(ctx context.Context, actor ledger.Actor, c exchange.Confirmation) (exchange.Confirmation, ledger.Receipt, error)
	Keep(ctx context.Context, actor ledger.Actor, k exchange.KeepRequest) (sharing.Holding, authz.Decision, error)
}

// Enroller turns a token and a CSR into certificates of both tracks, or a token
// into the key of an ACME client.
type Enroller interface {
	Enrol(ctx context.Context, r wire.EnrolRequest) (wire.EnrolAnswer, error)
	ACMEKey(ctx context.Context, token string) (wire.ACMEKeyAnswer, error)
}

// Ledger is the read side that the API shows.
type Ledger interface {
	LedgerHead(ctx context.Context) (wire.Head, error)
}

// Peers finds who stands behind a verified client certificate. For one that is
// not (any more) good it returns ErrPeer or one of the CA's outcomes; any other
// error is a failure of the house.
type Peers interface {
	Peer(ctx context.Context, leaf, issuer *x509.Certificate) (ledger.Actor, error)
}

// Config holds what the API shows. Every field is required.
type Config struct {
	Exchange  Exchange
	Archive   Archiver
	Enroller  Enroller
	Certifier Certifier
	Recoverer Recoverer
	Historian Historian
	Requester Requester
	Catalogue Catalogue
	Copies    Copies
	Notices   Notices
	Domains   DomainKeeper
	Ledger    Ledger
	Peers     Peers
	Refusals  Refusals
	// Guest says whether a calling system is a peer domain's: it exchanges documents
	// and confirms, and has no certificates, keys or archives here.
	Guest  func(ctx context.Context, system string) (bool, error)
	Verify func(ctx context.Context, document []byte) (verify.Report, error)
	// Report reports on a document; known: the caller is an enrolled system.
	Report  func(ctx context.Context, document []byte, level report.Level, known bool) (report.Report, error)
	Status  func(ctx context.Context) wire.Status
	Anchors func(ctx context.Context) wire.Anchors
	Words   *text.Catalogue
	Log     *slog.Logger
	Version string
}

func (c Config) check() error {
	if c.Exchange == nil || c.Archive == nil || c.Enroller == nil || c.Certifier == nil || c.Recoverer == nil || c.Historian == nil || c.Requester == nil || c.Domains == nil || c.Catalogue == nil || c.Copies == nil || c.Notices == nil || c.Ledger == nil || c.Peers == nil || c.Refusals == nil || c.Guest == nil || c.Verify == nil || c.Report == nil || c.Status == nil || c.Anchors == nil || c.Words == nil || c.Log == nil {
		return fmt.Errorf("api: every field of the configuration is required")
	}
	return nil
}

// PathOpenAPI is where the OpenAPI document is served.
const PathOpenAPI = "/api/openapi.json"

// Mount adds the API's routes to r, on which Identify must stand already.
func Mount(r chi.Router, cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	h := &handlers{cfg: cfg}
	hc := huma.DefaultConfig("Yinxin 印信", cfg.Version)
	// The document is served below; no schema links, which echo the Host header.
	hc.OpenAPIPath, hc.DocsPath, hc.SchemasPath, hc.CreateHooks = "", "", "", nil
	hc.Transformers = []huma.Transformer{h.transform}
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{schemeMTLS: {Type: "mutualTLS", Description: "certificate of an enrolled system, ECDSA track"}}
	var doc []byte
	var err error
	r.Group(func(r chi.Router) {
		r.Use(headers)
		a := humachi.New(r, hc)
		h.routes(a)
		for _, never := range []string{"ErrorModel", "ErrorDetail"} { // huma's own problem, see transform
			delete(a.OpenAPI().Components.Schemas.Map(), never)
		}
		if doc, err = json.Marshal(a.OpenAPI()); err != nil {
			err = fmt.Errorf("api: OpenAPI document: %w", err)
			return
		}
		r.Get(PathOpenAPI, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Type", "application/openapi+json")
			if _, err := w.Write(doc); err != nil {
				cfg.Log.DebugContext(q.Context(), "OpenAPI document not delivered", "error", err)
			}
		})
		r.HandleFunc("/api/*", func(w http.ResponseWriter, q *http.Request) { h.write(q.Context(), w, errNoRoute) })
	})
	return err
}

const schemeMTLS = "mtls"

func (h *handlers) routes(a huma.API) {
	problem := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[wire.Problem](), true, "Problem")
	open := func(id, method, path, summary string, maxBody int64) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Summary: summary, BodyReadTimeout: shortBody,
			MaxBodyBytes: maxBody + 1, // huma refuses a body that reaches its limit
			Responses: map[string]*huma.Response{"default": {
				Description: "Problem", Content: map[string]*huma.MediaType{problemType: {Schema: problem}},
			}},
		}
	}
	mtls := func(op huma.Operation) huma.Operation {
		op.Security, op.Middlewares = []map[string][]string{{schemeMTLS: {}}}, huma.Middlewares{h.authenticate}
		return op
	}
	own := func(op huma.Operation) huma.Operation {
		op = mtls(op)
		op.Middlewares = append(op.Middlewares, h.refuseGuests)
		return op
	}
	large := func(op huma.Operation) huma.Operation {
		op.BodyReadTimeout, op.Middlewares = longBody, append(op.Middlewares, h.limitLarge())
		return op
	}
	huma.Register(a, open("status", http.MethodGet, wire.PathStatus, "Status of the house", 0), h.status)
	huma.Register(a, open("anchors", http.MethodGet, wire.PathAnchors, "Trust anchors", 0), h.anchors)
	huma.Register(a, open("ledger-head", http.MethodGet, wire.PathHead, "Head of the ledger with its signed checkpoint", 0), h.head)
	huma.Register(a, open("enrol", http.MethodPost, wire.PathEnrol, "Spend an enrolment token", maxJSON), h.enrol)
	huma.Register(a, own(open("renew", http.MethodPost, wire.PathRenewals, "Renew the SM2 pair of the calling system", maxJSON)), h.renew)
	huma.Register(a, own(open("pair", http.MethodGet, wire.PathPairs+"/{serial}", "A renewed or ordered SM2 pair of the calling system", 0)), h.pair)
	huma.Register(a, own(open("revoke", http.MethodPost, wire.PathRevocations, "Revoke a certificate of the calling system", maxJSON)), h.revoke)
	huma.Register(a, open("acme-key", http.MethodPost, wire.PathACMEKeys, "External account key for an ACME client, once for an approved request", maxJSON), h.acmeKey)
	ownOpen := func(id, method, path, summary string, maxBody int64) huma.Operation {
		return own(open(id, method, path, summary, maxBody))
	}
	h.requestRoutes(a, ownOpen)
	h.domainRoutes(a, ownOpen)
	h.catalogueRoutes(a, ownOpen, large)
	h.copyRoutes(a, ownOpen)
	h.noticeRoutes(a, ownOpen)
	judge := large(open("verify", http.MethodPost, wire.PathVerify, "Verify a sealed document", maxDocument))
	judge.Responses["200"] = &huma.Response{Description: "The judgement, or with ?report= a report (schema " + report.Schema + ")", Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{
			a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[verify.Report](), true, "Report"),
			{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"schema": {Type: huma.TypeString, Enum: []any{report.Schema}}}, Required: []string{"schema"}},
		}}},
	}}
	huma.Register(a, judge, h.verify)
	send := large(mtls(open("send", http.MethodPost, wire.PathTransfers, "Send a sealed document", maxSendBody)))
	send.DefaultStatus = http.StatusCreated
	huma.Register(a, send, h.send)
	pack := large(own(open("archive", http.MethodPost, wire.PathArchives, "Archive package of a document that was sealed here", maxSendBody)))
	pack.Responses["200"] = &huma.Response{Description: "The package (zip)", Content: map[string]*huma.MediaType{
		"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	huma.Register(a, pack, h.archive)
	huma.Register(a, mtls(open("inbox", http.MethodGet, wire.PathTransfers, "What was sent to the calling system", 0)), h.inbox)
	huma.Register(a, mtls(open("envelope", http.MethodGet, wire.PathTransfers+"/{id}/envelope", "Fetch an envelope (decided again)", 0)), h.envelope)
	huma.Register(a, own(open("certificates", http.MethodGet, wire.PathSystems+"/{id}/certificates", "Every certificate that the calling system ever had", 0)), h.certificates)
	huma.Register(a, own(open("expiring", http.MethodGet, wire.PathSystems+"/{id}/certificates/expiring", "What ends soon of the calling system", 0)), h.expiring)
	huma.Register(a, own(open("recoveries", http.MethodGet, wire.PathRecoveries, "Encryption keys that were asked for by the owner of the calling system", 0)), h.recoveries)
	huma.Register(a, own(open("recover", http.MethodPost, wire.PathRecoveries+"/{id}/delivery", "Fetch a recovered key, once, enveloped", 0)), h.recover)
	huma.Register(a, mtls(open("confirm", http.MethodPost, wire.PathReceipts, "Receipt of an exchange platform for one publication or fetch", maxJSON)), h.confirm)
	huma.Register(a, mtls(open("receipt", http.MethodPost, wire.PathTransfers+"/{id}/receipt", "Confirm receipt by a signature", maxJSON)), h.receipt)
}
