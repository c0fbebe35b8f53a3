package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/peer"
)

func TestPeerStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunPeers(t, func(t *testing.T) peer.Register { return open(t, migrated(t, address(t))).Rooms(nil).Peers })
		})
	}
}
