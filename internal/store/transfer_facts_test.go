package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Design §3: an act that changes state rests on the facts of its own transaction.
// A permit is void once something changed that it may have rested on; persons and
// the copies of others void none.
func TestTransferRestsOnFactsOfItsTransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		at, err := r.Index.Revision(bg)
		ok(t, err)
		send := func(id string, facts int64) error {
			tr := transfer(t, id)
			tr.Facts = facts
			_, err := r.Transfers.AddTransfer(bg, tr, event("transfer", id))
			return err
		}
		ok(t, send("t-1", at))
		_, err = r.Sharing.AddHolding(bg, holding(t, "of-another"), event("holding", "x"))
		ok(t, err)
		_, err = r.Identity.AddPost(bg, post("post-1", "p-1", identity.RoleClerk), event("post", "x"))
		ok(t, err)
		ok(t, send("t-2", at))
		_, err = r.Sharing.AddAgreement(bg, agreement("a-1"), event("agreement", "a-1"))
		ok(t, err)
		before := snapshot(t, s)
		wantErr(t, send("t-3", at), exchange.ErrStale)
		wantErr(t, send("t-3", at+100), exchange.ErrStale)
		next := transfer(t, "t-1")
		next.State, next.FetchedAt, next.Facts = exchange.StateFetched, day(4), at
		_, err = r.Transfers.MoveTransfer(bg, next, []exchange.State{exchange.StateSent}, event("transfer", "t-1"))
		wantErr(t, err, exchange.ErrStale)
		same(t, s, before)
		at, err = r.Index.Revision(bg)
		ok(t, err)
		ok(t, send("t-3", at))
		next.Facts = at
		_, err = r.Transfers.MoveTransfer(bg, next, []exchange.State{exchange.StateSent}, event("transfer", "t-1"))
		ok(t, err)
	})
}
