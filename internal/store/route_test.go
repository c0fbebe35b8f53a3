package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/authz/route/routetest"
)

func TestRouteStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			routetest.Run(t, func(t *testing.T) route.Register { return open(t, migrated(t, address(t))).Rooms(nil).Routes })
		})
	}
}
