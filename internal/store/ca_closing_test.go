package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestClosingStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunClosing(t, func(t *testing.T) catest.ClosingStores {
				r := open(t, migrated(t, address(t))).Rooms(nil)
				return catest.ClosingStores{Store: r.Closing, Registry: r.CA}
			})
		})
	}
}
