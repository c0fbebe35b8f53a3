package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// A row is written with its event; until a sequencer stands behind the rooms
// (Rooms takes it), the answer is "durable".
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "house")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg := store.Config{URL: "sqlite:" + filepath.Join(dir, "house.db")}

	_, err = store.Open(ctx, cfg)
	fmt.Println(err != nil) // opening never migrates

	applied, err := store.Migrate(ctx, cfg)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(applied) > 0)

	s, err := store.Open(ctx, cfg)
	if err != nil {
		panic(err)
	}
	defer func() { _ = s.Close() }()
	receipt, err := s.Rooms(nil).Identity.AddAgency(ctx,
		identity.Agency{USCC: "11110102MB0000001X", Name: "区民政局", Kind: identity.KindOrgan},
		ledger.Event{
			ID: "01890a5d-ac96-774b-bcce-b302099a8057", Type: "identity.agency.registered", Class: ledger.ClassAdmin,
			Time: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), Actor: ledger.Actor{Kind: "person", ID: "p-1"},
			Object: ledger.Object{Kind: "agency", ID: "11110102MB0000001X"}, Outcome: ledger.Success,
		})
	fmt.Println(receipt.Promise == ledger.Durable, err)

	pending, err := s.Ledger().Outbox(ctx, 10)
	fmt.Println(len(pending), err)
	// Output:
	// true
	// true
	// true <nil>
	// 1 <nil>
}
