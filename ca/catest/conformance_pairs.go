package catest

import (
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// RunPairs is the conformance suite of ca.Deliveries and ca.Suspensions, and of
// what ca.Registry promises about pairs.
func RunPairs(t *testing.T, open func(*testing.T) Pairs) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Pairs){
		"a pair moves as one":                      pairMoves,
		"a basis is claimed by one of eight":       claimedOnce,
		"a refused beginning leaves nothing":       begunWhole,
		"a claim that ran out delivers nothing":    lateDelivery,
		"a delivery is whole, with its pair good":  deliveredWhole,
		"a pair is held once":                      heldOnce,
		"a hold is lifted by one of eight":         liftedOnce,
		"a revoked pair is not resumed":            liftedNever,
		"a refused question can be asked again":    askedAgain,
		"holds of a system and those that wait":    suspensionLists,
		"an event that is refused leaves no trace": tracelessPairs,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// reserved makes a pending pair and what activates it.
func reservedPair(t *testing.T, reg Pairs) (rows []ca.Certificate) {
	t.Helper()
	pair := uuid.NewString()
	for _, kind := range []ca.Kind{ca.KindSM2Sign, ca.KindSM2Enc} {
		row, der := signed(t)
		row.Kind, row.Pair, row.System, row.Issuer = kind, pair, "s-"+pair, hex.EncodeToString(make([]byte, 32))
		rows = append(rows, row)
		if _, err := reg.Reserve(context.Background(), []ca.Certificate{row}, nil, event()); err != nil {
			t.Fatal(err)
		}
		rows[len(rows)-1].DER = der
	}
	return rows
}

func goodPair(t *testing.T, reg Pairs) []ca.Certificate {
	t.Helper()
	rows := reservedPair(t, reg)
	if _, err := reg.Activate(context.Background(), rows, event()); err != nil {
		t.Fatal(err)
	}
	return rows
}

func states(t *testing.T, reg Pairs, want ca.State, reason int, rows ...ca.Certificate) {
	t.Helper()
	for _, c := range rows {
		if now, err := reg.Certificate(context.Background(), c.Issuer, c.Serial); err != nil || now.State != want || now.Reason != reason || now.RevokedAt.IsZero() != (want == ca.StateGood) {
			t.Errorf("%s is %s (%d), want %s (%d): %v", c.Kind, now.State, now.Reason, want, reason, err)
		}
	}
}

func pairMoves(t *testing.T, reg Pairs) {
	ctx, other := context.Background(), goodPair(t, reg)
	rows := goodPair(t, reg)
	for i, step := range []struct {
		to     ca.State
		reason int
	}{{ca.StateHold, 6}, {ca.StateGood, 0}, {ca.StateHold, 6}, {ca.StateRevoked, 4}} {
		c := rows[i%2] // either half takes the other with it
		if _, err := reg.SetState(ctx, c.Issuer, c.Serial, step.to, step.reason, now(), event()); err != nil {
			t.Fatal(err)
		}
		states(t, reg, step.to, step.reason, rows...)
	}
	states(t, reg, ca.StateGood, 0, other...)
	race(t, ca.ErrRevoked, func() error {
		_, err := reg.SetState(ctx, other[0].Issuer, other[0].Serial, ca.StateRevoked, 1, now(), event())
		return err
	})
	states(t, reg, ca.StateRevoked, 1, other...)
	pending := reservedPair(t, reg)
	if _, err := reg.SetState(ctx, pending[0].Issuer, pending[0].Serial, ca.StateHold, 6, now(), event()); !errors.Is(err, ca.ErrState) {
		t.Errorf("hold of a pending pair: %v", err)
	}
}

func claimedOnce(t *testing.T, reg Pairs) {
	ctx, basis, from := context.Background(), "acme:"+uuid.NewString(), now()
	until := from.Add(time.Minute)
	race(t, ca.ErrBusy, func() error { return Begin(t, reg, ca.Claim{Basis: basis, Now: from, Until: until}) })
	if err := reg.ReleaseDelivery(ctx, basis, until.Add(time.Second)); err != nil {
		t.Error(err)
	}
	if err := Begin(t, reg, ca.Claim{Basis: basis, Now: from, Until: until}); !errors.Is(err, ca.ErrBusy) {
		t.Errorf("another's claim was released: %v", err)
	}
	// What a dead process had claimed goes to one of those who wait.
	race(t, ca.ErrBusy, func() error { return Begin(t, reg, ca.Claim{Basis: basis, Now: until, Until: until.Add(time.Minute)}) })
	if err := reg.ReleaseDelivery(ctx, basis, until.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if err := Begin(t, reg, ca.Claim{Basis: basis, Now: from, Until: until}); err != nil {
		t.Errorf("a released basis: %v", err)
	}
	for at, want := range map[time.Time]error{from: ca.ErrBusy, until: ca.ErrNotFound} {
		if _, err := reg.Delivery(ctx, basis, at); !errors.Is(err, want) {
			t.Errorf("claimed is not delivered: %v, want %v", err, want)
		}
	}
	if _, err := reg.Delivery(ctx, basis+"x", from); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("never claimed: %v", err)
	}
}

// Begin takes a claim with the reservation of some certificate.
func Begin(t testing.TB, reg ca.Deliveries, c ca.Claim) error {
	t.Helper()
	row, _ := signed(t)
	_, err := reg.Begin(context.Background(), c, []ca.Certificate{row}, nil, event())
	return err
}

func begunWhole(t *testing.T, reg Pairs) {
	ctx, from := context.Background(), now()
	c := ca.Claim{Basis: "renewal:" + uuid.NewString(), Now: from, Until: from.Add(time.Minute)}
	if err := Begin(t, reg, c); err != nil {
		t.Fatal(err)
	}
	lost := func(name string, c ca.Claim, want error) {
		row, _ := signed(t)
		if _, err := reg.Begin(ctx, c, []ca.Certificate{row}, nil, event()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if _, err := reg.Certificate(ctx, row.Issuer, row.Serial); !errors.Is(err, ca.ErrNotFound) {
			t.Errorf("%s: its certificate was reserved: %v", name, err)
		}
	}
	lost("the basis is another's", c, ca.ErrBusy)
	free := ca.Claim{Basis: "token:" + uuid.NewString(), Token: ca.TokenHash(uuid.NewString()), Now: from, Until: from.Add(time.Minute)}
	lost("the token is unknown", free, ca.ErrToken)
	free.Token = ""
	row, _ := signed(t)
	if _, err := reg.Begin(ctx, free, []ca.Certificate{row}, nil, event()); err != nil {
		t.Errorf("a basis that was refused for its token: %v", err)
	}
	third := ca.Claim{Basis: "acme:" + uuid.NewString(), Now: from, Until: from.Add(time.Minute)}
	if _, err := reg.Begin(ctx, third, []ca.Certificate{row}, nil, event()); !errors.Is(err, ca.ErrExists) {
		t.Errorf("a serial twice: %v", err)
	}
	if err := Begin(t, reg, third); err != nil {
		t.Errorf("a basis that was refused for its serial: %v", err)
	}
	if _, err := reg.Begin(ctx, ca.Claim{Basis: "acme:" + uuid.NewString(), Now: from, Until: c.Until}, []ca.Certificate{row}, nil, ledger.Event{}); err == nil {
		t.Error("begun without an event")
	}
}

func delivery(rows []ca.Certificate) ca.Delivery {
	sum := sm3.Sum([]byte(rows[0].Serial))
	return ca.Delivery{
		Basis: "renewal:" + uuid.NewString(), CSRSM3: hex.EncodeToString(sum[:]), Issuer: rows[0].Issuer, Sign: rows[0].Serial, Enc: rows[1].Serial,
		Renews: "abc", Envelope: []byte{1, 2, 3}, CreatedAt: now(),
	}
}

func lateDelivery(t *testing.T, reg Pairs) {
	ctx, rows := context.Background(), reservedPair(t, reg)
	d, from := delivery(rows), now()
	if _, err := reg.Deliver(ctx, d, from.Add(time.Minute), rows, event()); !errors.Is(err, ca.ErrBusy) {
		t.Errorf("without a claim: %v", err)
	}
	for _, until := range []time.Time{from.Add(time.Minute), from.Add(2 * time.Minute)} {
		if err := Begin(t, reg, ca.Claim{Basis: d.Basis, Now: until.Add(-time.Minute), Until: until}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := reg.Deliver(ctx, d, from.Add(time.Minute), rows, event()); !errors.Is(err, ca.ErrBusy) {
		t.Errorf("overtaken: %v", err)
	}
	if c, err := reg.Certificate(ctx, rows[0].Issuer, rows[0].Serial); err != nil || c.State != ca.StatePending || c.DER != nil {
		t.Errorf("certificate of a refused delivery: %+v, %v", c.State, err)
	}
}

func deliveredWhole(t *testing.T, reg Pairs) {
	ctx, rows := context.Background(), reservedPair(t, reg)
	d, from := delivery(rows), now()
	until := from.Add(time.Minute)
	if err := Begin(t, reg, ca.Claim{Basis: d.Basis, Now: from, Until: until}); err != nil {
		t.Fatal(err)
	}
	race(t, ca.ErrBusy, func() error {
		_, err := reg.Deliver(ctx, d, until, rows, event())
		return err
	})
	states(t, reg, ca.StateGood, 0, rows...)
	for name, get := range map[string]func() (ca.Delivery, error){
		"by basis":       func() (ca.Delivery, error) { return reg.Delivery(ctx, d.Basis, from) },
		"by certificate": func() (ca.Delivery, error) { return reg.DeliveryOf(ctx, d.Issuer, d.Sign) },
	} {
		if got, err := get(); err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if err := Begin(t, reg, ca.Claim{Basis: d.Basis, Now: until.Add(time.Hour), Until: until.Add(2 * time.Hour)}); !errors.Is(err, ca.ErrExists) {
		t.Errorf("claim of a delivered basis: %v", err)
	}
	if _, err := reg.DeliveryOf(ctx, d.Issuer, d.Enc); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("by the other half: %v", err)
	}
}

func suspension(c ca.Certificate) ca.Suspension {
	return ca.Suspension{
		ID: uuid.Must(uuid.NewV7()).String(), Issuer: c.Issuer, Serial: c.Serial, Pair: c.Pair, System: c.System, State: ca.SuspensionHeld,
		HeldBy: "p-1", Reason: "丢失", HeldAt: now(),
	}
}

// asked holds a fresh pair and asks that it be resumed.
func asked(t *testing.T, reg Pairs) (ca.Suspension, []ca.Certificate) {
	t.Helper()
	ctx, rows := context.Background(), goodPair(t, reg)
	x := suspension(rows[1])
	if _, err := reg.AddSuspension(ctx, x, event()); err != nil {
		t.Fatal(err)
	}
	x.State, x.Asks, x.AskedBy, x.Why = ca.SuspensionAsked, 1, "p-2", "已找回"
	if _, err := reg.MoveSuspension(ctx, x, ca.SuspensionHeld, 0, event()); err != nil {
		t.Fatal(err)
	}
	return x, rows
}

func heldOnce(t *testing.T, reg Pairs) {
	ctx, rows := context.Background(), goodPair(t, reg)
	race(t, ca.ErrState, func() error {
		_, err := reg.AddSuspension(ctx, suspension(rows[0]), event())
		return err
	})
	states(t, reg, ca.StateHold, 6, rows...)
	all, err := reg.SuspensionsOf(ctx, rows[0].System)
	if err != nil || len(all) != 1 || all[0].State != ca.SuspensionHeld || all[0].Reason != "丢失" {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := reg.AddSuspension(ctx, suspension(ca.Certificate{Issuer: "aa", Serial: "1"}), event()); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown certificate: %v", err)
	}
}

func lift(x ca.Suspension) ca.Suspension {
	x.State, x.AnsweredBy, x.Approval, x.AnsweredAt = ca.SuspensionLifted, "p-3", "a-1", now()
	return x
}

func liftedOnce(t *testing.T, reg Pairs) {
	x, rows := asked(t, reg)
	want := lift(x)
	race(t, ca.ErrDecided, func() error {
		_, err := reg.MoveSuspension(context.Background(), want, ca.SuspensionAsked, 1, event())
		return err
	})
	states(t, reg, ca.StateGood, 0, rows...)
	if got, err := reg.Suspension(context.Background(), x.ID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v (%v)", got, want, err)
	}
}

func liftedNever(t *testing.T, reg Pairs) {
	ctx := context.Background()
	x, rows := asked(t, reg)
	if _, err := reg.SetState(ctx, rows[0].Issuer, rows[0].Serial, ca.StateRevoked, 1, now(), event()); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.MoveSuspension(ctx, lift(x), ca.SuspensionAsked, 1, event()); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("resumed after revocation: %v", err)
	}
	states(t, reg, ca.StateRevoked, 1, rows...)
	if got, err := reg.Suspension(ctx, x.ID); err != nil || got.State != ca.SuspensionAsked {
		t.Errorf("the refused answer was kept: %+v, %v", got, err)
	}
}

func askedAgain(t *testing.T, reg Pairs) {
	ctx := context.Background()
	x, rows := asked(t, reg)
	no := x
	no.State, no.AnsweredBy, no.Refusal, no.AnsweredAt = ca.SuspensionHeld, "p-3", "无依据", now()
	if _, err := reg.MoveSuspension(ctx, no, ca.SuspensionAsked, 1, event()); err != nil {
		t.Fatal(err)
	}
	states(t, reg, ca.StateHold, 6, rows...)
	again := x
	again.Asks = 2
	if _, err := reg.MoveSuspension(ctx, again, ca.SuspensionHeld, 0, event()); !errors.Is(err, ca.ErrDecided) && !errors.Is(err, ca.ErrState) {
		t.Errorf("the number of askings was passed over: %v", err)
	}
	if _, err := reg.MoveSuspension(ctx, again, ca.SuspensionHeld, 1, event()); err != nil {
		t.Fatal(err)
	}
	// The answer to the first question is none to the second.
	if _, err := reg.MoveSuspension(ctx, lift(x), ca.SuspensionAsked, 1, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("an old answer: %v", err)
	}
	if _, err := reg.MoveSuspension(ctx, lift(ca.Suspension{ID: "unknown", Asks: 1}), ca.SuspensionAsked, 1, event()); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func suspensionLists(t *testing.T, reg Pairs) {
	ctx := context.Background()
	x, _ := asked(t, reg)
	rows := goodPair(t, reg)
	if _, err := reg.AddSuspension(ctx, suspension(rows[0]), event()); err != nil {
		t.Fatal(err)
	}
	waiting, err := reg.SuspensionsOf(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, y := range waiting {
		switch {
		case y.ID == x.ID:
			found++
		case y.State != ca.SuspensionAsked || y.System == rows[0].System:
			t.Errorf("%+v does not wait", y)
		}
	}
	if found != 1 {
		t.Errorf("found %d times", found)
	}
	if of, err := reg.SuspensionsOf(ctx, x.System); err != nil || len(of) != 1 || of[0].ID != x.ID {
		t.Errorf("%+v, %v", of, err)
	}
}

func tracelessPairs(t *testing.T, reg Pairs) {
	ctx := context.Background()
	rows := goodPair(t, reg)
	if _, err := reg.AddSuspension(ctx, suspension(rows[0]), ledger.Event{}); err == nil {
		t.Error("held without an event")
	}
	states(t, reg, ca.StateGood, 0, rows...)
	if all, err := reg.SuspensionsOf(ctx, rows[0].System); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
