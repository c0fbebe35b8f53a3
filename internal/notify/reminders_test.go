package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

// calendar has these dates.
type calendar []notify.Ending

func (c calendar) Endings(_ context.Context, _, from, to time.Time) (out []notify.Ending, err error) {
	for _, e := range c {
		if e.At.After(from) && !e.At.After(to) {
			out = append(out, e)
		}
	}
	return out, nil
}

const day = 24 * time.Hour

// The steps before an end are told once each, those that were missed are not.
func TestRemindersComeOnce(t *testing.T) {
	h := newHouse(t)
	start := h.clock.now()
	ends := func(kind notify.Kind, id string, life, left time.Duration) notify.Ending {
		return notify.Ending{Kind: kind, Unit: "u-1", System: "s-1", Object: ledger.Object{Kind: "certificate", ID: id}, From: start.Add(left - life), At: start.Add(left)}
	}
	s := h.again(func(c *notify.Config) {
		c.Calendar = calendar{
			ends(notify.CertificateExpiring, "year", 365*day, 40*day), ends(notify.CertificateExpiring, "month", 30*day, 29*day),
			ends(notify.ListEnding, "list", 190*day, 40*day), ends(notify.CertificateExpiring, "gone", 365*day, -8*day),
		}
	})
	var got []string
	seen := 0
	for d := range 50 {
		for range 2 {
			ok(t, s.Remind(bg))
		}
		ok(t, s.Round(bg))
		all, err := s.Recent(bg, "u-1")
		ok(t, err)
		for _, n := range slices.Backward(all[:len(all)-seen]) {
			got = append(got, fmt.Sprintf("%d %s %s %s %s", d, n.Object.ID, n.Kind, n.Details["days"], n.Severity))
		}
		seen = len(all)
		h.clock.add(day)
	}
	want := []string{
		"10 year certificate.expiring 30 notice", "10 list list.ending 30 warning",
		"22 month certificate.expiring 7 warning", "26 year certificate.expiring 14 notice", "26 list list.ending 14 warning",
		"28 month certificate.expiring 1 warning", "29 month certificate.expired 0 warning",
		"33 year certificate.expiring 7 warning", "33 list list.ending 7 critical",
		"39 year certificate.expiring 1 warning", "39 list list.ending 1 critical",
		"40 year certificate.expired 0 warning", "40 list list.ending 0 critical",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// What another room tells waits until a channel took it.
func TestTell(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	n := notify.Notice{ID: "n1", Kind: notify.SealRelied, Severity: notify.Critical, Unit: "u-1", Object: ledger.Object{Kind: "seal_notice", ID: "n1"}, At: h.clock.now()}
	for range 2 {
		if err := h.Tell(bg, n); !errors.Is(err, notify.ErrWaiting) {
			t.Fatal(err)
		}
	}
	h.register(in.channel())
	own := in.channel()
	own.Unit = "u-1"
	h.round()
	if err := h.Tell(bg, n); !errors.Is(err, notify.ErrWaiting) || len(in.names()) != 1 {
		t.Errorf("the house's own receiver is not the unit's: %v, %v", err, in.names())
	}
	n.ID = "n2"
	h.register(own)
	if err := h.Tell(bg, n); !errors.Is(err, notify.ErrWaiting) {
		t.Fatal(err)
	}
	h.round()
	ok(t, h.Tell(bg, n))
	if got := in.names(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if err := h.Tell(bg, notify.Notice{}); !errors.Is(err, notify.ErrInvalid) {
		t.Errorf("nothing: %v", err)
	}
}

func TestRunTellsAndEnds(t *testing.T) {
	h, in := newHouse(t, loopback), newHook(t)
	h.register(in.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.clock.add(time.Second)
	ctx, end := context.WithCancel(bg)
	done := make(chan struct{})
	arrived := make(chan struct{}, 1)
	in.answers(func(_ http.ResponseWriter, _ *http.Request, _ post) { arrived <- struct{}{} })
	go func() { defer close(done); h.Run(ctx) }()
	<-arrived
	end()
	<-done
}
