package stepca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// retryAfter spaces attempts to renew; it is longer than one may take.
const retryAfter = time.Minute

// serverSystem is the service that the registry names for these certificates.
const serverSystem = "https"

// ServerCertificate is the house's own HTTPS certificate. It renews itself,
// with a new key, once two thirds of its life are over; while a renewal fails
// the old one is served until it ends.
type ServerCertificate struct {
	a     *Authority
	names []string

	mu    sync.Mutex
	cert  *tls.Certificate
	retry time.Time
}

// ServerCertificate issues the certificate of the house for DNS names (the
// profile has no addresses: dial localhost, not 127.0.0.1), by the same
// path as every other: lint → record → sign → record.
func (a *Authority) ServerCertificate(ctx context.Context, names []string) (*ServerCertificate, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: no name", ca.ErrHost)
	}
	s := &ServerCertificate{a: a, names: slices.Clone(names)}
	cert, err := s.issue(ctx)
	if err != nil {
		return nil, err
	}
	s.cert = cert
	return s, nil
}

// GetCertificate fits tls.Config. One handshake renews; others meanwhile get
// the certificate that is still good.
func (s *ServerCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, due := s.current()
	if !due {
		return cert, nil
	}
	ctx, cancel := s.a.call()
	defer cancel()
	next, err := s.issue(ctx)
	if err != nil {
		s.a.log.ErrorContext(ctx, "renewing the server certificate failed", "serves_until", cert.Leaf.NotAfter, "error", err)
		return cert, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cert = next
	return next, nil
}

// current returns the certificate, and whether the caller is to renew it.
func (s *ServerCertificate) current() (*tls.Certificate, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, leaf := s.a.now(), s.cert.Leaf
	due := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)
	if now.Before(due) || now.Before(s.retry) {
		return s.cert, false
	}
	s.retry = now.Add(retryAfter)
	return s.cert, true
}

func (s *ServerCertificate) issue(ctx context.Context) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), s.a.rand)
	if err != nil {
		return nil, fmt.Errorf("stepca: make server key: %w", err)
	}
	o := order{
		profile: profile.ECDSAServer, kind: ca.KindService,
		subject: profile.Subject{CommonName: s.names[0], Organization: s.a.organization},
		hosts:   s.names, registered: s.names, public: key.Public(), validity: s.a.serverLifetime,
		request: ca.Request{Agency: s.a.agency, System: serverSystem},
		actor:   houseActor(), origin: ca.Origin{Way: ca.WayHouse},
	}
	leaf, err := s.a.issuer.issue(ctx, o)
	if err != nil {
		return nil, err
	}
	above, err := s.a.above(ctx, leaf)
	if err != nil {
		return nil, err
	}
	made := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for _, c := range above {
		made.Certificate = append(made.Certificate, c.Raw)
	}
	return made, nil
}
