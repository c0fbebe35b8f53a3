package stepca

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Config of an Authority. Fields without a stated zero value are required.
type Config struct {
	Registry ca.Registry
	Issuers  ca.Issuers        // of this track; nil: Issuing alone
	Root     *x509.Certificate // P-256
	Issuing  *x509.Certificate // P-256, signed by Root
	Signer   crypto.Signer     // of Issuing, from custody
	Address  string            // host:port that clients dial; stands in tokens
	DNSNames []string          // further names of the same service; empty: the host of Address only
	Agency   string            // unified social credit code of the unit that runs the house
	Hosts    ca.Hosts
	Gate     ca.Gate    // required here: who has nothing to ask says so in an implementation
	Horizon  ca.Horizon // the announced end of the service; nil: none is ever announced
	Recorder Recorder
	Site     profile.Site // CRL, OCSP, issuer and policy addresses of every certificate

	Lifetime       time.Duration // of a system's certificate; 0: the profile's, never longer
	ServerLifetime time.Duration // of the house's HTTPS certificate; 0: seven days

	ACME     acmestore.Store // nil: ACME is not served
	Pairs    PairIssuer      // makes the pair of an order with an SM2 CSR; nil: such are refused
	Resolver Resolver        // where challenges are probed; required with ACME
	Wrapper  Wrapper         // of external account keys, from custody; required with ACME
	KeyLife  time.Duration   // in which an external account key must be bound; 0: 72 hours
	HTTPPort int             // of http-01; 0: 80, other values are for tests
	TLSPort  int             // of tls-alpn-01; 0: 443, likewise

	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand
	Log  *slog.Logger     // nil: discarded
}

const defaultServerLifetime = 7 * 24 * time.Hour

func (c Config) complete() (Config, error) {
	for name, missing := range map[string]bool{
		"registry": c.Registry == nil, "signer": c.Issuers == nil && c.Signer == nil, "hosts": c.Hosts == nil,
		"gate": c.Gate == nil, "recorder": c.Recorder == nil, "agency": c.Agency == "",
	} {
		if missing {
			return c, fmt.Errorf("%w: no %s", ErrConfig, name)
		}
	}
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" || port == "" {
		return c, fmt.Errorf("%w: address %q is not host:port", ErrConfig, c.Address)
	}
	if err := c.Site.Validate(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.Issuers == nil {
		if err := c.checkChain(); err != nil {
			return c, err
		}
		var both [2]*smx509.Certificate
		for n, crt := range []*x509.Certificate{c.Issuing, c.Root} {
			if both[n], err = smx509.ParseCertificate(crt.Raw); err != nil {
				return c, fmt.Errorf("%w: %w", ErrConfig, err)
			}
		}
		c.Issuers = ca.Sole(both[0], both[1], c.Signer)
	}
	leaf, err := profile.Get(profile.ECDSALeaf)
	if err != nil {
		return c, err
	}
	if c.Lifetime == 0 {
		c.Lifetime = leaf.Validity
	}
	if c.ServerLifetime == 0 {
		c.ServerLifetime = defaultServerLifetime
	}
	if c.Lifetime < minLifetime || c.Lifetime > leaf.Validity || c.ServerLifetime < minLifetime {
		return c, fmt.Errorf("%w: lifetime must be between %s and %s", ErrConfig, minLifetime, leaf.Validity)
	}
	if c.ACME != nil && (c.Resolver == nil || c.Wrapper == nil) {
		return c, fmt.Errorf("%w: ACME without a resolver or a key-encryption key", ErrConfig)
	}
	if c.KeyLife < 0 || c.HTTPPort < 0 || c.HTTPPort > 65535 || c.TLSPort < 0 || c.TLSPort > 65535 {
		return c, fmt.Errorf("%w: key life or a port is out of range", ErrConfig)
	}
	c.KeyLife = cmp.Or(c.KeyLife, defaultKeyLife)
	c.HTTPPort, c.TLSPort = cmp.Or(c.HTTPPort, httpPort), cmp.Or(c.TLSPort, tlsPort)
	if !slices.Contains(c.DNSNames, host) {
		c.DNSNames = append([]string{host}, c.DNSNames...)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// checkChain refuses what smallstep would accept and then fail on: an SM2
// issuer, a signer of another key, a chain that does not hold.
func (c Config) checkChain() error {
	for name, crt := range map[string]*x509.Certificate{"root": c.Root, "issuing certificate": c.Issuing} {
		if crt == nil {
			return fmt.Errorf("%w: no %s", ErrConfig, name)
		}
		pub, ok := crt.PublicKey.(*ecdsa.PublicKey)
		if !ok || pub.Curve != elliptic.P256() {
			return fmt.Errorf("%w: the key of the %s is not on P-256; SM2 certificates are issued by package ca", ErrConfig, name)
		}
		if !crt.IsCA || crt.KeyUsage&x509.KeyUsageCertSign == 0 {
			return fmt.Errorf("%w: the %s may not sign certificates", ErrConfig, name)
		}
	}
	if err := c.Issuing.CheckSignatureFrom(c.Root); err != nil {
		return fmt.Errorf("%w: issuing certificate is not signed by the root: %w", ErrConfig, err)
	}
	if pub, ok := c.Signer.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(c.Issuing.PublicKey) {
		return fmt.Errorf("%w: the signer is not the key of the issuing certificate", ErrConfig)
	}
	return nil
}
