package signertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Store is all that the two rooms ask of a register.
type Store interface {
	signer.Register
	life.Register
	life.Lists
	life.Reports
}

// callers is how many race for one decision.
const callers = 8

// Run is the suite of what signer and signer/life promise of a register, with
// the races that decide whether a quota holds.
func Run(t *testing.T, open func(*testing.T) Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Store){
		"a seal comes back as written":                  comesBack,
		"a number is given once":                        numberOnce,
		"only steps of the table, each recorded":        onlySteps,
		"one of eight changes a revision":               revisionOnce,
		"lists":                                         lists,
		"a use moves along its arrows":                  useArrows,
		"a suspended seal is not admitted":              notAdmitted,
		"eight callers never pass the quota in all":     quotaAll,
		"eight callers never pass the quota of a day":   quotaDay,
		"a use beside a suspension is before or never":  useOrSuspend,
		"uses are listed by what is asked":              usesListed,
		"a report stops every seal of the key, or none": reportStops,
		"notices move once":                             noticesMove,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var ctx = context.Background()

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func event() ledger.Event {
	sum := sm3.Sum([]byte("test"))
	return ledger.Event{
		ID: newID(), Type: "test.seal.done", Class: ledger.ClassSeal, Time: Start(), Actor: ledger.Actor{Kind: "person", ID: "p"},
		Object: ledger.Object{Kind: "seal", ID: "x"}, Outcome: ledger.Success, Payload: fmt.Sprintf("%x", sum),
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// Full is a seal as it is imported, with every field that a store must keep.
func Full(id string) signer.Seal {
	at := Start()
	return signer.Seal{
		ID: id, Unit: Unit, Name: "样例局（样章）", DER: []byte{0x30}, CertDER: []byte{0x31, 1}, KeyID: "key-" + id, State: signer.SealApplied,
		ValidFrom: at.AddDate(0, 0, -1), ValidUntil: at.AddDate(1, 0, 0), Drawn: true, CreatedAt: at,
		Life: signer.Life{
			Revision: 1, Kind: life.KindStatutory, Purpose: "对外行文", Picture: "ab", PictureFiling: "P-1", Applicant: "a", Approver: "l", Approval: "ap", Maker: "m",
			Filing: "F-1", FiledOn: at, CustodyClass: "software-file", CompromisedAt: at,
			Accreditation: &signer.Accreditation{Service: "样例服务", Licence: "L-1", URL: "https://a.example/", ValidFrom: at, ValidUntil: at.AddDate(5, 0, 0)},
			Authorisation: signer.Authorisation{
				Users: []signer.User{{Person: "clerk", From: at, Until: at.AddDate(0, 1, 0)}}, From: at, Until: at.AddDate(0, 2, 0),
				Hours: signer.Hours{From: 510, Until: 1050}, Total: 9, Quota: 3, Per: signer.PerDay, Since: at,
			},
			Ask: &signer.Ask{ID: id + "/1", Kind: signer.AskAuthorise, Requester: "k", Reason: "增员", Authorisation: &signer.Authorisation{Total: 3}, Digest: "cd", At: at},
		},
	}
}

// Put adds a seal as imported ones are added, with this event.
func Put(s life.Register, e signer.Seal, ev ledger.Event) (ledger.Receipt, error) {
	return s.AddSeal(ctx, e, life.Step{Seal: e.ID, Revision: e.Revision, Act: life.ActImport, To: signer.SealApplied, Actor: "m", Ref: "L-1", At: Start(), Event: ev.ID}, ev)
}

// Move does one act to a seal, as the table has it.
func Move(s life.Register, id string, act life.Act, edit func(*signer.Seal)) (signer.Seal, error) {
	e, err := s.Seal(ctx, id)
	if err != nil {
		return signer.Seal{}, err
	}
	rule, _ := life.RuleOf(act)
	step := life.Step{Seal: id, Revision: e.Revision + 1, Act: act, From: e.State, To: rule.To, Actor: "p", Reason: "r", At: Start()}
	if rule.To == "" {
		step.To = e.State
	}
	if edit != nil {
		edit(&e)
	}
	ev := event()
	e.State, e.Revision, step.Event = step.To, step.Revision, ev.ID
	_, err = s.MoveSeal(ctx, e, step, ev)
	return e, err
}

// Active puts a seal that may be used.
func Active(t *testing.T, s life.Register, id string, a signer.Authorisation) signer.Seal {
	t.Helper()
	e := Full(id)
	e.Life = signer.Life{Revision: 1, Maker: "m"}
	_, err := Put(s, e, event())
	ok(t, err)
	for _, act := range []life.Act{life.ActAdopt, life.ActFile} {
		_, err = Move(s, id, act, nil)
		ok(t, err)
	}
	e, err = Move(s, id, life.ActActivate, func(e *signer.Seal) { e.Authorisation = a })
	ok(t, err)
	return e
}

func comesBack(t *testing.T, s Store) {
	want := Full("1")
	_, err := Put(s, want, event())
	ok(t, err)
	got, err := s.Seal(ctx, "1")
	ok(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
	got, err = Move(s, "1", life.ActAdopt, func(e *signer.Seal) { e.DER, e.Ask, e.Filing = []byte{0x30}, nil, signer.FilingSample })
	ok(t, err)
	again, err := s.Seal(ctx, "1")
	ok(t, err)
	if !reflect.DeepEqual(got, again) || again.Revision != 2 {
		t.Fatalf("got\n%+v\nwant\n%+v", again, got)
	}
	steps, err := s.Steps(ctx, "1")
	ok(t, err)
	if len(steps) != 2 || steps[0].Act != life.ActImport || steps[0].Ref != "L-1" || steps[1].To != signer.SealMade || steps[1].Reason != "r" || !steps[1].At.Equal(Start()) {
		t.Fatalf("%+v", steps)
	}
	_, err = s.Seal(ctx, "none")
	wants(t, err, signer.ErrNotFound)
	_, err = s.Use(ctx, "none")
	wants(t, err, signer.ErrNotFound)
	_, err = s.Compromise(ctx, "none")
	wants(t, err, signer.ErrNotFound)
}

func numberOnce(t *testing.T, s Store) {
	var won atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := Put(s, Full("1"), event()); err == nil {
				won.Add(1)
			} else if !errors.Is(err, signer.ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d seals of one number", won.Load())
	}
}

func onlySteps(t *testing.T, s Store) {
	_, err := Put(s, Full("1"), event())
	ok(t, err)
	for _, act := range []life.Act{life.ActActivate, life.ActSuspend, life.ActResume, life.ActFile, "sell", ""} {
		_, err := Move(s, "1", act, nil)
		wants(t, err, signer.ErrSealState)
	}
	e, err := s.Seal(ctx, "1")
	ok(t, err)
	e.State, e.Revision = signer.SealMade, 2
	ev := event()
	step := life.Step{Seal: "1", Revision: 2, Act: life.ActAdopt, From: signer.SealApplied, To: signer.SealMade, Actor: "p", At: Start(), Event: ev.ID}
	for name, wrong := range map[string]func(*life.Step){
		"another seal": func(p *life.Step) { p.Seal = "2" }, "another revision": func(p *life.Step) { p.Revision = 3 }, "no event": func(p *life.Step) { p.Event = "" },
		"another event": func(p *life.Step) { p.Event = "x" },
	} {
		bad := step
		wrong(&bad)
		if _, err := s.MoveSeal(ctx, e, bad, ev); !errors.Is(err, signer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e.Revision, step.Revision = 3, 3
	_, err = s.MoveSeal(ctx, e, step, ev)
	wants(t, err, life.ErrConflict)
	ghost := e
	ghost.ID, step.Seal = "9", "9"
	_, err = s.MoveSeal(ctx, ghost, step, ev)
	wants(t, err, signer.ErrNotFound)
	if steps, err := s.Steps(ctx, "1"); err != nil || len(steps) != 1 {
		t.Fatalf("a refused step was kept: %+v, %v", steps, err)
	}
}

func revisionOnce(t *testing.T, s Store) {
	Active(t, s, "1", signer.Authorisation{})
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		act := []life.Act{life.ActSuspend, life.ActCancel}[i%2]
		wg.Go(func() {
			if _, err := Move(s, "1", act, nil); err == nil {
				won.Add(1)
			} else if !errors.Is(err, life.ErrConflict) && !errors.Is(err, signer.ErrSealState) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	steps, err := s.Steps(ctx, "1")
	ok(t, err)
	if int(won.Load()) != len(steps)-4 || won.Load() < 1 {
		t.Fatalf("%d won, %d steps", won.Load(), len(steps))
	}
	for i, p := range steps {
		if p.Revision != int64(i+1) || i > 0 && p.From != steps[i-1].To {
			t.Fatalf("the history has a hole: %+v", steps)
		}
	}
}

func lists(t *testing.T, s Store) {
	for _, id := range []string{"1", "2", "3"} {
		e := Full(id)
		if id == "2" {
			e.Ask = nil
		}
		if id == "3" {
			e.Unit, e.KeyID, e.ValidUntil = MakerUnit, "key-1", Start()
		}
		_, err := Put(s, e, event())
		ok(t, err)
	}
	_, err := Move(s, "2", life.ActAdopt, nil)
	ok(t, err)
	for name, c := range map[string]struct {
		q    life.Query
		want string
	}{
		"all": {life.Query{}, "[1 2 3]"}, "unit": {life.Query{Unit: Unit}, "[1 2]"}, "key": {life.Query{KeyID: "key-1"}, "[1 3]"},
		"state": {life.Query{States: []signer.SealState{signer.SealMade, signer.SealActive}}, "[2]"}, "awaits": {life.Query{Awaits: true}, "[1 3]"},
		"unit and awaits": {life.Query{Unit: Unit, Awaits: true}, "[1]"}, "ended": {life.Query{EndedBy: Start().Add(time.Second)}, "[3]"}, "none": {life.Query{Unit: "x"}, "[]"},
	} {
		got, err := s.Seals(ctx, c.q)
		ok(t, err)
		ids := []string{}
		for _, e := range got {
			ids = append(ids, e.ID)
		}
		if fmt.Sprint(ids) != c.want {
			t.Errorf("%s: %v, want %s", name, ids, c.want)
		}
	}
}
