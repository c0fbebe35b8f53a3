package app

import (
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/status"
)

// A ceremony's command opens the store of a house, and with it the ledger: while
// the house serves it is refused, and the house goes on writing.
func TestCeremoniesWaitForTheServiceToStop(t *testing.T) {
	cfg, ln := config(t, engines["postgres"](t))
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	stop := serving(t, h, ln)
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, serves, err := h.store.Leased(bg, leaseServing, time.Now()); serves || err != nil || time.Now().After(deadline) {
			ok(t, err)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for name, command := range map[string]func() error{
		"order":  func() error { _, err := OrderLists(bg, cfg); return err },
		"import": func() error { _, err := ImportCeremony(bg, cfg, nil); return err },
	} {
		if err := command(); !errors.Is(err, ErrServing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err = h.Identity.RegisterPerson(bg, identity.Person{Name: "样例", Agency: identity.USCC(cfg.USCC)}, h.service())
	ok(t, err)
	ok(t, h.Ledger.Healthy())
	ok(t, stop())
	if _, err := OrderLists(bg, cfg); !errors.Is(err, status.ErrOnline) {
		t.Errorf("after the stop: %v", err)
	}
}
