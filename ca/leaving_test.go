package ca_test

import (
	"context"
	"errors"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// The certificate of a leaver is revoked, held or not; what the leaver asked for
// is taken back; others keep theirs.
func TestWhatALeaverHasEnds(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	admin := ledger.Actor{Kind: "person", ID: "p-admin", Unit: agency}
	h.cfg.Persons, h.cfg.Founding = h.reg, true
	svc := must(ca.New(h.cfg))
	issue := func(person string) ca.Certificate {
		key := must(sm2.GenerateKey(h.cfg.Rand))
		out, err := svc.IssueSM2(ctx, h.office, ca.IssueSpec{
			ID: "person-" + person, Kind: ca.KindPerson, Profile: profile.SM2Person, Public: &key.PublicKey, Agency: agency, Person: person,
			Subject: profile.Subject{CommonName: "张三", Organization: "样例区民政局", USCC: agency},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.Certificate
	}
	first, second, other := issue("p-1"), issue("p-1"), issue("p-2")
	if _, _, err := svc.Hold(ctx, h.office, second.Issuer, second.Serial, "设备丢失"); err != nil {
		t.Fatal(err)
	}
	sign, _ := h.pair()
	x, _, err := svc.Hold(ctx, h.office, sign.Issuer, sign.Serial, "停用")
	if err != nil {
		t.Fatal(err)
	}
	if x, _, err = svc.AskResume(ctx, ledger.Actor{Kind: "person", ID: "p-1", Unit: agency}, x.ID, "恢复"); err != nil {
		t.Fatal(err)
	}
	if n, err := svc.Left(ctx, admin, "p-1"); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for _, c := range []ca.Certificate{first, second} {
		if row, err := svc.Status(ctx, c.Issuer, c.Serial); err != nil || row.State != ca.StateRevoked || row.Reason != ca.ReasonAffiliationChanged {
			t.Errorf("%s, reason %d, %v", row.State, row.Reason, err)
		}
	}
	h.expect(ca.StateGood, other)
	if x, err = h.reg.Suspension(ctx, x.ID); err != nil || x.State != ca.SuspensionHeld || x.AnsweredBy != admin.ID {
		t.Errorf("the question of the leaver: %+v, %v", x, err)
	}
	events := len(h.reg.Events())
	if n, err := svc.Left(ctx, admin, "p-1"); n != 0 || err != nil || len(h.reg.Events()) != events {
		t.Errorf("again: %d, %v", n, err)
	}
	if _, err := h.svc.Left(ctx, admin, "p-1"); !errors.Is(err, ca.ErrInvalid) {
		t.Errorf("without a register of persons: %v", err)
	}
}
