package app

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// serviceOCSP is what the registry names the house's OCSP responders.
const serviceOCSP = "ocsp"

// responders makes those who sign OCSP answers in place of the authorities, so
// that an authority's key works when it certifies and when it publishes a list,
// and not for whoever asks a question. Keys are made here and never written:
// nobody can revoke a responder, so its key ends with the process or, two thirds
// into its 30 days, with the next one.
type responders struct{ house *House }

func (r responders) make(ctx context.Context, issuer string) (*smx509.Certificate, crypto.Signer, error) {
	set, err := r.house.Succession.Set(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range set.All() {
		if a.ID() != issuer || a.Kind != authority.Root && a.Kind != authority.Issuing {
			continue
		}
		one, err := r.house.statusAuthority(ctx, a)
		if err != nil {
			return nil, nil, err
		}
		return r.under(ctx, one)
	}
	return nil, nil, fmt.Errorf("%w: %q", status.ErrUnknownIssuer, issuer)
}

func (r responders) under(ctx context.Context, a status.Authority) (*smx509.Certificate, crypto.Signer, error) {
	if a.Signer == nil {
		return nil, nil, fmt.Errorf("%w: %s", status.ErrOffline, a.Certificate.Subject.CommonName)
	}
	cfg := r.house.cfg
	var key crypto.Signer
	var err error
	if a.Certificate.SignatureAlgorithm == smx509.SM2WithSM3 {
		key, err = sm2.GenerateKey(cfg.Rand)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), cfg.Rand)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("app: make responder's key: %w", err)
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, nil, fmt.Errorf("app: responder's key is a %T", key.Public())
	}
	row, err := r.house.CA.IssueResponder(ctx, r.house.service(), ca.ResponderOrder{
		Issuer: a.Certificate, Signer: a.Signer, Public: public, Agency: cfg.USCC, Organization: cfg.Organization, Service: serviceOCSP,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("app: responder's certificate: %w", err)
	}
	cert, err := smx509.ParseCertificate(row.DER)
	if err != nil {
		return nil, nil, fmt.Errorf("app: responder's certificate: %w", err)
	}
	return cert, key, nil
}
