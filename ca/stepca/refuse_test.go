package stepca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

func sha256Sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

func mustNew(t *testing.T, cfg stepca.Config) *stepca.Authority {
	t.Helper()
	a, err := stepca.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// Law 4: what cannot be recorded is not signed.
func TestNothingIsSignedBeforeItIsRecorded(t *testing.T) {
	h := newHouse(t)
	sign := func() answer {
		tok := h.token(t, h.request(t, ca.RequestApproved))
		return h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, newKey(t), system, host), "ott": tok})
	}
	t.Run("reserve fails: the signer is never called", func(t *testing.T) {
		before := h.custody.used()
		h.registry.FailNext("Reserve", errors.New("disk full"))
		if a := sign(); a.Status != http.StatusInternalServerError || a.Chain != nil || strings.Contains(a.Message, "disk") {
			t.Errorf("%d %s", a.Status, a.Message)
		}
		if h.custody.used() != before {
			t.Error("signed without a record")
		}
		if len(h.people.recorded("ca.certificate.refused")) != 1 {
			t.Error("refusal not recorded")
		}
	})
	t.Run("signer fails: the row stays pending", func(t *testing.T) {
		h.custody.fail = errors.New("custody sealed")
		defer func() { h.custody.fail = nil }()
		if a := sign(); a.Status != http.StatusInternalServerError {
			t.Errorf("%d %s", a.Status, a.Message)
		}
		rows := h.rows()
		if len(rows) != 1 {
			t.Fatalf("%d rows", len(rows))
		}
		for _, r := range rows {
			if r.State != ca.StatePending || r.DER != nil {
				t.Errorf("row %+v", r)
			}
		}
	})
	t.Run("activate fails: the certificate is not handed out", func(t *testing.T) {
		h.registry.FailNext("Activate", errors.New("disk full"))
		if a := sign(); a.Status != http.StatusInternalServerError || a.Chain != nil {
			t.Errorf("%d %s", a.Status, a.Message)
		}
	})
	t.Run("lint fails: neither recorded nor signed", func(t *testing.T) {
		before, rows := h.custody.used(), len(h.rows())
		tok := h.token(t, h.request(t, ca.RequestApproved, func(r *ca.Request) { r.Agency = "111111111111111111" }))
		a := h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, newKey(t), system, host), "ott": tok})
		if a.Status != http.StatusForbidden || !strings.Contains(a.Message, "profile") {
			t.Errorf("%d %s", a.Status, a.Message)
		}
		if h.custody.used() != before || len(h.rows()) != rows {
			t.Error("recorded or signed")
		}
	})
	t.Run("the refusal cannot be recorded: an error of the house", func(t *testing.T) {
		tok := h.token(t, h.request(t, ca.RequestApproved))
		h.people.set(func(p *people) { p.hosts[system], p.fail = nil, errors.New("ledger fenced") })
		a := h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, newKey(t), system, host), "ott": tok})
		if a.Status != http.StatusInternalServerError {
			t.Errorf("%d %s", a.Status, a.Message)
		}
	})
}

