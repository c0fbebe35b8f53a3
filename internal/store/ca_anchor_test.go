package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestAnchorStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunAnchors(t, func(t *testing.T) anchor.Register { return open(t, migrated(t, address(t))).Rooms(nil).Anchors })
		})
	}
}
