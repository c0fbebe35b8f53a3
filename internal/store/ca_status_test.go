package store_test

import (
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/lint/crl"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
	"github.com/yinxin-gov/yinxin/internal/store"
)

func TestStatusStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunStatus(t, func(t *testing.T) catest.StatusStore {
				return open(t, migrated(t, address(t))).Rooms(nil).CA
			})
		})
	}
}

var _ catest.StatusStore = (*store.CA)(nil)

// Two nodes on one database build lists of one authority at once, full and
// delta: no number is signed twice, and the last word is true. The nodes have a
// store each; what they share is the database.
func TestNoListNumberIsSignedTwice(t *testing.T) {
	const rounds = 12
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			h := statustest.New(t, open(t, url).Rooms(nil).CA)
			a := h.Authorities[profile.ECDSAIssuing]
			first, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
			before := len(a.Key.Signed())
			ok(t, h.Service().Publish(bg, a.ID, false))
			var nodes []*status.Service
			for range 2 {
				other := *h
				other.Store = open(t, url).Rooms(nil).CA
				nodes = append(nodes, other.Service())
			}
			var wg sync.WaitGroup
			for n, node := range nodes {
				for _, delta := range []bool{false, true} {
					wg.Go(func() {
						for range rounds {
							if err := node.Publish(bg, a.ID, delta); err != nil {
								t.Errorf("node %d: %v", n, err)
							}
						}
					})
				}
			}
			wg.Wait()
			signed := map[string]bool{}
			for _, tbs := range a.Key.Signed()[before:] {
				view, err := crl.ParseTBS(tbs)
				ok(t, err)
				if number := view.Number().String(); signed[number] {
					t.Errorf("number %s was signed twice", number)
				} else {
					signed[number] = true
				}
			}
			all, err := h.Store.CRLsSince(bg, a.ID, "", 1)
			ok(t, err)
			published := 0
			for n, c := range all {
				if c.Number != int64(n+1) {
					t.Fatalf("number %d follows %d", c.Number, n)
				}
				if c.State == status.CRLPublished {
					published++
				}
			}
			if published < 1+4*rounds || len(signed) < published {
				t.Errorf("%d published, %d signed", published, len(signed))
			}
			t.Logf("%d recorded, %d signed, %d published", len(all), len(signed), published)
			h.Set(profile.ECDSAIssuing, first.SerialNumber, ca.StateRevoked, 1)
			ok(t, nodes[1].Publish(bg, a.ID, true))
			if c, err := h.Store.PublishedCRL(bg, a.ID, "", true, 0); err != nil || c.Entries != 1 {
				t.Errorf("last delta: %+v, %v", c, err)
			}
		})
	}
}
