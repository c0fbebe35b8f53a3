package catest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
)

func TestFakeRetentionConforms(t *testing.T) {
	catest.RunRetention(t, func(*testing.T) catest.RetentionStores {
		reg := catest.New()
		s := catest.NewRetention(reg)
		return catest.RetentionStores{
			Store: s, Registry: reg,
			Escrowed: func(pair string) (ca.EscrowedKey, error) {
				k, ok := reg.Escrowed(pair)
				if !ok {
					return k, errors.New("unknown")
				}
				return k, nil
			},
			Recover: func(_ *testing.T, system, _ string, _ time.Time) { s.SetRecovering(system, true) },
		}
	})
}
