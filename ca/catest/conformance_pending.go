package catest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// PendingStore is a registry from which a sweeper takes what was not finished.
type PendingStore interface {
	StatusStore
	ca.Unfinished
}

// RunPending is the conformance suite of ca.Unfinished.
func RunPending(t *testing.T, open func(*testing.T) PendingStore) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, PendingStore){
		"only what is pending and old is listed":              listsOld,
		"a certificate is abandoned by one of eight":          abandonedOnce,
		"abandoned or activated, never both":                  abandonedOrGood,
		"what is abandoned is revoked for all who ask":        abandonedIsRevoked,
		"a pair ends whole, also where a limit would part it": pairEndsWhole,
		"an authority that waits for its ceremony stays":      ceremonyStays,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// reserved records a certificate of a system some time ago.
func reserved(t *testing.T, s ca.Registry, age time.Duration, change ...func(*ca.Certificate)) (ca.Certificate, []byte) {
	t.Helper()
	row, der := signed(t)
	row.Kind, row.System, row.CreatedAt = ca.KindECDSA, "s-1", moment().Add(-age)
	for _, f := range change {
		f(&row)
	}
	if _, err := s.Reserve(context.Background(), []ca.Certificate{row}, nil, event()); err != nil {
		t.Fatal(err)
	}
	return row, der
}

func pendingNow(t *testing.T, s ca.Unfinished, limit int) []string {
	t.Helper()
	rows, err := s.Pending(context.Background(), moment().Add(-ca.AbandonAfter), limit)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rows {
		out = append(out, r.Serial)
	}
	return out
}

func listsOld(t *testing.T, s PendingStore) {
	ctx := context.Background()
	reserved(t, s, 0)
	old, _ := reserved(t, s, time.Hour)
	done, der := reserved(t, s, 2*time.Hour)
	done.DER = der
	if _, err := s.Activate(ctx, []ca.Certificate{done}, event()); err != nil {
		t.Fatal(err)
	}
	if got := pendingNow(t, s, 10); len(got) != 1 || got[0] != old.Serial {
		t.Errorf("pending: %v, want %s", got, old.Serial)
	}
}

func abandonedOnce(t *testing.T, s PendingStore) {
	row, _ := reserved(t, s, time.Hour)
	race(t, ca.ErrState, func() error {
		_, err := s.Abandon(context.Background(), []ca.Certificate{row}, moment(), event())
		return err
	})
}

// abandonedOrGood: the process was alive after all. Either it hands out a good
// certificate, or it hands out none.
func abandonedOrGood(t *testing.T, s PendingStore) {
	ctx := context.Background()
	for range shortRounds() {
		row, der := reserved(t, s, time.Hour)
		signed := row
		signed.DER = der
		turn := make(chan bool, callers)
		for n := range callers {
			turn <- n%2 == 0
		}
		race(t, ca.ErrState, func() (err error) {
			if <-turn {
				_, err = s.Activate(ctx, []ca.Certificate{signed}, event())
			} else {
				_, err = s.Abandon(ctx, []ca.Certificate{row}, moment(), event())
			}
			return err
		})
		got, err := s.Certificate(ctx, row.Issuer, row.Serial)
		if err != nil || (got.State == ca.StateGood) != (len(got.DER) > 0) || got.State == ca.StatePending {
			t.Fatalf("%s with %d bytes, %v", got.State, len(got.DER), err)
		}
	}
}

func abandonedIsRevoked(t *testing.T, s PendingStore) {
	ctx, at := context.Background(), moment()
	row, _ := reserved(t, s, time.Hour)
	if _, err := s.Abandon(ctx, []ca.Certificate{row}, at, event()); err != nil {
		t.Fatal(err)
	}
	want := status.Standing{Serial: row.Serial, State: ca.StateRevoked, RevokedAt: at}
	if got, err := s.Standing(ctx, row.Issuer, row.Serial); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.Revoked(ctx, row.Issuer, at); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.SetState(ctx, row.Issuer, row.Serial, ca.StateGood, 0, at, event()); !errors.Is(err, ca.ErrRevoked) {
		t.Errorf("made good: %v", err)
	}
	if len(pendingNow(t, s, 10)) != 0 {
		t.Error("still pending")
	}
}

func pairEndsWhole(t *testing.T, s PendingStore) {
	ctx := context.Background()
	first, _ := reserved(t, s, 2*time.Hour)
	halves := []ca.Certificate{{}, {}}
	pair, created := uuid.NewString(), moment().Add(-time.Hour)
	for i, kind := range []ca.Kind{ca.KindSM2Sign, ca.KindSM2Enc} {
		halves[i], _ = signed(t)
		halves[i].Kind, halves[i].System, halves[i].Pair, halves[i].CreatedAt = kind, "s-2", pair, created
	}
	if _, err := s.Reserve(ctx, halves, nil, event()); err != nil {
		t.Fatal(err)
	}
	if got := pendingNow(t, s, 2); len(got) != 1 || got[0] != first.Serial {
		t.Errorf("half a pair is listed: %v", got)
	}
	if got := pendingNow(t, s, 3); len(got) != 3 {
		t.Errorf("%d listed, want 3", len(got))
	}
	n, err := ca.Sweeper{Store: s, Now: time.Now, NewID: id}.Sweep(ctx)
	if err != nil || n != 3 {
		t.Errorf("%d ended, %v", n, err)
	}
	for _, h := range halves {
		if got, err := s.Certificate(ctx, h.Issuer, h.Serial); err != nil || got.State != ca.StateRevoked {
			t.Errorf("%s: %s, %v", h.Kind, got.State, err)
		}
	}
}

func ceremonyStays(t *testing.T, s PendingStore) {
	ctx := context.Background()
	root, _ := reserved(t, s, 240*time.Hour, func(c *ca.Certificate) { c.Kind, c.System = ca.KindCA, "" })
	if got := pendingNow(t, s, 10); len(got) != 0 {
		t.Errorf("listed: %v", got)
	}
	if _, err := s.Abandon(ctx, []ca.Certificate{root}, moment(), event()); !errors.Is(err, ca.ErrState) {
		t.Errorf("abandoned: %v", err)
	}
}
