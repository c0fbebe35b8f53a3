package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Outcomes of this room.
var (
	// ErrNoPeer: the route needs a client certificate.
	ErrNoPeer = errors.New("api: no client certificate")
	// ErrPeer: the certificate is unknown, on hold or revoked.
	ErrPeer    = errors.New("api: client certificate is not good")
	errGuest   = errors.New("api: not for the systems of a peer domain")
	errNoRoute = errors.New("api: no such route")
	errBusy    = errors.New("api: too many large bodies at once")
)

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// problem makes a wire.Problem an answer.
type problem struct{ wire.Problem }

func (p *problem) Error() string             { return p.Code }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return problemType }

const codeInternal = "internal"

// outcome is one row of the table of problems.
type outcome struct {
	err    error
	status int
	code   string
}

// outcomes is the one place that maps what rooms return to HTTP. The first
// match wins; what is not listed is "internal" and its cause stays in the log.
func outcomes() []outcome {
	return []outcome{
		{ErrNoPeer, http.StatusUnauthorized, "peer.missing"},
		{ErrPeer, http.StatusForbidden, "peer.refused"},
		{errBearer, http.StatusBadRequest, "token.request"},
		{token.ErrToken, http.StatusUnauthorized, "token.refused"},
		{token.ErrScope, http.StatusForbidden, "token.scope"},
		{token.ErrUnknown, http.StatusServiceUnavailable, "token.unknown"},
		{errGuest, http.StatusForbidden, "peer.guest"},
		{peer.ErrRefused, http.StatusConflict, "peer.certificate"}, // of a receiver or a receipt
		{errNoRoute, http.StatusNotFound, "route.unknown"},
		{errBusy, http.StatusServiceUnavailable, "busy"},
		{verify.ErrNotDocument, http.StatusUnprocessableEntity, "document.unreadable"},
		{verify.ErrLimit, http.StatusUnprocessableEntity, "document.limit"},
		{verify.ErrNoContent, http.StatusUnprocessableEntity, "document.detached"},
		{exchange.ErrPending, http.StatusServiceUnavailable, "transfer.pending"},
		{exchange.ErrDenied, http.StatusForbidden, "decision.denied"},
		{exchange.ErrNotFound, http.StatusNotFound, "transfer.unknown"},
		{exchange.ErrReceipt, http.StatusUnprocessableEntity, "receipt.signature"},
		{exchange.ErrState, http.StatusConflict, "transfer.state"},
		{exchange.ErrDocument, http.StatusUnprocessableEntity, "document.refused"},
		{exchange.ErrSender, http.StatusForbidden, "transfer.sender"},
		{exchange.ErrName, http.StatusUnprocessableEntity, "transfer.name"},
		{exchange.ErrMasked, http.StatusUnprocessableEntity, "transfer.masked"},
		{exchange.ErrUndecided, http.StatusForbidden, "receipt.undecided"},
		{exchange.ErrConfirmed, http.StatusConflict, "receipt.confirmed"},
		{exchange.ErrConfirm, http.StatusUnprocessableEntity, "receipt.incomplete"},
		{authz.ErrFacts, http.StatusServiceUnavailable, "decision.failed"},
		{authz.ErrRecord, http.StatusServiceUnavailable, "decision.failed"},
		{exchange.ErrStale, http.StatusServiceUnavailable, "decision.stale"},
		{sharing.ErrStale, http.StatusServiceUnavailable, "decision.stale"},
		{sharing.ErrLineage, http.StatusUnprocessableEntity, "holding.lineage"},
		{exchange.ErrKeep, http.StatusUnprocessableEntity, "holding.incomplete"},
		{sharing.ErrLowered, http.StatusConflict, "holding.label"},
		{sharing.ErrEnded, http.StatusConflict, "holding.ended"},
		{sharing.ErrEvidence, http.StatusUnprocessableEntity, "holding.evidence"},
		{reclass.ErrNotFound, http.StatusNotFound, "notice.unknown"},
		{reclass.ErrForbidden, http.StatusNotFound, "notice.unknown"}, // another's notice is nobody's business
		{reclass.ErrState, http.StatusConflict, "notice.answered"},
		{reclass.ErrKept, http.StatusConflict, "notice.kept"},
		{reclass.ErrInvalid, http.StatusUnprocessableEntity, "notice.invalid"},
		{sharing.ErrNotProvider, http.StatusForbidden, "holding.provider"},
		{sharing.ErrFile, http.StatusUnprocessableEntity, "catalogue.file"},
		{sharing.ErrNotFound, http.StatusNotFound, "catalogue.unknown"},
		{sharing.ErrInvalid, http.StatusUnprocessableEntity, "catalogue.invalid"},
		{grading.ErrBelowHoldings, http.StatusConflict, "holding.grade"},
		{ca.ErrToken, http.StatusForbidden, "enrol.token"},
		{ca.ErrKeyGiven, http.StatusConflict, "enrol.key_given"},
		{ca.ErrCSR, http.StatusUnprocessableEntity, "enrol.csr"},
		{ca.ErrLint, http.StatusUnprocessableEntity, "enrol.lint"},
		{ca.ErrHost, http.StatusUnprocessableEntity, "enrol.host"},
		{ca.ErrClosing, http.StatusForbidden, "enrol.closing"},
		{ca.ErrNoIssuer, http.StatusServiceUnavailable, "enrol.issuer"},
		{ca.ErrNotApproved, http.StatusForbidden, "enrol.unapproved"},
		{ErrRequest, http.StatusNotFound, "certificate_request.unknown"},
		{ra.ErrApplicant, http.StatusForbidden, "certificate_request.applicant"},
		{ra.ErrOpen, http.StatusConflict, "certificate_request.open"},
		{ra.ErrEnded, http.StatusConflict, "certificate_request.ended"},
		{ca.ErrDecided, http.StatusConflict, "certificate_request.decided"},
		{ca.ErrInvalid, http.StatusUnprocessableEntity, "certificate_request.invalid"},
		{ErrCertificate, http.StatusNotFound, "certificate.unknown"},
		{history.ErrQuery, http.StatusUnprocessableEntity, "request.invalid"},
		{ca.ErrProof, http.StatusForbidden, "certificate.proof"},
		{ca.ErrRevoked, http.StatusConflict, "certificate.revoked"},
		{ca.ErrExpired, http.StatusConflict, "certificate.expired"},
		{ca.ErrState, http.StatusConflict, "certificate.state"},
		{ca.ErrRenewed, http.StatusConflict, "certificate.renewed"},
		{ca.ErrBusy, http.StatusServiceUnavailable, "certificate.busy"},
		{signer.ErrCitation, http.StatusUnprocessableEntity, "seal.citation"},
		{signer.ErrManifest, http.StatusUnprocessableEntity, "seal.manifest"},
		{signer.ErrBatch, http.StatusNotFound, "seal.batch"},
		{sharing.ErrConsent, http.StatusConflict, "citation.consent"},
		{signer.ErrRefused, http.StatusForbidden, "seal.refused"},
		{signer.ErrLapsed, http.StatusConflict, "seal.lapsed"},
		{signer.ErrNotApproved, http.StatusForbidden, "seal.unapproved"},
		{signer.ErrExcluded, http.StatusUnprocessableEntity, "seal.excluded"},
		{signer.ErrUnit, http.StatusForbidden, "seal.unit"},
		{signer.ErrUser, http.StatusForbidden, "seal.user"},
		{signer.ErrHours, http.StatusConflict, "seal.hours"},
		{signer.ErrQuota, http.StatusConflict, "seal.quota"},
		{signer.ErrSealState, http.StatusConflict, "seal.state"},
		{signer.ErrChanged, http.StatusConflict, "seal.changed"},
		{signer.ErrPlace, http.StatusConflict, "seal.place"},
		{signer.ErrDocument, http.StatusUnprocessableEntity, "seal.document"},
		{signer.ErrStamp, http.StatusServiceUnavailable, "seal.stamp"},
		{signer.ErrNotSealed, http.StatusUnprocessableEntity, "archive.not_sealed"},
		{archive.ErrSecret, http.StatusUnprocessableEntity, "state_secret"},
		{archive.ErrMetadata, http.StatusUnprocessableEntity, "archive.metadata"},
		{archive.ErrDocument, http.StatusUnprocessableEntity, "archive.document"},
		{archive.ErrLimit, http.StatusUnprocessableEntity, "document.limit"},
		{archive.ErrStamp, http.StatusServiceUnavailable, "seal.stamp"},
		{signer.ErrExists, http.StatusConflict, "seal.exists"},
		{signer.ErrNotFound, http.StatusNotFound, "seal.unknown"},
		{life.ErrCompromised, http.StatusConflict, "seal.compromised"},
		{life.ErrRole, http.StatusForbidden, "seal.role"},
		{life.ErrSeparation, http.StatusForbidden, "seal.separation"},
		{life.ErrFiling, http.StatusUnprocessableEntity, "seal.filing"},
		{life.ErrReason, http.StatusUnprocessableEntity, "seal.reason"},
		{life.ErrAsked, http.StatusConflict, "seal.asked"},
		{life.ErrNotAsked, http.StatusConflict, "seal.not_asked"},
		{life.ErrPicture, http.StatusConflict, "seal.picture"},
		{life.ErrPeriod, http.StatusConflict, "seal.period"},
		{life.ErrImport, http.StatusUnprocessableEntity, "seal.import"},
		{life.ErrConflict, http.StatusConflict, "seal.conflict"},
		{signer.ErrInvalid, http.StatusUnprocessableEntity, "seal.invalid"},
		{domain.ErrNotFound, http.StatusNotFound, "domain.unknown"},
		{domain.ErrExists, http.StatusConflict, "domain.waits"},
		{domain.ErrState, http.StatusConflict, "domain.state"},
		{domain.ErrReserved, http.StatusUnprocessableEntity, "domain.reserved"},
		{domain.ErrTaken, http.StatusConflict, "domain.taken"},
		{domain.ErrForbidden, http.StatusForbidden, "domain.forbidden"},
		{domain.ErrInvalid, http.StatusUnprocessableEntity, "domain.invalid"},
		{sandbox.ErrSize, http.StatusUnprocessableEntity, "domain.size"},
		{sandbox.ErrTime, http.StatusUnprocessableEntity, "domain.limits"},
		{sandbox.ErrMemory, http.StatusUnprocessableEntity, "domain.limits"},
		{sandbox.ErrPlatform, http.StatusServiceUnavailable, "domain.platform"},
		{kmc.ErrNotFound, http.StatusNotFound, "recovery.unknown"},
		{kmc.ErrUnused, http.StatusConflict, "recovery.unused"},
		{kmc.ErrPending, http.StatusConflict, "recovery.pending"},
		{kmc.ErrRefused, http.StatusConflict, "recovery.refused"},
		{kmc.ErrLapsed, http.StatusConflict, "recovery.lapsed"},
		{kmc.ErrDelivered, http.StatusConflict, "recovery.delivered"},
		{kmc.ErrUnchecked, http.StatusConflict, "recovery.unchecked"},
		{kmc.ErrReceiver, http.StatusConflict, "recovery.receiver"},
		{level.ErrStateSecret, http.StatusUnprocessableEntity, "state_secret"},
		{ledger.ErrClosed, http.StatusServiceUnavailable, "ledger.closed"},
		{ledger.ErrFenced, http.StatusServiceUnavailable, "ledger.fenced"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout"},
	}
}

// problem turns an outcome into an answer.
func (h *handlers) problem(ctx context.Context, err error) *problem {
	status, code := http.StatusInternalServerError, codeInternal
	findings := domainFindings(err)
	if len(findings) > 0 {
		status, code = http.StatusUnprocessableEntity, codeRules
	}
	for _, o := range outcomes() {
		if errors.Is(err, o.err) {
			status, code = o.status, o.code
			break
		}
	}
	if status >= http.StatusInternalServerError {
		h.cfg.Log.ErrorContext(ctx, "request failed", "request_id", requestID(ctx), "code", code, "error", err)
	}
	out := h.words(ctx, status, code)
	var ends *ca.ClosingError
	if errors.As(err, &ends) {
		out.Fields = append(out.Fields, wire.FieldError{Location: "closing.at", Message: ends.Until.UTC().Format(time.RFC3339)})
	}
	out.Fields = append(out.Fields, findings...)
	var field *archive.FieldError
	if errors.As(err, &field) {
		out.Fields = append(out.Fields, wire.FieldError{Location: "body.metadata." + field.Field, Message: field.Why})
	}
	var denied *exchange.DeniedError
	if errors.As(err, &denied) {
		d := denied.Decision
		for _, r := range d.Reasons {
			out.Reasons = append(out.Reasons, wire.Reason(r))
		}
		out.Decision = d.ID
		if d.Receipt.Promise >= ledger.Integrated {
			out.Seq = &d.Receipt.Seq
		}
	}
	return out
}

func (h *handlers) words(ctx context.Context, status int, code string) *problem {
	t := h.cfg.Words.Get("problem." + code)
	return &problem{wire.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: t.En, Zh: t.Zh, Code: code, RequestID: requestID(ctx),
	}}
}

