package stepca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint/rfc"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

const (
	system = "sys-exchange"
	host   = "svc1.xicheng.gov.internal"
)

var site = profile.Site{
	CPS: "http://pki.gov.internal/cps", CRL: "http://pki.gov.internal/crl/{issuer}.crl",
	OCSP: "http://pki.gov.internal/ocsp", Issuers: "http://pki.gov.internal/ca/{issuer}.crt",
}

// house is an authority behind a real TLS listener on loopback.
type house struct {
	*stepca.Authority
	cfg      stepca.Config
	registry *catest.Registry
	custody  *custody
	people   *people
	url      string
	addr     string
	log      *bytes.Buffer
}

func newHouse(t testing.TB, change ...func(*stepca.Config)) *house {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	h := &house{
		registry: catest.New(),
		people:   &people{hosts: map[string][]string{system: {host, "svc2.xicheng.gov.internal"}}},
		addr:     ln.Addr().String(), log: &bytes.Buffer{},
	}
	_, port, _ := net.SplitHostPort(h.addr)
	h.url = "https://localhost:" + port
	t.Cleanup(func() { h.lintAll(t) })
	root, issuing, signer := authorities(t, h.registry)
	h.custody = &custody{Signer: signer}
	h.cfg = stepca.Config{
		Registry: h.registry, Root: root, Issuing: issuing, Signer: h.custody,
		Address: "localhost:" + port, Agency: uscc, Hosts: h.people, Gate: h.people, Recorder: h.people, Site: site,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: h.log}, nil)),
	}
	for _, f := range change {
		f(&h.cfg)
	}
	h.Authority, err = stepca.New(t.Context(), h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	cert, err := h.ServerCertificate(t.Context(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	outer := chi.NewRouter()
	routes := h.Routes()
	for _, p := range h.Paths() {
		outer.Handle(p, routes)
	}
	outer.Get("/whoami", func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			http.Error(w, "no certificate", http.StatusUnauthorized)
			return
		}
		row, err := h.Peer(r.Context(), r.TLS.PeerCertificates[0])
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprint(w, row.System)
	})
	pool, err := h.ClientPool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		Handler: outer, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{
			GetCertificate: cert.GetCertificate, ClientAuth: tls.VerifyClientCertIfGiven,
			ClientCAs: pool, MinVersion: tls.VersionTLS12,
		},
	}
	go srv.ServeTLS(ln, "", "")
	t.Cleanup(func() { srv.Close() })
	return h
}

// lintAll is the gate of every test of this package: whatever the authority
// signed in it, by whichever way, zlint finds no error in it. It counts what it
// read.
func (h *house) lintAll(t testing.TB) (read int) {
	t.Helper()
	l := rfc.New()
	for _, c := range h.registry.Certificates() {
		if cert, err := smx509.ParseCertificate(c.DER); err != nil || cert.SignatureAlgorithm == smx509.SM2WithSM3 {
			continue // never signed, or the other track
		}
		findings, err := l.Certificate(c.DER, false)
		if err != nil {
			t.Errorf("%s %s: %v", c.Kind, c.Subject, err)
		}
		passed := 0
		for _, f := range findings {
			switch f.Outcome {
			case rfc.Failure:
				t.Errorf("%s %s: %s: %s", c.Kind, c.Subject, f.ID, f.Detail)
			case rfc.Pass:
				passed++
			}
		}
		if passed < 30 {
			t.Errorf("%s %s: %d checks applied only", c.Kind, c.Subject, passed)
		}
		read++
	}
	return read
}

