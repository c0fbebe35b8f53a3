package ca_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// What a process may still be signing stays; what it left behind ends, a pair by
// one act, and each other certificate by its own.
func TestSweeperEndsWhatIsOldPairsAsOne(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	token := h.token()
	h.reg.FailNext("Deliver", errors.New("disk full"))
	if _, err := h.svc.EnrolSM2(ctx, token, csr(t, sm2Key(t))); err == nil {
		t.Fatal("issued on a full disk")
	}
	for _, name := range []string{"ledger", "exchange"} {
		h.reg.FailNext("Activate", errors.New("disk full"))
		_, err := h.svc.IssueSM2(ctx, h.office, ca.IssueSpec{
			ID: name, Kind: ca.KindService, Profile: profile.SM2Exchange, Public: &sm2Key(t).PublicKey, Agency: agency, System: name,
			Subject: profile.Subject{CommonName: name, Organization: "样例区政务信息办公室"},
		})
		if err == nil {
			t.Fatal("issued on a full disk")
		}
	}
	before := len(h.reg.Events())
	sweeper := ca.Sweeper{Store: h.reg, Now: h.clock.Now, NewID: newID}
	h.clock.advance(ca.AbandonAfter)
	if n, err := sweeper.Sweep(ctx); n != 0 || err != nil {
		t.Fatalf("%d ended at once, %v", n, err)
	}
	h.clock.advance(time.Second)
	if n, err := sweeper.Sweep(ctx); n != 4 || err != nil {
		t.Fatalf("%d ended, %v", n, err)
	}
	events := h.reg.Events()[before:]
	pairs := 0
	for _, ev := range events {
		if ev.Type != "ca.certificate.abandoned" || ev.Outcome != ledger.Failure {
			t.Errorf("%s, %s", ev.Type, ev.Outcome)
		}
		if ev.Details["other_serial"] != "" {
			pairs++
		}
	}
	if len(events) != 3 || pairs != 1 {
		t.Errorf("%d acts, %d of pairs", len(events), pairs)
	}
}

// busyElsewhere is a store where another node was first.
type busyElsewhere struct{ ca.Unfinished }

func (busyElsewhere) Abandon(context.Context, []ca.Certificate, time.Time, ledger.Event) (ledger.Receipt, error) {
	return ledger.Receipt{}, ca.ErrState
}

func TestSweeperLeavesWhatAnotherNodeEnds(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	token := h.token()
	h.reg.FailNext("Deliver", errors.New("disk full"))
	if _, err := h.svc.EnrolSM2(ctx, token, csr(t, sm2Key(t))); err == nil {
		t.Fatal("issued on a full disk")
	}
	h.clock.advance(time.Hour)
	if n, err := (ca.Sweeper{Store: busyElsewhere{h.reg}, Now: h.clock.Now, NewID: newID}).Sweep(ctx); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
