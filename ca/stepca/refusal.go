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
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/acme"
	acmeapi "github.com/smallstep/certificates/acme/api"
	"github.com/smallstep/certificates/errs"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// strangerEvery is how often a refusal of somebody unknown is recorded: anybody
// may send rubbish, and must not fill the ledger with it. What is passed over is
// counted in the next record.
const strangerEvery = time.Minute

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

// strangers counts the refusals that are not recorded one by one.
type strangers struct {
	mu     sync.Mutex
	last   time.Time
	passed int
}

// due says whether to record now, and how many were passed over since.
func (s *strangers) due(now time.Time) (passed int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < strangerEvery {
		s.passed++
		return 0, false
	}
	passed, s.last, s.passed = s.passed, now, 0
	return passed, true
}

// refuse sees every error that smallstep is about to answer with. It corrects
// the type of one, and records those that nobody recorded: each for a caller who
// is known, one a minute for those who are not.
func (a *Authority) refuse(_ http.ResponseWriter, r *http.Request, err error) {
	ctx := context.WithoutCancel(r.Context())
	nameBadCSR(r, err)
	a.logError(r, err)
	status := statusOf(err)
	if r.Method != http.MethodPost || status >= http.StatusInternalServerError || isRecorded(err) {
		return
	}
	now := a.now()
	actor, known := a.callerOf(ctx, r)
	passed, due := 0, known
	if !known {
		passed, due = a.strangers.due(now)
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

// nameBadCSR: smallstep calls a certificate request that does not parse, or whose
// signature is wrong, malformed; RFC 8555 6.7 and 7.4 say badCSR.
func nameBadCSR(r *http.Request, err error) {
	var e *acme.Error
	if errors.As(err, &e) && strings.HasSuffix(e.Type, ":"+acme.ErrorMalformedType.String()) && len(sentCSR(r.Context())) > 0 {
		right := acme.NewDetailedError(acme.ErrorBadCSRType, "the certificate request does not parse, or its signature is wrong")
		e.Type, e.Detail, e.Status = right.Type, right.Detail, right.Status
	}
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
	if namesTwice(req.DNSNames) {
		return errs.NewError(http.StatusBadRequest, ca.ErrCSR, saysTwice)
	}
	return nil
}

func namesTwice(names []string) bool {
	seen := map[string]bool{}
	for _, n := range names {
		if n = strings.ToLower(n); seen[n] {
			return true
		}
		seen[n] = true
	}
	return false
}
