// Package agent is the side of an agency's system (业务系统): it makes its own
// keys, turns one enrolment token into certificates of both tracks, asks for
// decisions, sends, fetches, opens and confirms documents.
//
// Keys are born here and never leave the folder of the system; only the
// encryption key comes from the key management centre, in an envelope that the
// signing key opens. It refuses a folder whose keys others can read or do not
// fit their certificates, a server that its anchors do not vouch for, a
// redirect, an envelope that the house did not sign or that is not addressed to
// it, and a document whose SM3 differs from the signed header.
package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
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
	// ErrConfig: an address or anchor that cannot be used.
	ErrConfig = errors.New("agent: configuration")
	// ErrRefused: the server answered with a problem; see ProblemError.
	ErrRefused = errors.New("agent: refused by the server")
	// ErrServer: the server cannot be reached, or is not the house's.
	ErrServer = errors.New("agent: server")
	// ErrEnvelope: an envelope, certificate or key that must not be opened or trusted.
	ErrEnvelope = errors.New("agent: envelope refused")
)

// Config names the server and the folder.
type Config struct {
	URL     string              // https://host:port; required
	Dir     string              // folder of the system; required
	TLSRoot *x509.Certificate   // ECDSA root of the house; required
	SM2Root *smx509.Certificate // SM2 root of the house; required
	System  string              // system id; empty: the one that the TLS certificate names
	Now     func() time.Time    // nil: time.Now
}

func (c Config) check() (*url.URL, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil:
		return nil, fmt.Errorf("%w: address %q is not https://host:port", ErrConfig, c.URL)
	case c.Dir == "":
		return nil, fmt.Errorf("%w: no folder", ErrConfig)
	case c.TLSRoot == nil || c.SM2Root == nil:
		return nil, fmt.Errorf("%w: both roots of the house are required", ErrConfig)
	}
	return base, nil
}

func (c Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// Agent acts for one enrolled system. Safe for concurrent use.
type Agent struct {
	cfg     Config
	base    *url.URL
	http    *http.Client
	signKey *sm2.PrivateKey
	encKey  *sm2.PrivateKey
	encCert *smx509.Certificate
	issuers []*smx509.Certificate // issuing certificates that came with enrolment
}

// Open loads an enrolled system's folder.
func Open(cfg Config) (*Agent, error) {
	base, err := cfg.check()
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, base: base}
	var signs []*smx509.Certificate
	if a.signKey, signs, err = readPair(cfg.Dir, FileSignKey, FileSignCert); err != nil {
		return nil, err
	}
	var encs []*smx509.Certificate
	if a.encKey, encs, err = readPair(cfg.Dir, FileEncKey, FileEncCert); err != nil {
		return nil, err
	}
	a.encCert, a.issuers = encs[0], signs[1:]
	pair, err := readTLS(cfg.Dir)
	if err != nil {
		return nil, err
	}
	switch name := pair.Leaf.Subject.CommonName; {
	case cfg.System == "":
		a.cfg.System = name
	case cfg.System != name:
		return nil, fmt.Errorf("%w: %s is enrolled as %q, not %q", ErrFiles, filepath.Clean(cfg.Dir), name, cfg.System)
	}
	a.http = client(cfg, &pair)
	return a, nil
}

// Close drops idle connections.
func (a *Agent) Close() { a.http.CloseIdleConnections() }

// System is the id under which the folder is enrolled.
func (a *Agent) System() string { return a.cfg.System }

// pathEvaluation is the endpoint of the AuthZEN standard.
const pathEvaluation = "/access/v1/evaluation"

// Evaluate asks an AuthZEN question; the answer is the standard's, as JSON.
func (a *Agent) Evaluate(ctx context.Context, question any) (json.RawMessage, error) {
	var out json.RawMessage
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath(pathEvaluation).String(), question, &out)
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

// client trusts the house's root only, follows no redirect (a token must not
// travel on) and keeps connections alive.
func client(cfg Config, pair *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(cfg.TLSRoot)
	tc := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, Time: cfg.now}
	if pair != nil {
		tc.Certificates = []tls.Certificate{*pair}
	}
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: tc, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16},
	}
}
