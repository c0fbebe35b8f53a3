package catest

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// callers is how many race for one decision.
const callers = 8

// longRounds is how often each race of a decision is run under CI=true, as the
// issue asks; shortRounds is how often it is run here.
const longRounds = 200

func shortRounds() int {
	if os.Getenv("CI") == "true" {
		return longRounds
	}
	return 20
}

// Run is the conformance suite of ca.Registry: what each method promises in
// ca.go, with the races that decide whether a token opens twice.
func Run(t *testing.T, open func(*testing.T) ca.Registry) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, ca.Registry){
		"a token id is consumed by one of eight":       useOnce,
		"a revocation is acknowledged to one of eight": revokedOnce,
		"a serial exists once":                         serialOnce,
		"only pending becomes good":                    activateOnce,
		"states move along their arrows":               arrows,
		"a lifted hold leaves no trace":                holdLeavesNoTrace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Event is one that every store takes.
func Event() ledger.Event { return event() }

func event() ledger.Event {
	return ledger.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Type: "ca.conformance.tested", Class: ledger.ClassCertificate,
		Time: time.Now().UTC().Truncate(time.Millisecond), Actor: ledger.Actor{Kind: "service", ID: "conformance"}, Object: ledger.Object{Kind: "certificate", ID: "conformance"}, Outcome: ledger.Success,
	}
}

// race runs f at once in eight callers and counts the winners; every loser has
// to get the one outcome that the contract names.
func race(t *testing.T, lost error, f func() error) {
	t.Helper()
	var won atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range callers {
		wg.Go(func() {
			<-start
			switch err := f(); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, lost):
				t.Errorf("err = %v, want %v", err, lost)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d of %d won", n, callers)
	}
}

func useOnce(t *testing.T, reg ca.Registry) {
	errUsed := errors.New("used")
	for range longRounds {
		id := uuid.NewString()
		race(t, errUsed, func() error {
			ok, err := reg.UseOnce(context.Background(), id, time.Now().Add(time.Minute))
			if err == nil && !ok {
				err = errUsed
			}
			return err
		})
	}
	if ok, err := reg.UseOnce(context.Background(), uuid.NewString(), time.Now().Add(time.Minute)); !ok || err != nil {
		t.Errorf("another id: %v, %v", ok, err)
	}
}
