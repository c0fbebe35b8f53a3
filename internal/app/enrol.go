package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// CertificatesOf lists the certificates of a system that are in force.
func (h *House) CertificatesOf(ctx context.Context, system string) ([]ca.Certificate, error) {
	all, err := h.rooms.CA.CertificatesOf(ctx, system)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c ca.Certificate) bool { return c.State != ca.StateGood }), nil
}

// Enrol spends an enrolment token: the SM2 pair now, and a one-time token for
// the ECDSA track, minted only because the request was approved. Whoever asks
// again in the hour with the same CSR gets the same pair and a fresh one-time
// token: all of one request have one id, so that one of them is used, ever.
func (h *House) Enrol(ctx context.Context, r wire.EnrolRequest) (wire.EnrolAnswer, error) {
	ott := ""
	pair, err := h.CA.EnrolSM2(ctx, r.Token, r.SM2CSR, func(_ context.Context, of ca.Request) (ev ledger.Event, err error) {
		ott, ev, err = h.StepCA.DraftToken(of, of.ID)
		return ev, err
	})
	if err != nil {
		return wire.EnrolAnswer{}, err
	}
	if pair.Again {
		if ott, err = h.StepCA.MintToken(ctx, pair.Request, pair.Request.ID); err != nil {
			return wire.EnrolAnswer{}, fmt.Errorf("app: one-time token: %w", err)
		}
	}
	out, err := pair.Wire(r.Response)
	if err != nil {
		return wire.EnrolAnswer{}, err
	}
	return wire.EnrolAnswer{
		System: out.System, SignCert: out.SignCert, EncCert: out.EncCert, EnvelopedKey: out.EnvelopedKey, Chain: out.Chain, Response: out.Response,
		OneTimeToken: ott, SignURL: "https://" + h.cfg.Public + "/1.0/sign", Hosts: pair.Request.Hosts, Receipt: pair.Receipt,
	}, nil
}

// ACMEKey gives the holder of an enrolment token the key of its ACME client,
// once. The token is looked at only: it still opens both tracks.
func (h *House) ACMEKey(ctx context.Context, token string) (wire.ACMEKeyAnswer, error) {
	req, err := h.CA.Authorize(ctx, token)
	if err != nil {
		return wire.ACMEKeyAnswer{}, err
	}
	return h.acmeKey(ctx, req, ledger.Actor{})
}

func (h *House) acmeKey(ctx context.Context, req ca.Request, by ledger.Actor) (wire.ACMEKeyAnswer, error) {
	eab, err := h.StepCA.CreateEAB(ctx, req, by)
	if err != nil {
		return wire.ACMEKeyAnswer{}, fmt.Errorf("app: external account key: %w", err)
	}
	base := "https://" + h.cfg.Public
	return wire.ACMEKeyAnswer{
		System: req.System, Hosts: req.Hosts, Directory: base + "/acme/acme/directory", KID: eab.KID, HMAC: eab.HMAC,
		TextURL: base + "/acme/txt", TextPassword: eab.TextPassword, Expires: eab.Expires,
	}, nil
}
