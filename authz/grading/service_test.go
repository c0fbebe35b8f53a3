package grading_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/grading/gradingtest"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

var start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)

type world struct {
	svc   *grading.Service
	reg   *gradingtest.Registry
	unit  identity.USCC
	actor ledger.Actor
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	unit, err := identity.SampleUSCC("110102", 1)
	must(t, err)
	w := &world{reg: &gradingtest.Registry{}, unit: unit, actor: ledger.Actor{Kind: "person", ID: "officer", Unit: string(unit)}}
	n := 0
	id := func() string { n++; return fmt.Sprintf("id-%d", n) }
	now := func() time.Time { return start }
	dir := identitytest.New()
	people, err := identity.New(identity.Config{Register: dir, Now: now, NewID: id})
	must(t, err)
	_, _, err = people.RegisterAgency(t.Context(), identity.Agency{USCC: unit, Name: "样例局", Kind: identity.KindOrgan, District: "110102"}, w.actor)
	must(t, err)
	_, _, err = people.RegisterSystem(t.Context(), identity.System{ID: "civil-a", Name: "样例系统", Agency: unit}, w.actor)
	must(t, err)
	w.svc, err = grading.New(grading.Config{Registry: w.reg, Directory: dir, Now: now, NewID: id})
	must(t, err)
	return w
}

func (w *world) record(s, a uint8) grading.Record {
	return grading.Record{
		System: "civil-a", Grade: level.Grade{S: s, A: a}, Reason: "受破坏后严重损害公共利益", State: grading.StateCertified, BuildingUnit: w.unit,
		Filing: "11010200001-00001", DecidedOn: start.AddDate(0, -1, 0), ValidUntil: start.AddDate(3, 0, 0),
	}
}

// lattice decides as the house does: the new grade carries what the system holds.
type lattice struct {
	holds []level.Label
	fail  error
	asked int
}

func (l *lattice) MayRegrade(_ context.Context, _ string, to level.Grade) error {
	l.asked++
	for _, h := range l.holds {
		if !to.Carries(h) {
			return grading.ErrBelowHoldings
		}
	}
	return l.fail
}

func TestNewRefusesIncompleteConfig(t *testing.T) {
	if _, err := grading.New(grading.Config{}); err == nil {
		t.Error("no error")
	}
}

func TestRegister(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*grading.Record)
		actor func(*ledger.Actor)
		want  error
	}{
		"as it should be": {},
		"level 1 confirmed": {edit: func(r *grading.Record) {
			r.Grade, r.State, r.Filing = level.Grade{S: 1, A: 1}, grading.StateConfirmed, ""
		}},
		"GB/T 22240 ch.7 level 2 confirmed": {edit: func(r *grading.Record) { r.Grade, r.State = level.Grade{S: 1, A: 2}, grading.StateConfirmed }, want: grading.ErrInvalid},
		"level 2 submitted": {edit: func(r *grading.Record) {
			r.Grade, r.State, r.Filing = level.Grade{S: 2, A: 2}, grading.StateSubmitted, ""
		}},
		"X11-23 another unit decides":     {actor: func(a *ledger.Actor) { a.Unit = "91350100M000100Y43" }, want: grading.ErrUnit},
		"no actor":                        {actor: func(a *ledger.Actor) { *a = ledger.Actor{} }, want: grading.ErrInvalid},
		"no ground":                       {edit: func(r *grading.Record) { r.Reason = " " }, want: grading.ErrInvalid},
		"grade 6":                         {edit: func(r *grading.Record) { r.Grade.S = 6 }, want: grading.ErrInvalid},
		"half a grade":                    {edit: func(r *grading.Record) { r.Grade.A = 0 }, want: grading.ErrInvalid},
		"no day":                          {edit: func(r *grading.Record) { r.DecidedOn = time.Time{} }, want: grading.ErrInvalid},
		"decided tomorrow":                {edit: func(r *grading.Record) { r.DecidedOn = start.AddDate(0, 0, 1) }, want: grading.ErrInvalid},
		"filing number":                   {edit: func(r *grading.Record) { r.Filing = "1101" }, want: grading.ErrInvalid},
		"certificate without an end":      {edit: func(r *grading.Record) { r.ValidUntil = time.Time{} }, want: grading.ErrInvalid},
		"unknown state":                   {edit: func(r *grading.Record) { r.State = "blessed" }, want: grading.ErrInvalid},
		"registered as superseded":        {edit: func(r *grading.Record) { r.State = grading.StateSuperseded }, want: grading.ErrInvalid},
		"wrong code of the building unit": {edit: func(r *grading.Record) { r.BuildingUnit = "x" }, want: grading.ErrInvalid},
		"unknown system":                  {edit: func(r *grading.Record) { r.System = "civil-z" }, want: identity.ErrNotFound},
	} {
		w := newWorld(t)
		r, actor := w.record(3, 3), w.actor
		if c.edit != nil {
			c.edit(&r)
		}
		if c.actor != nil {
			c.actor(&actor)
		}
		got, _, err := w.svc.Register(t.Context(), r, actor)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if c.want == nil && got.Version != 1 {
			t.Errorf("%s: version %d", name, got.Version)
		}
		if want := map[bool]int{true: 1}[c.want == nil]; len(w.reg.Events()) != want {
			t.Errorf("%s: %d events", name, len(w.reg.Events()))
		}
	}
}

