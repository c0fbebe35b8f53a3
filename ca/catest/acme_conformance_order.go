package catest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

func orderBack(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	o, z := added(t, s)
	if got, err := s.Order(ctx, o.ID); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("%+v, %v\nwant %+v", got, err, o)
	}
	if got, err := s.Authorization(ctx, z.ID); err != nil || !reflect.DeepEqual(got, z) {
		t.Errorf("%+v, %v\nwant %+v", got, err, z)
	}
	if got, err := s.Challenge(ctx, z.Challenges[1].ID); err != nil || !reflect.DeepEqual(got, z.Challenges[1]) {
		t.Errorf("%+v, %v", got, err)
	}
	if ids, err := s.OrdersOf(ctx, o.Account); err != nil || len(ids) != 1 || ids[0] != o.ID {
		t.Errorf("%v, %v", ids, err)
	}
}

func finishOnce(t *testing.T, s acmestore.Store) {
	ctx, o := context.Background(), ready(t, s)
	now := moment()
	until := now.Add(time.Minute)
	_, err := s.FinishOrder(ctx, o.ID, until, "aa", event())
	want(t, err, acmestore.ErrState) // not claimed
	race(t, acmestore.ErrState, func() error { return s.ClaimOrder(ctx, o.ID, now, until) })
	_, err = s.FinishOrder(ctx, o.ID, until.Add(time.Second), "aa", event())
	want(t, err, acmestore.ErrState) // another's claim
	serial := id()
	race(t, acmestore.ErrState, func() error {
		_, err := s.FinishOrder(ctx, o.ID, until, serial, event())
		return err
	})
	got, err := s.OrderOfCertificate(ctx, serial)
	if err != nil || got.ID != o.ID || got.Status != acmestore.Valid {
		t.Errorf("%+v, %v", got, err)
	}
	want(t, s.ClaimOrder(ctx, o.ID, until.Add(time.Hour), until.Add(2*time.Hour)), acmestore.ErrState)
	if ids, err := s.OrdersOf(ctx, o.Account); err != nil || len(ids) != 0 {
		t.Errorf("a finished order is listed as open: %v, %v", ids, err)
	}
}

func claimEnds(t *testing.T, s acmestore.Store) {
	ctx, o := context.Background(), ready(t, s)
	now := moment()
	until := now.Add(time.Minute)
	want(t, s.ClaimOrder(ctx, o.ID, now, until), nil)
	want(t, s.ReleaseOrder(ctx, o.ID, until), nil)
	want(t, s.ReleaseOrder(ctx, o.ID, until), acmestore.ErrState)
	want(t, s.ClaimOrder(ctx, o.ID, now, until), nil)
	want(t, s.ClaimOrder(ctx, o.ID, until.Add(-time.Second), until), acmestore.ErrState)
	later := until.Add(time.Minute)
	want(t, s.ClaimOrder(ctx, o.ID, until, later), nil) // its owner died
	_, err := s.FinishOrder(ctx, o.ID, until, id(), event())
	want(t, err, acmestore.ErrState) // and came back
	_, err = s.FinishOrder(ctx, o.ID, later, id(), event())
	want(t, err, nil)
}

