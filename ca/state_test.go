package ca_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

func (h *house) pair() (sign, enc ca.Certificate) {
	h.t.Helper()
	if _, err := h.svc.EnrolSM2(context.Background(), h.token(), csr(h.t, sm2Key(h.t))); err != nil {
		h.t.Fatal(err)
	}
	all, err := h.reg.CertificatesOf(context.Background(), "civil-a")
	if err != nil {
		h.t.Fatal(err)
	}
	return all[len(all)-2], all[len(all)-1]
}

func (h *house) expect(want ca.State, certs ...ca.Certificate) {
	h.t.Helper()
	for _, c := range certs {
		if now, err := h.svc.Status(context.Background(), c.Issuer, c.Serial); err != nil || now.State != want {
			h.t.Errorf("%s is %s, want %s (%v)", c.Kind, now.State, want, err)
		}
	}
}

func TestARevocationEndsThePairAsOneGMT0034(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	otherSign, otherEnc := h.pair()
	sign, enc := h.pair()
	if err := h.svc.Revoke(ctx, h.office, sign.Issuer, sign.Serial, ca.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	h.expect(ca.StateRevoked, sign, enc)
	h.expect(ca.StateGood, otherSign, otherEnc)
	for name, again := range map[string]func() error{
		"revoke": func() error { return h.svc.Revoke(ctx, h.office, enc.Issuer, enc.Serial, ca.ReasonUnspecified) },
		"hold":   func() error { _, _, err := h.svc.Hold(ctx, h.office, enc.Issuer, enc.Serial, "丢失"); return err },
	} {
		if err := again(); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("%s after revocation: %v", name, err)
		}
	}
	if err := h.svc.Revoke(ctx, h.office, otherSign.Issuer, otherSign.Serial, 6); !errors.Is(err, ca.ErrInvalid) {
		t.Errorf("hold given as a reason of revocation: %v", err)
	}
	if err := h.svc.Revoke(ctx, h.office, sign.Issuer, "abc", ca.ReasonUnspecified); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown serial: %v", err)
	}
}

// RFC 5280 5.3.2: a reported key is revoked now and not trusted since then; several
// reports, and a revocation before them, leave the earliest date.
func TestCompromisedSince(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	sign, enc := h.pair()
	now := h.clock.Now().UTC().Truncate(time.Second)
	since := func(want time.Time) {
		t.Helper()
		rows, err := h.reg.Revoked(ctx, sign.Issuer, now)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%+v, %v", rows, err)
		}
		for _, r := range rows {
			if r.Serial == sign.Serial && !r.InvalidAt.Equal(want) || r.Serial == enc.Serial && !r.InvalidAt.IsZero() {
				t.Errorf("%+v", r)
			}
		}
	}
	for name, at := range map[string]time.Time{"no time": {}, "the future": now.Add(time.Hour)} {
		if err := h.svc.Compromised(ctx, h.office, sign.Issuer, sign.Serial, at); !errors.Is(err, ca.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.expect(ca.StateGood, sign, enc)
	if err := h.svc.Revoke(ctx, h.office, sign.Issuer, sign.Serial, ca.ReasonSuperseded); err != nil {
		t.Fatal(err)
	}
	since(time.Time{})
	for _, hours := range []time.Duration{2, 1, 3, 3} {
		if err := h.svc.Compromised(ctx, h.office, sign.Issuer, sign.Serial, now.Add(-hours*time.Hour)); err != nil {
			t.Error(err)
		}
		since(now.Add(-max(hours, 2) * time.Hour))
	}
	if got, err := h.svc.Status(ctx, sign.Issuer, sign.Serial); err != nil || got.Reason != ca.ReasonSuperseded {
		t.Errorf("%+v, %v", got, err)
	}
	if err := h.svc.Compromised(ctx, h.office, sign.Issuer, "abc", now); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestVerifyClientAsksTheRegistry(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	root, err := x509.ParseCertificate(h.boot.ECDSARoot)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(h.boot.ECDSAIssuing)
	if err != nil {
		t.Fatal(err)
	}
	row, err := h.svc.VerifyClient(ctx, leaf, root)
	if err != nil || row.Kind != ca.KindCA {
		t.Fatalf("%+v, %v", row, err)
	}
	other := *leaf
	other.Raw = append([]byte{}, leaf.Raw...)
	other.Raw[len(other.Raw)-1] ^= 1
	if _, err := h.svc.VerifyClient(ctx, &other, root); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("same serial, other bytes: %v", err)
	}
	if _, err := h.svc.VerifyClient(ctx, leaf, leaf); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("other issuer: %v", err)
	}
	if _, _, err := h.svc.Hold(ctx, h.office, row.Issuer, row.Serial, "检查"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.VerifyClient(ctx, leaf, root); !errors.Is(err, ca.ErrState) {
		t.Errorf("on hold: %v", err)
	}
	if err := h.svc.Revoke(ctx, h.office, row.Issuer, row.Serial, ca.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.VerifyClient(ctx, leaf, root); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
}