// X14 art. 30: no way down through Register, nor past the decision point, nor
// past the store when the decision point errs.
func TestX14_30_Regrade(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, _, err := w.svc.Register(ctx, w.record(3, 3), w.actor)
	must(t, err)
	held := level.Label{Level: 3, RequiredS: 3, RequiredA: 2}
	w.reg.Hold("civil-a", held)
	honest := &lattice{holds: []level.Label{held}}
	if _, _, err := w.svc.Register(ctx, w.record(2, 2), w.actor); !errors.Is(err, grading.ErrGraded) {
		t.Errorf("a second first grading: %v", err)
	}
	for name, c := range map[string]struct {
		d    grading.Decider
		r    grading.Record
		want error
	}{
		"3 to 2":                         {honest, w.record(2, 2), grading.ErrBelowHoldings},
		"S falls, A rises":               {honest, w.record(2, 5), grading.ErrBelowHoldings},
		"a decider that is fooled":       {&lattice{}, w.record(2, 2), grading.ErrBelowHoldings},
		"a decider that fails":           {&lattice{fail: context.DeadlineExceeded}, w.record(4, 4), context.DeadlineExceeded},
		"an old version":                 {honest, func() grading.Record { r := w.record(4, 4); r.Version = 1; return r }(), grading.ErrInvalid},
		"a system that was never graded": {honest, func() grading.Record { r := w.record(4, 4); r.System = "civil-z"; return r }(), grading.ErrNotFound},
	} {
		if _, _, err := w.svc.Regrade(ctx, c.d, c.r, w.actor); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := w.svc.Regrade(ctx, nil, w.record(4, 4), w.actor); err == nil {
		t.Error("no decider, no error")
	}
	if len(w.reg.Events()) != 1 {
		t.Errorf("refusals wrote: %v", w.reg.Types())
	}
	got, _, err := w.svc.Regrade(ctx, honest, w.record(3, 2), w.actor)
	must(t, err)
	if now, err := w.svc.InForce(ctx, "civil-a"); err != nil || now.Version != 2 || now.Grade != got.Grade || honest.asked < 3 {
		t.Errorf("in force %+v, %v", now, err)
	}
	ev := w.reg.Events()[1]
	if ev.Before != "S3A3" || ev.After != "S3A2" || ev.Actor != w.actor || strings.Join(w.reg.Types(), " ") != "grading.record.registered grading.record.changed" {
		t.Errorf("event %+v", ev)
	}
}

// The law: after any history, the grade in force carries everything held.
func TestRegrade_NeverBelowHoldings(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	w := newWorld(t)
	_, _, err := w.svc.Register(t.Context(), w.record(3, 3), w.actor)
	must(t, err)
	var held []level.Label
	changed, refused := 0, 0
	for range 300 {
		if now, err := w.svc.InForce(t.Context(), "civil-a"); err != nil {
			t.Fatal(err)
		} else if rng.IntN(40) == 0 { // something arrives that may be here
			l := level.Label{Level: 1, RequiredS: uint8(1 + rng.IntN(int(now.Grade.S))), RequiredA: uint8(1 + rng.IntN(int(now.Grade.A)))}
			held = append(held, l)
			w.reg.Hold("civil-a", l)
		}
		d := &lattice{holds: held}
		if rng.IntN(4) == 0 {
			d = &lattice{} // knows nothing: the store must hold the line
		}
		switch _, _, err := w.svc.Regrade(t.Context(), d, w.record(uint8(1+rng.IntN(5)), uint8(1+rng.IntN(5))), w.actor); {
		case err == nil:
			changed++
		case errors.Is(err, grading.ErrBelowHoldings):
			refused++
		default:
			t.Fatal(err)
		}
		now, err := w.svc.InForce(t.Context(), "civil-a")
		must(t, err)
		for _, l := range held {
			if !now.Grade.Carries(l) {
				t.Fatalf("%s in force, %s held", now.Grade, l)
			}
		}
	}
	if changed == 0 || refused == 0 {
		t.Errorf("%d changed, %d refused: the histories test nothing", changed, refused)
	}
}

func TestOperating(t *testing.T) {
	w := newWorld(t)
	rec := func(s uint8, state grading.State, until time.Time) grading.Record {
		r := w.record(s, s)
		r.State, r.ValidUntil = state, until
		return r
	}
	later := start.AddDate(1, 0, 0)
	for name, c := range map[string]struct {
		r    grading.Record
		at   time.Time
		want error
	}{
		"level 1 confirmed":         {rec(1, grading.StateConfirmed, time.Time{}), start, nil},
		"level 1 proposed":          {rec(1, grading.StateProposed, time.Time{}), start, grading.ErrNotOperating},
		"level 2 confirmed only":    {rec(2, grading.StateConfirmed, time.Time{}), start, grading.ErrNotOperating},
		"level 2 submitted":         {rec(2, grading.StateSubmitted, time.Time{}), start, nil},
		"level 3 certified":         {rec(3, grading.StateCertified, later), start, nil},
		"certificate ends today":    {rec(3, grading.StateCertified, start), start, grading.ErrNotOperating},
		"last moment":               {rec(3, grading.StateCertified, start), start.Add(-1), nil},
		"certified without an end":  {rec(3, grading.StateCertified, time.Time{}), start, grading.ErrNotOperating},
		"retired":                   {rec(3, grading.StateRetired, later), start, grading.ErrNotOperating},
		"superseded":                {rec(3, grading.StateSuperseded, later), start, grading.ErrNotOperating},
		"draft":                     {rec(3, grading.StateDraft, later), start, grading.ErrNotOperating},
		"before its decision":       {rec(3, grading.StateCertified, later), start.AddDate(-1, 0, 0), grading.ErrNotOperating},
		"ungraded is the strictest": {grading.Record{}, start, grading.ErrNotOperating},
	} {
		if err := grading.Operating(c.r, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
