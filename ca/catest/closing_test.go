package catest_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestFakeClosingConforms(t *testing.T) {
	catest.RunClosing(t, func(*testing.T) catest.ClosingStores {
		reg := catest.New()
		return catest.ClosingStores{Store: catest.NewClosing(reg), Registry: reg}
	})
}
