package catest

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
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
		"a request is decided once":                    decidedOnce,
		"a token opens for one of eight":               tokenOnce,
		"a token id is consumed by one of eight":       useOnce,
		"a revocation is acknowledged to one of eight": revokedOnce,
		"a serial exists once":                         serialOnce,
		"a token expires":                              tokenExpires,
		"only pending becomes good":                    activateOnce,
		"states move along their arrows":               arrows,
		"a lifted hold leaves no trace":                holdLeavesNoTrace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func event() ledger.Event {
	return ledger.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Type: "ca.conformance.tested", Class: ledger.ClassCertificate,
		Time: time.Now().UTC().Truncate(time.Millisecond), Actor: ledger.Actor{Kind: "service", ID: "conformance"}, Object: ledger.Object{Kind: "certificate", ID: "conformance"}, Outcome: ledger.Success,
	}
}

// approvedRequest walks a fresh request to its token.
func approvedRequest(t *testing.T, reg ca.Registry, now time.Time) ca.Request {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	sum := sm3.Sum([]byte(id))
	q := ca.Request{
		ID: id, Agency: "11110102MB1234567M", System: "s-" + id[:8], CommonName: "a.gov", Organization: "甲", Hosts: []string{"a.gov"},
		SubmittedBy: "p-1", State: ca.RequestSubmitted, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
	if _, err := reg.AddRequest(context.Background(), q, event()); err != nil {
		t.Fatal(err)
	}
	q.State, q.DecidedBy, q.Approval = ca.RequestApproved, "p-2", "a-1"
	q.TokenHash, q.TokenExpires = hex.EncodeToString(sum[:]), now.UTC().Add(time.Hour).Truncate(time.Microsecond)
	if _, err := reg.DecideRequest(context.Background(), q, event()); err != nil {
		t.Fatal(err)
	}
	return q
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

func decidedOnce(t *testing.T, reg ca.Registry) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	if _, err := reg.DecideRequest(ctx, q, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("second decision: %v", err)
	}
	if _, err := reg.AddRequest(ctx, ca.Request{ID: q.ID, Agency: "a", System: "s", SubmittedBy: "p", State: ca.RequestSubmitted, CreatedAt: now}, event()); !errors.Is(err, ca.ErrExists) {
		t.Errorf("same id: %v", err)
	}
	if _, err := reg.Request(ctx, "unknown"); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown request: %v", err)
	}
	got, err := reg.Request(ctx, q.ID)
	if err != nil || got.State != ca.RequestApproved || got.Approval != q.Approval || got.TokenHash != q.TokenHash || len(got.Hosts) != 1 {
		t.Errorf("read back %+v, %v", got, err)
	}
}

func tokenOnce(t *testing.T, reg ca.Registry) {
	for range shortRounds() {
		oneTokenOnce(t, reg)
	}
}

func oneTokenOnce(t *testing.T, reg ca.Registry) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	if got, err := reg.RequestByToken(ctx, q.TokenHash, now); err != nil || got.ID != q.ID {
		t.Fatalf("look: %v", err)
	}
	race(t, ca.ErrToken, func() error {
		got, _, err := reg.ClaimToken(ctx, q.TokenHash, now, event())
		if err == nil && (got.ID != q.ID || got.State != ca.RequestIssued) {
			t.Errorf("claimed %+v", got)
		}
		return err
	})
	if _, err := reg.RequestByToken(ctx, q.TokenHash, now); !errors.Is(err, ca.ErrToken) {
		t.Errorf("look at a used token: %v", err)
	}
}

func tokenExpires(t *testing.T, reg ca.Registry) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	for _, late := range []time.Time{q.TokenExpires, q.TokenExpires.Add(time.Second)} {
		if _, _, err := reg.ClaimToken(ctx, q.TokenHash, late, event()); !errors.Is(err, ca.ErrToken) {
			t.Errorf("claim at %s: %v", late, err)
		}
	}
	for _, hash := range []string{"", "0000"} {
		if _, err := reg.RequestByToken(ctx, hash, now); !errors.Is(err, ca.ErrToken) {
			t.Errorf("hash %q: %v", hash, err)
		}
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
