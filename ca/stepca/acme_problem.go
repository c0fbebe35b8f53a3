package stepca

import (
	"errors"
	"net/http"

	"github.com/smallstep/certificates/acme"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// Outcomes of orders: an identifier that is no DNS name; a period that the profile
// does not give.
var (
	errKind   = errors.New("stepca: identifier is of another kind")
	errPeriod = errors.New("stepca: period of the order is not offered")
)

// problem maps an outcome to what an ACME client sees (RFC 8555 6.7). What has
// no row here is an internal error without detail.
func problem(err error) *acme.Error {
	var done *acme.Error
	if errors.As(err, &done) {
		return done
	}
	var ends *ca.ClosingError
	if errors.As(err, &ends) { // its text names the day
		e := acme.NewDetailedError(acme.ErrorUnauthorizedType, "%s", ends)
		e.Err = err
		return e
	}
	for _, m := range []struct {
		outcome error
		kind    acme.ProblemType
		text    string
	}{
		{errKind, acme.ErrorUnsupportedIdentifierType, "only DNS names are certified"},
		{ca.ErrHost, acme.ErrorRejectedIdentifierType, "host name is not registered for this system"},
		{ErrStopped, acme.ErrorUnauthorizedType, "this system may not be issued certificates"},
		{ca.ErrNotApproved, acme.ErrorUnauthorizedType, "the request is not approved"},
		{errPeriod, acme.ErrorMalformedType, "a certificate begins when it is issued and ends within the profile's period"},
		{ca.ErrCSR, acme.ErrorBadCSRType, "the key or the fields of the certificate request do not fit"},
		{ca.ErrLint, acme.ErrorBadCSRType, "the certificate does not fit its profile"},
		{ca.ErrRenewed, acme.ErrorBadCSRType, "the order has its certificate, on another certificate request"},
		{ca.ErrBusy, acme.ErrorOrderNotReadyType, "the order is being finalized"},
		{ca.ErrRevoked, acme.ErrorAlreadyRevokedType, "the certificate is revoked"},
	} {
		if errors.Is(err, m.outcome) {
			e := acme.NewDetailedError(m.kind, "%s", m.text)
			e.Err = err
			if m.kind == acme.ErrorOrderNotReadyType {
				e.Status = http.StatusForbidden // RFC 8555 7.4
			}
			return e
		}
	}
	return acme.WrapErrorISE(err, "order")
}

// missing is the answer for something that is not there; any other error is
// one of the house.
func missing(err error, what string) error {
	if err != nil && !errors.Is(err, acmestore.ErrNotFound) && !errors.Is(err, ca.ErrNotFound) {
		return acme.WrapErrorISE(err, "read %s", what)
	}
	e := acme.NewDetailedError(acme.ErrorMalformedType, "no such %s", what)
	e.Status = http.StatusNotFound
	return e
}

// explain adds to the problem of a failed probe what its owner can act on. The
// texts of others are left out: they may hold what the probed host answered.
func explain(e *acme.Error) {
	for _, known := range []error{errNoAddress, errRedirect, errNoText} {
		if errors.Is(e.Err, known) {
			e.Detail += ": " + known.Error()
		}
	}
}
