package ca_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// GM/T 0034 12.6, 12.7: a hold acts at once on the pair; lifting it waits for the
// signature of a second person (design law 8).
func TestAHoldIsLiftedByASecondPersonGMT0034(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	second := ledger.Actor{Kind: "person", ID: "p-ra-2", Unit: agency, Role: "ra_officer"}
	otherSign, otherEnc := h.pair()
	sign, enc := h.pair()
	x, _, err := h.svc.Hold(ctx, h.office, enc.Issuer, enc.Serial, "设备丢失")
	if err != nil {
		t.Fatal(err)
	}
	h.expect(ca.StateHold, sign, enc)
	h.expect(ca.StateGood, otherSign, otherEnc)
	if _, _, err := h.svc.Hold(ctx, h.office, sign.Issuer, sign.Serial, "再次"); !errors.Is(err, ca.ErrState) {
		t.Errorf("held twice: %v", err)
	}
	if _, _, err := h.svc.Resume(ctx, second, x.ID); !errors.Is(err, ca.ErrState) {
		t.Errorf("resumed before anybody asked: %v", err)
	}
	if x, _, err = h.svc.AskResume(ctx, h.office, x.ID, "设备已找回"); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]struct {
		signer string
		digest string
		actor  ledger.Actor
		want   error
	}{
		"no signature":                 {"", "", second, ca.ErrNotApproved},
		"his own signature":            {h.office.ID, ca.ResumptionDigest(x), h.office, ca.ErrSelf},
		"signature over something":     {second.ID, strings.Repeat("0", 64), second, ca.ErrNotApproved},
		"another one's signature":      {"p-ra-3", ca.ResumptionDigest(x), second, ca.ErrNotApproved},
		"his own, sent by the second":  {h.office.ID, ca.ResumptionDigest(x), second, ca.ErrSelf},
		"signature for another asking": {second.ID, ca.ResumptionDigest(func() ca.Suspension { y := x; y.Asks++; return y }()), second, ca.ErrNotApproved},
	} {
		h.desk.signed = map[[3]string]string{}
		if try.signer != "" {
			h.desk.sign(try.signer, x.Question(), try.digest)
		}
		if _, _, err := h.svc.Resume(ctx, try.actor, x.ID); !errors.Is(err, try.want) {
			t.Errorf("%s: %v, want %v", name, err, try.want)
		}
	}
	h.expect(ca.StateHold, sign, enc)

	// A refusal leaves the hold, and binds this question only.
	if x, _, err = h.svc.RefuseResume(ctx, second, x.ID, "未见领回记录"); err != nil || x.State != ca.SuspensionHeld {
		t.Fatalf("%+v, %v", x, err)
	}
	first := x.Question()
	if x, _, err = h.svc.AskResume(ctx, h.office, x.ID, "附领回记录"); err != nil || x.Question() == first {
		t.Fatalf("%+v, %v", x, err)
	}
	h.desk.sign(second.ID, x.Question(), ca.ResumptionDigest(x))
	if x, _, err = h.svc.Resume(ctx, second, x.ID); err != nil || x.State != ca.SuspensionLifted || x.Approval == "" {
		t.Fatalf("%+v, %v", x, err)
	}
	h.expect(ca.StateGood, sign, enc)
	want := "ca.certificate.held ca.resumption.asked ca.resumption.refused ca.resumption.asked ca.certificate.resumed"
	types := h.eventTypes(0)
	if got := strings.Join(types[len(types)-5:], " "); got != want {
		t.Errorf("events: %s", got)
	}
	for _, ev := range h.reg.Events() {
		for k, v := range ev.Details {
			if strings.Contains(v, "设备") || strings.Contains(v, "记录") {
				t.Errorf("free text on the ledger: %s.%s", ev.Type, k)
			}
		}
	}
}

func TestAHoldNeedsAReasonAndEndsWithRevocation(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	sign, enc := h.pair()
	for _, reason := range []string{"", " ", strings.Repeat("长", 301)} {
		if _, _, err := h.svc.Hold(ctx, h.office, sign.Issuer, sign.Serial, reason); !errors.Is(err, ca.ErrInvalid) {
			t.Errorf("reason of %d bytes: %v", len(reason), err)
		}
	}
	x, _, err := h.svc.Hold(ctx, h.office, sign.Issuer, sign.Serial, "丢失")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.svc.AskResume(ctx, h.office, "unknown", "找回"); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown hold: %v", err)
	}
	if x, _, err = h.svc.AskResume(ctx, h.office, x.ID, "找回"); err != nil {
		t.Fatal(err)
	}
	h.desk.sign("p-ra-2", x.Question(), ca.ResumptionDigest(x))
	if err := h.svc.Revoke(ctx, h.office, enc.Issuer, enc.Serial, ca.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.svc.Resume(ctx, ledger.Actor{Kind: "person", ID: "p-ra-2"}, x.ID); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("resumed after revocation: %v", err)
	}
	h.expect(ca.StateRevoked, sign, enc)
}
