package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// ResponderOrder asks an authority of either track for the certificate of a
// delegated OCSP responder (RFC 6960 4.2.2.2). It lives 30 days and nobody can
// revoke it (id-pkix-ocsp-nocheck): its key should live no longer.
type ResponderOrder struct {
	Issuer       *smx509.Certificate // who delegates
	Signer       crypto.Signer       // its key, from custody
	Public       *ecdsa.PublicKey    // of the responder; on the curve of the issuer
	Agency       string              // code of the house
	Organization string              // its name
	Service      string              // what the registry calls the responder
}

// IssueResponder issues it by the path of every other: lint → record → sign →
// record. As a service of the house it needs no approval.
func (s *Service) IssueResponder(ctx context.Context, actor ledger.Actor, o ResponderOrder) (Certificate, error) {
	if actor.ID == "" || o.Issuer == nil || o.Signer == nil || o.Agency == "" || o.Service == "" {
		return Certificate{}, fmt.Errorf("%w: actor, issuer, agency and service", ErrInvalid)
	}
	name := profile.ECDSAOCSP
	if o.Issuer.SignatureAlgorithm == smx509.SM2WithSM3 {
		name = profile.SM2OCSP
	}
	p, err := profile.Get(name)
	if err != nil {
		return Certificate{}, err
	}
	serial, err := NewSerial(s.cfg.Rand)
	if err != nil {
		return Certificate{}, err
	}
	f := profile.Fields{
		Serial: serial, Public: o.Public, Issuer: o.Issuer, Now: s.cfg.Now(),
		Subject: profile.Subject{CommonName: o.Issuer.Subject.CommonName + " OCSP", Organization: o.Organization},
	}
	if err := Within(ctx, s.cfg.Horizon, KindService, &f); err != nil {
		return Certificate{}, err
	}
	d, err := NewDraft(p, s.cfg.Site, f)
	if err != nil {
		return Certificate{}, fmt.Errorf("ca: draft %s: %w", name, err)
	}
	if err := d.Lint(s.linter, nil); err != nil {
		return Certificate{}, err
	}
	row := d.Row(KindService)
	row.Agency, row.System, row.CreatedAt = o.Agency, o.Service, s.cfg.Now().UTC().Truncate(time.Microsecond)
	row.Origin.Way = WayHouse
	event := func(kind string) ledger.Event {
		ev := s.event(kind, actor, certificateObject(row), map[string]string{"kind": string(KindService), "profile": string(name), "serial": row.Serial})
		ev.Payload = row.TBSSM3
		return ev
	}
	if _, err := s.cfg.Registry.Reserve(ctx, []Certificate{row}, nil, event("ca.certificate.reserved")); err != nil {
		return Certificate{}, fmt.Errorf("ca: record before signing: %w", err)
	}
	if row.DER, err = d.Sign(s.cfg.Rand, o.Signer); err != nil {
		return Certificate{}, err
	}
	row.State = StateGood
	if _, err := s.cfg.Registry.Activate(ctx, []Certificate{row}, event("ca.certificate.issued")); err != nil {
		return Certificate{}, fmt.Errorf("ca: record after signing: %w", err)
	}
	return row, nil
}
