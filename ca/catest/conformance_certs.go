package catest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// signed makes a real certificate: its row as reserved, and its DER.
func signed(t testing.TB) (ca.Certificate, []byte) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Get(profile.SM2Root)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := ca.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := ca.NewDraft(p, profile.Site{CPS: "http://a/cps", CRL: "http://a/crl", Issuers: "http://a/ca"}, profile.Fields{
		Serial: serial, Public: &key.PublicKey, Now: time.Now(), Subject: profile.Subject{CommonName: "甲", Organization: "乙"},
	})
	if err != nil {
		t.Fatal(err)
	}
	der, err := draft.Sign(rand.Reader, key)
	if err != nil {
		t.Fatal(err)
	}
	row := draft.Row(ca.KindCA)
	row.Agency, row.CreatedAt = "11110102MB1234567M", time.Now().UTC().Truncate(time.Microsecond)
	return row, der
}

func good(t *testing.T, reg ca.Registry) ca.Certificate {
	t.Helper()
	row, der := signed(t)
	if _, err := reg.Reserve(context.Background(), []ca.Certificate{row}, nil, event()); err != nil {
		t.Fatal(err)
	}
	row.DER = der
	if _, err := reg.Activate(context.Background(), []ca.Certificate{row}, event()); err != nil {
		t.Fatal(err)
	}
	return row
}

func revokedOnce(t *testing.T, reg ca.Registry) {
	for range shortRounds() {
		oneRevokedOnce(t, reg)
	}
}

func oneRevokedOnce(t *testing.T, reg ca.Registry) {
	c := good(t, reg)
	at := time.Now().UTC().Truncate(time.Microsecond)
	race(t, ca.ErrRevoked, func() error {
		_, err := reg.SetState(context.Background(), c.Issuer, c.Serial, ca.StateRevoked, 1, at, event())
		return err
	})
	got, err := reg.Certificate(context.Background(), c.Issuer, c.Serial)
	if err != nil || got.State != ca.StateRevoked || got.Reason != 1 || !got.RevokedAt.Equal(at) {
		t.Errorf("read back %+v, %v", got, err)
	}
}

func serialOnce(t *testing.T, reg ca.Registry) {
	ctx := context.Background()
	row, _ := signed(t)
	other, _ := signed(t)
	race(t, ca.ErrExists, func() error {
		_, err := reg.Reserve(ctx, []ca.Certificate{row}, nil, event())
		return err
	})
	// All or nothing: the fresh one must not stay behind.
	if _, err := reg.Reserve(ctx, []ca.Certificate{other, row}, nil, event()); !errors.Is(err, ca.ErrExists) {
		t.Errorf("batch with a taken serial: %v", err)
	}
	if _, err := reg.Certificate(ctx, other.Issuer, other.Serial); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("half a batch stayed: %v", err)
	}
}

func activateOnce(t *testing.T, reg ca.Registry) {
	ctx := context.Background()
	sign, signDER := signed(t)
	enc, encDER := signed(t)
	sign.Kind, enc.Kind, sign.System, enc.System = ca.KindSM2Sign, ca.KindSM2Enc, "s-pair", "s-pair"
	pair := uuid.NewString()
	sign.Pair, enc.Pair = pair, pair
	sum := sm3.Sum([]byte(pair))
	key := &ca.EscrowedKey{Pair: pair, Wrapped: []byte{1, 2, 3}, KEK: "k", PublicSM3: hex.EncodeToString(sum[:]), CreatedAt: sign.CreatedAt}
	if _, err := reg.Reserve(ctx, []ca.Certificate{sign, enc}, key, event()); err != nil {
		t.Fatal(err)
	}
	if got, err := reg.Certificate(ctx, sign.Issuer, sign.Serial); err != nil || got.State != ca.StatePending || got.DER != nil {
		t.Errorf("reserved: %+v, %v", got, err)
	}
	sign.DER, enc.DER = signDER, encDER
	race(t, ca.ErrState, func() error {
		_, err := reg.Activate(ctx, []ca.Certificate{sign, enc}, event())
		return err
	})
	all, err := reg.CertificatesOf(ctx, "s-pair")
	if err != nil || len(all) != 2 || all[0].State != ca.StateGood || all[1].State != ca.StateGood || len(all[0].DER) == 0 {
		t.Errorf("pair: %+v, %v", all, err)
	}
}

func arrows(t *testing.T, reg ca.Registry) {
	ctx := context.Background()
	row, _ := signed(t)
	if _, err := reg.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
		t.Fatal(err)
	}
	c := good(t, reg)
	for i, step := range []struct {
		c    ca.Certificate
		to   ca.State
		want error
	}{
		{row, ca.StateHold, ca.ErrState}, // pending: no signature exists that could be held
		{c, ca.StateGood, ca.ErrState},
		{c, ca.StateHold, nil},
		{c, ca.StateHold, ca.ErrState},
		{c, ca.StateGood, nil},
		{c, ca.StateHold, nil},
		{c, ca.StateRevoked, nil},
		{c, ca.StateGood, ca.ErrRevoked},
		{c, ca.StateHold, ca.ErrRevoked},
		{c, ca.StateRevoked, ca.ErrRevoked},
		{ca.Certificate{Issuer: c.Issuer, Serial: "abc"}, ca.StateHold, ca.ErrNotFound},
	} {
		if _, err := reg.SetState(ctx, step.c.Issuer, step.c.Serial, step.to, 0, time.Now().UTC(), event()); !errors.Is(err, step.want) {
			t.Errorf("step %d to %s: %v, want %v", i, step.to, err, step.want)
		}
	}
}

// holdLeavesNoTrace: a lifted hold takes its reason and time away, so that no
// list of revoked certificates names it.
func holdLeavesNoTrace(t *testing.T, reg ca.Registry) {
	ctx := context.Background()
	c, at := good(t, reg), time.Now().UTC().Truncate(time.Microsecond)
	for _, step := range []struct {
		to     ca.State
		reason int
		at     time.Time
	}{{ca.StateHold, 6, at}, {ca.StateGood, 0, time.Time{}}} {
		if _, err := reg.SetState(ctx, c.Issuer, c.Serial, step.to, step.reason, at, event()); err != nil {
			t.Fatal(err)
		}
		got, err := reg.Certificate(ctx, c.Issuer, c.Serial)
		if err != nil || got.State != step.to || got.Reason != step.reason || !got.RevokedAt.Equal(step.at) {
			t.Errorf("%s: %+v, %v", step.to, got, err)
		}
	}
}
