package ca

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Reason is a reason of revocation by its code and its name in RFC 5280 5.3.1.
type Reason struct {
	Code int
	Name string
}

// Reasons lists those that this room gives.
func Reasons() []Reason {
	return []Reason{
		{ReasonUnspecified, "unspecified"}, {ReasonKeyCompromise, "keyCompromise"}, {ReasonAffiliationChanged, "affiliationChanged"},
		{ReasonSuperseded, "superseded"}, {ReasonCessationOfOperation, "cessationOfOperation"}, {ReasonPrivilegeWithdrawn, "privilegeWithdrawn"},
	}
}

// ReasonCode finds a reason by its name.
func ReasonCode(name string) (int, error) {
	for _, r := range Reasons() {
		if r.Name == name {
			return r.Code, nil
		}
	}
	return 0, fmt.Errorf("%w: reason of revocation", ErrInvalid)
}

// ReasonName is the name of a reason, or its number when this room never gives it.
func ReasonName(code int) string {
	for _, r := range Reasons() {
		if r.Code == code {
			return r.Name
		}
	}
	return strconv.Itoa(code)
}

// RevokeOwn ends a certificate of the calling system, of either track; a date
// since when its key is compromised goes with ReasonKeyCompromise only. What is
// not the caller's does not exist for it; that it asked is on the ledger.
func (s *Service) RevokeOwn(ctx context.Context, actor ledger.Actor, serial string, reason int, since time.Time) error {
	if actor.ID == "" || !since.IsZero() && reason != ReasonKeyCompromise {
		return fmt.Errorf("%w: who revokes, or a date without a compromise", ErrInvalid)
	}
	all, err := s.cfg.Registry.CertificatesOf(ctx, actor.ID)
	if err != nil {
		return fmt.Errorf("ca: read certificates of system: %w", err)
	}
	i := slices.IndexFunc(all, func(c Certificate) bool {
		return c.Serial == serial && (c.Kind == KindECDSA || c.Kind == KindECDSATest || c.Kind.Paired())
	})
	switch {
	case i < 0:
		err = ErrNotFound
	case since.IsZero():
		err = s.Revoke(ctx, actor, all[i].Issuer, serial, reason)
	default:
		err = s.Compromised(ctx, actor, all[i].Issuer, serial, since)
	}
	if err != nil && s.cfg.Recorder != nil {
		return s.refused(ctx, "ca.revocation.refused", actor, ledger.Object{Kind: "certificate", ID: serial}, err)
	}
	return err
}
