package status

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/ca/lint/crl"
)

// The key of an offline authority (Authority.Offline) is in a ceremony room. Its
// list is ordered here (recorded with its number, not signed), signed there and
// published here. It has no delta and no partitions beside the complete list,
// and nobody answers OCSP in its name: certificates under it name its list only.

var (
	// ErrOffline: the authority's key is not here.
	ErrOffline = errors.New("status: the authority is offline")
	// ErrOnline: the authority signs its lists itself.
	ErrOnline = errors.New("status: the authority is not offline")
	// ErrSignature: what a ceremony brought is no signature of the recorded list.
	ErrSignature = errors.New("status: signature of the list does not verify")
)

// Offline are the ids of the authorities whose keys are elsewhere.
func (s *Service) Offline() []string {
	var out []string
	for _, i := range *s.issuers.Load() {
		if i.offline() {
			out = append(out, i.id)
		}
	}
	return out
}

func (i *issuer) offline() bool { return i.Authority.Offline }

// Order drafts, lints and records the next list of an offline authority, for a
// ceremony to sign. It may be given up: a later one voids it when published.
func (s *Service) Order(ctx context.Context, issuerID string) (CRL, error) {
	i := s.issuer(issuerID)
	switch {
	case i == nil:
		return CRL{}, fmt.Errorf("%w: %q", ErrUnknownIssuer, issuerID)
	case !i.offline():
		return CRL{}, fmt.Errorf("%w: %q", ErrOnline, issuerID)
	}
	var ordered CRL
	err := again(func() (err error) {
		ordered, err = s.reserve(ctx, i, "", false)
		return err
	})
	return ordered, err
}

// Import publishes an ordered list with the signature that a ceremony made over
// its recorded bytes. ErrOvertaken when a later list was published meanwhile, or
// this one was.
func (s *Service) Import(ctx context.Context, issuerID, tbsSM3 string, signature []byte) (CRL, error) {
	i := s.issuer(issuerID)
	switch {
	case i == nil:
		return CRL{}, fmt.Errorf("%w: %q", ErrUnknownIssuer, issuerID)
	case !i.offline():
		return CRL{}, fmt.Errorf("%w: %q", ErrOnline, issuerID)
	}
	lists, err := s.cfg.Lists.CRLsSince(ctx, issuerID, "", 1)
	if err != nil {
		return CRL{}, fmt.Errorf("status: read lists: %w", err)
	}
	for _, c := range lists {
		if c.TBSSM3 != tbsSM3 {
			continue
		}
		if c.State != CRLPending {
			return CRL{}, fmt.Errorf("%w: %d is %s", ErrOvertaken, c.Number, c.State)
		}
		view, err := crl.ParseTBS(c.TBS)
		if err != nil {
			return CRL{}, fmt.Errorf("status: read list %d: %w", c.Number, err)
		}
		// Recorded lists were linted when they were drafted; the rules may have
		// become stricter since.
		if err := s.linter.Check(crl.Input{View: view, Issuer: i.Certificate}); err != nil {
			return CRL{}, fmt.Errorf("%w: %w", ErrLint, err)
		}
		return s.publish(ctx, i, c, signature)
	}
	return CRL{}, fmt.Errorf("%w: none of %s with these bytes", ErrNoList, issuerID)
}
