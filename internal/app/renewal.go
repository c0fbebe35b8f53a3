package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// certifier lets systems renew and revoke what is their own.
type certifier struct{ ca *ca.Service }

func (c certifier) Renew(ctx context.Context, actor ledger.Actor, r wire.RenewRequest) (wire.Pair, error) {
	got, err := c.ca.RenewSM2(ctx, actor, ca.Renewal{Serial: r.Serial, CSR: r.SM2CSR, Signature: r.Signature})
	if err != nil {
		return wire.Pair{}, own(err)
	}
	return got.Wire(r.Response)
}

func (c certifier) Pair(ctx context.Context, actor ledger.Actor, serial string, response bool) (wire.Pair, error) {
	got, err := c.ca.PairOf(ctx, serial)
	if err == nil && got.Request.System != actor.ID {
		err = ca.ErrNotFound
	}
	if err != nil {
		return wire.Pair{}, own(err)
	}
	return got.Wire(response)
}

func (c certifier) Revoke(ctx context.Context, actor ledger.Actor, r wire.RevokeRequest) error {
	reason, err := ca.ReasonCode(r.Reason)
	if err != nil {
		return err
	}
	return own(c.ca.RevokeOwn(ctx, actor, r.Serial, reason, r.Since))
}

// own tells a system that it has no such certificate.
func own(err error) error {
	if errors.Is(err, ca.ErrNotFound) {
		return fmt.Errorf("%w: %w", api.ErrCertificate, err)
	}
	return err
}
