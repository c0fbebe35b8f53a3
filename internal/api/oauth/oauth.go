// Package oauth is the wire surface of access tokens over plain net/http: the
// token endpoint with client credentials (RFC 6749 4.4) and mutual TLS (RFC 8705
// 2.1), revocation (RFC 7009), introspection (RFC 7662), the key set (RFC 7517),
// and metadata (RFC 8414, RFC 9728).
//
// A client is the system of its certificate. It refuses any other way to
// authenticate, parameters in the address or given twice, a body that is no form
// or over 32 KiB, and systems of peer domains (unauthorized_client). Answers are
// never kept by a cache, but for keys and metadata. It repeats nothing of what
// was sent.
package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// Paths.
const (
	PathToken      = wire.PathToken
	PathRevoke     = "/oauth/revoke"
	PathIntrospect = "/oauth/introspect"
	PathKeys       = "/.well-known/jwks.json"
	PathServer     = "/.well-known/oauth-authorization-server"
	PathResource   = "/.well-known/oauth-protected-resource"
)

// Paths lists them.
func Paths() []string {
	return []string{PathToken, PathRevoke, PathIntrospect, PathKeys, PathServer, PathResource}
}

const maxForm = 32 << 10

// Outcomes of Config.Client.
var (
	// ErrClient: no certificate of a system, or one that is not good.
	ErrClient = errors.New("oauth: not a system of the register")
	// ErrGuest: the system of a peer domain.
	ErrGuest = errors.New("oauth: not for the systems of a peer domain")
)

// Config is what New needs; every field is required.
type Config struct {
	Tokens *token.Service
	// Client finds the system behind a connection: ErrClient, ErrGuest, or a failure.
	Client func(*http.Request) (token.Client, error)
	Log    *slog.Logger
}

type endpoint struct{ Config }

// New returns the handler of Paths.
func New(c Config) (http.Handler, error) {
	if c.Tokens == nil || c.Client == nil || c.Log == nil {
		return nil, fmt.Errorf("oauth: every field of the configuration is required")
	}
	e := &endpoint{c}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathToken, e.form(e.token))
	mux.HandleFunc("POST "+PathRevoke, e.form(e.revoke))
	mux.HandleFunc("POST "+PathIntrospect, e.form(e.introspect))
	mux.HandleFunc("GET "+PathKeys, e.keys)
	mux.HandleFunc("GET "+PathServer, e.server)
	mux.HandleFunc("GET "+PathResource, e.resource)
	return mux, nil
}

// failure is an error answer (RFC 6749 5.2).
type failure struct {
	status int
	wire.TokenError
}

func refused(status int, code, why string) *failure {
	return &failure{status, wire.TokenError{Code: code, Why: why}}
}

func invalid(why string) *failure { return refused(http.StatusBadRequest, "invalid_request", why) }

// form authenticates the client and reads its parameters.
func (e *endpoint) form(then func(context.Context, token.Client, url.Values) (any, *failure)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		c, fail := e.client(r)
		var in url.Values
		if fail == nil {
			in, fail = parameters(w, r)
		}
		if fail == nil && in.Has("client_id") && in.Get("client_id") != c.System {
			fail = refused(http.StatusUnauthorized, "invalid_client", "client_id is not the system of the certificate")
		}
		if fail == nil && (in.Has("client_secret") || in.Has("client_assertion")) {
			fail = invalid("a client authenticates by its certificate only")
		}
		var out any
		if fail == nil {
			out, fail = then(r.Context(), c, in)
		}
		if fail != nil {
			e.write(w, r, fail.status, fail)
			return
		}
		e.write(w, r, http.StatusOK, out)
	}
}

func (e *endpoint) client(r *http.Request) (token.Client, *failure) {
	if r.Header.Get("Authorization") != "" {
		return token.Client{}, invalid("a client authenticates by its certificate only")
	}
	c, err := e.Client(r)
	switch {
	case errors.Is(err, ErrGuest):
		return c, refused(http.StatusForbidden, "unauthorized_client", "not for the systems of a peer domain")
	case errors.Is(err, ErrClient):
		return c, refused(http.StatusUnauthorized, "invalid_client", "a client certificate of an enrolled system is required (mTLS)")
	case err != nil:
		return c, e.failed(r.Context(), err)
	}
	return c, nil
}

// failed is a failure of the house; its cause stays in the log.
func (e *endpoint) failed(ctx context.Context, err error) *failure {
	e.Log.ErrorContext(ctx, "token endpoint", "error", err)
	return refused(http.StatusServiceUnavailable, "temporarily_unavailable", "")
}

