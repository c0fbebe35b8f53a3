package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// What is remembered is as new as the last commit before the call, on another
// node too, and of an absence as of a row.
func TestFactsAreNeverOlderThanTheCall(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		here, there := s.Rooms(nil), s.Rooms(nil)
		for range 2 { // the second is remembered
			_, err := here.Facts.System(bg, "civil-a")
			wantErr(t, err, identity.ErrNotFound)
			_, err = here.Facts.Dossier(bg, "civil-a")
			wantErr(t, err, grading.ErrNotFound)
			none, err := here.Facts.Clearances(bg, "civil-a")
			if err != nil || len(none) != 0 {
				t.Fatalf("%v, %v", none, err)
			}
		}
		_, err := there.Identity.AddAgency(bg, agency(provider), event("agency", string(provider)))
		ok(t, err)
		for i := range 3 {
			id := fmt.Sprint("civil-", i)
			_, err = here.Facts.System(bg, id)
			wantErr(t, err, identity.ErrNotFound)
			_, err = there.Identity.AddSystem(bg, system(id), event("system", id))
			ok(t, err)
			got, err := here.Facts.System(bg, id)
			if err != nil || got.ID != id {
				t.Fatalf("after its commit: %+v, %v", got, err)
			}
		}
		r := record(1, 2, 2)
		r.System = "civil-0"
		_, err = here.Facts.Grading(bg, r.System)
		wantErr(t, err, grading.ErrNotFound)
		_, err = there.Grading.AddGrading(bg, r, event("system", r.System))
		ok(t, err)
		got, err := here.Facts.Grading(bg, r.System)
		ok(t, err)
		if got.Version != 1 {
			t.Errorf("grading %+v", got)
		}
		c := grading.Clearance{
			System: r.System, Kind: grading.ClearanceAcceptance, Number: "验〔2026〕1号", Passed: true, On: workday.On(2026, 1, 5), By: "信息办", RecordedBy: "p-1", RecordedAt: kept(2),
		}
		_, err = here.Facts.Clearances(bg, r.System)
		ok(t, err)
		_, err = there.Grading.AddClearance(bg, c, event("system", r.System))
		ok(t, err)
		if all, err := here.Facts.Clearances(bg, r.System); err != nil || len(all) != 1 || !all[0].Counts() {
			t.Errorf("cleared: %+v, %v", all, err)
		}
		c.WithdrawnBy, c.WithdrawnAt, c.Why = "p-2", kept(3), "记错系统"
		_, err = there.Grading.WithdrawClearance(bg, c, event("system", r.System))
		ok(t, err)
		if all, err := here.Facts.Clearances(bg, r.System); err != nil || len(all) != 1 || all[0].Counts() {
			t.Errorf("withdrawn: %+v, %v", all, err)
		}
	})
}

// A store that is gone is an error, whatever was read before.
func TestFactsFailClosed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		facts := s.Rooms(nil).Facts
		_, err := facts.System(bg, "civil-a")
		wantErr(t, err, identity.ErrNotFound)
		ok(t, s.Close())
		if _, err := facts.System(bg, "civil-a"); err == nil || errors.Is(err, identity.ErrNotFound) {
			t.Errorf("err = %v", err)
		}
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if _, err := facts.System(ctx, "civil-a"); err == nil {
			t.Error("answered a caller who left")
		}
	})
}
