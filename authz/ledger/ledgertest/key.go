package ledgertest

import (
	"crypto/rand"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

// Origin is the origin of test ledgers.
const Origin = "test.yinxin.example/ledger/sm3"

// NewKey makes an SM2 key for checkpoints.
func NewKey(tb testing.TB) *sm2.PrivateKey {
	tb.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
