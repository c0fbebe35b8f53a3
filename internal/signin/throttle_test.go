package signin_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/signin"
)

// GB/T 22239 8.1.4.1 b): five wrong tries, then a quarter of an hour of silence
// in which not even the right PIN reaches the key; written down once.
func TestLogin_LocksAfterFive(t *testing.T) {
	w := newWorld(t)
	w.activated("zhang")
	w.activated("li")
	ctx := t.Context()
	wrong := func() error { _, _, err := w.svc.Login(ctx, "zhang", "another-pin"); return err }
	right := func(p string) error { _, _, err := w.svc.Login(ctx, p, goodPIN); return err }
	for range 4 {
		if err := wrong(); !errors.Is(err, signin.ErrPIN) {
			t.Fatal(err)
		}
	}
	w.must(right("zhang")) // the count starts again
	for range 5 {
		if err := wrong(); !errors.Is(err, signin.ErrPIN) {
			t.Fatal(err)
		}
	}
	tried := w.ring.Tried()
	var locked *signin.LockedError
	if err := right("zhang"); !errors.As(err, &locked) || !errors.Is(err, signin.ErrLocked) || !locked.Until.Equal(start.Add(15*time.Minute)) {
		t.Errorf("the right PIN while locked: %v", err)
	}
	w.pass(15*time.Minute - 1)
	if err := right("zhang"); !errors.Is(err, signin.ErrLocked) {
		t.Errorf("a moment early: %v", err)
	}
	if w.ring.Tried() != tried {
		t.Error("a locked person's PIN reached the key")
	}
	w.must(right("li")) // nobody else is locked
	w.pass(1)
	w.must(right("zhang"))
	locks := 0
	for _, ev := range w.store.Events() {
		if ev.Type == "signin.person.locked" {
			locks++
			if ev.Object.ID != "zhang" || ev.Outcome != ledger.Failure {
				t.Errorf("event %+v", ev)
			}
		}
	}
	if locks != 1 {
		t.Errorf("%d locks on the ledger", locks)
	}
}

// The law: however many try at once, five PINs reach the key.
func TestLogin_ManyAtOnceAreStillFive(t *testing.T) {
	w := newWorld(t)
	w.activated("zhang")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			_, _, err := w.svc.Login(context.Background(), "zhang", fmt.Sprintf("guess-%04d", i))
			if !errors.Is(err, signin.ErrPIN) && !errors.Is(err, signin.ErrLocked) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.ring.Tried(); n != 5 {
		t.Errorf("%d PINs reached the key", n)
	}
}

// A fault of ours does not lock a person out; hanging up does not win tries.
func TestLogin_FaultsAndHangingUp(t *testing.T) {
	w := newWorld(t)
	w.activated("zhang")
	w.ring.Fail = errors.New("disk gone")
	for range 20 {
		if _, _, err := w.svc.Login(t.Context(), "zhang", goodPIN); errors.Is(err, signin.ErrPIN) || errors.Is(err, signin.ErrLocked) || err == nil {
			t.Fatalf("got %v", err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var err error
	for range 6 {
		_, _, err = w.svc.Login(gone, "zhang", goodPIN)
	}
	if !errors.Is(err, signin.ErrLocked) {
		t.Errorf("hanging up six times: %v", err)
	}
}