func TestSignRefuses(t *testing.T) {
	h := newHouse(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged := func(change func(jwt.MapClaims)) func(string) string {
		return func(tok string) string {
			var c jwt.MapClaims
			old, _, err := jwt.NewParser().ParseUnverified(tok, &c)
			if err != nil {
				t.Fatal(err)
			}
			change(c)
			n := jwt.NewWithClaims(jwt.SigningMethodES256, c)
			n.Header["kid"] = old.Header["kid"]
			s, err := n.SignedString(newKey(t))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	key := newKey(t)
	for _, c := range []struct {
		name  string
		csr   string
		token func(string) string
		extra map[string]any
		after func(*people)
		want  int
		says  string
	}{
		{name: "foreign host in the CSR", csr: csr(t, key, system, host, "evil.example"), want: 403, says: "forbidden"},
		{name: "host of another system", csr: csr(t, key, system, "svc2.xicheng.gov.internal"), want: 403, says: "forbidden"},
		{name: "foreign common name", csr: csr(t, key, "other-system", host), want: 403, says: "forbidden"},
		{name: "host struck off after the token", csr: csr(t, key, system, host), want: 403, says: "not registered", after: func(p *people) { p.hosts[system] = []string{"svc2.xicheng.gov.internal"} }},
		{name: "gate closed after the token", csr: csr(t, key, system, host), want: 403, says: "may not be issued", after: func(p *people) { p.stop = errors.New("suspended") }},
		{name: "RSA key", csr: csr(t, rsaKey, system, host), want: 400, says: "key"},
		{name: "P-384 key", csr: csr(t, p384, system, host), want: 400, says: "key"},
		{name: "longer than the profile", csr: csr(t, key, system, host), extra: map[string]any{"notAfter": "87600h"}, want: 403, says: "forbidden"},
		{name: "begins tomorrow", csr: csr(t, key, system, host), extra: map[string]any{"notBefore": "24h", "notAfter": "48h"}, want: 400, says: "fields"},
		{name: "forged token", csr: csr(t, key, system, host), token: forged(func(jwt.MapClaims) {}), want: 401},
		{name: "forged token with new id", csr: csr(t, key, system, host), token: forged(func(c jwt.MapClaims) { c["jti"] = "x" }), want: 401},
		{name: "no token", csr: csr(t, key, system, host), token: func(string) string { return "" }, want: 400},
		{name: "token is no token", csr: csr(t, key, system, host), token: func(string) string { return "a.b.c" }, want: 401},
		{name: "CSR is no CSR", csr: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", want: 400},
		{name: "CSR with a bad signature", csr: spoilt(t, key), want: 400},
		{name: "body too large", csr: csr(t, key, system, host), extra: map[string]any{"a": strings.Repeat("x", 70<<10)}, want: 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok := h.token(t, h.request(t, ca.RequestApproved))
			sent := tok
			if c.token != nil {
				sent = c.token(tok)
			}
			if c.after != nil {
				old := *h.people.snapshot()
				h.people.set(c.after)
				defer h.people.set(func(p *people) { p.hosts, p.stop = old.hosts, old.stop })
			}
			before := h.custody.used()
			body := map[string]any{"csr": c.csr, "ott": sent}
			for k, v := range c.extra {
				body[k] = v
			}
			a := h.post(t, h.client(nil), "/1.0/sign", body)
			if a.Status != c.want || a.Chain != nil || !strings.Contains(a.Message, c.says) {
				t.Errorf("status %d, want %d: %s", a.Status, c.want, a.Message)
			}
			if h.custody.used() != before || len(h.rows()) != 0 {
				t.Error("recorded or signed")
			}
			if sent != "" && len(sent) > 20 && strings.Contains(h.log.String(), sent) {
				t.Error("token in the log")
			}
			if c.token != nil {
				// The true token must not have been used up by the false one.
				if a := h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, rsaKey, system, host), "ott": tok}); a.Status != 400 || !strings.Contains(a.Message, "key") {
					t.Errorf("true token afterwards: %d %s", a.Status, a.Message)
				}
			}
		})
	}
}

func (p *people) snapshot() *people {
	p.mu.Lock()
	defer p.mu.Unlock()
	hosts := map[string][]string{}
	for k, v := range p.hosts {
		hosts[k] = v
	}
	return &people{hosts: hosts, stop: p.stop}
}

func spoilt(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{host}}, key)
	if err != nil {
		t.Fatal(err)
	}
	der[len(der)-1] ^= 1
	return string(pemOf("CERTIFICATE REQUEST", der))
}