func orderArrows(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	o, _ := added(t, s)
	for i, step := range []struct {
		from, to acmestore.Status
		want     error
	}{
		{acmestore.Pending, acmestore.Valid, acmestore.ErrState},
		{acmestore.Ready, acmestore.Pending, acmestore.ErrState},
		{acmestore.Ready, acmestore.Invalid, acmestore.ErrState}, // it is pending
		{acmestore.Pending, acmestore.Ready, nil},
		{acmestore.Pending, acmestore.Ready, acmestore.ErrState},
		{acmestore.Ready, acmestore.Valid, acmestore.ErrState}, // only FinishOrder does
		{acmestore.Ready, acmestore.Invalid, nil},
		{acmestore.Invalid, acmestore.Ready, acmestore.ErrState},
	} {
		if err := s.MoveOrder(ctx, o.ID, step.from, step.to, []byte("{}")); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
	if got, err := s.Order(ctx, o.ID); err != nil || got.Status != acmestore.Invalid || string(got.Problem) != "{}" {
		t.Errorf("%+v, %v", got, err)
	}
	want(t, s.ClaimOrder(ctx, o.ID, moment(), moment().Add(time.Minute)), acmestore.ErrState)
	next, _ := added(t, s)
	race(t, acmestore.ErrState, func() error {
		return s.MoveOrder(ctx, next.ID, acmestore.Pending, acmestore.Ready, nil)
	})
}

func answerOnce(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	_, z := added(t, s)
	c := z.Challenges[0]
	want(t, s.AnswerChallenge(ctx, c), acmestore.ErrState) // still pending: no answer
	c.Status, c.Validated = acmestore.Valid, "2026-03-01T00:00:00Z"
	race(t, acmestore.ErrState, func() error { return s.AnswerChallenge(ctx, c) })
	got, err := s.Authorization(ctx, z.ID)
	if err != nil || got.Status != acmestore.Valid || !reflect.DeepEqual(got.Challenges[0], c) || got.Challenges[1].Status != acmestore.Pending {
		t.Errorf("%+v, %v", got, err)
	}
	want(t, s.EndAuthorization(ctx, z.ID), acmestore.ErrState)
}

func firstAnswerDecides(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	_, z := added(t, s)
	bad, good := z.Challenges[0], z.Challenges[1]
	bad.Status, bad.Problem = acmestore.Invalid, []byte(`{"type":"connection"}`)
	good.Status = acmestore.Valid
	want(t, s.AnswerChallenge(ctx, bad), nil)
	want(t, s.AnswerChallenge(ctx, good), nil)
	got, err := s.Authorization(ctx, z.ID)
	if err != nil || got.Status != acmestore.Invalid || string(got.Challenges[0].Problem) != string(bad.Problem) {
		t.Errorf("%+v, %v", got, err)
	}
	_, other := added(t, s)
	want(t, s.EndAuthorization(ctx, other.ID), nil)
	want(t, s.EndAuthorization(ctx, other.ID), acmestore.ErrState)
}

func notThere(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	for name, read := range map[string]func() error{
		"key":           func() error { _, err := s.Key(ctx, "x"); return err },
		"account":       func() error { _, err := s.Account(ctx, "x"); return err },
		"thumbprint":    func() error { _, err := s.AccountByThumbprint(ctx, "x"); return err },
		"order":         func() error { _, err := s.Order(ctx, "x"); return err },
		"certificate":   func() error { _, err := s.OrderOfCertificate(ctx, "x"); return err },
		"":              func() error { _, err := s.OrderOfCertificate(ctx, ""); return err },
		"authorization": func() error { _, err := s.Authorization(ctx, "x"); return err },
		"challenge":     func() error { _, err := s.Challenge(ctx, "x"); return err },
	} {
		if err := read(); !errors.Is(err, acmestore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ids, err := s.OrdersOf(ctx, "x"); err != nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
}

func badOrder(t *testing.T, s acmestore.Store) {
	ctx, a := context.Background(), bound(t, s)
	for name, change := range map[string]func(*acmestore.Order, *[]acmestore.Authorization){
		"ready":             func(o *acmestore.Order, _ *[]acmestore.Authorization) { o.Status = acmestore.Ready },
		"with certificate":  func(o *acmestore.Order, _ *[]acmestore.Authorization) { o.Certificate = "aa" },
		"no authorization":  func(_ *acmestore.Order, z *[]acmestore.Authorization) { *z = nil },
		"without challenge": func(_ *acmestore.Order, z *[]acmestore.Authorization) { (*z)[0].Challenges = nil },
	} {
		o, z := newOrder(a)
		change(&o, &z)
		_, err := s.AddOrder(ctx, o, z, event())
		if !errors.Is(err, acmestore.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Order(ctx, o.ID); !errors.Is(err, acmestore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func oneCertificate(t *testing.T, s acmestore.Store) {
	ctx, first, second := context.Background(), ready(t, s), ready(t, s)
	now, serial := moment(), id()
	until := now.Add(time.Minute)
	for _, o := range []acmestore.Order{first, second} {
		want(t, s.ClaimOrder(ctx, o.ID, now, until), nil)
	}
	_, err := s.FinishOrder(ctx, first.ID, until, serial, event())
	want(t, err, nil)
	_, err = s.FinishOrder(ctx, second.ID, until, serial, event())
	want(t, err, acmestore.ErrExists)
}

func strayOrder(t *testing.T, s acmestore.Store) {
	ctx := context.Background()
	o, z := newOrder(acmestore.Account{ID: "nobody"})
	_, err := s.AddOrder(ctx, o, z, event())
	want(t, err, acmestore.ErrNotFound)
	_, err = s.Authorization(ctx, z[0].ID)
	want(t, err, acmestore.ErrNotFound)
	real, zs := added(t, s)
	_, err = s.AddOrder(ctx, real, []acmestore.Authorization{zs}, event())
	want(t, err, acmestore.ErrExists)
}

// refusedAct: an event that no ledger takes stops the row with it.
func refusedAct(t *testing.T, s acmestore.Store) {
	ctx, a := context.Background(), bound(t, s)
	o, z := newOrder(a)
	bad := event()
	bad.ID = ""
	if _, err := s.AddOrder(ctx, o, z, bad); err == nil {
		t.Error("order without a valid event")
	}
	_, err := s.Order(ctx, o.ID)
	want(t, err, acmestore.ErrNotFound)
	k := acmestore.Key{ID: id(), System: id(), Request: id(), HMAC: []byte{1}, State: acmestore.KeyOpen, ExpiresAt: moment().Add(time.Hour)}
	if _, err := s.AddKey(ctx, k, bad); err == nil {
		t.Error("key without a valid event")
	}
	_, err = s.Key(ctx, k.ID)
	want(t, err, acmestore.ErrNotFound)
	k = openKey(t, s, id())
	if _, err := s.Bind(ctx, accountFor(k), moment(), bad); err == nil {
		t.Error("account without a valid event")
	}
	if got, err := s.Key(ctx, k.ID); err != nil || got.State != acmestore.KeyOpen || len(got.HMAC) == 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
