package catest_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestMemoryRegistryConforms(t *testing.T) {
	catest.Run(t, func(*testing.T) ca.Registry { return catest.New() })
}
