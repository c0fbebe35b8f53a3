package grant_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/grant/granttest"
)

func TestFakeConforms(t *testing.T) {
	granttest.Run(t, func(*testing.T) grant.Store { return &granttest.Memory{} })
}
