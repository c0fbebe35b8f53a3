package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/internal/store"
)

var _ catest.Pairs = (*store.CA)(nil)

func TestPairStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			s := open(t, migrated(t, address(t)))
			catest.RunPairs(t, func(*testing.T) catest.Pairs { return s.Rooms(nil).CA })
		})
	}
}
