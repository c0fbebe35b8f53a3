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

// RenewOwn makes the follower of a certificate of the house's own: of one of its
// services, or of its seal maker. Key, name, unit and purpose are those of the
// certificate before, under the authority that issues now, so nothing is vouched
// for that nobody approved, and no second person is asked (as RenewSM2). The one
// before stays what it is to its own end.
//
// It counts what the registry says of the predecessor: ErrRevoked or ErrState for
// one that is not good, because its key must not get another; ErrInvalid for a
// kind that is not the house's, or a profile that the kind does not have. One that
// ended is followed too: a house that stood still wakes with its own keys.
func (s *Service) RenewOwn(ctx context.Context, actor ledger.Actor, previous Certificate, name profile.Name) (Issued, error) {
	old, err := s.Status(ctx, previous.Issuer, previous.Serial)
	if err != nil {
		return Issued{}, err
	}
	switch {
	case actor.ID == "", old.Kind != KindService && old.Kind != KindMaker, !slices.Contains(profilesOf(old.Kind), name):
		return Issued{}, fmt.Errorf("%w: actor, kind %s, or a profile that it does not have", ErrInvalid, old.Kind)
	case old.State == StateRevoked:
		return Issued{}, ErrRevoked
	case old.State != StateGood:
		return Issued{}, fmt.Errorf("%w: %s", ErrState, old.State)
	}
	cert, err := smx509.ParseCertificate(old.DER)
	if err != nil {
		return Issued{}, fmt.Errorf("ca: read certificate: %w", err)
	}
	public, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || len(cert.Subject.Organization) != 1 {
		return Issued{}, fmt.Errorf("%w: not a certificate of the house", ErrInvalid)
	}
	by, err := s.current(ctx)
	if err != nil {
		return Issued{}, err
	}
	h, err := s.draft(ctx, by, name, old.Kind, profile.Fields{Public: public, Subject: profile.Subject{
		CommonName: cert.Subject.CommonName, Organization: cert.Subject.Organization[0], USCC: old.Agency,
	}}, nil)
	if err != nil {
		return Issued{}, err
	}
	if h.row.Subject != old.Subject {
		return Issued{}, fmt.Errorf("%w: %s would follow %s", ErrInvalid, h.row.Subject, old.Subject)
	}
	h.row.Agency, h.row.System = old.Agency, old.System
	h.row.Origin.Way, h.row.Origin.Previous = WayRenewal, old.Name()
	details := map[string]string{"kind": string(old.Kind), "profile": string(name), "serial": h.row.Serial, "previous": old.Name()}
	reserved := s.event("ca.certificate.reserved", actor, certificateObject(h.row), details)
	issued := s.event("ca.certificate.issued", actor, certificateObject(h.row), details)
	reserved.Payload, issued.Payload = h.row.TBSSM3, h.row.TBSSM3
	one := []half{h}
	receipt, err := s.issue(one, s.plain(ctx, reserved, issued))
	if err != nil {
		return Issued{}, err
	}
	return Issued{Certificate: one[0].row, Chain: by.Chain(), Receipt: receipt}, nil
}
