package store_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// X14-05: a decision is confirmed once.
func TestConfirmations(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			x := open(t, migrated(t, address(t))).Rooms(nil).Transfers
			c := exchange.Confirmation{
				Decision: "d-1", Action: "copy", Resource: "r", Target: "civil-a", Purpose: "relief", Document: "ab", Log: "7", System: "hub",
				At: time.Date(2026, 7, 1, 9, 0, 0, 1e6, time.UTC), PostedAt: time.Date(2026, 7, 1, 9, 0, 1, 0, time.UTC),
			}
			if _, err := x.Confirmation(t.Context(), "d-1"); !errors.Is(err, exchange.ErrNotFound) {
				t.Errorf("none: %v", err)
			}
			_, err := x.AddConfirmation(t.Context(), c, event("confirmation", "d-1"))
			ok(t, err)
			_, err = x.AddConfirmation(t.Context(), c, event("confirmation", "d-1"))
			if !errors.Is(err, exchange.ErrConfirmed) {
				t.Errorf("twice: %v", err)
			}
			if got, err := x.Confirmation(t.Context(), "d-1"); err != nil || !reflect.DeepEqual(got, c) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
