package catest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// StatusStore is everything that ca/status asks of a store, and the registry
// that it reads.
type StatusStore interface {
	ca.Registry
	status.Registry
	status.Lists
	status.Published
	status.Changes
}

// RunStatus is the conformance suite of status.Registry, Lists and Published.
func RunStatus(t *testing.T, open func(*testing.T) StatusStore) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, StatusStore){
		"a standing is the row as it is now":           standingNow,
		"revoked and held are listed, until over":      revokedListed,
		"a revoked certificate has an invalidity date": invalidated,
		"changes are told from a revision on":          changesTold,
		"a list number is recorded for one of eight":   numberOnce,
		"a list is published by one of eight":          publishedOnce,
		"a later list voids what is pending":           overtaken,
		"full and delta, shards and issuers are apart": scopesApart,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func standingNow(t *testing.T, s StatusStore) {
	ctx := context.Background()
	if _, err := s.Standing(ctx, "aa", "1"); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	row, der := signed(t)
	if _, err := s.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	want := status.Standing{Serial: row.Serial, State: ca.StatePending}
	check := func() {
		t.Helper()
		got, err := s.Standing(ctx, row.Issuer, row.Serial)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	check()
	row.DER = der
	if _, err := s.Activate(ctx, []ca.Certificate{row}, event()); err != nil {
		t.Fatal(err)
	}
	want.State = ca.StateGood
	check()
	for _, step := range []status.Standing{{State: ca.StateHold, Reason: 6, RevokedAt: at}, {State: ca.StateGood}, {State: ca.StateRevoked, Reason: 1, RevokedAt: at}} {
		if _, err := s.SetState(ctx, row.Issuer, row.Serial, step.State, step.Reason, step.RevokedAt, event()); err != nil {
			t.Fatal(err)
		}
		want.State, want.Reason, want.RevokedAt = step.State, step.Reason, step.RevokedAt
		check()
	}
}

func revokedListed(t *testing.T, s StatusStore) {
	ctx := context.Background()
	at := time.Now().UTC().Truncate(time.Microsecond)
	issuer := ""
	serials := map[ca.State]string{}
	var first time.Time // they may be made in two seconds
	for _, state := range []ca.State{ca.StateGood, ca.StateHold, ca.StateRevoked} {
		row, der := signed(t)
		if first.IsZero() {
			first = row.NotAfter
		}
		if issuer == "" {
			issuer = row.Issuer
		}
		// The fake checks signed bytes, not the issuer's name: one issuer for all.
		row.Issuer = issuer
		if _, err := s.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
			t.Fatal(err)
		}
		row.DER = der
		if _, err := s.Activate(ctx, []ca.Certificate{row}, event()); err != nil {
			t.Fatal(err)
		}
		if state != ca.StateGood {
			if _, err := s.SetState(ctx, issuer, row.Serial, state, 6, at, event()); err != nil {
				t.Fatal(err)
			}
		}
		serials[state] = row.Serial
		if state == ca.StateRevoked {
			for when, want := range map[time.Time]int{first: 2, row.NotAfter.Add(time.Hour): 0, {}: 2} {
				if got, err := s.Revoked(ctx, issuer, when); err != nil || len(got) != want {
					t.Errorf("not over at %s: %d, want %d, %v", when, len(got), want, err)
				}
			}
		}
	}
	got, err := s.Revoked(ctx, issuer, at)
	if err != nil || len(got) != 2 || got[0].Serial >= got[1].Serial {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, g := range got {
		if g.Serial != serials[g.State] || g.Reason != 6 || !g.RevokedAt.Equal(at) {
			t.Errorf("%+v", g)
		}
	}
	if other, err := s.Revoked(ctx, "other", at); err != nil || len(other) != 0 {
		t.Errorf("other issuer: %+v, %v", other, err)
	}
	if _, err := s.SetState(ctx, issuer, serials[ca.StateHold], ca.StateGood, 0, time.Time{}, event()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Revoked(ctx, issuer, at); err != nil || len(got) != 1 || got[0].State != ca.StateRevoked {
		t.Errorf("after the hold: %+v, %v", got, err)
	}
}

// invalidated: RFC 5280 5.3.2; only of what is revoked, and the earliest counts.
func invalidated(t *testing.T, s StatusStore) {
	ctx := context.Background()
	c := good(t, s)
	at := time.Now().UTC().Truncate(time.Second)
	set := func(from time.Time, want error) {
		t.Helper()
		if _, err := s.Invalidate(ctx, c.Issuer, c.Serial, from, event()); !errors.Is(err, want) {
			t.Errorf("since %s: %v, want %v", from, err, want)
		}
	}
	listed := func(want time.Time) {
		t.Helper()
		got, err := s.Revoked(ctx, c.Issuer, at)
		if err != nil || len(got) != 1 || !got[0].InvalidAt.Equal(want) || !got[0].RevokedAt.Equal(at) || got[0].Reason != 1 {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
		if one, err := s.Standing(ctx, c.Issuer, c.Serial); err != nil || !one.InvalidAt.Equal(want) {
			t.Errorf("%+v, %v; want %s", one, err, want)
		}
	}
	set(at, ca.ErrState)
	if _, err := s.SetState(ctx, c.Issuer, c.Serial, ca.StateRevoked, 1, at, event()); err != nil {
		t.Fatal(err)
	}
	listed(time.Time{})
	set(at.Add(-time.Hour), nil)
	listed(at.Add(-time.Hour))
	set(at.Add(-time.Hour), ca.ErrExists)
	set(at, ca.ErrExists)
	set(at.Add(-2*time.Hour), nil)
	listed(at.Add(-2 * time.Hour))
	if _, err := s.Invalidate(ctx, c.Issuer, "abc", at, event()); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	early := make(chan error, 8)
	for range cap(early) {
		go func() {
			_, err := s.Invalidate(ctx, c.Issuer, c.Serial, at.Add(-3*time.Hour), event())
			early <- err
		}()
	}
	won := 0
	for range cap(early) {
		if err := <-early; err == nil {
			won++
		} else if !errors.Is(err, ca.ErrExists) {
			t.Error(err)
		}
	}
	if listed(at.Add(-3 * time.Hour)); won != 1 {
		t.Errorf("%d of %d recorded the same date", won, cap(early))
	}
}

func list(number, base int64) status.CRL {
	tbs := []byte(uuid.NewString())
	sum := sm3.Sum(tbs)
	now := time.Now().UTC().Truncate(time.Second)
	return status.CRL{
		Issuer: "aa", Number: number, Base: base, ThisUpdate: now, NextUpdate: now.Add(time.Hour), Entries: 3,
		TBSSM3: hex.EncodeToString(sum[:]), TBS: tbs, State: status.CRLPending,
	}
}

func numberOnce(t *testing.T, s StatusStore) {
	c := list(1, 0)
	race(t, status.ErrNumber, func() error {
		_, err := s.AddCRL(context.Background(), c, event())
		return err
	})
	got, err := s.CRLsSince(context.Background(), "aa", "", 1)
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c) {
		t.Errorf("read back %+v, %v; want %+v", got, err, c)
	}
	if _, err := s.PublishedCRL(context.Background(), "aa", "", false, 0); !errors.Is(err, status.ErrNoList) {
		t.Errorf("a pending list was handed out: %v", err)
	}
}

func publishedOnce(t *testing.T, s StatusStore) {
	ctx := context.Background()
	c := list(1, 0)
	if _, err := s.AddCRL(ctx, c, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishCRL(ctx, c, event()); !errors.Is(err, status.ErrNoList) {
		t.Errorf("published without a signature: %v", err)
	}
	c.DER = []byte{0x30, 1, 2}
	stray := c
	stray.Number = 9
	if _, err := s.PublishCRL(ctx, stray, event()); !errors.Is(err, status.ErrOvertaken) {
		t.Errorf("published without a record: %v", err)
	}
	race(t, status.ErrOvertaken, func() error {
		_, err := s.PublishCRL(ctx, c, event())
		return err
	})
	c.State, c.TBS = status.CRLPublished, nil
	got, err := s.PublishedCRL(ctx, "aa", "", false, 0)
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("read back %+v, %v; want %+v", got, err, c)
	}
	c.DER = nil
	if got, err = s.PublishedCRL(ctx, "aa", "", false, 1); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("known already: %+v, %v", got, err)
	}
}

func overtaken(t *testing.T, s StatusStore) {
	ctx := context.Background()
	for n := int64(1); n <= 3; n++ {
		if _, err := s.AddCRL(ctx, list(n, 0), event()); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		number int64
		want   error
	}{{2, nil}, {1, status.ErrOvertaken}, {2, status.ErrOvertaken}, {3, nil}} {
		c := list(step.number, 0)
		c.DER = []byte{0x30, byte(step.number)}
		if _, err := s.PublishCRL(ctx, c, event()); !errors.Is(err, step.want) {
			t.Errorf("publish %d: %v, want %v", step.number, err, step.want)
		}
	}
	got, err := s.CRLsSince(ctx, "aa", "", 1)
	if err != nil || len(got) != 3 || got[0].State != status.CRLVoid || got[0].TBS != nil || got[0].DER != nil || got[1].State != status.CRLPublished {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.AddCRL(ctx, list(1, 0), event()); !errors.Is(err, status.ErrNumber) {
		t.Errorf("a void number was used again: %v", err)
	}
}

func scopesApart(t *testing.T, s StatusStore) {
	ctx := context.Background()
	for n, c := range []status.CRL{list(1, 0), list(2, 1), list(3, 0), list(4, 3), list(1, 0), list(1, 0)} {
		if n == 4 {
			c.Shard = "1of2"
		}
		if n == 5 {
			c.Issuer = "bb"
		}
		if _, err := s.AddCRL(ctx, c, event()); err != nil {
			t.Fatal(err)
		}
		c.DER = []byte{0x30, byte(n)}
		if _, err := s.PublishCRL(ctx, c, event()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		issuer, shard string
		delta         bool
		der           byte
	}{{"aa", "", false, 2}, {"aa", "", true, 3}, {"aa", "1of2", false, 4}, {"bb", "", false, 5}} {
		got, err := s.PublishedCRL(ctx, want.issuer, want.shard, want.delta, 0)
		if err != nil || !bytes.Equal(got.DER, []byte{0x30, want.der}) || got.Delta() != want.delta {
			t.Errorf("%+v: %+v, %v", want, got, err)
		}
	}
	if _, err := s.PublishedCRL(ctx, "aa", "1of2", true, 0); !errors.Is(err, status.ErrNoList) {
		t.Errorf("no delta of the shard: %v", err)
	}
	if got, err := s.CRLsSince(ctx, "aa", "", 3); err != nil || len(got) != 2 || got[0].Number != 3 || got[1].Base != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}
