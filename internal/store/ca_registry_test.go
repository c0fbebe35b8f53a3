package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

// The suites of the room: races of 8 callers over 200 rounds (fewer where that
// takes whole transactions, all of them under CI=true), and what becomes of a
// certificate that was not finished.
func TestRegistryConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			s := open(t, migrated(t, address(t)))
			catest.Run(t, func(*testing.T) ca.Registry { return s.Rooms(nil).CA })
			catest.RunPersons(t, s.Rooms(nil).CA)
			catest.RunStale(t, s.Rooms(nil).CA)
		})
	}
}

func TestUnfinishedConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunPending(t, func(t *testing.T) catest.PendingStore {
				return open(t, migrated(t, address(t))).Rooms(nil).CA
			})
		})
	}
}
