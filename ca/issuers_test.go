package ca_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// succession is issuing authorities, the current one first.
type succession struct {
	all  []ca.Issuer
	away bool // this node has not the key
}

func (s *succession) All(context.Context) ([]ca.Issuer, error) { return s.all, nil }

func (s *succession) Current(context.Context) (ca.Issuer, error) {
	if s.away {
		return ca.Issuer{}, ca.ErrNoIssuer
	}
	return s.all[0], nil
}

// What the authority before issued stays recognised, can be given again and
// revoked; what follows it comes from the next one, with the chain of that.
func TestPairsOutliveTheirAuthority(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	s := &succession{all: []ca.Issuer{{Certificate: h.cfg.SM2Issuing, Signer: h.key, Above: [][]byte{h.cfg.SM2Root.Raw}}}}
	h.cfg.SM2, h.cfg.SM2Issuing, h.cfg.SM2Root, h.cfg.SM2Signer = s, nil, nil, nil
	h.svc = must(ca.New(h.cfg))
	key, old := h.enrolled()
	boot := bootstrapConfig(t, h.reg)
	boot.Now = h.clock.Now
	four := must(ca.Bootstrap(ctx, boot))
	s.all = append([]ca.Issuer{{Certificate: parse(t, four.SM2Issuing), Signer: boot.SM2Issuing, Above: [][]byte{four.SM2Root, []byte("a bridge")}}}, s.all...)
	h.clock.advance(24 * time.Hour)
	signed := h.key.calls

	serial := serialOf(t, old.SignCert)
	ask := renewal(t, key, serial, csr(t, sm2Key(t)))
	got := must(h.svc.RenewSM2(ctx, system, ask))
	if err := parse(t, got.SignCert).CheckSignatureFrom(parse(t, four.SM2Issuing)); err != nil || got.Renews != serial || h.key.calls != signed {
		t.Errorf("renewed by another authority: %v", err)
	}
	if len(got.Chain) != 3 || !bytes.Equal(got.Chain[0], four.SM2Issuing) || !bytes.Equal(got.Chain[1], four.SM2Root) {
		t.Errorf("%d certificates above the new pair", len(got.Chain))
	}
	for _, pair := range []ca.DualResult{old, got} {
		row := must(h.svc.VerifyPair(ctx, parse(t, pair.SignCert), parse(t, pair.EncCert)))
		if row.System != system.ID || row.Issuer != pair.Issuer {
			t.Errorf("%+v", row)
		}
		chain := must(h.svc.ChainOf(ctx, parse(t, pair.SignCert)))
		if !bytes.Equal(chain[0], pair.Chain[0]) {
			t.Error("another chain than the certificate's")
		}
	}
	if _, err := h.svc.VerifyPair(ctx, parse(t, old.SignCert), parse(t, got.EncCert)); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("halves of two authorities: %v", err)
	}
	again := must(h.svc.RenewSM2(ctx, system, ask))
	if !bytes.Equal(again.SignCert, got.SignCert) || !bytes.Equal(again.Chain[0], got.Chain[0]) {
		t.Error("the answer that is given again is another one")
	}
	if err := h.svc.Revoke(ctx, h.office, old.Issuer, serial, ca.ReasonSuperseded); err != nil {
		t.Error(err)
	}
	if _, err := h.svc.VerifyPair(ctx, parse(t, old.SignCert), parse(t, old.EncCert)); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	s.away = true
	if _, err := h.svc.EnrolSM2(ctx, h.token(), csr(t, sm2Key(t))); !errors.Is(err, ca.ErrNoIssuer) || h.key.calls != signed {
		t.Errorf("a node without the key: %v", err)
	}
	s.away, s.all = false, s.all[1:]
	h.clock.advance(11 * 365 * 24 * time.Hour)
	if _, err := h.svc.EnrolSM2(ctx, h.token(), csr(t, sm2Key(t))); !errors.Is(err, ca.ErrNoIssuer) {
		t.Errorf("an authority that is over: %v", err)
	}
}
