package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/oauth"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// holder is an HTTP client with the certificate of a system's folder.
func (w *keyTown) holder(dir string) *http.Client {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.FileTLSCert), filepath.Join(dir, agent.FileTLSKey))
	ok(w.t, err)
	roots := x509.NewCertPool()
	root, _ := w.Roots()
	roots.AddCert(root)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, DisableKeepAlives: true}}
}

func (w *keyTown) oauth(c *http.Client, path string, form url.Values) (int, map[string]any) {
	w.t.Helper()
	r, err := c.PostForm("https://"+w.cfg.Public+path, form)
	ok(w.t, err)
	out := map[string]any{}
	ok(w.t, json.Unmarshal([]byte(body(w.t, r)), &out))
	return r.StatusCode, out
}

// asks puts a question to the decision point; the answer does not matter.
func (w *keyTown) asks(c *http.Client, raw string) (status int, challenge string) {
	w.t.Helper()
	question := []byte(`{"subject":{"type":"system","id":"civil-a"},"action":{"name":"read"},"resource":{"type":"resource","id":"nothing"}}`)
	req, err := http.NewRequest(http.MethodPost, "https://"+w.cfg.Public+wire.PathEvaluation, bytes.NewReader(question))
	ok(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	if raw != "" {
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	r, err := c.Do(req)
	ok(w.t, err)
	body(w.t, r)
	return r.StatusCode, r.Header.Get("WWW-Authenticate")
}

// lastDecision is the newest decision on the ledger.
func (w *keyTown) lastDecision() (ev ledger.Event) {
	w.t.Helper()
	entries, err := w.store.Ledger().Entries(bg, 0, 0, w.Ledger.Head().Size)
	ok(w.t, err)
	for _, e := range slices.Backward(entries) {
		if ev, err = ledger.Decode(e.Body); err == nil && ev.Type == authz.EventDecision {
			return ev
		}
	}
	w.t.Fatal("no decision")
	return ev
}

// tokensOfASystem: a system draws a token by its certificate and asks with it
// (XA18-22, BJ17-26a); the decision names system, certificate and token; another
// connection, a revoked token and a wrong scope are refused (RFC 8705 3, RFC 7009).
// It returns a token in force.
func (w *keyTown) tokensOfASystem(t *testing.T, dir, otherDir string) string {
	own, other := w.holder(dir), w.holder(otherDir)
	draw := func(pairs ...string) string {
		form := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i+1 < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		status, out := w.oauth(own, oauth.PathToken, form)
		raw, _ := out["access_token"].(string)
		if status != http.StatusOK || raw == "" {
			t.Fatalf("%d %v", status, out)
		}
		return raw
	}
	if status, out := w.oauth(browser(w.House), oauth.PathToken, url.Values{"grant_type": {"client_credentials"}}); status != http.StatusUnauthorized || out["error"] != "invalid_client" {
		t.Errorf("without a certificate: %d %v", status, out)
	}
	for _, alg := range []string{token.ES256, token.SM2} {
		raw := draw("signing_alg", alg, "scope", "decide")
		if status, challenge := w.asks(own, raw); status != http.StatusOK {
			t.Fatalf("%s: %d %s", alg, status, challenge)
		}
		d := w.lastDecision().Details
		if d["caller"] != "civil-a" || d["caller_certificate"] == "" || d["caller_unit"] != string(w.unit) || d["caller_token"] == "" || strings.Contains(d["caller_token"], ".") {
			t.Errorf("%v", d)
		}
		if status, challenge := w.asks(other, raw); status != http.StatusUnauthorized || !strings.Contains(challenge, "invalid_token") {
			t.Errorf("%s over another connection: %d %s", alg, status, challenge)
		}
		if status, _ := w.asks(browser(w.House), raw); status != http.StatusUnauthorized {
			t.Errorf("%s without a certificate: %d", alg, status)
		}
		if status, _ := w.oauth(own, oauth.PathRevoke, url.Values{"token": {raw}}); status != http.StatusOK {
			t.Errorf("revocation: %d", status)
		}
		if status, _ := w.asks(own, raw); status != http.StatusUnauthorized {
			t.Errorf("%s after its revocation: %d", alg, status)
		}
	}
	if status, challenge := w.asks(own, draw("scope", "exchange")); status != http.StatusForbidden || !strings.Contains(challenge, "insufficient_scope") {
		t.Errorf("another scope: %d %s", status, challenge)
	}
	if status, _ := w.asks(own, ""); status != http.StatusOK || w.lastDecision().Details["caller_token"] != "" || w.lastDecision().Details["caller"] != "civil-a" {
		t.Errorf("by certificate alone: %d %v", status, w.lastDecision().Details)
	}
	r, err := browser(w.House).Get("https://" + w.cfg.Public + oauth.PathServer)
	ok(t, err)
	if page := body(t, r); r.StatusCode != http.StatusOK || !strings.Contains(page, `"issuer":"https://`+w.cfg.Public+`"`) {
		t.Errorf("%d %s", r.StatusCode, page)
	}
	w.tokensOfAnAgent(t, dir, own)
	kept := draw("resource", wire.SystemAudience("civil-a"))
	if status, out := w.oauth(own, oauth.PathIntrospect, url.Values{"token": {kept}}); status != http.StatusOK || out["active"] != true {
		t.Errorf("%d %v", status, out)
	}
	return kept
}

// tokensEnd: with its certificate a token ends at once.
func (w *keyTown) tokensEnd(t *testing.T, dir, kept string) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, agent.FileTLSCert), filepath.Join(dir, agent.FileTLSKey))
	ok(t, err)
	all, err := w.rooms.CA.CertificatesOf(bg, "civil-a")
	ok(t, err)
	for _, c := range all {
		if bytes.Equal(c.DER, pair.Certificate[0]) {
			ok(t, w.CA.Revoke(bg, w.service(), c.Issuer, c.Serial, ca.ReasonSuperseded))
		}
	}
	if status, out := w.oauth(w.holder(dir), oauth.PathToken, url.Values{"grant_type": {"client_credentials"}}); status != http.StatusUnauthorized || out["error"] != "invalid_client" {
		t.Errorf("a revoked certificate draws a token: %d %v", status, out)
	}
	if _, _, err := w.Tokens.Introspect(bg, token.Client{System: "civil-a"}, kept); err == nil {
		t.Error("a token stands without its certificate")
	}
}

