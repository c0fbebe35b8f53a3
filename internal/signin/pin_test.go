package signin_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/signin"
)

// GB/T 22239 8.1.4.1: a person changes the PIN, with the old one; a wrong old one
// is a try like every other.
func TestChangePIN(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.activated("zhang")
	w.activated("li")
	mine, _, err := w.svc.Login(ctx, "zhang", goodPIN)
	w.must(err)
	elsewhere, _, err := w.svc.Login(ctx, "zhang", goodPIN)
	w.must(err)
	others, _, err := w.svc.Login(ctx, "li", goodPIN)
	w.must(err)
	const pin = "another-pin-9"
	for name, c := range map[string]struct {
		cookie, old, pin string
		want             error
	}{
		"no session": {strings.Repeat("x", 43), goodPIN, pin, signin.ErrSession}, "a weak one": {mine, goodPIN, "1", signin.ErrWeakPIN},
		"the same": {mine, goodPIN, goodPIN, signin.ErrSamePIN}, "a wrong one": {mine, "wrong-pin", pin, signin.ErrPIN},
	} {
		if err := w.svc.ChangePIN(ctx, c.cookie, c.old, c.pin); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.pass(15 * time.Minute) // the wrong try is forgotten
	if _, _, err := w.svc.Session(ctx, elsewhere); err != nil {
		t.Error("a refused change ended a session")
	}
	w.must(w.svc.ChangePIN(ctx, mine, goodPIN, pin))
	for cookie, want := range map[string]error{mine: nil, elsewhere: signin.ErrSession, others: nil} {
		if _, _, err := w.svc.Session(ctx, cookie); !errors.Is(err, want) {
			t.Errorf("session: %v, want %v", err, want)
		}
	}
	if _, _, err := w.svc.Login(ctx, "zhang", goodPIN); !errors.Is(err, signin.ErrPIN) {
		t.Errorf("the old PIN: %v", err)
	}
	if _, _, err := w.svc.Login(ctx, "zhang", pin); err != nil {
		t.Errorf("the new PIN: %v", err)
	}
	// The key cannot be written: the old PIN stays, the failure is on the ledger.
	w.ring.Broken = errors.New("disk full")
	if err := w.svc.ChangePIN(ctx, mine, pin, goodPIN); !errors.Is(err, w.ring.Broken) {
		t.Errorf("%v", err)
	}
	if _, _, err := w.svc.Login(ctx, "zhang", pin); err != nil {
		t.Errorf("after a failure: %v", err)
	}
	// Five wrong ones lock, whichever form they come by.
	for range 5 {
		if err := w.svc.ChangePIN(ctx, mine, "wrong-pin", goodPIN); !errors.Is(err, signin.ErrPIN) {
			t.Fatal(err)
		}
	}
	if err := w.svc.ChangePIN(ctx, mine, pin, goodPIN); !errors.Is(err, signin.ErrLocked) {
		t.Errorf("not locked: %v", err)
	}
	if _, _, err := w.svc.Login(ctx, "zhang", pin); !errors.Is(err, signin.ErrLocked) {
		t.Errorf("the other door is open: %v", err)
	}
}
