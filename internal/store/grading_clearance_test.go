package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// XA18-17, BJ05-3b: what was recorded is read back, oldest first, and only of
// systems that exist.
func TestXA18_17_ClearancesAreKept(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		first := grading.Clearance{
			System: "civil-a", Kind: grading.ClearanceAcceptance, Number: "验〔2026〕1号", On: workday.On(2026, 1, 5), By: "信息办", Report: "ab", RecordedBy: "p-1", RecordedAt: kept(2),
		}
		second := first
		second.Passed, second.RecordedAt = true, kept(3)
		for _, c := range []grading.Clearance{first, second} {
			_, err := r.Grading.AddClearance(bg, c, event("system", "civil-a"))
			ok(t, err)
		}
		got, err := r.Grading.Clearances(bg, "civil-a")
		ok(t, err)
		if len(got) != 2 || got[0] != first || got[1] != second {
			t.Errorf("%+v", got)
		}
		_, err = r.Grading.AddClearance(bg, first, event("system", "civil-a"))
		wantErr(t, err, grading.ErrExists)
		second.WithdrawnBy, second.WithdrawnAt, second.Why = "p-2", kept(4), "记错系统"
		_, err = r.Grading.WithdrawClearance(bg, second, event("system", "civil-a"))
		ok(t, err)
		got, err = r.Grading.Clearances(bg, "civil-a")
		ok(t, err)
		if len(got) != 2 || got[0] != first || got[1] != second {
			t.Errorf("after the withdrawal: %+v", got)
		}
		_, err = r.Grading.WithdrawClearance(bg, second, event("system", "civil-a"))
		wantErr(t, err, grading.ErrExists)
		first.RecordedAt, first.WithdrawnAt = kept(5), kept(6)
		_, err = r.Grading.WithdrawClearance(bg, first, event("system", "civil-a"))
		wantErr(t, err, grading.ErrNotFound)
		first.System = "ghost"
		before := snapshot(t, s)
		_, err = r.Grading.AddClearance(bg, first, event("system", "ghost"))
		wantErr(t, err, grading.ErrNotFound)
		same(t, s, before)
	})
}
