package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestRequestStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			fresh := func(t *testing.T) catest.Registered { return open(t, migrated(t, address(t))).Rooms(nil).CA }
			catest.RunRequests(t, fresh)
		})
	}
}
