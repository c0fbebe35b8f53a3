package stepca

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/api"
	apilog "github.com/smallstep/certificates/api/log"
	"github.com/smallstep/certificates/api/render"
	"github.com/smallstep/certificates/authority"
	"github.com/smallstep/certificates/db"
	"github.com/smallstep/certificates/errs"
)

// maxBody is far above a CSR and a token, and far below what hurts.
const maxBody = 64 << 10

// Paths lists the patterns under which the outer router must mount Routes.
// What is not listed is not served: SSH, federation and CRL are not part of
// this handler, ACME is where it is configured.
func (a *Authority) Paths() []string {
	paths := []string{
		"/1.0/*", "/health", "/version", "/sign", "/renew", "/rekey", "/revoke",
		"/root/{sha}", "/roots", "/provisioners", "/provisioners/{kid}/encrypted-key",
	}
	if a.acme != nil {
		paths = append(paths, "/acme/"+acmeName+"/*", "/acme/txt/*")
	}
	return paths
}

// Routes is the step-ca API, for the listener of the house. The server behind
// it must verify client certificates against ClientPool when they are given.
func (a *Authority) Routes() http.Handler {
	r := chi.NewRouter()
	r.Use(a.prepare)
	routes := func(r chi.Router) {
		r.Get("/health", api.Health)
		r.Get("/version", api.Version)
		r.Get("/root/{sha}", api.Root)
		r.Get("/roots", api.Roots)
		r.Get("/provisioners", api.Provisioners)
		r.Get("/provisioners/{kid}/encrypted-key", api.ProvisionerKey)
		r.Post("/sign", api.Sign)
		r.Post("/renew", a.withPeer(api.Renew))
		r.Post("/rekey", a.withPeer(api.Rekey))
		r.Post("/revoke", a.withPeer(api.Revoke))
	}
	r.Group(routes)
	r.Route("/1.0", routes)
	if a.acme != nil {
		r.Route("/acme", a.acme.routes)
	}
	return r
}

// prepare puts the authority into the context, reads the body within its bound,
// and hides the outer response writer: smallstep looks there for a logger to
// hand tokens to.
func (a *Authority) prepare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		step := a.embedded(r.Context())
		ctx := authority.NewContext(r.Context(), step)
		ctx = db.NewContext(ctx, step.GetDatabase())
		ctx = apilog.WithErrorLogger(ctx, a.refuse)
		c := &call{}
		ctx = context.WithValue(ctx, callKey{}, c)
		r = r.WithContext(ctx)
		var err error
		if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			tooLarge(plainWriter{w}, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(c.body))
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(plainWriter{w}, r)
	})
}

// tooLarge answers a body over its bound, or one that broke off.
func tooLarge(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/acme/") {
		e := acme.NewDetailedError(acme.ErrorMalformedType, "the request is too large or broken off")
		e.Status = http.StatusRequestEntityTooLarge
		render.Error(w, r, e)
		return
	}
	render.Error(w, r, errs.NewError(http.StatusRequestEntityTooLarge, err, "the request is too large or broken off"))
}

type plainWriter struct{ http.ResponseWriter }

func (a *Authority) logError(r *http.Request, err error) {
	fields := []any{"method", r.Method, "path", r.URL.Path, "error", err.Error()}
	if v := visitOf(r.Context()); v.id != "" {
		fields = append(fields, "request", v.id)
	}
	a.log.WarnContext(r.Context(), "step-ca api refused", fields...)
}

// withPeer demands a client certificate of ours and marks it as the one being
// renewed. Renewal by token, which smallstep offers too, never gets here.
func (a *Authority) withPeer(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		leaf, err := a.verifiedPeer(r.Context(), r.TLS)
		if err != nil {
			render.Error(w, r, answer(err))
			return
		}
		state := *r.TLS
		state.PeerCertificates = append(state.PeerCertificates[:0:0], withRenewed(leaf))
		marked := r.WithContext(r.Context())
		marked.TLS = &state
		next(w, marked)
	}
}
