// Package agent is the side of an agency's system (业务系统): it makes its own
// keys, turns one enrolment token into certificates of both tracks, asks for
// decisions, sends, fetches, opens and confirms documents.
//
// Keys are born here and never leave the folder of the system; only the
// encryption key comes from the key management centre, in an envelope that the
// signing key opens. It refuses a folder whose keys others can read, a server
// that its anchors do not vouch for, an envelope that the house did not sign or
// that is not addressed to it, and a document whose SM3 differs from the signed
// header.
package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Outcomes that callers branch on.
var (
	// ErrRefused: the server answered with a problem; see ProblemError.
	ErrRefused = errors.New("agent: refused by the server")
	// ErrEnvelope: an envelope that must not be opened or trusted.
	ErrEnvelope = errors.New("agent: envelope refused")
)

// ProblemError is an RFC 9457 answer.
type ProblemError struct {
	Status int             `json:"status"`
	Title  string          `json:"title"`
	Detail string          `json:"detail"`
	Code   string          `json:"code"`
	Raw    json.RawMessage `json:"-"`
}

func (e *ProblemError) Error() string {
	return fmt.Sprintf("%v: %d %s: %s", ErrRefused, e.Status, e.Title, e.Detail)
}
func (e *ProblemError) Unwrap() error { return ErrRefused }

// maxAnswer bounds what is read of an answer; envelopes have their own bound.
const (
	maxAnswer   = 8 << 20
	maxEnvelope = 96 << 20
)

// Agent acts for one enrolled system. Safe for concurrent use.
type Agent struct {
	base    *url.URL
	http    *http.Client
	system  string
	signKey *sm2.PrivateKey
	encKey  *sm2.PrivateKey
	encCert *smx509.Certificate
	anchor  *smx509.Certificate   // SM2 root
	issuers []*smx509.Certificate // issuing certificates that came with enrolment
}

// Config names the server and the folder. Every field is required.
type Config struct {
	URL     string            // https://host:port
	Dir     string            // folder of the system
	TLSRoot *x509.Certificate // ECDSA root of the house
	SM2Root *smx509.Certificate
	System  string
}

// Open loads an enrolled system's folder.
func Open(cfg Config) (*Agent, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Scheme != "https" {
		return nil, fmt.Errorf("agent: address %q is not an https URL", cfg.URL)
	}
	a := &Agent{base: base, system: cfg.System, anchor: cfg.SM2Root}
	if a.signKey, err = readSM2Key(filepath.Join(cfg.Dir, FileSignKey)); err != nil {
		return nil, err
	}
	if a.encKey, err = readSM2Key(filepath.Join(cfg.Dir, FileEncKey)); err != nil {
		return nil, err
	}
	if a.encCert, err = readCert(filepath.Join(cfg.Dir, FileEncCert)); err != nil {
		return nil, err
	}
	if a.issuers, err = readCerts(filepath.Join(cfg.Dir, FileSignCert)); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(cfg.Dir, FileTLSCert), filepath.Join(cfg.Dir, FileTLSKey))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	a.http = client(cfg.TLSRoot, &pair)
	return a, nil
}

// client trusts the house's root only and keeps connections alive.
func client(root *x509.Certificate, pair *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	tc := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if pair != nil {
		tc.Certificates = []tls.Certificate{*pair}
	}
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: tc, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16},
	}
}

// Close drops idle connections.
func (a *Agent) Close() { a.http.CloseIdleConnections() }

// Evaluate asks an AuthZEN question; the answer is the standard's, as JSON.
func (a *Agent) Evaluate(ctx context.Context, question any) (json.RawMessage, error) {
	var out json.RawMessage
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath("/access/v1/evaluation").String(), question, &out)
}

// Send hands in a sealed document.
func (a *Agent) Send(ctx context.Context, r wire.SendRequest) (wire.Transfer, error) {
	var t wire.Transfer
	return t, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathTransfers).String(), r, &t)
}

// Inbox lists what was sent to this system.
func (a *Agent) Inbox(ctx context.Context) ([]wire.Transfer, error) {
	var ts []wire.Transfer
	return ts, call(ctx, a.http, http.MethodGet, a.base.JoinPath(wire.PathTransfers).String(), nil, &ts)
}

// call sends in as JSON and decodes a 2xx answer into out.
func call(ctx context.Context, c *http.Client, method, target string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("agent: encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	raw, err := do(c, req, maxAnswer)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("agent: answer of the server: %w", err)
	}
	return nil
}

// do reads at most limit bytes and turns a non-2xx answer into a ProblemError.
func do(c *http.Client, req *http.Request, limit int64) ([]byte, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("agent: read answer: %w", err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("agent: answer is larger than %d bytes", limit)
	}
	if resp.StatusCode/100 != 2 {
		p := &ProblemError{Raw: raw}
		if json.Unmarshal(raw, p) != nil || p.Status == 0 {
			p.Title, p.Detail = resp.Status, ""
		}
		p.Status = resp.StatusCode
		return nil, p
	}
	return raw, nil
}
