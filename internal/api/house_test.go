package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

const secret = "cause-that-stays-inside"

// house is every dependency of the API; err is what each of them answers.
type house struct {
	guest   string // a system of a peer domain
	t       *testing.T
	url     string
	err     error
	peerErr error
	mu      sync.Mutex
	log     bytes.Buffer
	sent    exchange.SendRequest
	verify  func([]byte)
	closed  int
	broken  bool // the envelope cannot be read to its end
	calls   int
	refused []Refusal
}

func (h *house) Refused(_ context.Context, r Refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = append(h.refused, r)
}

// testPeer marks a request as one over mTLS.
const testPeer = "X-Test-Peer"

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t}
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	r.Use(Identify(func() string { return "made-id" }))
	err = Mount(r, Config{
		Exchange: h, Archive: h, Enroller: h, Certifier: h, Recoverer: h, Historian: h, Requester: h, Domains: h, Catalogue: h, Copies: h, Notices: h, Ledger: h, Peers: h, Refusals: h, Words: words, Version: "test",
		Verify: func(_ context.Context, d []byte) (verify.Report, error) {
			if h.verify != nil {
				h.verify(d)
			}
			return verify.Report{Verdict: verify.Valid}, h.err
		},
		Report: func(_ context.Context, _ []byte, l report.Level, known bool) (report.Report, error) {
			return report.Report{Schema: report.Schema, Level: l, Nature: fmt.Sprint(known)}, h.err
		},
		Guest:   func(_ context.Context, system string) (bool, error) { return system == h.guest, nil },
		Status:  func(context.Context) wire.Status { return wire.Status{Name: "样例", Healthy: true} },
		Anchors: func(context.Context) wire.Anchors { return wire.Anchors{SM2RootSM3: "ab"} },
		Log:     slog.New(slog.NewTextHandler(syncWriter{h}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	chain := [][]*x509.Certificate{{{}, {}}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get(testPeer) != "" {
			q.TLS = &tls.ConnectionState{VerifiedChains: chain}
		}
		r.ServeHTTP(w, q)
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

type syncWriter struct{ h *house }

func (w syncWriter) Write(p []byte) (int, error) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	return w.h.log.Write(p)
}

func (h *house) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

func (h *house) Send(_ context.Context, a ledger.Actor, r exchange.SendRequest) (exchange.Transfer, authz.Decision, ledger.Receipt, error) {
	h.calls++
	h.sent = r
	if a.ID != "civil-a" || r.FromSystem != "civil-a" {
		h.t.Errorf("sent by %+v from %q", a, r.FromSystem)
	}
	return exchange.Transfer{ID: "t-1", Name: r.Name, State: exchange.StateSent}, authz.Decision{}, ledger.Receipt{EntryID: "e", Seq: 9, Promise: ledger.Integrated}, h.err
}

func (h *house) Fetch(_ context.Context, _ ledger.Actor, id string) (exchange.Transfer, io.ReadCloser, error) {
	h.calls++
	if h.err != nil {
		return exchange.Transfer{}, nil, h.err
	}
	return exchange.Transfer{ID: id}, &envelope{h: h, r: strings.NewReader("envelope of " + id)}, nil
}

func (h *house) ArchivePackage(_ context.Context, a ledger.Actor, name string, document []byte, m archive.Metadata) ([]byte, error) {
	h.calls++
	if h.err != nil {
		return nil, h.err
	}
	return fmt.Appendf(nil, "package of %s %s %s by %s", name, document, m.Unit.Name, a.ID), m.Validate()
}

type envelope struct {
	h *house
	r io.Reader
}

func (e *envelope) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if e.h.broken && err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (e *envelope) Close() error {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	e.h.closed++
	return nil
}

func (h *house) Receive(_ context.Context, _ ledger.Actor, id string, sig []byte) (exchange.Transfer, ledger.Receipt, error) {
	h.calls++
	return exchange.Transfer{ID: id, State: exchange.StateReceived, ReceiptSig: sig, Blob: "secret-place"}, ledger.Receipt{}, h.err
}

func (h *house) Inbox(_ context.Context, system string) ([]exchange.Transfer, error) {
	h.calls++
	return []exchange.Transfer{{ID: "t-1", ToSystem: system, Blob: "secret-place"}}, h.err
}

func (h *house) Confirm(_ context.Context, _ ledger.Actor, c exchange.Confirmation) (exchange.Confirmation, ledger.Receipt, error) {
	h.calls++
	return c, ledger.Receipt{Seq: 7, Promise: ledger.Integrated}, h.err
}

func (h *house) Enrol(_ context.Context, r wire.EnrolRequest) (wire.EnrolAnswer, error) {
	h.calls++
	return wire.EnrolAnswer{System: "civil-a", EnvelopedKey: r.SM2CSR}, h.err
}

func (h *house) Renew(_ context.Context, a ledger.Actor, r wire.RenewRequest) (wire.Pair, error) {
	h.calls++
	return wire.Pair{System: a.ID, EnvelopedKey: r.SM2CSR, Renews: r.Serial}, h.err
}

func (h *house) Pair(_ context.Context, a ledger.Actor, serial string, _ bool) (wire.Pair, error) {
	h.calls++
	return wire.Pair{System: a.ID, Renews: serial}, h.err
}

func (h *house) Revoke(context.Context, ledger.Actor, wire.RevokeRequest) error {
	h.calls++
	return h.err
}

func (h *house) RecoveriesOf(_ context.Context, a ledger.Actor) ([]wire.Recovery, error) {
	h.calls++
	return []wire.Recovery{{ID: "r-1", State: "approved", Pair: "of " + a.ID}}, h.err
}

func (h *house) AskCertificates(_ context.Context, a ledger.Actor, f wire.RequestForm) (wire.CertificateRequest, error) {
	h.calls++
	return wire.CertificateRequest{ID: "q-1", System: a.ID, Hosts: f.Hosts, State: "submitted"}, h.err
}

func (h *house) RequestsOf(_ context.Context, a ledger.Actor) ([]wire.CertificateRequest, error) {
	h.calls++
	return []wire.CertificateRequest{{ID: "q-1", System: a.ID}}, h.err
}

func (h *house) RequestOf(_ context.Context, a ledger.Actor, id string) (wire.CertificateRequest, error) {
	h.calls++
	return wire.CertificateRequest{ID: id, System: a.ID}, h.err
}

func (h *house) WithdrawRequest(_ context.Context, a ledger.Actor, id, reason string) (wire.CertificateRequest, error) {
	h.calls++
	return wire.CertificateRequest{ID: id, System: a.ID, Reason: reason, State: "withdrawn"}, h.err
}

func (h *house) DrawToken(_ context.Context, _ ledger.Actor, id string) (wire.EnrolmentToken, error) {
	h.calls++
	return wire.EnrolmentToken{Request: id, Token: "t"}, h.err
}

func (h *house) RecoverKey(_ context.Context, a ledger.Actor, id string) (wire.RecoveredKey, error) {
	h.calls++
	return wire.RecoveredKey{ID: id, Pair: "of " + a.ID, EnvelopedKey: []byte{1}}, h.err
}

func (h *house) CertificatesOf(_ context.Context, a ledger.Actor, system, after string, limit int) (wire.Certificates, error) {
	h.calls++
	return wire.Certificates{System: system, Next: fmt.Sprintf("%s %q %d", a.ID, after, limit)}, h.err
}

func (h *house) Expiring(_ context.Context, a ledger.Actor, system string, days int, superseded bool, after string) (wire.Certificates, error) {
	h.calls++
	return wire.Certificates{System: system, Next: fmt.Sprintf("%s %d %v %q", a.ID, days, superseded, after)}, h.err
}

func (h *house) ACMEKey(context.Context, string) (wire.ACMEKeyAnswer, error) {
	h.calls++
	return wire.ACMEKeyAnswer{System: "civil-a", KID: "kid-1"}, h.err
}

func (h *house) LedgerHead(context.Context) (wire.Head, error) { return wire.Head{Size: 5}, h.err }

func (h *house) Peer(context.Context, *x509.Certificate, *x509.Certificate) (ledger.Actor, error) {
	return ledger.Actor{Kind: "system", ID: "civil-a"}, h.peerErr
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string
	p      wire.Problem
}

// do sends a request; peer says whether it comes over mTLS.
func (h *house) do(method, path string, peer bool, body io.Reader, set ...string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	if peer {
		req.Header.Set(testPeer, "1")
	}
	for i := 0; i+1 < len(set); i += 2 {
		req.Header.Set(set[i], set[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if resp.StatusCode >= 400 {
		if err := json.Unmarshal(raw, &a.p); err != nil || resp.Header.Get("Content-Type") != problemType {
			h.t.Errorf("%s %s: %d %s %q is no problem", method, path, a.status, resp.Header.Get("Content-Type"), a.raw)
		}
		if a.p.Status != a.status || a.p.Code == "" || a.p.Zh == "" || a.p.Detail == "" || a.p.RequestID != resp.Header.Get(HeaderRequestID) {
			h.t.Errorf("%s %s: %+v", method, path, a.p)
		}
	}
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Cache-Control") != "no-store" {
		h.t.Errorf("%s %s: headers %v", method, path, resp.Header)
	}
	if strings.Contains(a.raw, secret) || strings.Contains(a.raw, "secret-place") {
		h.t.Errorf("%s %s tells what stays inside: %s", method, path, a.raw)
	}
	return a
}

const goodArchive = `{"name":"通知.ofd","document":"5paH5Lu2","metadata":{"doc_no":"样〔2026〕1号","title":"通知","creator":"样例局","date":"2026-03-01","secrecy":"非涉密",` +
	`"retention":"permanent","unit":{"name":"样例局","uscc":"11110102MB1234567M"},"sender":{"name":"样例局","uscc":"11110102MB1234567M"},` +
	`"recipient":{"name":"样例局","uscc":"11110102MB1234567M"},"sent_at":"2026-03-01T09:00:00+08:00","received_at":"2026-03-01T09:05:00+08:00"}}`

const goodSend = `{"to_system":"b","resource":"population","purpose":"relief","name":"通知.ofd","document":"5paH5Lu2"}`

const goodRenewal = `{"serial":"4a","sm2_csr":"AQID","signature":"AQIDBAUGBwg="}`
