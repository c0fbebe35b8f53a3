// Package stepca is the ECDSA track of the certificate authority: mTLS
// certificates of agency systems through the embedded smallstep authority, on
// the one registry of package ca. It is the only package that imports
// smallstep.
//
// What it does: mints a one-time token (一次性令牌) for an approved request,
// takes tokens that the holder of a good certificate signs for a further one of
// the same system (X5C), answers the step-ca API (sign, renew, rekey, revoke) and, where configured,
// ACME (RFC 8555), and makes the house's own HTTPS certificates. Every certificate takes one path: lint → record →
// sign → record (law 4); what is recorded is what is signed, byte for byte.
//
// What it refuses: a request that no second person approved, a host outside
// those registered for the system, a system the Gate stops, a used token, a
// certificate that is not good, an ACME account without the key of an approved
// request, an ACME order that its host does not answer for at the registered
// address, an SM2 issuer (smallstep would start with one
// and fail at the first certificate), and anything it could not record first.
//
// The subject and the extensions come from the approved request and from
// ca/profile, never from the CSR, on renewal too. Tokens are signed with a key
// made at start that never leaves the process: they live five minutes, so a
// restart costs at most one repeated call. smallstep reads the wall clock
// itself; Config.Now rules everything else.
//
// Two replicas may share one registry, but each accepts only its own tokens.
// ACME has no such bound: all that it remembers is in the store.
//
// Linking smallstep has side effects that a program must not fall for: glog
// flags in the standard flag set, /debug/vars and /debug/requests in
// http.DefaultServeMux. Parse and serve neither.
package stepca

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smallstep/certificates/authority"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Outcomes that callers branch on, beside those of package ca.
var (
	// ErrConfig: a configuration that cannot issue ECDSA certificates.
	ErrConfig = errors.New("stepca: configuration refused")
	// ErrStopped: the Gate does not let this system have certificates now.
	ErrStopped = errors.New("stepca: system may not be issued to")
	// ErrPeer: a client certificate that this authority did not issue.
	ErrPeer = errors.New("stepca: client certificate is not of this authority")
)

// Recorder takes events that change no row: tokens minted, refusals.
type Recorder interface {
	Record(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Authority is the embedded authority. Its methods are safe for concurrent
// use.
type Authority struct {
	registry       ca.Registry
	hosts          ca.Hosts
	gate           ca.Gate
	recorder       Recorder
	issuer         *issuer
	issuers        ca.Issuers
	organization   string // of the house: that of its issuing certificate
	lifetime       time.Duration
	serverLifetime time.Duration
	agency         string
	audience       string
	now            func() time.Time
	rand           io.Reader
	log            *slog.Logger

	strangers ca.Strangers

	// handed holds certificates (*x509.Certificate) on their way from the service
	// through smallstep to the database, recorded as good.
	handed sync.Map

	acme *acmeServer       // nil: not served
	key  *ecdsa.PrivateKey // of the JWK provisioner; signs tokens, never certificates
	kid  string
	jwk  jose.JSONWebKey // the public half

	cfg    Config              // of smallstep
	set    atomic.Pointer[set] // never nil after New
	making sync.Mutex
	made   []*authority.Authority // guarded by making
	parsed sync.Map               // certificates (*x509.Certificate) of authorities by their DER

	// The interfaces of smallstep carry no context: their work hangs on this
	// one, which Close ends.
	life context.Context
	end  context.CancelFunc
}

// New checks cfg and starts the authority. ctx bounds its whole life.
func New(ctx context.Context, cfg Config) (*Authority, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	a := &Authority{
		registry: cfg.Registry, hosts: cfg.Hosts, gate: cfg.Gate, recorder: cfg.Recorder,
		issuer: newIssuer(cfg), issuers: cfg.Issuers, cfg: cfg,
		lifetime: cfg.Lifetime, serverLifetime: cfg.ServerLifetime,
		agency:   cfg.Agency,
		audience: "https://" + cfg.Address + "/1.0/sign",
		now:      cfg.Now, rand: cfg.Rand, log: cfg.Log,
	}
	a.life, a.end = context.WithCancel(ctx)
	if cfg.ACME != nil {
		a.acme = newACMEServer(a, cfg)
	}
	if err := a.start(ctx); err != nil {
		a.end()
		return nil, fmt.Errorf("stepca: start: %w", err)
	}
	return a, nil
}

// Close stops the authority: calls under way fail, later ones too.
func (a *Authority) Close() error {
	a.end()
	a.making.Lock()
	defer a.making.Unlock()
	for _, step := range a.made {
		if err := step.Shutdown(); err != nil {
			return fmt.Errorf("stepca: close: %w", err)
		}
	}
	return nil
}

// callTime bounds one call of smallstep into the registry and the custody.
const callTime = 15 * time.Second

func (a *Authority) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(a.life, callTime)
}
