package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// X14-30: provider, consumer and carrier keep their grade while a transfer is not
// received yet, and are free once it is.
func TestX14_30_TransitsHoldTheGrade(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		_, err := r.Identity.AddSystem(bg, system("hub"), event("system", "hub"))
		ok(t, err)
		_, err = r.Sharing.AddAgreement(bg, agreement("a-1"), event("agreement", "a-1"))
		ok(t, err)
		systems := []string{"civil-a", "civil-b", "hub"}
		regrade := func(system string, version int, a uint8) error {
			rec := record(version, 2, a)
			rec.System = system
			_, err := r.Grading.AddGrading(bg, rec, event("system", system))
			return err
		}
		for _, id := range systems {
			ok(t, regrade(id, 1, 2))
		}
		on := transfer(t, "t-1")
		on.Label = label(t, 2, 2, 2)
		on.Carriers = []string{"hub", "hub"}
		_, err = r.Transfers.AddTransfer(bg, on, event("transfer", "t-1"))
		ok(t, err)
		before := snapshot(t, s)
		for _, id := range systems {
			wantErr(t, regrade(id, 2, 1), grading.ErrBelowHoldings)
			way, err := r.Transfers.Carried(bg, id)
			if err != nil || len(way) != 1 || way[0].ID != "t-1" || way[0].System != id || way[0].Label.String() != on.Label.String() {
				t.Errorf("%s: %+v, %v", id, way, err)
			}
		}
		same(t, s, before)
		for _, id := range systems {
			ok(t, regrade(id, 2, 3))
		}
		for _, step := range [][2]exchange.State{{exchange.StateSent, exchange.StateFetched}, {exchange.StateFetched, exchange.StateReceived}} {
			wantErr(t, regrade("hub", 3, 1), grading.ErrBelowHoldings)
			on.State, on.ReceivedAt = step[1], day(5)
			_, err = r.Transfers.MoveTransfer(bg, on, []exchange.State{step[0]}, event("transfer", "t-1"))
			ok(t, err)
		}
		for _, id := range systems {
			ok(t, regrade(id, 3, 1))
			if way, err := r.Transfers.Carried(bg, id); err != nil || len(way) != 0 {
				t.Errorf("%s: %+v, %v", id, way, err)
			}
		}
	})
}
