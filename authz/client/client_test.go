package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/client"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
)

// point decides: civil-a reads what is not secret, for relief only. It is behind the
// real endpoint of AuthZEN.
type point struct{ asked atomic.Int32 }

func (p *point) allow(q authzen.Evaluation) bool {
	return q.SubjectID == "civil-a" && q.Action == "read" && !strings.HasPrefix(q.Resource, "secret") && q.Purpose == "relief"
}

func (p *point) Decide(_ context.Context, q authzen.Evaluation) (authz.Decision, error) {
	p.asked.Add(1)
	d := authz.Decision{ID: "d-1", Allow: p.allow(q), Digests: authz.Digests{Engine: "e", Core: "c", Site: "s", Facts: "f"}, Receipt: ledger.Receipt{Shard: 4, Seq: 7}}
	if d.Allow {
		d.Obligations = []authz.Obligation{{Kind: "watermark", Value: "样例"}}
	} else {
		d.Reasons = []authz.Reason{{Code: "E06_agreement", Clauses: []string{"X14-17"}, Field: "agreement", Zh: "无协议", En: "no agreement"}}
	}
	return d, nil
}

func (p *point) Search(_ context.Context, s authzen.Search) (out authz.Found, _ error) {
	for _, c := range s.Candidates {
		q := s.Base
		switch s.Kind {
		case authz.SearchSubject:
			q.SubjectID = c
		case authz.SearchResource:
			q.Resource = c
		case authz.SearchAction:
			q.Action = authz.Action(c)
		}
		if out.Weighed++; p.allow(q) {
			out.Permitted = append(out.Permitted, c)
		}
		if len(out.Permitted) == s.Limit {
			break
		}
	}
	return out, nil
}

func (p *point) MayAsk(_ context.Context, _, _, id string) (bool, error) { return id != "other-b", nil }

func (p *point) Subjects(context.Context, string, string, string, int) ([]string, error) {
	return []string{"civil-a", "civil-b"}, nil
}

func (p *point) Resources(_ context.Context, _, _, after string, limit int) (out []string, _ error) {
	for i := range 250 {
		if id := fmt.Sprintf("r%03d", i); id > after && len(out) < limit {
			out = append(out, id)
		}
	}
	return out, nil
}

