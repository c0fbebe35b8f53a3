package app

import (
	"context"
	"fmt"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// CountCertificates counts the certificates in force of a system.
func (h *House) CountCertificates(ctx context.Context, system string) (int, error) {
	all, err := h.rooms.CA.CertificatesOf(ctx, system)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range all {
		if c.State == ca.StateGood {
			n++
		}
	}
	return n, nil
}

// Enrol spends an enrolment token: the SM2 pair now, and a one-time token for
// the ECDSA track, minted only because the request was approved.
func (h *House) Enrol(ctx context.Context, token string, sm2CSR []byte) (wire.EnrolAnswer, error) {
	pair, err := h.CA.EnrolSM2(ctx, token, sm2CSR)
	if err != nil {
		return wire.EnrolAnswer{}, err
	}
	ott, err := h.StepCA.MintToken(ctx, pair.Request)
	if err != nil {
		return wire.EnrolAnswer{}, fmt.Errorf("app: one-time token: %w", err)
	}
	return wire.EnrolAnswer{
		System: pair.Request.System, SignCert: pair.SignCert, EncCert: pair.EncCert, EnvelopedKey: pair.Envelope, Chain: pair.Chain,
		OneTimeToken: ott, SignURL: "https://" + h.cfg.Public + "/1.0/sign", Hosts: pair.Request.Hosts, Receipt: pair.Receipt,
	}, nil
}