// parameters of a form; each at most once (RFC 6749 3.2), but for resource, of
// which RFC 8707 allows several and this house one.
func parameters(w http.ResponseWriter, r *http.Request) (url.Values, *failure) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalid("the body is not application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, invalid("parameters do not stand in the address")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, invalid("the form cannot be read")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, invalid("a parameter stands twice")
		}
		if values[0] == "" { // RFC 6749 3.2: as if it were left out
			r.PostForm.Del(name)
		}
	}
	return r.PostForm, nil
}

// token issues one. Parameters of the house beside RFC 6749 and RFC 8707:
// signing_alg and lifetime (seconds).
func (e *endpoint) token(ctx context.Context, c token.Client, in url.Values) (any, *failure) {
	switch in.Get("grant_type") {
	case "":
		return nil, invalid("grant_type is missing")
	case "client_credentials":
	default:
		return nil, refused(http.StatusBadRequest, "unsupported_grant_type", "client_credentials only")
	}
	o := token.Order{Audience: in.Get("resource"), Scope: strings.Fields(in.Get("scope")), Algorithm: in.Get("signing_alg")}
	if in.Has("lifetime") {
		n, err := strconv.ParseUint(in.Get("lifetime"), 10, 16)
		if err != nil {
			return nil, invalid("lifetime is not a number of seconds")
		}
		o.Life = time.Duration(n) * time.Second
	}
	raw, g, err := e.Tokens.Issue(ctx, c, o)
	switch {
	case errors.Is(err, token.ErrScope):
		return nil, refused(http.StatusBadRequest, "invalid_scope", "scopes are "+strings.Join(token.Scopes(), " ")+", for the house itself only")
	case errors.Is(err, token.ErrAudience):
		return nil, refused(http.StatusBadRequest, "invalid_target", "resource is neither the house nor a registered system")
	case errors.Is(err, token.ErrRequest):
		return nil, invalid(fmt.Sprintf("signing_alg is %s or %s, lifetime %d to %d seconds", token.ES256, token.SM2, int(token.MinLife.Seconds()), int(token.MaxLife.Seconds())))
	case err != nil:
		return nil, e.failed(ctx, err)
	}
	return wire.AccessToken{Token: raw, Type: "Bearer", Expires: int(g.ExpiresAt.Sub(g.IssuedAt).Seconds()), Scope: strings.Join(g.Scope, " ")}, nil
}

func (e *endpoint) revoke(ctx context.Context, c token.Client, in url.Values) (any, *failure) {
	if !in.Has("token") {
		return nil, invalid("token is missing")
	}
	switch err := e.Tokens.Revoke(ctx, c, in.Get("token")); {
	case errors.Is(err, token.ErrOwner):
		return nil, refused(http.StatusBadRequest, "unauthorized_client", "the token was issued to another system")
	case err != nil:
		return nil, e.failed(ctx, err)
	}
	return struct{}{}, nil
}

// introspection is the answer of RFC 7662 2.2, with cnf of RFC 8705 3.2.
type introspection struct {
	Active   bool              `json:"active"`
	Scope    string            `json:"scope,omitempty"`
	ClientID string            `json:"client_id,omitempty"`
	Subject  string            `json:"sub,omitempty"`
	Type     string            `json:"token_type,omitempty"`
	Expires  int64             `json:"exp,omitempty"`
	Issued   int64             `json:"iat,omitempty"`
	Audience string            `json:"aud,omitempty"`
	Issuer   string            `json:"iss,omitempty"`
	ID       string            `json:"jti,omitempty"`
	Confirm  map[string]string `json:"cnf,omitempty"`
}

func (e *endpoint) introspect(ctx context.Context, c token.Client, in url.Values) (any, *failure) {
	if !in.Has("token") {
		return nil, invalid("token is missing")
	}
	g, thumb, err := e.Tokens.Introspect(ctx, c, in.Get("token"))
	switch {
	case errors.Is(err, token.ErrToken):
		return introspection{}, nil
	case err != nil:
		return nil, e.failed(ctx, err)
	}
	return introspection{
		Active: true, Scope: strings.Join(g.Scope, " "), ClientID: g.System, Subject: g.System, Type: "Bearer", Expires: g.ExpiresAt.Unix(), Issued: g.IssuedAt.Unix(),
		Audience: g.Audience, Issuer: e.Tokens.Issuer(), ID: g.ID, Confirm: map[string]string{"x5t#S256": thumb},
	}, nil
}

func (e *endpoint) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		e.Log.DebugContext(r.Context(), "answer not delivered", "error", err)
	}
}