// pair is a certificate that signs itself, with files of it.
func pair(t *testing.T, name string) (tls.Certificate, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	ok(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	ok(t, err)
	cert, private := filepath.Join(t.TempDir(), "c"), filepath.Join(t.TempDir(), "k")
	ok(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	ok(t, os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert, private
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve is a decision point over mTLS, and the configuration of its client.
func serve(t *testing.T, h http.Handler) client.Config {
	t.Helper()
	own, root, _ := pair(t, "pdp.example")
	theirs, cert, key := pair(t, "civil-a")
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(theirs.Certificate[0])
	ok(t, err)
	pool.AddCert(leaf)
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	cfg, err := client.Files(cert, key, root)
	ok(t, err)
	return client.Config{URL: "https://" + srv.Listener.Addr().String(), TLS: cfg}
}

func decider(t *testing.T, p *point) http.Handler {
	t.Helper()
	h, err := authzen.New(authzen.Config{
		Decider: p, MayAsk: p, Candidates: p, Actions: []string{"copy", "read"}, Identifier: "https://pdp.example",
		Caller: func(r *http.Request) (ledger.Actor, bool) { return ledger.Actor{Kind: "system", ID: "civil-a"}, true },
	})
	ok(t, err)
	return h
}

func open(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(cfg)
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

func ask(resource string) client.Request {
	return client.Request{
		Subject: client.Entity{Type: client.System, ID: "civil-a"}, Action: client.Action{Name: "read"}, Resource: client.Entity{Type: client.Resource, ID: resource},
		Context: map[string]any{"purpose": "relief"}, ID: "q-1",
	}
}

func TestEvaluate(t *testing.T) {
	c := open(t, serve(t, decider(t, &point{})))
	d, err := c.Evaluate(t.Context(), ask("births"))
	if err != nil || !d.Allow || d.ID != "d-1" || d.Digests.Facts != "f" || d.Ledger.Seq != 7 || d.Permits() || !d.Permits(client.Label, client.Watermark) {
		t.Fatalf("%+v %v", d, err)
	}
	if d, err = c.Evaluate(t.Context(), ask("secret")); err != nil || d.Allow || d.Permits(client.Watermark) || len(d.Reasons) != 1 || d.Reasons[0].Clauses[0] != "X14-17" {
		t.Fatalf("%+v %v", d, err)
	}
	other, broken := ask("births"), ask("births")
	other.Subject.ID, broken.Subject.ID = "other-b", ""
	for _, tc := range []struct {
		r    client.Request
		want error
	}{{other, client.ErrForbidden}, {broken, client.ErrRequest}, {client.Request{Context: map[string]any{"x": make(chan int)}}, client.ErrRequest}} {
		if d, err := c.Evaluate(t.Context(), tc.r); !errors.Is(err, tc.want) || d.Allow {
			t.Errorf("%v %v", d, err)
		}
	}
}

func TestEvaluateAll(t *testing.T) {
	c := open(t, serve(t, decider(t, &point{})))
	other := ask("births")
	other.Subject.ID = "other-b"
	for s, want := range map[client.Semantic]string{client.ExecuteAll: "yney", client.DenyOnFirstDeny: "ynee", client.PermitOnFirstPermit: "yeee"} {
		all, err := c.EvaluateAll(t.Context(), []client.Request{ask("births"), ask("secret"), other, ask("births")}, s)
		got := ""
		for _, d := range all {
			switch {
			case d.Err != nil && !d.Allow:
				got += "e"
			case d.Allow:
				got += "y"
			default:
				got += "n"
			}
		}
		if err != nil || got != want {
			t.Errorf("%s: %s %v", s, got, err)
		}
	}
	if all, err := c.EvaluateAll(t.Context(), nil, client.ExecuteAll); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	many := make([]client.Request, 300)
	for i := range many {
		many[i] = ask("births")
	}
	all, err := c.EvaluateAll(t.Context(), many, client.ExecuteAll)
	if !errors.Is(err, client.ErrRequest) || len(all) != 300 || all[0].Err == nil {
		t.Error(err)
	}
}

func TestSearch(t *testing.T) {
	c := open(t, serve(t, decider(t, &point{})))
	n, last := 0, ""
	for r, err := range c.Resources(t.Context(), ask("")) {
		ok(t, err)
		if r.ID <= last || r.Type != client.Resource {
			t.Fatalf("%+v after %s", r, last)
		}
		n, last = n+1, r.ID
	}
	if n != 250 {
		t.Errorf("%d resources", n)
	}
	for range c.Resources(t.Context(), ask("")) {
		break // a caller that has enough
	}
	var got []string
	for s, err := range c.Subjects(t.Context(), ask("births")) {
		ok(t, err)
		got = append(got, s.ID)
	}
	for a, err := range c.Actions(t.Context(), ask("births")) {
		ok(t, err)
		got = append(got, a.Name)
	}
	if strings.Join(got, " ") != "civil-a read" {
		t.Errorf("%v", got)
	}
	broken := ask("births")
	broken.Action.Name = ""
	for s, err := range c.Subjects(t.Context(), broken) {
		if !errors.Is(err, client.ErrRequest) || s.ID != "" {
			t.Error(s, err)
		}
	}
}

// X14-29: what is no answer of a decision point is no permit.
func TestFailsClosed(t *testing.T) {
	for name, tc := range map[string]struct {
		status      int
		media, body string
		want        error
		asked       int32
	}{
		"no decision":        {200, "application/json", `{}`, client.ErrUnavailable, 1},
		"a decision of null": {200, "application/json", `{"decision":null}`, client.ErrUnavailable, 1},
		"yes in words":       {200, "application/json", `{"decision":"true"}`, client.ErrUnavailable, 1},
		"cut":                {200, "application/json", `{"decision":true`, client.ErrUnavailable, 1},
		"a page":             {200, "text/html", `{"decision":true}`, client.ErrUnavailable, 1},
		"another status":     {202, "application/json", `{"decision":true}`, client.ErrUnavailable, 1},
		"a redirect":         {302, "application/json", `{"decision":true}`, client.ErrUnavailable, 1},
		"an error":           {500, "application/json", `{"decision":true}`, client.ErrUnavailable, 1},
		"not authenticated":  {401, "text/plain", `no`, client.ErrUnauthenticated, 1},
		"busy":               {503, "text/plain", `busy`, client.ErrUnavailable, 3},
		"too many":           {429, "application/json", `{"status":429,"message":"slow"}`, client.ErrUnavailable, 3},
		"an error inside":    {200, "application/json", `{"decision":true,"context":{"error":{"status":500,"message":"x"}}}`, nil, 1},
		"endless":            {200, "application/json", `{"decision":true,"x":"` + strings.Repeat("x", 9<<20) + `"}`, client.ErrUnavailable, 1},
	} {
		var asked atomic.Int32
		c := open(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Content-Type", tc.media)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tc.status)
			if _, err := w.Write([]byte(tc.body)); err != nil && !strings.Contains(name, "endless") {
				t.Error(err)
			}
		})))
		if d, err := c.Evaluate(t.Context(), ask("births")); !errors.Is(err, tc.want) || d.Allow || d.Permits() || asked.Load() != tc.asked {
			t.Errorf("%s: %+v %v, asked %d times", name, d, err, asked.Load())
		}
	}
}

// Busy once is asked again; a time that ran out is not.
func TestAttempts(t *testing.T) {
	p := &point{}
	next := decider(t, p)
	var n atomic.Int32
	cfg := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	}))
	if d, err := open(t, cfg).Evaluate(t.Context(), ask("births")); err != nil || !d.Allow || n.Load() != 2 {
		t.Fatal(d, err, n.Load())
	}
	block := make(chan struct{})
	var asked atomic.Int32
	cfg = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-r.Context().Done():
		case <-block:
		}
	}))
	cfg.Timeout = 50 * time.Millisecond
	d, err := open(t, cfg).Evaluate(t.Context(), ask("births"))
	close(block)
	if !errors.Is(err, client.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || d.Allow || asked.Load() > 1 {
		t.Fatal(d, err, asked.Load())
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	cfg.URL, cfg.Timeout = "https://"+ln.Addr().String(), time.Second
	ok(t, ln.Close())
	if d, err := open(t, cfg).Evaluate(t.Context(), ask("births")); !errors.Is(err, client.ErrUnavailable) || d.Allow {
		t.Fatal(d, err)
	}
}

func TestSocketAndToken(t *testing.T) {
	p := &point{}
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	ok(t, err)
	srv := &http.Server{Handler: decider(t, p), ReadHeaderTimeout: time.Second}
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { ok(t, srv.Close()) })
	if d, err := open(t, client.Config{Socket: path}).Evaluate(t.Context(), ask("births")); err != nil || !d.Allow {
		t.Fatal(d, err)
	}
	cfg := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Header.Get("Authorization"), http.StatusBadRequest)
	}))
	cfg.Token = func(context.Context) (string, error) { return "abc", nil }
	if _, err := open(t, cfg).Evaluate(t.Context(), ask("births")); !strings.Contains(fmt.Sprint(err), "Bearer abc") {
		t.Error(err)
	}
	cfg.Token = func(context.Context) (string, error) { return "", errors.New("away") }
	if _, err := open(t, cfg).Evaluate(t.Context(), ask("births")); !errors.Is(err, client.ErrUnauthenticated) {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := serve(t, decider(t, &point{}))
	for name, change := range map[string]func(*client.Config){
		"plain HTTP":      func(c *client.Config) { c.URL = "http://pdp.example" },
		"a path":          func(c *client.Config) { c.URL += "/access" },
		"a name":          func(c *client.Config) { c.URL = "https://me:pw@pdp.example" },
		"no certificate":  func(c *client.Config) { c.TLS = &tls.Config{} },
		"no TLS":          func(c *client.Config) { c.TLS = nil },
		"unverified":      func(c *client.Config) { c.TLS = c.TLS.Clone(); c.TLS.InsecureSkipVerify = true },
		"two ways":        func(c *client.Config) { c.Socket = "/x" },
		"a negative time": func(c *client.Config) { c.Timeout = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := client.New(cfg); !errors.Is(err, client.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Files("/nothing", "/nothing", "/nothing"); !errors.Is(err, client.ErrConfig) {
		t.Error(err)
	}
}
