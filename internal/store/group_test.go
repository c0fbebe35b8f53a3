package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// gathered runs acts at once in one transaction, unless something is refused,
// and returns what each was told and how often the group went to the database.
func gathered(s *store.Store, acts []func() error) (errs []error, writes int) {
	release := s.Hold(func(write func() error) error {
		writes++
		return write()
	})
	errs = make([]error, len(acts))
	var wg sync.WaitGroup
	for i, act := range acts {
		wg.Go(func() { errs[i] = act() })
	}
	for s.Waiting() < len(acts) {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	return errs, writes
}

func reserving(r *store.Rooms, serial string) func() error {
	return func() error {
		_, err := r.CA.Reserve(bg, []ca.Certificate{certificate(serial)}, nil, event("certificate", serial))
		return err
	}
}

func using(r *store.Rooms, token string) func() error {
	return func() error {
		serial := uuid.NewString()
		_, err := r.CA.ReserveOnce(bg, ca.OneTime{ID: token, Expires: day(5)}, []ca.Certificate{certificate(serial)}, event("certificate", serial))
		return err
	}
}

// 64 callers, 64 serials, one transaction: every row and every event, once.
func TestManyCallersShareATransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		before := count(t, s, "ledger_outbox")
		for _, act := range []func(id string) func() error{
			func(id string) func() error { return reserving(r, id) },
			func(id string) func() error { return func() error { return activate(r, id) } },
		} {
			var acts []func() error
			for n := range 64 {
				acts = append(acts, act(fmt.Sprint("many-", n)))
			}
			errs, writes := gathered(s, acts)
			ok(t, errors.Join(errs...))
			if writes != 1 {
				t.Errorf("%d transactions", writes)
			}
		}
		for n := range 64 {
			c, err := r.CA.Certificate(bg, "aa", fmt.Sprint("many-", n))
			if err != nil || c.State != ca.StateGood || len(c.DER) == 0 {
				t.Fatalf("certificate %d: %+v, %v", n, c, err)
			}
		}
		if n := count(t, s, "ledger_outbox") - before; n != 128 {
			t.Errorf("%d events for 128 acts", n)
		}
	})
}

// One caller whose rows are refused fails alone, with its own reason; the others
// are written once, and nothing of the refused act stays.
func TestOneBadCallerFailsNoOther(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		ok(t, reserving(r, "taken")())
		ok(t, reserving(r, "signed")())
		ok(t, activate(r, "signed"))
		ok(t, using(r, "jti-used")())
		again := event("certificate", "again")
		reserve := func(serial string) func() error {
			return func() error {
				_, err := r.CA.Reserve(bg, []ca.Certificate{certificate(serial)}, nil, again)
				return err
			}
		}
		ok(t, reserve("again")())
		for n, c := range []struct {
			name string
			bad  func() error
			want error
		}{
			{"a serial that is taken", reserving(r, "taken"), ca.ErrExists},
			{"a certificate that is not pending", func() error { return activate(r, "signed") }, ca.ErrState},
			{"a certificate that nobody reserved", func() error { return activate(r, "ghost") }, ca.ErrNotFound},
			{"a token that was used", using(r, "jti-used"), ca.ErrToken},
			{"an event that is in the outbox", reserve("never"), ledger.ErrDuplicate},
		} {
			before, tokens := count(t, s, "ledger_outbox"), count(t, s, "ca_used_token")
			var acts []func() error
			for k := range 5 {
				acts = append(acts, reserving(r, fmt.Sprint("good-", n, k)))
			}
			errs, _ := gathered(s, append(acts, using(r, fmt.Sprint("jti-", n)), c.bad))
			ok(t, errors.Join(errs[:6]...))
			if !errors.Is(errs[6], c.want) {
				t.Errorf("%s: %v, want %v", c.name, errs[6], c.want)
			}
			if events := count(t, s, "ledger_outbox") - before; events != 6 {
				t.Errorf("%s: %d events for 6 acts", c.name, events)
			}
			if used := count(t, s, "ca_used_token") - tokens; used != 1 {
				t.Errorf("%s: %d tokens used", c.name, used)
			}
		}
		_, err := r.CA.Certificate(bg, "aa", "never")
		wantErr(t, err, ca.ErrNotFound)
	})
}

// An event that already stands in the chain is refused in company, too.
func TestAKnownEventIsRefusedAmongOthers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		q, err := ledger.New(bg, ledger.Config{Store: s.Ledger(), Now: time.Now, Rand: rand.Reader})
		ok(t, err)
		defer func() { ok(t, q.Close(bg)) }()
		known := event("certificate", "known")
		_, err = q.Append(bg, known)
		ok(t, err)
		errs, _ := gathered(s, []func() error{reserving(r, "other"), func() error {
			_, err := r.CA.Reserve(bg, []ca.Certificate{certificate("known")}, nil, known)
			return err
		}})
		ok(t, errs[0])
		wantErr(t, errs[1], ledger.ErrDuplicate)
		_, err = r.CA.Certificate(bg, "aa", "known")
		wantErr(t, err, ca.ErrNotFound)
	})
}

// Who leaves before its turn has written nothing, and holds up nobody.
func TestACallerLeavesTheQueue(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		release := s.Hold(nil)
		ctx, cancel := context.WithCancel(bg)
		told := make(chan error)
		go func() {
			_, err := r.CA.Reserve(ctx, []ca.Certificate{certificate("left")}, nil, event("certificate", "left"))
			told <- err
		}()
		for s.Waiting() == 0 {
			runtime.Gosched()
		}
		cancel()
		wantErr(t, <-told, context.Canceled)
		release()
		ok(t, reserving(r, "stayed")())
		_, err := r.CA.Certificate(bg, "aa", "left")
		wantErr(t, err, ca.ErrNotFound)
	})
}

// The database commits, and its answer is lost: every caller gets the error, none
// is written twice, and the act that is repeated is told that it happened.
func TestALostAnswerIsNotTriedAgain(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		before := count(t, s, "ledger_outbox")
		release := s.Hold(func(write func() error) error { return errors.Join(write(), io.ErrUnexpectedEOF) })
		told := make(chan error)
		var mine []ledger.Event
		for n := range 4 {
			ev := event("certificate", fmt.Sprint("lost-", n))
			mine = append(mine, ev)
			go func() {
				_, err := r.CA.Reserve(bg, []ca.Certificate{certificate(ev.Object.ID)}, nil, ev)
				told <- err
			}()
		}
		for s.Waiting() < 4 {
			runtime.Gosched()
		}
		release()
		for range mine {
			wantErr(t, <-told, io.ErrUnexpectedEOF)
		}
		if n := count(t, s, "ledger_outbox") - before; n != 4 {
			t.Fatalf("%d events", n)
		}
		other := s.Rooms(nil)
		for _, ev := range mine {
			_, err := other.CA.SetState(bg, "aa", ev.Object.ID, ca.StateRevoked, 0, day(4), ev)
			wantErr(t, err, ledger.ErrDuplicate)
		}
	})
}
