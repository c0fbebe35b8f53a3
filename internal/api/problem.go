package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer"
)

// Outcomes of this room.
var (
	// ErrNoPeer: the route needs a client certificate.
	ErrNoPeer = errors.New("api: no client certificate")
	// ErrPeer: the certificate is unknown, on hold or revoked.
	ErrPeer         = errors.New("api: client certificate is not good")
	errNotADocument = errors.New("api: not a document")
)

// Problem is an RFC 9457 answer; Code is stable, texts come from the catalogue.
type Problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail"`
	Code      string         `json:"code"`
	Zh        string         `json:"zh"`
	RequestID string         `json:"request_id,omitempty"`
	Reasons   []authz.Reason `json:"reasons,omitempty"`
	Decision  string         `json:"decision_id,omitempty"`
	Seq       *uint64        `json:"ledger_seq,omitempty"`
}

func (p *Problem) Error() string             { return p.Code }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problems is the one place that maps outcomes to HTTP. The first match wins;
// what is not listed is "internal" and its cause stays in the log.
var problems = []struct {
	err    error
	status int
	code   string
}{
	{ErrNoPeer, http.StatusUnauthorized, "peer.missing"},
	{ErrPeer, http.StatusForbidden, "peer.refused"},
	{errNotADocument, http.StatusUnprocessableEntity, "document.unreadable"},
	{exchange.ErrDenied, http.StatusForbidden, "decision.denied"},
	{exchange.ErrNotFound, http.StatusNotFound, "transfer.unknown"},
	{exchange.ErrReceipt, http.StatusUnprocessableEntity, "receipt.signature"},
	{exchange.ErrState, http.StatusConflict, "transfer.state"},
	{exchange.ErrDocument, http.StatusUnprocessableEntity, "document.refused"},
	{ca.ErrToken, http.StatusForbidden, "enrol.token"},
	{ca.ErrCSR, http.StatusUnprocessableEntity, "enrol.csr"},
	{ca.ErrLint, http.StatusUnprocessableEntity, "enrol.lint"},
	{ca.ErrNotApproved, http.StatusForbidden, "enrol.unapproved"},
	{signer.ErrNotApproved, http.StatusForbidden, "seal.unapproved"},
	{level.ErrStateSecret, http.StatusUnprocessableEntity, "state_secret"},
	{ledger.ErrClosed, http.StatusServiceUnavailable, "ledger.closed"},
	{ledger.ErrFenced, http.StatusServiceUnavailable, "ledger.fenced"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout"},
}

// problem turns an outcome into an answer.
func (h *handlers) problem(ctx context.Context, err error) error {
	status, code := http.StatusInternalServerError, "internal"
	for _, p := range problems {
		if errors.Is(err, p.err) {
			status, code = p.status, p.code
			break
		}
	}
	id := requestID(ctx)
	if status >= 500 {
		h.cfg.Log.ErrorContext(ctx, "request failed", "request_id", id, "code", code, "error", err)
	}
	t := h.cfg.Words.Get("problem." + code)
	out := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: t.En, Zh: t.Zh, Code: code, RequestID: id}
	var denied *exchange.DeniedError
	if errors.As(err, &denied) {
		out.Reasons, out.Decision = denied.Decision.Reasons, denied.Decision.ID
		if denied.Decision.Receipt.Promise >= ledger.Integrated {
			out.Seq = &denied.Decision.Receipt.Seq
		}
	}
	return out
}