func authorities(t testing.TB, reg ca.Registry) (root, issuing *x509.Certificate, signer crypto.Signer) {
	t.Helper()
	ec := func() crypto.Signer { return newKey(t) }
	gm := func() crypto.Signer {
		k, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	signer = ec()
	four, err := ca.Bootstrap(context.Background(), ca.BootstrapConfig{
		Organization: "样例区大数据局", Agency: uscc, Site: site,
		SM2Root: gm(), SM2Issuing: gm(), ECDSARoot: ec(), ECDSAIssuing: signer,
		Registry: reg, Actor: ledger.Actor{Kind: "person", ID: "p-sysadmin"},
		Now: time.Now, Rand: rand.Reader, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, four.ECDSARoot), parse(t, four.ECDSAIssuing), signer
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// request files a request; state is where it ends up.
func (h *house) request(t testing.TB, state ca.RequestState, change ...func(*ca.Request)) ca.Request {
	t.Helper()
	r := ca.Request{
		ID: uuid.NewString(), Agency: uscc, System: system, CommonName: system, Organization: "样例区民政局",
		Hosts: []string{host}, SubmittedBy: "p-admin", State: ca.RequestSubmitted, CreatedAt: time.Now(),
	}
	for _, f := range change {
		f(&r)
	}
	event := func(kind string) ledger.Event {
		return ledger.Event{
			ID: uuid.NewString(), Type: kind, Class: ledger.ClassCertificate, Time: time.Now().UTC().Truncate(time.Millisecond),
			Actor: ledger.Actor{Kind: "person", ID: "p-ra"}, Object: ledger.Object{Kind: "certificate_request", ID: r.ID}, Outcome: ledger.Success,
		}
	}
	// A system has one open request: those of earlier cases are closed.
	waiting, err := h.registry.Requests(t.Context(), ra.Query{States: []ca.RequestState{ca.RequestSubmitted}})
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range waiting {
		open.State, open.DecidedBy, open.Reason = ca.RequestRefused, "p-ra", "重复"
		if _, err := h.registry.DecideRequest(t.Context(), open, event("ca.request.decided")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.registry.AddRequests(t.Context(), []ca.Request{r}, event("ca.request.submitted")); err != nil {
		t.Fatal(err)
	}
	switch state {
	case ca.RequestSubmitted:
		return r
	case ca.RequestRefused:
		r.State, r.DecidedBy, r.Reason = ca.RequestRefused, "p-ra", "材料不全"
		if _, err := h.registry.DecideRequest(t.Context(), r, event("ca.request.decided")); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r = catest.Approve(t, h.registry, r)
	if state == ca.RequestIssued {
		if err := catest.Begin(t, h.registry, ca.Claim{Basis: "token:" + r.ID, Token: r.TokenHash, Now: time.Now(), Until: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		r.State = ca.RequestIssued
	}
	return r
}

func (h *house) token(t testing.TB, r ca.Request) string {
	t.Helper()
	tok, err := h.MintToken(t.Context(), r, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func csr(t testing.TB, key crypto.Signer, cn string, hosts ...string) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}, DNSNames: hosts}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// client speaks TLS to the house; cert may be nil.
func (h *house) client(cert *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(h.cfg.Root)
	cfg := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if cert != nil {
		cfg.Certificates = []tls.Certificate{*cert}
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: cfg, MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, h.addr)
		},
	}}
}

// answer is what the step-ca API says, good or bad.
type answer struct {
	Status  int      `json:"-"`
	Message string   `json:"message"`
	Chain   []string `json:"certChain"`
}

func (a answer) leaf(t testing.TB) *x509.Certificate {
	t.Helper()
	if len(a.Chain) != 2 {
		t.Fatalf("status %d, %q: chain of %d certificates, want 2", a.Status, a.Message, len(a.Chain))
	}
	b, _ := pem.Decode([]byte(a.Chain[0]))
	return parse(t, b.Bytes)
}

func (h *house) post(t testing.TB, c *http.Client, path string, body map[string]any, header ...string) answer {
	t.Helper()
	a, err := h.tryPost(c, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *house) tryPost(c *http.Client, path string, body map[string]any, header ...string) (a answer, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequest(http.MethodPost, h.url+path, bytes.NewReader(raw))
	if err != nil {
		return a, err
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := c.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	raw, err = io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(raw, &a); err != nil && res.StatusCode < 300 {
		return a, errors.Join(err, errors.New(string(raw)))
	}
	a.Status = res.StatusCode
	return a, nil
}

// enrol walks request → token → sign and returns what a client then holds.
func (h *house) enrol(t testing.TB) (*tls.Certificate, *x509.Certificate) {
	t.Helper()
	key := newKey(t)
	tok := h.token(t, h.request(t, ca.RequestApproved))
	a := h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, key, system, host), "ott": tok})
	leaf := a.leaf(t)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, h.cfg.Issuing.Raw}, PrivateKey: key, Leaf: leaf}, leaf
}

// rows returns the certificates of systems; the authorities are left out.
func (h *house) rows() map[string]ca.Certificate {
	out := map[string]ca.Certificate{}
	for _, c := range h.registry.Certificates() {
		if c.Kind == ca.KindECDSA || c.Kind == ca.KindECDSATest {
			out[c.Serial] = c
		}
	}
	return out
}

// uscc is a unified social credit code with a right check digit.
var uscc = withCheckDigit("11110102MB0000017")

func withCheckDigit(c17 string) string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	sum, w := 0, 1
	for _, r := range c17 {
		sum += bytes.IndexRune([]byte(alphabet), r) * w
		w = w * 3 % 31
	}
	return c17 + string(alphabet[(31-sum%31)%31])
}
