package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// judge knows one token, bound to one certificate.
type judge struct{ err error }

func (j judge) Judge(_ context.Context, raw string, certDER []byte, scope string) (token.Grant, error) {
	switch {
	case j.err != nil:
		return token.Grant{}, j.err
	case raw != "good" || string(certDER) != "leaf":
		return token.Grant{}, token.ErrToken
	case scope != token.ScopeDecide:
		return token.Grant{}, token.ErrScope
	}
	return token.Grant{ID: "jti-1", System: "civil-a"}, nil
}

type found struct{ system string }

func (f found) Peer(context.Context, *x509.Certificate, *x509.Certificate) (ledger.Actor, error) {
	return ledger.Actor{Kind: "system", ID: f.system, Certificate: "5a"}, nil
}

// RFC 6750 2, 3: one token in the header, bound to the connection, or a challenge.
func TestBearerTokensAtTheDoor(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	const decide, exchange, free = "/access/v1/evaluation", "/api/v1/transfers", "/acme/new-order"
	for name, c := range map[string]struct {
		path    string
		headers []string
		peer    string // of the certificate; "": none shown
		err     error
		status  int
		says    string // in WWW-Authenticate
	}{
		"no token":                               {path: decide, peer: "civil-a", status: 200},
		"a good token":                           {path: decide, headers: []string{"Bearer good"}, peer: "civil-a", status: 201},
		"the scheme in any case (RFC 9110 11.1)": {path: decide, headers: []string{"bEARER good"}, peer: "civil-a", status: 201},
		"another token":                          {path: decide, headers: []string{"Bearer bad-secret"}, peer: "civil-a", status: 401, says: `error="invalid_token"`},
		"without a certificate":                  {path: decide, headers: []string{"Bearer good"}, status: 401, says: `error="invalid_token"`},
		"the token of another system":            {path: decide, headers: []string{"Bearer good"}, peer: "civil-b", status: 401},
		"outside its scope":                      {path: exchange, headers: []string{"Bearer good"}, peer: "civil-a", status: 403, says: `error="insufficient_scope", scope="exchange"`},
		"two headers":                            {path: decide, headers: []string{"Bearer good", "Bearer good"}, peer: "civil-a", status: 400, says: `error="invalid_request"`},
		"two tokens":                             {path: decide, headers: []string{"Bearer good, Bearer good"}, peer: "civil-a", status: 400, says: "invalid_request"},
		"another scheme":                         {path: decide, headers: []string{"Basic Z29vZA=="}, peer: "civil-a", status: 400, says: "invalid_request"},
		"nothing after the scheme":               {path: decide, headers: []string{"Bearer "}, peer: "civil-a", status: 400, says: "invalid_request"},
		"a token in the address (RFC 9700)":      {path: decide + "?access_token=good", peer: "civil-a", status: 400, says: "invalid_request"},
		"a store that is away":                   {path: decide, headers: []string{"Bearer good"}, peer: "civil-a", err: token.ErrUnknown, status: 503},
		"any other failure":                      {path: decide, headers: []string{"Bearer good"}, peer: "civil-a", err: errors.New("x"), status: 500},
		"a path that takes none":                 {path: free, headers: []string{"Bearer bad"}, peer: "civil-a", status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := &house{t: t}
			scope := func(path string) (string, bool) {
				s, ok := map[string]string{decide: token.ScopeDecide, exchange: token.ScopeExchange}[path]
				return s, ok
			}
			end := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a, err := Peer(r.Context(), found{c.peer})
				switch {
				case errors.Is(err, token.ErrToken):
					w.WriteHeader(http.StatusUnauthorized)
				case err != nil:
					t.Error(err)
				case a.Token == "jti-1":
					w.WriteHeader(http.StatusCreated)
				}
			})
			chain := Identify(func() string { return "id" })(Bearer(BearerConfig{
				Tokens: judge{c.err}, Refusals: h, Scope: scope, Metadata: "https://h/m", Words: words, Log: slog.New(slog.NewTextHandler(&log, nil)),
			})(end))
			r := httptest.NewRequest(http.MethodPost, c.path, nil)
			for _, v := range c.headers {
				r.Header.Add("Authorization", v)
			}
			if c.peer != "" {
				r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Raw: []byte("leaf")}, {}}}}
			}
			w := httptest.NewRecorder()
			chain.ServeHTTP(w, r)
			if got := w.Header().Get("WWW-Authenticate"); w.Code != c.status || !strings.Contains(got, c.says) || c.says != "" && len(h.refused) != 1 {
				t.Errorf("%d %q %+v", w.Code, got, h.refused)
			}
			if strings.Contains(log.String()+w.Body.String(), "secret") {
				t.Error("the token is repeated")
			}
		})
	}
}
