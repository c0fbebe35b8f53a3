package stepca

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/acme"
	acmeapi "github.com/smallstep/certificates/acme/api"
	"github.com/smallstep/certificates/errs"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// recorded is a cause whose event is written.
type recorded struct{ cause error }

func (r recorded) Error() string { return r.cause.Error() }
func (r recorded) Unwrap() error { return r.cause }

// isRecorded looks through smallstep's ACME errors too, which do not unwrap.
func isRecorded(err error) bool {
	var r recorded
	if errors.As(err, &r) {
		return true
	}
	var a *acme.Error
	return errors.As(err, &a) && a.Err != nil && isRecorded(a.Err)
}

// call is what a refusal needs to know of its request.
type call struct{ body []byte }

type callKey struct{}

// refuse sees every error that smallstep is about to answer with. It corrects
// type and status of some (see correct), and records those that nobody recorded: each for a caller who
// is known, one a minute for those who are not.
func (a *Authority) refuse(_ http.ResponseWriter, r *http.Request, err error) {
	ctx := context.WithoutCancel(r.Context())
	correct(r, err)
	a.logError(r, err)
	status := statusOf(err)
	if r.Method != http.MethodPost || status >= http.StatusInternalServerError || isRecorded(err) {
		return
	}
	now := a.now()
	actor, known := a.callerOf(ctx, r)
	passed, due := 0, known
	if !known {
		passed, due = a.strangers.Due(now)
	}
	if !due {
		return
	}
	ev, rerr := newEvent(a.rand, now, "ca.call.refused", actor, ledger.Object{Kind: "route", ID: chi.RouteContext(ctx).RoutePattern()})
	if rerr == nil {
		ev.Outcome, ev.Request = ledger.Failure, visitOf(ctx).id
		ev.Details["status"], ev.Details["cause"] = fmt.Sprint(status), outcome(err)
		if !known {
			ev.Details["caller"], ev.Details["passed_over"] = "unknown", fmt.Sprint(passed)
		}
		_, rerr = a.recorder.Record(ctx, ev)
	}
	if rerr != nil {
		a.log.ErrorContext(ctx, "a refusal was not recorded", "error", rerr)
	}
}

func statusOf(err error) int {
	var coded interface{ StatusCode() int }
	if errors.As(err, &coded) {
		return coded.StatusCode()
	}
	return http.StatusInternalServerError
}

// callerOf is who sent a refused request, if that was proved: by the key of an
// ACME account, by a client certificate of ours, or by a token of ours.
func (a *Authority) callerOf(ctx context.Context, r *http.Request) (ledger.Actor, bool) {
	if v := visitOf(ctx); v.owner.System != "" && (v.proved || ctx.Value(acmeapi.ContextKey("payload")) != nil) {
		return v.actor(), true
	}
	if leaf, err := a.verifiedPeer(r.Context(), r.TLS); err == nil {
		row, err := a.Peer(ctx, leaf)
		if row.System != "" { // also one that is revoked
			return ledger.Actor{Kind: "system", ID: row.System, Unit: row.Agency, Certificate: row.Serial}, true
		}
		a.log.DebugContext(ctx, "client certificate is not in the registry", "error", err)
	}
	var sent struct {
		OTT string `json:"ott"`
	}
	if c, ok := ctx.Value(callKey{}).(*call); ok && json.Unmarshal(c.body, &sent) == nil {
		if c, err := a.verify(sent.OTT); err == nil {
			return ledger.Actor{Kind: "system", ID: c.Subject}, true
		}
	}
	return houseActor(), false
}

// correct gives an answer of smallstep the type and status of RFC 8555:
// a certificate request that does not parse, or whose signature is wrong, is
// badCSR (7.4); a signature for another url is unauthorized (6.4); an order that
// is not ready is forbidden (7.4).
func correct(r *http.Request, err error) {
	var e *acme.Error
	if !errors.As(err, &e) {
		return
	}
	var right *acme.Error
	switch malformed := isType(e, acme.ErrorMalformedType); {
	case malformed && len(sentCSR(r.Context())) > 0:
		right = acme.NewDetailedError(acme.ErrorBadCSRType, "the certificate request does not parse, or its signature is wrong")
	case malformed && forAnother(r):
		right = errOtherURL()
	case isType(e, acme.ErrorOrderNotReadyType):
		e.Status = http.StatusForbidden
		return
	default:
		return
	}
	e.Type, e.Detail, e.Status = right.Type, right.Detail, right.Status
}

func isType(e *acme.Error, t acme.ProblemType) bool { return strings.HasSuffix(e.Type, ":"+t.String()) }

// forAnother says whether a request, whatever else is wrong with it, was signed
// for another url. What is not text is malformed.
func forAnother(r *http.Request) bool {
	jws, ok := r.Context().Value(acmeapi.ContextKey("jws")).(*jose.JSONWebSignature)
	if !ok || len(jws.Signatures) != 1 {
		return false
	}
	named, ok := jws.Signatures[0].Protected.ExtraHeaders["url"].(string)
	return ok && named != urlOf(r)
}

// sentCSR is the request in the payload of a finalize call whose signature was
// verified, or nil.
func sentCSR(ctx context.Context) []byte {
	jws, ok := ctx.Value(acmeapi.ContextKey("jws")).(*jose.JSONWebSignature)
	if !ok || ctx.Value(acmeapi.ContextKey("payload")) == nil || chi.URLParamFromCtx(ctx, "ordID") == "" {
		return nil
	}
	var sent acmeapi.FinalizeRequest
	if json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &sent) != nil {
		return nil
	}
	der, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(sent.CSR, "="))
	if err != nil {
		return nil
	}
	return der
}

// oneOfEach refuses a CSR that names a host twice: smallstep compares sets. For
// tokens it is asked by smallstep, for ACME by the finalizer, which sees the
// request before the doubles are taken out.
type oneOfEach struct{}

const saysTwice = "the certificate request names a host twice"

// Valid implements provisioner.CertificateRequestValidator.
func (oneOfEach) Valid(req *x509.CertificateRequest) error {
	if ca.NamesTwice(req.DNSNames) {
		return errs.NewError(http.StatusBadRequest, ca.ErrCSR, saysTwice)
	}
	return nil
}
