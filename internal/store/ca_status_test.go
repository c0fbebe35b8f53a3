package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
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