// tokensOfAnAgent: the agent draws tokens for programs of its machine, and an officer
// ends all of a system with one word.
func (w *keyTown) tokensOfAnAgent(t *testing.T, dir string, own *http.Client) {
	tlsRoot, sm2Root := w.Roots()
	a, err := agent.Open(agent.Config{URL: "https://" + w.cfg.Public, Dir: dir, System: "civil-a", TLSRoot: tlsRoot, SM2Root: sm2Root})
	ok(t, err)
	defer a.Close()
	drawn, err := a.Token(bg, agent.TokenOrder{Scope: []string{"decide"}, Algorithm: token.SM2, Life: time.Minute})
	ok(t, err)
	if status, challenge := w.asks(own, drawn.Token); status != http.StatusOK || drawn.Expires != 60 || drawn.Scope != "decide" {
		t.Fatalf("%d %s %+v", status, challenge, drawn)
	}
	for _, o := range []agent.TokenOrder{{Audience: "nobody"}, {Scope: []string{"all"}}, {Algorithm: "none"}, {Life: time.Second}} {
		var no *agent.ProblemError
		if _, err := a.Token(bg, o); !errors.As(err, &no) || !strings.HasPrefix(no.Code, "oauth.invalid_") || no.Detail == "" {
			t.Errorf("%+v: %v", o, err)
		}
	}
	const page = "/console/systems"
	w.sits(w.admin).post(page+"/tokens", http.StatusForbidden, "system", "civil-a", "reason", "样例")
	officer := w.sits(w.officer)
	officer.post(page+"/tokens", http.StatusBadRequest, "system", "civil-a", "reason", "")
	officer.post(page+"/tokens", http.StatusNotFound, "system", "nobody", "reason", "样例")
	officer.post(page+"/tokens", http.StatusSeeOther, "system", "civil-a", "reason", "程序被入侵")
	if status, challenge := w.asks(own, drawn.Token); status != http.StatusUnauthorized {
		t.Errorf("after all were revoked: %d %s", status, challenge)
	}
}
