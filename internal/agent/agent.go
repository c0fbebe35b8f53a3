// Package agent is the side of an agency's system (业务系统): it makes its own
// keys, turns one enrolment token into certificates of both tracks, renews them,
// asks for decisions, sends, fetches, opens and confirms documents. What runs
// beside the system all the time is in the sub-room sidecar.
//
// Keys are born here and never leave the folder of the system; only the
// encryption key comes from the key management centre, in an envelope that the
// signing key opens. The six files of the system change together, in one rename
// (see folder.go), and encryption keys of before are kept. It refuses a folder
// whose keys others can read or do not fit their certificates, a server that its
// anchors do not vouch for, a redirect, an envelope that the house did not sign
// or that is not addressed to it, and a document whose SM3 differs from the
// signed header.
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
	// ErrClock: the house's certificate has ended, or not begun, by the clock of
	// this machine.
	ErrClock = errors.New("agent: this machine's clock and the house's certificate disagree")
	// ErrFingerprint: the server's root is not the one that was named.
	ErrFingerprint = errors.New("agent: another root than the named one")
	// ErrExpired: a certificate has ended and cannot renew any more.
	ErrExpired = errors.New("agent: certificate has ended")
	// ErrEnrolled: the folder holds keys already; nothing was changed.
	ErrEnrolled = errors.New("agent: the folder is already enrolled")
	// ErrHalf: the token is spent, and the ECDSA track was refused.
	ErrHalf = errors.New("agent: enrolment ended half-way, a new token is needed")
	// ErrBusy: another process is changing the folder.
	ErrBusy = errors.New("agent: another process works on the folder")
	// ErrEnvelope: an envelope, certificate or key that must not be opened or trusted.
	ErrEnvelope = errors.New("agent: envelope refused")
)

// Config names the server and the folder.
type Config struct {
	URL     string              // https://host:port; required
	TLCP    string              // host:port of the house's TLCP port, for every call but enrolment and the ECDSA renewal; empty: HTTPS
	Dir     string              // folder of the system; required
	TLSRoot *x509.Certificate   // ECDSA root of the house; required
	SM2Root *smx509.Certificate // SM2 root of the house; required
	TLSAlso []*x509.Certificate // roots that followed them: see Agent.LearnRoots
	SM2Also []*smx509.Certificate
	System  string           // system id; empty: the one that the TLS certificate names
	Owner   *Owner           // whom the served files belong to; nil: the agent alone
	Replace bool             // Enrol: the folder may be enrolled already, as the same system
	Now     func() time.Time // nil: time.Now
}

// address is the part of check that the first contact needs.
func (c Config) address() (*url.URL, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil {
		return nil, fmt.Errorf("%w: address %q is not https://host:port", ErrConfig, c.URL)
	}
	return base, nil
}

func (c Config) check() (*url.URL, error) {
	base, err := c.address()
	switch {
	case err != nil:
		return nil, err
	case c.checkTLCP() != nil:
		return nil, c.checkTLCP()
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

// Agent acts for one enrolled system, with the set that was in force when it was
// opened. Safe for concurrent use.
type Agent struct {
	cfg    Config
	home   *url.URL // Config.URL
	direct *http.Client
	base   *url.URL // where calls go: home, or the TLCP port
	http   *http.Client
	set    string
	m      material
	encs   []encPair             // the pair in force, then those of before
	signs  []*smx509.Certificate // signing certificate, then the authorities that came with it
	leaf   *x509.Certificate     // of the ECDSA track
}

// Open loads an enrolled system's folder. Keys and certificates are of one set,
// also while another process puts the next one in force.
func Open(cfg Config) (*Agent, error) {
	base, err := cfg.check()
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, home: base}
	if a.set, err = liveSet(cfg.Dir); err != nil {
		return nil, err
	}
	if a.m, err = load(setPath(cfg.Dir, a.set), cfg.Owner); err != nil {
		return nil, err
	}
	for _, der := range a.m.signs {
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFiles, FileSignCert, err)
		}
		a.signs = append(a.signs, cert)
	}
	enc, err := smx509.ParseCertificate(a.m.encs[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFiles, FileEncCert, err)
	}
	old, err := readOld(cfg.Dir)
	if err != nil {
		return nil, err
	}
	a.encs = append([]encPair{{a.m.enc, enc}}, old...)
	if a.leaf, err = x509.ParseCertificate(a.m.issued[0]); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFiles, FileTLSCert, err)
	}
	switch name := a.leaf.Subject.CommonName; {
	case cfg.System == "":
		a.cfg.System = name
	case cfg.System != name:
		return nil, fmt.Errorf("%w: %s is enrolled as %q, not %q", ErrFiles, filepath.Clean(cfg.Dir), name, cfg.System)
	}
	a.direct = client(cfg, &tls.Certificate{Certificate: a.m.issued, PrivateKey: a.m.tls, Leaf: a.leaf})
	if a.base, a.http = a.home, a.direct; cfg.TLCP != "" {
		a.base, a.http = a.overTLCP()
	}
	return a, nil
}

// Close drops idle connections.
func (a *Agent) Close() {
	a.direct.CloseIdleConnections()
	a.http.CloseIdleConnections()
}

// System is the id under which the folder is enrolled.
func (a *Agent) System() string { return a.cfg.System }

// Evaluate asks an AuthZEN question; the answer is the standard's, as JSON.
func (a *Agent) Evaluate(ctx context.Context, question any) (json.RawMessage, error) {
	var out json.RawMessage
	return out, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathEvaluation).String(), question, &out)
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
	for _, r := range append([]*x509.Certificate{cfg.TLSRoot}, cfg.TLSAlso...) {
		pool.AddCert(r)
	}
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
