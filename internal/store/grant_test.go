package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/grant/granttest"
)

func TestGrantStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			granttest.Run(t, func(t *testing.T) grant.Store { return open(t, migrated(t, address(t))).Rooms(nil).Grants })
		})
	}
}
