package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// X14-30: a system keeps the grade that what it serves by the catalogue needs, until
// another system serves it; a house from before learns it from its entries.
func TestX14_30_ServedResourcesHoldTheGrade(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			r := catalogued(t, s)
			grade := func(version int, a uint8) error {
				rec := record(version, 2, a)
				rec.System = "civil-v"
				_, err := r.Grading.AddGrading(bg, rec, event("system", "civil-v"))
				return err
			}
			put := func(e sharing.Entry) {
				t.Helper()
				_, err := r.Sharing.PutEntries(bg, []sharing.Entry{e}, sharing.Change{Event: "e", By: "p-1", Unit: lawful(t), Why: "x", At: day(3)}, event("resource", e.ID))
				ok(t, err)
			}
			served := entry(t, 1)
			served.Label = label(t, 2, 2, 2)
			put(served)
			wantErr(t, grade(1, 1), grading.ErrBelowHoldings)
			ok(t, grade(1, 3))
			ok(t, s.Exec(bg, "DROP TABLE catalogue_system"))
			ok(t, s.Exec(bg, "DELETE FROM bun_migrations WHERE name = '0335'"))
			ok(t, s.Close())
			migrated(t, url)
			s = open(t, url)
			r = s.Rooms(nil)
			wantErr(t, grade(2, 1), grading.ErrBelowHoldings)
			ok(t, grade(2, 2))
			own, err := r.Transfers.Carried(bg, "civil-v")
			if err != nil || len(own) != 1 || own[0].ID != served.ID || own[0].Resource != served.ID || own[0].Label.String() != served.Label.String() {
				t.Errorf("%+v, %v", own, err)
			}
			served.System = ""
			put(served)
			ok(t, grade(3, 1))
			if own, err := r.Transfers.Carried(bg, "civil-v"); err != nil || len(own) != 0 {
				t.Errorf("%+v, %v", own, err)
			}
		})
	}
}

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
