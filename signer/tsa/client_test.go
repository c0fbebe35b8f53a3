package tsa_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// client is one for a service in the test, asked with SHA-256.
func client(t testing.TB, url string, change func(*tsa.ClientConfig)) tsa.Client {
	t.Helper()
	d, err := signeddata.DigestOf(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1})
	if err != nil {
		t.Fatal(err)
	}
	cfg := tsa.ClientConfig{URL: url, Digest: d, Timeout: 5 * time.Second}
	if change != nil {
		change(&cfg)
	}
	c, err := tsa.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a client asks of an address and a password (no secret in URLs).
func TestNewClientRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  tsa.ClientConfig
		want error
	}{
		"password in the address": {tsa.ClientConfig{URL: "https://u:hush@tsa.example/"}, tsa.ErrPassword},
		"name in the address":     {tsa.ClientConfig{URL: "https://u@tsa.example/"}, tsa.ErrPassword},
		"password over http":      {tsa.ClientConfig{URL: "http://tsa.example/", User: "u"}, tsa.ErrAddress},
		"another scheme":          {tsa.ClientConfig{URL: "file:///etc/passwd"}, tsa.ErrAddress},
		"no host":                 {tsa.ClientConfig{URL: "https:///tsa"}, tsa.ErrAddress},
		"no address":              {tsa.ClientConfig{URL: "https://u:hush@\x00"}, tsa.ErrAddress},
	} {
		if _, err := tsa.NewClient(c.cfg); !errors.Is(err, c.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// replay answers every request with what a service said to another one, after a
// change.
func replay(t *testing.T, s *tsa.Service, change func(tsp.Request) tsp.Request) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		q, err := tsp.ParseRequest(body)
		if err != nil {
			t.Error(err)
		}
		der, err := change(q).DER()
		if err != nil {
			t.Error(err)
		}
		reply, err := s.Respond(r.Context(), der)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", tsa.TypeReply)
		if _, err := w.Write(reply); err != nil {
			t.Error(err)
		}
	}
}

// A client takes nothing but a token for its own request (RFC 3161, 2.4.2), and
// goes nowhere else.
func TestClientRefuses(t *testing.T) {
	k := newTrack(t, false, nil)
	s := service(t, k.config(&ledger{}))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed to another host") }))
	defer elsewhere.Close()
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	calls := 0
	for name, c := range map[string]struct {
		service http.HandlerFunc
		want    error
	}{
		"another nonce": {replay(t, s, func(r tsp.Request) tsp.Request { r.Nonce = big.NewInt(5); return r }), tsa.ErrService},
		"no nonce":      {replay(t, s, func(r tsp.Request) tsp.Request { r.Nonce = nil; return r }), tsa.ErrService},
		"another imprint": {replay(t, s, func(r tsp.Request) tsp.Request {
			r.Imprint.Value = bytes.Repeat([]byte{1}, 32)
			return r
		}), tsp.ErrImprint},
		"rejected":     {replay(t, s, func(r tsp.Request) tsp.Request { r.Policy = asn1.ObjectIdentifier{1, 9}; return r }), tsp.ErrRefused},
		"too large":    {answer(tsa.TypeReply, strings.Repeat("x", 64<<10+1)), tsa.ErrService},
		"another type": {answer("text/html", "<html>"), tsa.ErrService},
		"junk":         {answer(tsa.TypeReply, "junk"), tsp.ErrFormat},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, tsa.ErrRedirect},
		"in a circle":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusTemporaryRedirect) }, tsa.ErrRedirect},
		"server's turn": {func(w http.ResponseWriter, _ *http.Request) { calls++; w.WriteHeader(http.StatusServiceUnavailable) }, tsa.ErrService},
	} {
		srv := httptest.NewServer(c.service)
		if token, err := client(t, srv.URL, nil).Stamp(context.Background(), []byte("value")); !errors.Is(err, c.want) || token != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		srv.Close()
	}
	if calls != 1 {
		t.Errorf("asked %d times", calls)
	}
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the end of the connection
		<-r.Context().Done()
	}))
	defer slow.Close()
	late := client(t, slow.URL, func(c *tsa.ClientConfig) { c.Timeout = 50 * time.Millisecond })
	if _, err := late.Stamp(context.Background(), []byte("value")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
}

// TLS is trusted as the caller says; a name and password go to the service alone.
func TestClientOverTLS(t *testing.T) {
	s := service(t, newTrack(t, false, nil).config(&ledger{}))
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "clerk" || password != "a:b" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.ServeHTTP(w, r)
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	trusted := func(c *tsa.ClientConfig) { c.Roots, c.User, c.Password = roots, "clerk", "a:b" }
	if _, err := client(t, srv.URL, trusted).Stamp(context.Background(), []byte("value")); err != nil {
		t.Error(err)
	}
	var unknown x509.UnknownAuthorityError
	if _, err := client(t, srv.URL, nil).Stamp(context.Background(), []byte("value")); !errors.As(err, &unknown) {
		t.Errorf("an unknown service: %v", err)
	}
	wrong := func(c *tsa.ClientConfig) { trusted(c); c.Password = "hush" }
	if _, err := client(t, srv.URL, wrong).Stamp(context.Background(), []byte("value")); !errors.Is(err, tsa.ErrService) || strings.Contains(err.Error(), "hush") {
		t.Errorf("a wrong password: %v", err)
	}
}

// stranger is a time-stamp service made of OpenSSL, with keys that we never use.
func stranger(t *testing.T, key crypto.Signer) *httptest.Server {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Foreign Time"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"tsa.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "tsa.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		"serial": []byte("01\n"), "tsa.cnf": []byte("[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\n" +
			"digests = sha256, sha384, sha512\naccuracy = secs:1, millisecs:500\nordering = yes\ntsa_name = yes\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "q"), q, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		cmd := exec.Command(tool, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "r")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
		reply, err := os.ReadFile(filepath.Join(dir, "r"))
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", tsa.TypeReply)
		_, _ = w.Write(reply)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// Tokens of OpenSSL's service are read and verified: RSA and the larger curves,
// the service's name, ordering and an accuracy in milliseconds in them.
func TestStrangersTokens(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key crypto.Signer
		end tsp.End
	}{"P-384": {p384, tsp.EndCertificate}, "RSA 2048": {rsa2048, tsp.EndCertificate}} {
		srv := stranger(t, c.key)
		der, err := client(t, srv.URL, nil).Stamp(context.Background(), []byte("value"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		token, err := tsp.ParseToken(der)
		if err != nil || token.Accuracy != 1500*time.Millisecond {
			t.Errorf("%s: %v, accuracy %s", name, err, token.Accuracy)
		}
		if life, err := token.GoodUntil(); err != nil || life.End != c.end {
			t.Errorf("%s: %+v, %v", name, life, err)
		}
	}
}
