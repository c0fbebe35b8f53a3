package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// maxChain bounds a chain of certificates from the server.
const maxChain = 8

// chained checks that an SM2 certificate hangs on a pinned root.
func (c Config) chained(cert *smx509.Certificate, issuers []*smx509.Certificate) error {
	roots, mid := smx509.NewCertPool(), smx509.NewCertPool()
	for _, r := range append([]*smx509.Certificate{c.SM2Root}, c.SM2Also...) {
		roots.AddCert(r)
	}
	for _, i := range issuers {
		mid.AddCert(i)
	}
	_, err := cert.Verify(smx509.VerifyOptions{
		Roots: roots, Intermediates: mid, CurrentTime: c.now(), KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny},
	})
	return err
}

// vouched checks that a certificate is one of the house's own services. Every
// system, person and seal has a certificate under the same root, and each could
// sign an envelope; theirs name a host or the code of their unit, a service's
// (sm2-exchange in ca/profile) names neither.
func (a *Agent) vouched(ctx context.Context, der []byte) error {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if err := a.cfg.chained(cert, a.signs[1:]); err != nil {
		more, asked := a.authorities(ctx)
		if asked != nil {
			return errors.Join(err, asked)
		}
		if err := a.cfg.chained(cert, more); err != nil {
			return err
		}
	}
	if cert.IsCA || cert.KeyUsage&smx509.KeyUsageDigitalSignature == 0 {
		return errors.New("the certificate is not for signing")
	}
	named := len(cert.DNSNames)+len(cert.IPAddresses)+len(cert.EmailAddresses)+len(cert.URIs) > 0
	for _, n := range cert.Subject.Names {
		named = named || n.Type.Equal(profile.OrganizationIdentifier())
	}
	if named || slices.ContainsFunc(cert.Subject.Organization, startsWithCode) {
		return fmt.Errorf("%q is no service of the house", cert.Subject.CommonName)
	}
	return nil
}

// startsWithCode: a seal's certificate has the unified social credit code of
// its unit before the name.
func startsWithCode(o string) bool {
	const size = 18
	if len(o) < size {
		return false
	}
	for _, c := range o[:size] {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// checkSM2 refuses a certificate that is for another key or hangs on another root.
func (c Config) checkSM2(der []byte, pub *ecdsa.PublicKey, issuers []*smx509.Certificate) error {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%w: certificate: %w", ErrEnvelope, err)
	}
	if got, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(got) {
		return fmt.Errorf("%w: a certificate is for another key", ErrEnvelope)
	}
	if err := c.chained(cert, issuers); err != nil {
		return fmt.Errorf("%w: certificate: %w", c.blame(cert.NotBefore, cert.NotAfter), err)
	}
	return nil
}

// blame: a certificate made just now that is out of its period shows a wrong
// clock, on this side as a rule: the house starts each five minutes early.
func (c Config) blame(from, until time.Time) error {
	if now := c.now(); now.Before(from) || now.After(until) {
		return ErrClock
	}
	return ErrEnvelope
}

// checkTLS does the same for the ECDSA track; chain is leaf first.
func (c Config) checkTLS(chain [][]byte, pub *ecdsa.PublicKey, system string) error {
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return fmt.Errorf("%w: TLS certificate: %w", ErrEnvelope, err)
	}
	if got, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(got) || leaf.Subject.CommonName != system {
		return fmt.Errorf("%w: the TLS certificate is for another key or system", ErrEnvelope)
	}
	roots, mid := x509.NewCertPool(), x509.NewCertPool()
	for _, r := range append([]*x509.Certificate{c.TLSRoot}, c.TLSAlso...) {
		roots.AddCert(r)
	}
	for _, der := range chain[1:] {
		issuer, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("%w: TLS certificate: %w", ErrEnvelope, err)
		}
		mid.AddCert(issuer)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: mid, CurrentTime: c.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("%w: TLS certificate: %w", c.blame(leaf.NotBefore, leaf.NotAfter), err)
	}
	return nil
}
