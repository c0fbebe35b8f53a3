package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

func TestSealsConform(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			s := open(t, migrated(t, address(t)))
			signertest.Run(t, func(t *testing.T) signertest.Store {
				for _, table := range []string{
					"seal_use_place", "seal_use_ask", "seal_use", "seal_step", "seal_life", "seal_compromised_cert", "seal_compromise", "seal_notice", "seal",
				} {
					ok(t, s.Exec(bg, "DELETE FROM "+table))
				}
				return s.Rooms(nil).Seals
			})
		})
	}
}

// Migration 0050: seals and uses of an earlier program stand as they stood, and
// uses that were sealed count.
func TestSealsOfAnEarlierProgram(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			r := house(t, s)
			u := use("u-old")
			_, err := r.Seals.AddUse(bg, u, event("use", u.ID))
			ok(t, err)
			u.State, u.Approval, u.ApprovedAt = signer.UseApproved, "ap", day(2)
			_, err = r.Seals.MoveUse(bg, u, signer.UseRequested, event("use", u.ID))
			ok(t, err)
			for _, q := range []string{
				"DELETE FROM seal_life", "DELETE FROM seal_step", "DELETE FROM seal_use_ask", "DELETE FROM bun_migrations WHERE name = '0050'",
			} {
				ok(t, s.Exec(bg, q))
			}
			migrated(t, url)
			e, err := r.Seals.Seal(bg, "11010200000001")
			if err != nil || e.State != signer.SealActive || e.Revision != 1 || len(e.DER) == 0 {
				t.Fatalf("%+v, %v", e, err)
			}
			got, err := r.Seals.Use(bg, u.ID)
			if err != nil || got.State != signer.UseApproved || got.ApprovedAt.IsZero() || !got.TakenAt.IsZero() {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}
