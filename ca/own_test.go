package ca_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// The follower of a certificate of the house's own has its key and name and nobody's
// approval; it is no way to anything else.
func TestTheHouseRenewsItsOwnCertificates(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	h.cfg.Founding = true
	founding := must(ca.New(h.cfg))
	for _, c := range []struct {
		kind ca.Kind
		name profile.Name
	}{{ca.KindService, profile.SM2Exchange}, {ca.KindMaker, profile.SM2Maker}} {
		first, err := founding.IssueSM2(ctx, h.clerk, ca.IssueSpec{
			ID: newID(), Kind: c.kind, Profile: c.name, Agency: agency, System: string(c.name), Public: &sm2Key(t).PublicKey,
			Subject: profile.Subject{CommonName: "样例区" + string(c.name), Organization: "样例区信息办", USCC: agency},
		})
		if err != nil {
			t.Fatal(err)
		}
		old := first.Certificate
		got, err := h.svc.RenewOwn(ctx, h.clerk, ca.Certificate{Issuer: old.Issuer, Serial: old.Serial}, c.name)
		if err != nil {
			t.Fatal(err)
		}
		next := got.Certificate
		was, is := parse(t, old.DER), parse(t, next.DER)
		if !bytes.Equal(was.RawSubjectPublicKeyInfo, is.RawSubjectPublicKeyInfo) || !bytes.Equal(was.RawSubject, is.RawSubject) || is.SerialNumber.Cmp(was.SerialNumber) == 0 {
			t.Errorf("%s: %s follows %s", c.name, is.Subject, was.Subject)
		}
		if next.Kind != c.kind || next.System != old.System || next.Agency != agency || next.Origin.Way != ca.WayRenewal || next.Origin.Previous != old.Name() {
			t.Errorf("%s: recorded as %+v", c.name, next)
		}
		events := h.reg.Events()
		if d := events[len(events)-1].Details; d["previous"] != old.Name() || d["founding"] != "" || events[len(events)-1].Payload != next.TBSSM3 {
			t.Errorf("%s: %+v", c.name, events[len(events)-1])
		}
		h.expect(ca.StateGood, old, next)
		_, err = h.svc.RenewOwn(ctx, h.clerk, old, profile.SM2Seal)
		refusedWith(t, err, ca.ErrInvalid)
		// A key that was given up gets no other certificate.
		if err := h.svc.Revoke(ctx, h.clerk, next.Issuer, next.Serial, ca.ReasonKeyCompromise); err != nil {
			t.Fatal(err)
		}
		n := h.key.calls
		_, err = h.svc.RenewOwn(ctx, h.clerk, next, c.name)
		refusedWith(t, err, ca.ErrRevoked)
		if h.key.calls != n {
			t.Error("signed")
		}
	}
	seal := sealSpec(t)
	h.approve(seal)
	other, err := h.svc.IssueSM2(ctx, h.clerk, seal)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.svc.RenewOwn(ctx, h.clerk, other.Certificate, profile.SM2Seal)
	refusedWith(t, err, ca.ErrInvalid)
	_, err = h.svc.RenewOwn(ctx, h.clerk, ca.Certificate{Issuer: other.Certificate.Issuer, Serial: "7f"}, profile.SM2Maker)
	refusedWith(t, err, ca.ErrNotFound)
}

func refusedWith(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("err = %v, want %v", err, want)
	}
}
