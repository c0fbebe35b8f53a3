package stale_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stale"
)

const day = 24 * time.Hour

// register has one system and checks what it is asked; the store suite is
// catest.RunStale.
type register struct {
	standing stale.Standing
	certs    []ca.Certificate
	notes    int
	events   []ledger.Event
	failed   error
	held     []string
}

func (r *register) NoteUse(_ context.Context, system string, at time.Time) error {
	if r.failed != nil {
		return r.failed
	}
	r.notes++
	if system == r.standing.System && at.After(r.standing.Active) {
		r.standing.Active = at
	}
	return nil
}

func (r *register) InForce(_ context.Context, now time.Time) ([]stale.Standing, error) {
	for _, c := range r.certs {
		if slices.Contains(stale.Kinds(), c.Kind) && c.State == ca.StateGood && now.Before(c.NotAfter) {
			return []stale.Standing{r.standing}, nil
		}
	}
	return nil, nil
}

func (r *register) Warn(_ context.Context, x stale.Standing, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	if r.standing.Warned.After(x.Active) || r.standing.Active.After(x.Active) {
		return ledger.Receipt{}, stale.ErrWarned
	}
	r.standing.Warned, r.events = at, append(r.events, ev)
	_, err := ledger.NewPending(ev, rand.Reader)
	return ledger.Receipt{}, err
}

func (r *register) CertificatesOf(context.Context, string) ([]ca.Certificate, error) {
	return r.certs, nil
}

func (r *register) Hold(_ context.Context, actor ledger.Actor, _, serial, reason string) (ca.Suspension, ledger.Receipt, error) {
	if actor.ID == "" || reason == "" {
		return ca.Suspension{}, ledger.Receipt{}, errors.New("a hold without who or why")
	}
	for i, c := range r.certs {
		if c.Serial == serial && c.State != ca.StateGood {
			return ca.Suspension{}, ledger.Receipt{}, ca.ErrState
		}
		if c.Serial == serial {
			r.held = append(r.held, serial)
			for j := range r.certs {
				if j == i || c.Pair != "" && r.certs[j].Pair == c.Pair {
					r.certs[j].State = ca.StateHold
				}
			}
		}
	}
	return ca.Suspension{}, ledger.Receipt{}, nil
}

func TestUnusedIsWarnedThenHeld(t *testing.T) {
	start := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	now := start
	good := func(serial, pair string) ca.Certificate {
		return ca.Certificate{Kind: ca.KindSM2Sign, Serial: serial, Pair: pair, State: ca.StateGood, NotAfter: start.AddDate(2, 0, 0)}
	}
	reg := &register{standing: stale.Standing{System: "civil-a", Agency: "u", Active: start}, certs: []ca.Certificate{
		good("1", ""), good("2", "p"), good("3", "p"), {Kind: ca.KindECDSA, Serial: "4", State: ca.StateRevoked, NotAfter: start.AddDate(2, 0, 0)}, {Kind: ca.KindECDSA, Serial: "5", State: ca.StateGood, NotAfter: start},
		{Kind: ca.KindECDSATest, Serial: "6", State: ca.StateGood, NotAfter: start.AddDate(2, 0, 0)},
	}}
	w, err := stale.New(stale.Config{Store: reg, Holder: reg, Actor: ledger.Actor{Kind: "service", ID: "yinxin"}, Now: func() time.Time { return now }, NewID: func() string { return uuid.NewString() }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at           time.Duration
		use          bool
		warned, held int
	}{
		{89 * day, false, 0, 0},
		{90 * day, false, 1, 0},
		{91 * day, false, 0, 0}, // once
		{110 * day, true, 0, 0}, // used: it starts anew
		{130 * day, false, 0, 0},
		{400 * day, false, 1, 0}, // the house was down for long: a warning first
		{401 * day, false, 0, 0},
		{429 * day, false, 0, 0},
		{430 * day, false, 0, 1},
		{431 * day, false, 0, 0}, // nothing is in force any more
	} {
		now = start.Add(c.at)
		if c.use {
			for range 3 {
				if err := w.Note(t.Context(), "civil-a"); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := w.Round(t.Context())
		if err != nil || len(got.Warned) != c.warned || len(got.Held) != c.held {
			t.Errorf("day %d: %+v, %v", c.at/day, got, err)
		}
	}
	if reg.notes != 1 {
		t.Errorf("%d writes for three uses of a day", reg.notes)
	}
	if fmt.Sprint(reg.held) != "[1 2]" { // a pair by one half; not what is revoked, has run out or is for tests
		t.Errorf("held %v", reg.held)
	}
	if ev := reg.events[0]; ev.Type != "ca.system.stale" || ev.Details["unused_since"] != "2026-01-01" || ev.Details["days"] != "90" {
		t.Errorf("%+v", ev)
	}
}

func TestANoteThatFailedIsTriedAgain(t *testing.T) {
	reg := &register{failed: errors.New("store down")}
	w, err := stale.New(stale.Config{Store: reg, Holder: reg, Actor: ledger.Actor{ID: "yinxin"}, Now: time.Now, NewID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Note(t.Context(), "a"); !errors.Is(err, reg.failed) {
		t.Errorf("%v", err)
	}
	reg.failed = nil
	if err := w.Note(t.Context(), "a"); err != nil || reg.notes != 1 {
		t.Errorf("%d, %v", reg.notes, err)
	}
}

func TestNewRefuses(t *testing.T) {
	reg := &register{}
	full := stale.Config{Store: reg, Holder: reg, Actor: ledger.Actor{ID: "yinxin"}, Now: time.Now, NewID: uuid.NewString}
	for name, change := range map[string]func(*stale.Config){
		"no store":              func(c *stale.Config) { c.Store = nil },
		"no actor":              func(c *stale.Config) { c.Actor = ledger.Actor{} },
		"hold with the warn":    func(c *stale.Config) { c.Warn, c.Hold = 10*day, 10*day },
		"warning after an hour": func(c *stale.Config) { c.Warn = time.Hour },
	} {
		c := full
		change(&c)
		if _, err := stale.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
