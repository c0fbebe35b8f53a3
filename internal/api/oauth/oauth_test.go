package oauth_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/api/oauth"
	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/internal/token/tokentest"
)

// desk is the endpoint with clients by a header in place of a certificate.
type desk struct {
	t     *testing.T
	house *tokentest.House
	store *tokentest.Store
	h     http.Handler
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: tokentest.NewStore()}
	d.house = tokentest.NewHouse(t, d.store)
	var err error
	d.h, err = oauth.New(oauth.Config{Tokens: d.house.Service, Log: slog.New(slog.DiscardHandler), Client: func(r *http.Request) (token.Client, error) {
		switch who := r.Header.Get("Test-Client"); who {
		case "":
			return token.Client{}, oauth.ErrClient
		case "guest":
			return token.Client{}, oauth.ErrGuest
		case "broken":
			return token.Client{}, errors.New("store away")
		case "civil-a":
			return d.house.Client, nil
		default:
			return token.Client{System: who}, nil
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) post(path, who, form string, set ...string) (int, map[string]any, http.Header) {
	d.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Test-Client", who)
	for i := 0; i+1 < len(set); i += 2 {
		r.Header.Set(set[i], set[i+1])
	}
	return d.do(r)
}

func (d *desk) do(r *http.Request) (int, map[string]any, http.Header) {
	d.t.Helper()
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	out := map[string]any{}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			d.t.Errorf("%s: %v", w.Body, err)
		}
	}
	return w.Code, out, w.Header()
}

const grant = "grant_type=client_credentials"

// RFC 6749 5.2, RFC 8707 2: every refusal with its status and code; none repeats
// what was sent.
func TestTokenRequestsThatAreRefused(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		who, form string
		set       []string
		status    int
		code      string
	}{
		"no certificate":                         {"", grant, nil, 401, "invalid_client"},
		"a system of a peer domain":              {"guest", grant, nil, 403, "unauthorized_client"},
		"the register is away":                   {"broken", grant, nil, 503, "temporarily_unavailable"},
		"no grant type":                          {"civil-a", "", nil, 400, "invalid_request"},
		"another grant type":                     {"civil-a", "grant_type=password&username=x-secret&password=x-secret", nil, 400, "unsupported_grant_type"},
		"a parameter twice (RFC 6749 3.2)":       {"civil-a", grant + "&scope=decide&scope=exchange", nil, 400, "invalid_request"},
		"two resources":                          {"civil-a", grant + "&resource=a&resource=b", nil, 400, "invalid_request"},
		"another client_id":                      {"civil-a", grant + "&client_id=x-secret", nil, 401, "invalid_client"},
		"a client_secret":                        {"civil-a", grant + "&client_secret=x-secret", nil, 400, "invalid_request"},
		"HTTP Basic":                             {"civil-a", grant, []string{"Authorization", "Basic eDp4"}, 400, "invalid_request"},
		"JSON":                                   {"civil-a", `{"grant_type":"client_credentials"}`, []string{"Content-Type", "application/json"}, 400, "invalid_request"},
		"a form that cannot be read":             {"civil-a", "grant_type=%zz", nil, 400, "invalid_request"},
		"a body over the limit":                  {"civil-a", grant + "&x=" + strings.Repeat("a", 33<<10), nil, 400, "invalid_request"},
		"a scope that there is not":              {"civil-a", grant + "&scope=x-secret", nil, 400, "invalid_scope"},
		"a receiver that there is not":           {"civil-a", grant + "&resource=urn:x-yinxin:system:x-secret", nil, 400, "invalid_target"},
		"an algorithm that there is not":         {"civil-a", grant + "&signing_alg=none", nil, 400, "invalid_request"},
		"a life over 15 minutes":                 {"civil-a", grant + "&lifetime=901", nil, 400, "invalid_request"},
		"a life of no number":                    {"civil-a", grant + "&lifetime=-1", nil, 400, "invalid_request"},
		"introspection without a certificate":    {"", "token=x", []string{"Test-Path", oauth.PathIntrospect}, 401, "invalid_client"},
		"introspection of nothing":               {"civil-a", "", []string{"Test-Path", oauth.PathIntrospect}, 400, "invalid_request"},
		"revocation of nothing":                  {"civil-a", "", []string{"Test-Path", oauth.PathRevoke}, 400, "invalid_request"},
		"revocation with the token as parameter": {"civil-a", "", []string{"Test-Path", oauth.PathRevoke + "?token=x-secret"}, 400, "invalid_request"},
	} {
		path := oauth.PathToken
		if len(c.set) == 2 && c.set[0] == "Test-Path" {
			path = c.set[1]
		}
		status, out, head := d.post(path, c.who, c.form, c.set...)
		why, _ := out["error_description"].(string)
		if status != c.status || out["error"] != c.code || head.Get("Cache-Control") != "no-store" || strings.Contains(why, "secret") {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	if len(d.store.Events) != 0 {
		t.Errorf("%d events of what was refused", len(d.store.Events))
	}
	if status, _, _ := d.do(httptest.NewRequest(http.MethodGet, oauth.PathToken+"?"+grant, nil)); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
}

// RFC 6749 5.1, RFC 7662 2.2, RFC 7009 2: the life of a token over the wire.
func TestTokenIsIssuedSeenAndRevoked(t *testing.T) {
	d := newDesk(t)
	status, out, head := d.post(oauth.PathToken, "civil-a", grant+"&client_id=civil-a&resource=urn:x-yinxin:system:civil-b&lifetime=60&signing_alg=SGD_SM3_SM2")
	raw, _ := out["access_token"].(string)
	if status != 200 || out["token_type"] != "Bearer" || out["expires_in"] != 60.0 || raw == "" || head.Get("Pragma") != "no-cache" {
		t.Fatalf("%d %v", status, out)
	}
	status, out, _ = d.post(oauth.PathIntrospect, "civil-b", "token="+raw)
	cnf, _ := out["cnf"].(map[string]any)
	if status != 200 || out["active"] != true || out["sub"] != "civil-a" || out["iss"] != tokentest.Issuer || out["aud"] != "urn:x-yinxin:system:civil-b" || cnf["x5t#S256"] == nil {
		t.Errorf("%d %v", status, out)
	}
	if _, out, _ = d.post(oauth.PathIntrospect, "civil-c", "token="+raw); out["active"] != false || len(out) != 1 {
		t.Errorf("to a stranger: %v", out)
	}
	if status, out, _ = d.post(oauth.PathRevoke, "civil-b", "token="+raw); status != 400 || out["error"] != "unauthorized_client" {
		t.Errorf("revoked by its receiver: %d %v", status, out)
	}
	for _, what := range []string{raw, raw, "x"} {
		if status, _, _ = d.post(oauth.PathRevoke, "civil-a", "token_type_hint=access_token&token="+what); status != 200 {
			t.Errorf("revocation: %d", status)
		}
	}
	if _, out, _ = d.post(oauth.PathIntrospect, "civil-b", "token="+raw); out["active"] != false {
		t.Errorf("after its revocation: %v", out)
	}
	d.store.Fail = errors.New("away")
	d.house.Pass(2e9)
	if status, out, _ = d.post(oauth.PathIntrospect, "civil-b", "token="+raw); status != 503 || out["active"] != nil {
		t.Errorf("store away: %d %v", status, out)
	}
}

// RFC 8414 2, RFC 8705 3.3, 5, RFC 9728 2; a plain JOSE client finds only keys
// that it knows in "keys".
func TestMetadataAndKeys(t *testing.T) {
	d := newDesk(t)
	d.post(oauth.PathToken, "civil-a", grant)
	d.post(oauth.PathToken, "civil-a", grant+"&signing_alg=SGD_SM3_SM2")
	d.house.Pass(1e9)
	get := func(path string) map[string]any {
		status, out, head := d.do(httptest.NewRequest(http.MethodGet, path, nil))
		if status != 200 || head.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: %d %v", path, status, head)
		}
		return out
	}
	server := get(oauth.PathServer)
	if server["issuer"] != tokentest.Issuer || server["token_endpoint"] != tokentest.Issuer+oauth.PathToken || server["tls_client_certificate_bound_access_tokens"] != true ||
		server["mtls_endpoint_aliases"].(map[string]any)["token_endpoint"] != tokentest.Issuer+oauth.PathToken {
		t.Errorf("%v", server)
	}
	if resource := get(oauth.PathResource); resource["resource"] != tokentest.Issuer {
		t.Errorf("%v", resource)
	}
	set := get(oauth.PathKeys)
	keys, sm2 := set["keys"].([]any), set["x_yinxin_sm2_keys"].([]any)
	if len(keys) != 1 || keys[0].(map[string]any)["crv"] != "P-256" || len(sm2) != 1 || sm2[0].(map[string]any)["alg"] != "SGD_SM3_SM2" {
		t.Errorf("%v", set)
	}
}