// Renewal asks everything again: approval, gate, hosts, and who is there.
func TestRenewRefuses(t *testing.T) {
	h := newHouse(t)
	cert, leaf := h.enrol(t)
	for _, c := range []struct {
		name string
		set  func(*people)
		says string
	}{
		{"host struck off", func(p *people) { p.hosts[system] = nil }, "not registered"},
		{"gate closed", func(p *people) { p.stop = errors.New("suspended") }, "may not be issued"},
	} {
		old := h.people.snapshot()
		h.people.set(c.set)
		if a := h.post(t, h.client(cert), "/1.0/renew", nil); a.Status != 403 || !strings.Contains(a.Message, c.says) {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Message)
		}
		h.people.set(func(p *people) { p.hosts, p.stop = old.hosts, old.stop })
	}
	for _, path := range []string{"/1.0/renew", "/1.0/rekey", "/1.0/revoke"} {
		if a := h.post(t, h.client(nil), path, map[string]any{}); a.Status != 403 {
			t.Errorf("%s without a certificate: %d %s", path, a.Status, a.Message)
		}
	}
	tok := h.token(t, h.request(t, ca.RequestApproved))
	if a := h.post(t, h.client(nil), "/1.0/renew", nil, "Authorization", "Bearer "+tok); a.Status != 403 {
		t.Errorf("renew by token: %d %s", a.Status, a.Message)
	}
	// Another certificate's serial, and a revocation by a token for signing.
	other, otherLeaf := h.enrol(t)
	body := map[string]any{"serial": leaf.SerialNumber.String(), "passive": true}
	if a := h.post(t, h.client(other), "/1.0/revoke", body); a.Status != 403 {
		t.Errorf("revoking another's certificate: %d %s", a.Status, a.Message)
	}
	body["serial"], body["reasonCode"] = otherLeaf.SerialNumber.String(), 6
	if a := h.post(t, h.client(other), "/1.0/revoke", body); a.Status != 400 || !strings.Contains(a.Message, "reason") {
		t.Errorf("holder puts itself on hold by revoking: %d %s", a.Status, a.Message)
	}
	body["ott"], body["reasonCode"] = tok, 0
	if a := h.post(t, h.client(other), "/1.0/revoke", body); a.Status != 403 || !strings.Contains(a.Message, "not offered") {
		t.Errorf("revoking by token: %d %s", a.Status, a.Message)
	}
	for _, r := range h.rows() {
		if r.State != ca.StateGood {
			t.Errorf("row %s is %s", r.Serial, r.State)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	h := newHouse(t)
	gm, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*stepca.Config)
		says   string
	}{
		{"SM2 issuer", func(c *stepca.Config) {
			// The only way an SM2 issuer gets into this type: built by hand.
			crt := *c.Issuing
			crt.PublicKey = gm.Public()
			c.Issuing, c.Signer = &crt, gm
		}, "P-256"},
		{"SM2 signer", func(c *stepca.Config) { c.Signer = gm }, "not the key"},
		{"foreign signer", func(c *stepca.Config) { c.Signer = newKey(t) }, "not the key"},
		{"foreign root", func(c *stepca.Config) { c.Root, _, _ = authorities(t, catest.New()) }, "not signed by the root"},
		{"leaf as issuer", func(c *stepca.Config) { _, c.Issuing = h.enrol(t) }, "may not sign"},
		{"no registry", func(c *stepca.Config) { c.Registry = nil }, "no registry"},
		{"no gate", func(c *stepca.Config) { c.Gate = nil }, "no gate"},
		{"no root", func(c *stepca.Config) { c.Root = nil }, "no root"},
		{"address without port", func(c *stepca.Config) { c.Address = "localhost" }, "host:port"},
		{"no CRL address", func(c *stepca.Config) { c.Site.CRL = "" }, "crl"},
		{"lifetime over the profile", func(c *stepca.Config) { c.Lifetime = 365 * 24 * time.Hour }, "lifetime"},
		{"lifetime of a minute", func(c *stepca.Config) { c.Lifetime = time.Minute }, "lifetime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := h.cfg
			c.change(&cfg)
			a, err := stepca.New(t.Context(), cfg)
			if !errors.Is(err, stepca.ErrConfig) || !strings.Contains(err.Error(), c.says) || a != nil {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

// After Close nothing is issued any more.
func TestCloseEndsIssuing(t *testing.T) {
	h := newHouse(t)
	cert, _ := h.enrol(t)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	before := h.custody.used()
	a := h.post(t, h.client(cert), "/1.0/renew", nil)
	if a.Chain != nil || h.custody.used() != before {
		t.Errorf("renewed after close: %d", a.Status)
	}
	if tok, err := h.MintToken(t.Context(), h.request(t, ca.RequestApproved), uuid.NewString()); err == nil || tok != "" {
		t.Error("token after close")
	}
}
