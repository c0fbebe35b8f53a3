package stepca

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/smallstep/certificates/authority"

	"github.com/yinxin-gov/yinxin/ca"
)

// set is what smallstep is told of the authorities at a time. It takes them when
// it is made and never again, so that another set is another embedded authority.
type set struct {
	step          *authority.Authority
	roots, middle []*x509.Certificate
	pool          *x509.CertPool // of both
}

// same reports whether nothing has changed since the set was made.
func (s *set) same(roots, middle []*x509.Certificate) bool {
	return slices.EqualFunc(s.roots, roots, (*x509.Certificate).Equal) && slices.EqualFunc(s.middle, middle, (*x509.Certificate).Equal)
}

// embedded returns smallstep over the authorities of the house as they
// are now. When they cannot be read or do not fit, the last ones go on.
func (a *Authority) embedded(ctx context.Context) *authority.Authority {
	s, err := a.renewSet(ctx)
	if err != nil {
		a.log.ErrorContext(ctx, "authorities not read again", "error", err)
		s = a.set.Load()
	}
	return s.step
}

func (a *Authority) renewSet(ctx context.Context) (*set, error) {
	roots, middle, err := a.authorities(ctx)
	if err != nil {
		return nil, err
	}
	if s := a.set.Load(); s != nil && s.same(roots, middle) {
		return s, nil
	}
	a.making.Lock()
	defer a.making.Unlock()
	if s := a.set.Load(); s != nil && s.same(roots, middle) {
		return s, nil
	}
	step, err := a.embed(roots, middle)
	if err != nil {
		return nil, err
	}
	s := &set{step: step, roots: roots, middle: middle, pool: x509.NewCertPool()}
	for _, c := range append(slices.Clone(roots), middle...) {
		s.pool.AddCert(c)
	}
	a.made = append(a.made, step) // calls under way finish on the one before
	a.set.Store(s)
	return s, nil
}

// authorities are the roots, those of the current authority first, and every
// other certificate between them and a leaf.
func (a *Authority) authorities(ctx context.Context) (roots, middle []*x509.Certificate, err error) {
	all, err := a.issuers.All(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("stepca: read authorities: %w", err)
	}
	for _, i := range all {
		for _, der := range i.Chain() {
			crt, err := a.parse(der)
			if err != nil {
				return nil, nil, err
			}
			into := &middle
			if bytes.Equal(crt.RawIssuer, crt.RawSubject) {
				into = &roots
			}
			if !slices.ContainsFunc(*into, crt.Equal) {
				*into = append(*into, crt)
			}
		}
	}
	if len(roots) == 0 || len(middle) == 0 {
		return nil, nil, fmt.Errorf("%w: no root or no issuing certificate", ErrConfig)
	}
	return roots, middle, nil
}

// parse keeps what it read: there are few authorities, and every answer has one.
func (a *Authority) parse(der []byte) (*x509.Certificate, error) {
	if c, ok := a.parsed.Load(string(der)); ok {
		return c.(*x509.Certificate), nil
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate of an authority: %w", ErrConfig, err)
	}
	a.parsed.Store(string(der), c)
	return c, nil
}

// issuerOf is the authority that a certificate names; ErrPeer for one of nobody
// here. Its signature was not checked.
func (a *Authority) issuerOf(ctx context.Context, crt *x509.Certificate) (ca.Issuer, error) {
	if crt == nil {
		return ca.Issuer{}, ErrPeer
	}
	i, err := ca.IssuerNamed(ctx, a.issuers, crt.RawIssuer, crt.AuthorityKeyId)
	if err != nil {
		return ca.Issuer{}, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	return i, nil
}

// signedBy refuses a certificate that no authority of the house signed.
func (a *Authority) signedBy(ctx context.Context, crt *x509.Certificate) error {
	i, err := a.issuerOf(ctx, crt)
	if err != nil {
		return err
	}
	by, err := a.parse(i.Certificate.Raw)
	if err != nil {
		return err
	}
	if err := crt.CheckSignatureFrom(by); err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	return nil
}

// above is what is handed out with a certificate: who issued it, and what leads
// from there to an earlier root. Roots are the receiver's own.
func (a *Authority) above(ctx context.Context, crt *x509.Certificate) ([]*x509.Certificate, error) {
	i, err := a.issuerOf(ctx, crt)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, der := range i.Chain() {
		c, err := a.parse(der)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			out = append(out, c)
		}
	}
	return out, nil
}

// row finds a certificate of any authority of this track.
func (a *Authority) row(ctx context.Context, serial string) (ca.Certificate, error) {
	return ca.BySerial(ctx, a.registry, a.issuers, serial)
}
