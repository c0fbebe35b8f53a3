package ca_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

func TestServerPairOfTheHouseGBT38636(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	signKey, encKey := must(sm2.GenerateKey(rand.Reader)), must(sm2.GenerateKey(rand.Reader))
	spec := ca.ServerPair{Service: "tlcp", Agency: agency, Organization: "样例区政务信息办公室", Hosts: []string{"localhost"}, Sign: &signKey.PublicKey, Enc: &encKey.PublicKey}
	skip := len(h.reg.Events())
	sign, enc, err := h.svc.IssueServerPair(ctx, h.office, spec)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.eventTypes(skip); len(got) != 2 || got[0] != "ca.pair.reserved" || got[1] != "ca.certificate.issued" {
		t.Errorf("events %v", got)
	}
	s, e := parse(t, sign.DER), parse(t, enc.DER)
	if sign.Pair == "" || sign.Pair != enc.Pair || s.KeyUsage&e.KeyUsage != 0 || len(s.ExtKeyUsage) != 1 || s.ExtKeyUsage[0] != smx509.ExtKeyUsageServerAuth || s.Subject.String() != e.Subject.String() {
		t.Errorf("%+v, %+v", sign, enc)
	}
	if _, err := h.svc.VerifyPair(ctx, s, e); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("the house's own pair passed for a system's: %v", err)
	}
	if _, _, err := h.svc.Hold(ctx, h.office, enc.Issuer, enc.Serial, "检查"); err != nil { // with the other half
		t.Fatal(err)
	}
	h.expect(ca.StateHold, sign, enc)
	for name, spoil := range map[string]func(*ca.ServerPair){
		"no host": func(s *ca.ServerPair) { s.Hosts = nil }, "no service": func(s *ca.ServerPair) { s.Service = "" },
		"a wildcard": func(s *ca.ServerPair) { s.Hosts = []string{"*.gov"} }, "no key": func(s *ca.ServerPair) { s.Enc = nil },
	} {
		bad := spec
		spoil(&bad)
		before := h.key.calls
		if _, _, err := h.svc.IssueServerPair(ctx, h.office, bad); err == nil || h.key.calls != before {
			t.Errorf("%s: %v, %d signatures", name, err, h.key.calls-before)
		}
	}
}

func TestVerifyPairAsksTheRegistryForBothHalves(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	signRow, encRow := h.pair()
	_, otherRow := h.pair()
	sign, enc, other := parse(t, signRow.DER), parse(t, encRow.DER), parse(t, otherRow.DER)
	if got, err := h.svc.VerifyPair(ctx, sign, enc); err != nil || got.Serial != signRow.Serial {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, pair := range map[string][2]*smx509.Certificate{"halves of two pairs": {sign, other}, "wrong order": {enc, sign}, "one twice": {sign, sign}, "an authority": {parse(t, h.boot.SM2Issuing), enc}} {
		if _, err := h.svc.VerifyPair(ctx, pair[0], pair[1]); !errors.Is(err, ca.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	altered := *enc
	altered.Raw = append([]byte{}, enc.Raw...)
	altered.Raw[len(altered.Raw)-1] ^= 1
	if _, err := h.svc.VerifyPair(ctx, sign, &altered); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("same serial, other bytes: %v", err)
	}
	// One half alone, as a revocation that stopped half-way leaves it.
	if _, err := h.reg.SetState(ctx, encRow.Issuer, encRow.Serial, ca.StateHold, 6, h.clock.Now(), ledger.Event{ID: newID(), Type: "test", Class: ledger.ClassCertificate, Time: h.clock.Now(), Actor: h.office, Object: ledger.Object{Kind: "certificate", ID: encRow.Serial}, Outcome: ledger.Success}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.VerifyPair(ctx, sign, enc); !errors.Is(err, ca.ErrState) {
		t.Errorf("encryption half on hold: %v", err)
	}
	if err := h.svc.Revoke(ctx, h.office, signRow.Issuer, signRow.Serial, ca.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.VerifyPair(ctx, sign, enc); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	third, fourth := h.pair()
	h.clock.advance(400 * 24 * time.Hour)
	if _, err := h.svc.VerifyPair(ctx, parse(t, third.DER), parse(t, fourth.DER)); !errors.Is(err, ca.ErrState) {
		t.Errorf("over: %v", err)
	}
}
