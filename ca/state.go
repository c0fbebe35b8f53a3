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

// Revoke ends a certificate for good, and with half of a pair the other half.
func (s *Service) Revoke(ctx context.Context, actor ledger.Actor, issuer, serial string, reason int) error {
	if !slices.Contains([]int{ReasonUnspecified, ReasonKeyCompromise, ReasonAffiliationChanged, ReasonSuperseded, ReasonCessationOfOperation, ReasonPrivilegeWithdrawn}, reason) {
		return fmt.Errorf("%w: reason %d", ErrInvalid, reason)
	}
	return s.move(ctx, actor, issuer, serial, StateRevoked, reason, "ca.certificate.revoked")
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

// Hold suspends (挂失) until Resume or Revoke; a pair as a whole.
func (s *Service) Hold(ctx context.Context, actor ledger.Actor, issuer, serial string) error {
	return s.move(ctx, actor, issuer, serial, StateHold, reasonHold, "ca.certificate.held")
}

// Resume lifts a hold (解挂); a pair as a whole.
func (s *Service) Resume(ctx context.Context, actor ledger.Actor, issuer, serial string) error {
	return s.move(ctx, actor, issuer, serial, StateGood, ReasonUnspecified, "ca.certificate.resumed")
}

// move changes the named certificate first and then the rest of its pair. The
// registry commits one at a time: when the process dies between the two, the
// same call again finishes the pair. A half that already stands where it should
// is passed over; the call fails only when nothing was left to change.
func (s *Service) move(ctx context.Context, actor ledger.Actor, issuer, serial string, to State, reason int, kind string) error {
	named, err := s.cfg.Registry.Certificate(ctx, issuer, serial)
	if err != nil {
		return fmt.Errorf("ca: read certificate: %w", err)
	}
	halves := []Certificate{named}
	if named.Pair != "" {
		all, err := s.cfg.Registry.CertificatesOf(ctx, named.System)
		if err != nil {
			return fmt.Errorf("ca: read pair: %w", err)
		}
		for _, c := range all {
			if c.Pair != named.Pair || (c.Issuer == issuer && c.Serial == serial) {
				continue
			}
			// A revocation that stopped half-way is finished, never undone.
			if to == StateGood && c.State == StateRevoked {
				return ErrRevoked
			}
			halves = append(halves, c)
		}
	}
	now := s.cfg.Now().UTC()
	var refused error
	moved := false
	for _, c := range halves {
		ev := s.event(kind, actor, certificateObject(c), map[string]string{"reason": strconv.Itoa(reason), "kind": string(c.Kind), "pair": c.Pair})
		_, err := s.cfg.Registry.SetState(ctx, c.Issuer, c.Serial, to, reason, now.Truncate(time.Microsecond), ev)
		switch {
		case err == nil:
			moved = true
		case errors.Is(err, ErrRevoked) || errors.Is(err, ErrState):
			if refused == nil {
				refused = err
			}
		default:
			return fmt.Errorf("ca: change state: %w", err)
		}
	}
	if !moved {
		return fmt.Errorf("ca: change state: %w", refused)
	}
	return nil
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
