package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// errBearer: something that wants to be an access token, in a form or place that
// is not taken.
var errBearer = errors.New("api: not one access token in the header")

// challenges are the error codes of RFC 6750 3.1, by code of the problem.
func challenges() map[string]string {
	return map[string]string{"token.request": "invalid_request", "token.refused": "invalid_token", "token.scope": "insufficient_scope"}
}

// Tokens judges an access token that came over a connection with this
// certificate. Anything but token.ErrToken and token.ErrScope is a failure of the
// house, with which the call is refused as well.
type Tokens interface {
	Judge(ctx context.Context, raw string, certDER []byte, scope string) (token.Grant, error)
}

// BearerConfig is what Bearer needs; every field is required.
type BearerConfig struct {
	Tokens   Tokens
	Refusals Refusals
	// Scope says which scope a path needs; false: a path that takes no tokens.
	Scope func(path string) (string, bool)
	// Metadata is the address of RFC 9728 metadata, for challenges.
	Metadata string
	Words    *text.Catalogue
	Log      *slog.Logger
}

// Bearer stands behind Identify and looks at access tokens (RFC 6750 2.1: in the
// header only). A call without one goes on by its certificate. A token never
// stands in for a certificate: the connection must show the one that the token is
// bound to (RFC 8705 3), which Peer finds good in the registry at each request.
func Bearer(cfg BearerConfig) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scope, takes := cfg.Scope(r.URL.Path)
			if !takes {
				next.ServeHTTP(w, r)
				return
			}
			raw, present, ok := presented(r)
			if !present {
				next.ServeHTTP(w, r)
				return
			}
			g, err := token.Grant{}, errBearer
			if ok {
				g, err = cfg.judge(r.Context(), raw, scope)
			}
			if err != nil {
				cfg.refuse(w, r, scope, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyGrant, g)))
		})
	}
}

// judge holds a token against the certificate of the connection; without one over
// TLS there is none that it could be bound to.
func (cfg BearerConfig) judge(ctx context.Context, raw, scope string) (token.Grant, error) {
	var leaf []byte
	if chain := PeerChain(ctx); len(chain) > 1 {
		leaf = chain[0].Raw
	}
	return cfg.Tokens.Judge(ctx, raw, leaf, scope)
}

// presented is the one token of a request. ok false: there is something that
// wants to be one, in a form that is not taken (RFC 6750 3.1 invalid_request).
func presented(r *http.Request) (raw string, present, ok bool) {
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") { // RFC 9700 4.3.2
		return "", true, false
	}
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return "", false, true
	}
	scheme, raw, found := strings.Cut(given[0], " ")
	return raw, true, len(given) == 1 && found && strings.EqualFold(scheme, "Bearer") && raw != "" && !strings.ContainsAny(raw, " \t,")
}

// refuse answers with the challenge of RFC 6750 3 and records it; a failure of
// the house is no refusal.
func (cfg BearerConfig) refuse(w http.ResponseWriter, r *http.Request, scope string, cause error) {
	ctx, h := r.Context(), handlers{cfg: Config{Words: cfg.Words, Log: cfg.Log}}
	p := h.problem(ctx, cause)
	w.Header().Set("Cache-Control", "no-store")
	if code := challenges()[p.Code]; code != "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="yinxin", error="`+code+`", scope="`+scope+`", resource_metadata="`+cfg.Metadata+`"`)
		cfg.Refusals.Refused(ctx, Refusal{Route: "access-token", Status: p.Status, Code: p.Code, Chain: PeerChain(ctx)})
	}
	h.answer(ctx, w, p)
}