// write answers an outcome outside of huma's handlers.
func (h *handlers) write(ctx context.Context, w http.ResponseWriter, cause error) *problem {
	p := h.problem(ctx, cause)
	h.answer(ctx, w, p)
	return p
}

func (h *handlers) answer(ctx context.Context, w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		h.cfg.Log.DebugContext(ctx, "problem not delivered", "error", err)
	}
}

// requestCodes names what huma itself refuses, by status.
func requestCodes() map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "request.malformed",
		http.StatusNotAcceptable:         "request.media_type",
		http.StatusRequestTimeout:        "request.timeout",
		http.StatusRequestEntityTooLarge: "request.too_large",
		http.StatusUnsupportedMediaType:  "request.media_type",
		http.StatusUnprocessableEntity:   "request.invalid",
	}
}

// Bounds of what a refusal says about a request.
const (
	maxFields    = 16
	maxFieldText = 200
)

// transform gives huma's own refusals the one form of the house. Its error
// model repeats the values that a client sent, tokens among them, and internal
// causes; neither leaves.
func (h *handlers) transform(hctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	ctx := hctx.Context()
	code, known := requestCodes()[m.Status]
	if !known {
		h.cfg.Log.ErrorContext(ctx, "request failed", "request_id", requestID(ctx), "status", m.Status, "error", m.Detail)
		return h.words(ctx, m.Status, codeInternal), nil
	}
	h.refused(hctx, m.Status, code)
	p := h.words(ctx, m.Status, code)
	for _, e := range m.Errors {
		if e != nil && len(p.Fields) < maxFields {
			p.Fields = append(p.Fields, wire.FieldError{Location: cut(e.Location), Message: cut(e.Message)})
		}
	}
	return p, nil
}

func cut(s string) string { return s[:min(len(s), maxFieldText)] }
