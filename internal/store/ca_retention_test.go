package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

func TestRetentionStoreConforms(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			catest.RunRetention(t, func(t *testing.T) catest.RetentionStores {
				r := open(t, migrated(t, address(t))).Rooms(nil)
				return catest.RetentionStores{
					Store: r.Retention, Registry: r.CA,
					Escrowed: func(pair string) (ca.EscrowedKey, error) { return r.KMC.Escrowed(bg, pair) },
					Recover: func(t *testing.T, system, pair string, lapses time.Time) {
						_, err := r.KMC.AddRecovery(bg, kmc.Recovery{
							ID: uuid.NewString(), Kind: kmc.ForLaw, Pair: pair, System: system, Receiver: []byte{0x30, 0}, AskedAt: lapses.Add(-time.Hour), LapsesAt: lapses, State: kmc.Asked,
						}, catest.Event())
						ok(t, err)
					},
				}
			})
		})
	}
}
