package envoy

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// HeaderPurpose is where a client says what it wants the information for, when the
// route does not say so (西政办发〔2011〕8号 art. 25).
const HeaderPurpose = "yinxin-purpose"

// Bounds of what a request brings along.
const (
	maxCertificate = 64 << 10 // in the form of Envoy
	maxPurpose     = 200
	maxRequestID   = 256
)

// question is one request as an enforcement point tells of it.
type question struct {
	method, target string
	certificate    string // PEM, percent-encoded
	principal      string // what the enforcement point read from the certificate
	purpose, id    string
	broken         bool // the certificate could not be read from the request
}

// verdict answers it. Code is "" for a permit and "denied" for a decision that
// denies; with any other no decision was made.
type verdict struct {
	status   int
	code     string
	subject  string
	decision authz.Decision
}

func refused(status int, code string) verdict { return verdict{status: status, code: code} }

func (e *endpoint) judge(ctx context.Context, caller ledger.Actor, q question) verdict {
	if caller.ID == "" {
		return refused(http.StatusForbidden, "caller")
	}
	if len(q.purpose) > maxPurpose || text.Plain(q.purpose) != q.purpose || q.method == "" {
		return refused(http.StatusBadRequest, "request")
	}
	at, err := e.Routes.Match(ctx, caller.ID, q.method, q.target)
	switch {
	case errors.Is(err, route.ErrPath):
		return refused(http.StatusBadRequest, "path")
	case errors.Is(err, route.ErrNotFound):
		return refused(http.StatusForbidden, "route")
	case err != nil:
		return e.failed(ctx, err)
	}
	subject, err := e.subject(ctx, caller, q)
	switch {
	case errors.Is(err, ErrSubject):
		return refused(http.StatusUnauthorized, "subject")
	case err != nil:
		return e.failed(ctx, err)
	}
	ask := authzen.Evaluation{ResourceType: at.Type, Request: authz.Request{
		SubjectType: authz.SubjectSystem, SubjectID: subject.ID, Action: authz.Action(at.Action), Resource: at.Resource,
		Purpose: at.Purpose, Fields: at.Fields, Caller: caller,
	}}
	if ask.Purpose == "" {
		ask.Purpose = q.purpose
	}
	if len(q.id) <= maxRequestID && text.Plain(q.id) == q.id {
		ask.ID = q.id
	}
	d, err := e.Decider.Decide(ctx, ask)
	switch {
	case err != nil:
		return e.failed(ctx, err)
	case !d.Allow:
		return verdict{http.StatusForbidden, "denied", subject.ID, d}
	}
	return verdict{http.StatusOK, "", subject.ID, d}
}

func (e *endpoint) failed(ctx context.Context, err error) verdict {
	e.Log.ErrorContext(ctx, "no decision for an enforcement point", "error", err)
	return refused(http.StatusServiceUnavailable, "failure")
}

// subject prefers the certificate: it is looked up, a name is believed.
func (e *endpoint) subject(ctx context.Context, caller ledger.Actor, q question) (ledger.Actor, error) {
	switch {
	case q.broken:
		return ledger.Actor{}, ErrSubject
	case q.certificate != "":
		der, err := leaf(q.certificate)
		if err != nil {
			return ledger.Actor{}, err
		}
		return e.Subjects.OfCertificate(ctx, der)
	case q.principal == "" || caller.Unit == "":
		return ledger.Actor{}, ErrSubject
	}
	return e.Subjects.OfHost(ctx, caller.Unit, strings.ToLower(q.principal))
}

// leaf reads the form of Envoy: one certificate, PEM, percent-encoded.
func leaf(encoded string) ([]byte, error) {
	raw, err := url.PathUnescape(encoded)
	if err != nil || len(encoded) > maxCertificate {
		return nil, ErrSubject
	}
	block, rest := pem.Decode([]byte(raw))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, ErrSubject
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, ErrSubject
	}
	return block.Bytes, nil
}
