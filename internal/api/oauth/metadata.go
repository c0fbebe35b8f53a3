package oauth

import (
	"fmt"
	"net/http"

	"github.com/yinxin-gov/yinxin/internal/token"
)

func (e *endpoint) keys(w http.ResponseWriter, r *http.Request) {
	set, err := e.Tokens.KeySet(r.Context())
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		e.write(w, r, http.StatusServiceUnavailable, e.failed(r.Context(), err))
		return
	}
	e.public(w, r, set)
}

// public answers what anybody may keep for as long as keys are published ahead.
func (e *endpoint) public(w http.ResponseWriter, r *http.Request, v any) {
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(token.KeySetAge.Seconds())))
	e.write(w, r, http.StatusOK, v)
}

// server is RFC 8414 2 with RFC 8705 3.3 and 5. There is one host, which asks for
// client certificates everywhere: the aliases are the endpoints themselves.
func (e *endpoint) server(w http.ResponseWriter, r *http.Request) {
	at, mtls := e.Tokens.Issuer(), []string{"tls_client_auth"}
	ends := map[string]string{"token_endpoint": at + PathToken, "revocation_endpoint": at + PathRevoke, "introspection_endpoint": at + PathIntrospect}
	out := map[string]any{
		"issuer": at, "jwks_uri": at + PathKeys,
		"grant_types_supported": []string{"client_credentials"}, "response_types_supported": []string{}, "scopes_supported": token.Scopes(),
		"token_endpoint_auth_methods_supported": mtls, "revocation_endpoint_auth_methods_supported": mtls, "introspection_endpoint_auth_methods_supported": mtls,
		"tls_client_certificate_bound_access_tokens": true, "mtls_endpoint_aliases": ends,
		"x_yinxin_access_token_signing_alg_values_supported": []string{token.ES256, token.SM2},
	}
	for name, address := range ends {
		out[name] = address
	}
	e.public(w, r, out)
}

// resource is RFC 9728 2: the house as a receiver of tokens.
func (e *endpoint) resource(w http.ResponseWriter, r *http.Request) {
	at := e.Tokens.Issuer()
	e.public(w, r, map[string]any{
		"resource": at, "authorization_servers": []string{at}, "jwks_uri": at + PathKeys, "scopes_supported": token.Scopes(),
		"bearer_methods_supported": []string{"header"}, "tls_client_certificate_bound_access_tokens": true,
	})
}
