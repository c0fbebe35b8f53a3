package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/domain/domaintest"
)

func TestDomainStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			domaintest.Run(t, func(t *testing.T) domain.Register { return open(t, migrated(t, address(t))).Rooms(nil).Domains })
		})
	}
}
