package signertest_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/signer/signertest"
)

func TestMemoryRegisterConforms(t *testing.T) {
	signertest.Run(t, func(t *testing.T) signertest.Store { return signertest.New(t) })
}
