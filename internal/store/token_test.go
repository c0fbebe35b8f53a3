package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/internal/token/tokentest"
)

func TestTokenStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			tokentest.Run(t, func(t *testing.T) token.Store { return open(t, migrated(t, address(t))).Rooms(nil).Tokens })
		})
	}
}

// Two processes on one database: what one revokes the other refuses as soon as
// it looks again, which is a second later at most by its own clock.
func TestRevocationReachesTheOtherProcess(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			tokentest.RunTwo(t, open(t, url).Rooms(nil).Tokens, open(t, url).Rooms(nil).Tokens)
		})
	}
}
