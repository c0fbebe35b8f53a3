package store_test

import (
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

// The suite of the room: 8 takers empty a pool of 200 spare keys, one at a time.
func TestKMCStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunKMC(t, func(t *testing.T) catest.KMCStore {
				r := open(t, migrated(t, address(t))).Rooms(nil)
				return catest.KMCStore{Keys: r.KMC, Register: r.KMC, Registry: r.CA}
			})
		})
	}
}

// One person answers one digest once, whoever races; an answer to another
// digest of the same subject stands beside it.
func TestVotes(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			r := open(t, migrated(t, address(t))).Rooms(nil)
			vote := func(id, digest, person string, n int) approval.Approval {
				a := answer(id)
				a.Subject.Kind, a.Subject.ID, a.Subject.Digest, a.Approver, a.At = approval.KindRecovery, "r-1", digest, person, day(n)
				return a
			}
			if won := race(t, approval.ErrDecided, func() error {
				_, err := r.Approvals.AddVote(bg, vote("v-1", "aa", "p-2", 3), event("key_recovery", "r-1"))
				return err
			}); won != 1 {
				t.Fatalf("%d answers of one person", won)
			}
			for _, a := range []approval.Approval{vote("v-2", "aa", "p-3", 2), vote("v-3", "bb", "p-2", 4)} {
				_, err := r.Approvals.AddVote(bg, a, event("key_recovery", "r-1"))
				ok(t, err)
			}
			all, err := r.Approvals.VotesOf(bg, approval.KindRecovery, "r-1")
			ok(t, err)
			var ids []string
			for _, a := range all {
				ids = append(ids, a.ID)
			}
			if strings.Join(ids, " ") != "v-2 v-1 v-3" || all[1].Subject.Digest != "aa" || all[1].At != kept(3) || len(all[1].Signature) != 1 {
				t.Errorf("%v: %+v", ids, all)
			}
			if none, err := r.Approvals.VotesOf(bg, approval.KindJudicial, "r-1"); err != nil || len(none) != 0 {
				t.Errorf("another kind: %v, %v", none, err)
			}
		})
	}
}
