package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestGenerationStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunGenerations(t, func(t *testing.T) authority.Register { return open(t, migrated(t, address(t))).Rooms(nil).Succession })
		})
	}
}
