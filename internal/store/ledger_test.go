package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// shown is what the ledger's suite sees of a store.
type shown struct {
	*store.Ledger
	*store.Store
	url string
}

func (s shown) Reopen(tb testing.TB) ledgertest.Store {
	ok(tb, s.Store.Close())
	return show(tb, s.url)
}

func show(tb testing.TB, url string) shown {
	s := open(tb, url)
	return shown{s.Ledger(), s, url}
}

func TestLedgerConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			ledgertest.Run(t, func(tb testing.TB) ledgertest.Store { return show(tb, migrated(tb, address(tb))) })
		})
	}
}
