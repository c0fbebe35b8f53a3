package ca

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// ServerPair asks for the dual certificate of the house as a TLCP server. Both
// keys are its own: nothing of it is in escrow, where it would open what was
// recorded on the line.
type ServerPair struct {
	Service      string // which service of the house
	Agency       string // code of the house
	Organization string // its name
	Hosts        []string
	Sign, Enc    *ecdsa.PublicKey
}

// IssueServerPair issues both halves by one record each before and after
// signing. Like other services of the house it needs no approval.
func (s *Service) IssueServerPair(ctx context.Context, actor ledger.Actor, spec ServerPair) (sign, enc Certificate, err error) {
	if actor.ID == "" || spec.Service == "" || spec.Agency == "" || len(spec.Hosts) == 0 {
		return Certificate{}, Certificate{}, fmt.Errorf("%w: actor, service, agency and hosts", ErrInvalid)
	}
	if !ValidHosts(spec.Hosts) {
		return Certificate{}, Certificate{}, fmt.Errorf("%w: %q are no host names", ErrHost, spec.Hosts)
	}
	by, err := s.current(ctx)
	if err != nil {
		return Certificate{}, Certificate{}, err
	}
	pair := s.cfg.NewID()
	subject := profile.Subject{CommonName: spec.Hosts[0], Organization: spec.Organization}
	halves := make([]half, 2)
	for i, want := range []struct {
		name   profile.Name
		public *ecdsa.PublicKey
	}{{profile.SM2Server, spec.Sign}, {profile.SM2ServerEnc, spec.Enc}} {
		h, err := s.draft(ctx, by, want.name, KindService, profile.Fields{Subject: subject, Public: want.public, Hosts: slices.Clone(spec.Hosts)}, spec.Hosts)
		if err != nil {
			return Certificate{}, Certificate{}, err
		}
		h.row.Pair, h.row.Agency, h.row.System, h.row.Origin.Way = pair, spec.Agency, spec.Service, WayHouse
		halves[i] = h
	}
	of := Request{System: spec.Service, Agency: spec.Agency}
	reserved, issued := s.pairEvent("ca.pair.reserved", actor, of, pair, halves), s.pairEvent("ca.certificate.issued", actor, of, pair, halves)
	if _, err = s.issue(halves, s.plain(ctx, reserved, issued)); err != nil {
		return Certificate{}, Certificate{}, err
	}
	return halves[0].row, halves[1].row, nil
}

// VerifyPair is VerifyClient for a connection that was made with a system's dual
// certificate: both halves are recorded, of one pair, and good today. It returns
// the signing half, which proved who is there.
func (s *Service) VerifyPair(ctx context.Context, sign, enc *smx509.Certificate) (Certificate, error) {
	// Both hang on one issuing authority, or they are not in the registry.
	by, err := IssuerNamed(ctx, s.cfg.SM2, sign.RawIssuer, sign.AuthorityKeyId)
	if err != nil {
		return Certificate{}, err
	}
	issuer := by.ID()
	first, err := s.inForce(ctx, issuer, FormatSerial(sign.SerialNumber), sign.Raw)
	if err != nil {
		return Certificate{}, err
	}
	second, err := s.inForce(ctx, issuer, FormatSerial(enc.SerialNumber), enc.Raw)
	if err != nil {
		return Certificate{}, err
	}
	if first.Kind != KindSM2Sign || second.Kind != KindSM2Enc || first.Pair == "" || first.Pair != second.Pair || first.System != second.System {
		return Certificate{}, fmt.Errorf("%w: not the two halves of a system's pair", ErrNotFound)
	}
	return first, nil
}
