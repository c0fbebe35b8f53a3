package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Reasons of RFC 5280 5.3.1 that this room knows.
const (
	ReasonUnspecified          = 0
	ReasonKeyCompromise        = 1
	ReasonAffiliationChanged   = 3
	ReasonSuperseded           = 4
	ReasonCessationOfOperation = 5
	reasonHold                 = 6 // certificateHold: only Hold gives it
	ReasonPrivilegeWithdrawn   = 9
)

// Revoke ends a certificate for good, at once, and with half of a pair the other
// half.
func (s *Service) Revoke(ctx context.Context, actor ledger.Actor, issuer, serial string, reason int) error {
	if !slices.ContainsFunc(Reasons(), func(r Reason) bool { return r.Code == reason }) {
		return fmt.Errorf("%w: reason %d", ErrInvalid, reason)
	}
	named, err := s.Status(ctx, issuer, serial)
	if err != nil {
		return err
	}
	ev, err := s.stateEvent(ctx, "ca.certificate.revoked", actor, named, reason)
	if err != nil {
		return err
	}
	if _, err := s.cfg.Registry.SetState(ctx, issuer, serial, StateRevoked, reason, s.cfg.Now().UTC().Truncate(time.Microsecond), ev); err != nil {
		return fmt.Errorf("ca: revoke: %w", err)
	}
	return nil
}

// Compromised ends a certificate whose key is not its holder's alone since then,
// and lists say so (RFC 5280 5.3.2). One that was revoked before keeps its reason
// and time; the earliest date of several reports counts. The other half of a pair
// has another key: it is revoked, and no date is known for it.
func (s *Service) Compromised(ctx context.Context, actor ledger.Actor, issuer, serial string, since time.Time) error {
	since = since.UTC().Truncate(time.Second)
	if since.IsZero() || since.After(s.cfg.Now()) {
		return fmt.Errorf("%w: invalid since %s", ErrInvalid, since)
	}
	if err := s.Revoke(ctx, actor, issuer, serial, ReasonKeyCompromise); err != nil && !errors.Is(err, ErrRevoked) {
		return err
	}
	row, err := s.Status(ctx, issuer, serial)
	if err != nil {
		return err
	}
	ev := s.event("ca.certificate.invalidated", actor, certificateObject(row), map[string]string{"since": since.Format(time.RFC3339), "kind": string(row.Kind)})
	if _, err := s.cfg.Registry.Invalidate(ctx, issuer, serial, since, ev); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("ca: record invalidity: %w", err)
	}
	return nil
}

// stateEvent tells of a change of a certificate and, beside it, of the other half
// of its pair.
func (s *Service) stateEvent(ctx context.Context, kind string, actor ledger.Actor, named Certificate, reason int) (ledger.Event, error) {
	details := map[string]string{"reason": strconv.Itoa(reason), "kind": string(named.Kind), "pair": named.Pair}
	if named.Kind.Paired() {
		halves, err := s.halves(ctx, named)
		if err != nil {
			return ledger.Event{}, err
		}
		details["sign_serial"], details["enc_serial"] = halves[0].Serial, halves[1].Serial
	}
	return s.event(kind, actor, certificateObject(named), details), nil
}

// halves finds the pair of one of its certificates: signing, encryption.
func (s *Service) halves(ctx context.Context, half Certificate) (both [2]Certificate, err error) {
	all, err := s.cfg.Registry.CertificatesOf(ctx, half.System)
	if err != nil {
		return both, fmt.Errorf("ca: read pair: %w", err)
	}
	for _, c := range all {
		switch {
		case half.Pair == "" || c.Pair != half.Pair:
		case c.Kind == KindSM2Sign, c.Kind == KindSM2SignTest:
			both[0] = c
		case c.Kind == KindSM2Enc, c.Kind == KindSM2EncTest:
			both[1] = c
		}
	}
	if both[0].Serial == "" || both[1].Serial == "" {
		return both, fmt.Errorf("%w: not half of a pair", ErrNotFound)
	}
	return both, nil
}

// Status is the row of a certificate, or ErrNotFound.
func (s *Service) Status(ctx context.Context, issuer, serial string) (Certificate, error) {
	c, err := s.cfg.Registry.Certificate(ctx, issuer, serial)
	if err != nil {
		return Certificate{}, fmt.Errorf("ca: read certificate: %w", err)
	}
	return c, nil
}

// VerifyClient answers whether the holder of an mTLS connection may be served:
// TLS has proved chain and key, this asks whether the certificate is one that
// the house recorded, is good today, and is the recorded one byte for byte.
// ErrNotFound, ErrRevoked or ErrState otherwise. The issuer is the second
// certificate of tls.ConnectionState.VerifiedChains.
func (s *Service) VerifyClient(ctx context.Context, leaf, issuer *x509.Certificate) (Certificate, error) {
	return s.inForce(ctx, profile.IssuerID(issuer.RawSubject, issuer.RawSubjectPublicKeyInfo), FormatSerial(leaf.SerialNumber), leaf.Raw)
}

// inForce is the row of a certificate that may be used now.
func (s *Service) inForce(ctx context.Context, issuer, serial string, der []byte) (Certificate, error) {
	c, err := s.Status(ctx, issuer, serial)
	if err != nil {
		return Certificate{}, err
	}
	now := s.cfg.Now()
	switch {
	case c.State == StateRevoked:
		return Certificate{}, ErrRevoked
	case c.State != StateGood, now.Before(c.NotBefore), now.After(c.NotAfter):
		return Certificate{}, fmt.Errorf("%w: %s", ErrState, c.State)
	case !bytes.Equal(c.DER, der):
		return Certificate{}, fmt.Errorf("%w: recorded certificate differs", ErrNotFound)
	}
	return c, nil
}
