package catest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stale"
)

// StaleStore is a registry that knows when systems were used.
type StaleStore interface {
	ca.Registry
	stale.Store
}

// RunStale: the last day counts, a certificate that is made counts as use, only
// systems with a good certificate are listed, one warning a standstill.
func RunStale(t *testing.T, reg StaleStore) {
	ctx := context.Background()
	now := time.Now().UTC().Truncate(time.Microsecond)
	day := func(n int) time.Time { return now.AddDate(0, 0, n).Truncate(24 * time.Hour) }
	made := map[string]ca.Certificate{}
	for _, system := range []string{"sys-a", "sys-b"} {
		row, der := signed(t)
		row.Kind, row.System, row.CreatedAt = ca.KindECDSA, system, now.AddDate(0, 0, -100)
		if _, err := reg.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
			t.Fatal(err)
		}
		row.DER = der
		if _, err := reg.Activate(ctx, []ca.Certificate{row}, event()); err != nil {
			t.Fatal(err)
		}
		made[system] = row
	}
	find := func(system string) (x stale.Standing, found bool) {
		t.Helper()
		all, err := reg.InForce(ctx, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.System == system {
				return s, true
			}
		}
		return x, false
	}
	if x, ok := find("sys-a"); !ok || !x.Active.Equal(now.AddDate(0, 0, -100)) || !x.Warned.IsZero() || x.Agency == "" {
		t.Fatalf("%+v", x)
	}
	for _, n := range []int{-50, -70, -50} { // never back
		if err := reg.NoteUse(ctx, "sys-a", day(n)); err != nil {
			t.Fatal(err)
		}
	}
	x, _ := find("sys-a")
	if !x.Active.Equal(day(-50)) {
		t.Errorf("active %s", x.Active)
	}
	old := x
	old.Active = day(-60)
	if _, err := reg.Warn(ctx, old, now, event()); !errors.Is(err, stale.ErrWarned) {
		t.Errorf("used since: %v", err)
	}
	if _, err := reg.Warn(ctx, x, now, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Warn(ctx, x, now, event()); !errors.Is(err, stale.ErrWarned) {
		t.Errorf("warned twice: %v", err)
	}
	if b, ok := find("sys-b"); !ok {
		t.Error("a system without use is not listed")
	} else if _, err := reg.Warn(ctx, b, now, event()); err != nil { // it has no row of use yet
		t.Error(err)
	}
	if x, _ = find("sys-a"); !x.Warned.Equal(now) {
		t.Errorf("warned %s", x.Warned)
	}
	c := made["sys-a"]
	if _, err := reg.SetState(ctx, c.Issuer, c.Serial, ca.StateRevoked, 0, now, event()); err != nil {
		t.Fatal(err)
	}
	if _, ok := find("sys-a"); ok {
		t.Error("a system without a good certificate is listed")
	}
}
