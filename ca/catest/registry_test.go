package catest_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestMemoryRegistryConforms(t *testing.T) {
	catest.Run(t, func(*testing.T) ca.Registry { return catest.New() })
	catest.RunPersons(t, catest.New())
	catest.RunStale(t, catest.New())
	catest.RunRequests(t, func(*testing.T) catest.Registered { return catest.New() })
}

func TestMemoryListsConform(t *testing.T) {
	catest.RunStatus(t, func(*testing.T) catest.StatusStore { return catest.New() })
}

func TestMemoryACMEStoreConforms(t *testing.T) {
	catest.RunACME(t, func(*testing.T) acmestore.Store { return catest.NewACME(catest.New()) })
}

func TestMemoryPairsConform(t *testing.T) {
	catest.RunPairs(t, func(*testing.T) catest.Pairs { return catest.New() })
}

func TestKMCConforms(t *testing.T) {
	catest.RunKMC(t, func(*testing.T) catest.KMCStore {
		k := catest.NewKMC(catest.New())
		return catest.KMCStore{Keys: k, Register: k, Registry: k.Registry}
	})
}

func TestMemoryUnfinishedConforms(t *testing.T) {
	catest.RunPending(t, func(*testing.T) catest.PendingStore { return catest.New() })
}
