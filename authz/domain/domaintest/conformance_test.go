package domaintest

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/domain"
)

func TestFakeConforms(t *testing.T) {
	Run(t, func(*testing.T) domain.Register { return &Register{} })
}
