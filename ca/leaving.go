package ca

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Persons finds the certificates of a person, of whatever state.
type Persons interface {
	CertificatesOfPerson(ctx context.Context, person string) ([]Certificate, error)
}

// Left ends what a person has in this room who has left the unit: certificates
// are revoked (affiliationChanged, RFC 5280 5.3.1), and questions whether a hold
// may be lifted are taken back, so that the hold stays. What is over already is
// passed over: the call may be repeated. It returns how many certificates it
// revoked.
func (s *Service) Left(ctx context.Context, actor ledger.Actor, person string) (revoked int, err error) {
	if s.cfg.Persons == nil || person == "" {
		return 0, fmt.Errorf("%w: who left, and where certificates of persons are kept", ErrInvalid)
	}
	certs, err := s.cfg.Persons.CertificatesOfPerson(ctx, person)
	if err != nil {
		return 0, fmt.Errorf("ca: certificates of a person: %w", err)
	}
	var failed []error
	for _, c := range certs {
		if c.Kind != KindPerson || c.State != StateGood && c.State != StateHold {
			continue
		}
		switch err := s.Revoke(ctx, actor, c.Issuer, c.Serial, ReasonAffiliationChanged); {
		case err == nil:
			revoked++
		case !errors.Is(err, ErrRevoked):
			failed = append(failed, err)
		}
	}
	if s.cfg.Suspensions == nil {
		return revoked, errors.Join(failed...)
	}
	asked, err := s.cfg.Suspensions.SuspensionsOf(ctx, "")
	failed = append(failed, err)
	for _, x := range asked {
		if x.AskedBy != person || x.State != SuspensionAsked {
			continue
		}
		if _, _, err := s.RefuseResume(ctx, actor, x.ID, "申请人已离岗 / the person who asked has left"); err != nil && !errors.Is(err, ErrDecided) {
			failed = append(failed, err)
		}
	}
	return revoked, errors.Join(failed...)
}
