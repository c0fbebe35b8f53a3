package stepca

import (
	"context"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/acme"
	acmeapi "github.com/smallstep/certificates/acme/api"
	"github.com/smallstep/certificates/api/render"
	"github.com/smallstep/certificates/authority/provisioner"

	"github.com/yinxin-gov/yinxin/ca"
)

// provisionerID stands in accounts and orders as smallstep sees them.
const provisionerID = "acme/" + acmeName

// routes are those of RFC 8555 under /acme/acme, and the text register.
func (s *acmeServer) routes(r chi.Router) {
	r.Use(s.prepare, s.suitable)
	if s.pairs == nil {
		acmeapi.Route(r)
	} else {
		acmeapi.Route(beneath{r, s})
	}
	r.Post("/txt/present", s.present)
	r.Post("/txt/cleanup", s.cleanup)
	// smallstep answers 501 here; the last handler of a pattern wins.
	r.Post("/{provisionerID}/key-change", s.own(s.keyChange))
}

// prepare puts the ACME parts and a fresh visit into the context, names the
// request, and gives up what the request claimed and did not finish.
func (s *acmeServer) prepare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.newID()
		if err != nil {
			render.Error(w, r, acme.WrapErrorISE(err, "name request"))
			return
		}
		w.Header().Set("X-Request-ID", id)
		v := &visit{id: id}
		ctx := context.WithValue(r.Context(), visitKey{}, v)
		ctx = acme.NewContext(ctx, acmeDB{s}, s.probe, s.linker, nil)
		r = r.WithContext(ctx)
		// A link is made from the Host header, and an account remembers its link.
		if !slices.Contains(s.hosts, strings.ToLower(r.Host)) {
			e := acme.NewDetailedError(acme.ErrorMalformedType, "this directory is served as %s", s.hosts[0])
			e.Status = http.StatusMisdirectedRequest
			render.Error(w, r, e)
			return
		}
		defer s.release(ctx, v)
		next.ServeHTTP(w, r)
	})
}

// release gives an order back that this request claimed and did not finish: the
// client may finalize again, when the cause is gone.
func (s *acmeServer) release(ctx context.Context, v *visit) {
	if v.order == "" {
		return
	}
	if err := s.store.ReleaseOrder(context.WithoutCancel(ctx), v.order, v.claim); err != nil {
		s.a.log.WarnContext(ctx, "acme order stays claimed for a while", "order", v.order, "until", v.claim, "error", err)
	}
}

// linker adds to smallstep's that an order is finalized by the finalizer.
type linker struct {
	acme.Linker
	s *acmeServer
}

// Middleware loads the provisioner. The handlers of accounts and orders insist
// on smallstep's own type; the one that finalizes does not.
func (l linker) Middleware(next http.Handler) http.Handler {
	return l.Linker.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		p, ok := acme.MustProvisionerFromContext(ctx).(*provisioner.ACME)
		if ok && strings.HasSuffix(r.URL.Path, "/finalize") {
			r = r.WithContext(acme.NewProvisionerContext(ctx, finalizer{ACME: p, s: l.s}))
		}
		next.ServeHTTP(w, r)
	}))
}

// finalizer is the ACME provisioner while a certificate is made.
type finalizer struct {
	*provisioner.ACME
	s *acmeServer
}

// AuthorizeSign claims the order, so that two requests do not issue on it both,
// and names the approved request behind the account to the certificate service.
func (f finalizer) AuthorizeSign(ctx context.Context, token string) ([]provisioner.SignOption, error) {
	opts, err := f.ACME.AuthorizeSign(ctx, token)
	if err != nil {
		return nil, err
	}
	if req, err := x509.ParseCertificateRequest(sentCSR(ctx)); err != nil || ca.NamesTwice(req.DNSNames) {
		return nil, acme.NewDetailedError(acme.ErrorBadCSRType, saysTwice)
	}
	order := chi.URLParamFromCtx(ctx, "ordID")
	if err := f.s.claimOrder(ctx, order); err != nil {
		return nil, err
	}
	return append(opts, acmeEnrolment{ACME: f.ACME, request: visitOf(ctx).owner.Request, order: order}), nil
}

// acmeEnrolment is to ACME what enrolment is to tokens.
type acmeEnrolment struct {
	*provisioner.ACME
	request, order string
}

// GetID returns the id of the approved request.
func (e acmeEnrolment) GetID() string { return e.request }

// GetName returns the id of the order, for the certificate service.
func (e acmeEnrolment) GetName() string { return e.order }
