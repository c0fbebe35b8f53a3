package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

// The suite of the room, 8 concurrent callers and 200 rounds for nonces and
// external account keys (the stock store let several win, reference/ca.md §3).
func TestACMEStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			s := open(t, migrated(t, address(t)))
			catest.RunACME(t, func(*testing.T) acmestore.Store { return s.Rooms(nil).ACME })
		})
	}
}
