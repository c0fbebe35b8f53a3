package retention_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

const house = "11110102MB1234567M"

// world has two officers, and answers that somebody signed.
type world struct {
	*retention.Service
	store   *catest.Retention
	reg     *catest.Registry
	at      time.Time
	answers map[string]retention.Answer // by digest
}

func newWorld(t *testing.T, years int) *world {
	t.Helper()
	w := &world{reg: catest.New(), at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), answers: map[string]retention.Answer{}}
	w.store = catest.NewRetention(w.reg)
	var err error
	w.Service, err = retention.New(retention.Config{
		Store: w.store, Approver: w, Posts: w, House: house, Years: years, Now: func() time.Time { return w.at },
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return unit == house && (person == "admin" && slices.Contains(roles, "system_admin") || person == "officer" && slices.Contains(roles, "ra_officer")), nil
}

func (w *world) Answer(_ context.Context, a retention.Act) (retention.Answer, error) {
	got, ok := w.answers[a.Digest()]
	if !ok {
		return retention.Answer{}, retention.ErrNotApproved
	}
	return got, nil
}

func person(id string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: house} }

// certified is a person with a certificate that ends at a time.
func (w *world) certified(t *testing.T, who string, ends time.Time) retention.Ref {
	t.Helper()
	c := catest.InForce(t, w.reg, ca.Certificate{Kind: ca.KindPerson, Person: who, Agency: house, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends})
	return retention.Ref{Class: retention.Person, ID: c.Issuer + ":" + c.Serial}
}

// 电子签名法 art. 24: five years after the end, to the second, over a leap day too.
func TestFiveYears(t *testing.T) {
	for ends, due := range map[time.Time]time.Time{
		time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC):  time.Date(2031, 3, 1, 8, 0, 0, 0, time.UTC),
		time.Date(2028, 2, 29, 8, 0, 0, 0, time.UTC): time.Date(2033, 3, 1, 8, 0, 0, 0, time.UTC),
	} {
		w, ctx := newWorld(t, 0), context.Background()
		ref := w.certified(t, "p-1", ends)
		w.at = due.Add(-time.Second)
		var early *retention.EarlyError
		if _, _, err := w.Ask(ctx, person("admin"), []retention.Ref{ref}, "到期"); !errors.As(err, &early) || !early.Due.Equal(due) {
			t.Errorf("ends %s, a second early: %v", ends, err)
		}
		if list, err := w.Due(ctx); err != nil || len(list) != 0 {
			t.Errorf("listed early: %+v, %v", list, err)
		}
		w.at = due
		if list, err := w.Due(ctx); err != nil || len(list) != 1 {
			t.Errorf("due: %+v, %v", list, err)
		}
		if _, _, err := w.Ask(ctx, person("admin"), []retention.Ref{ref}, "到期"); err != nil {
			t.Errorf("at the moment: %v", err)
		}
	}
	for _, years := range []int{1, 4, 1001, -1} {
		if _, err := retention.New(retention.Config{Store: catest.NewRetention(catest.New()), Approver: &world{}, Posts: &world{}, House: house, Years: years, Now: time.Now, NewID: uuid.NewString}); err == nil {
			t.Errorf("%d years are accepted", years)
		}
	}
}

func TestTwoPersonsPurge(t *testing.T) {
	w, ctx := newWorld(t, 0), context.Background()
	ref := w.certified(t, "p-1", w.at)
	w.at = w.at.AddDate(5, 0, 0)
	refs := []retention.Ref{ref}
	if _, _, err := w.Ask(ctx, person("clerk"), refs, "到期"); !errors.Is(err, retention.ErrForbidden) {
		t.Errorf("a clerk: %v", err)
	}
	for name, bad := range map[string][]retention.Ref{"nothing": nil, "twice": {ref, ref}, "unknown": {{Class: retention.Person, ID: "x:y"}}, "no class": {{ID: ref.ID}}} {
		if _, _, err := w.Ask(ctx, person("admin"), bad, "到期"); !errors.Is(err, retention.ErrInvalid) && !errors.Is(err, retention.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, _, err := w.Ask(ctx, person("admin"), refs, "到期")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Settle(ctx, person("officer"), a.ID); !errors.Is(err, retention.ErrNotApproved) {
		t.Errorf("without an answer: %v", err)
	}
	other := a
	other.Items = nil
	w.answers[other.Digest()] = retention.Answer{ID: "a-0", Yes: true}
	if _, _, err := w.Settle(ctx, person("officer"), a.ID); !errors.Is(err, retention.ErrNotApproved) {
		t.Errorf("the approval of another list: %v", err)
	}
	w.answers[a.Digest()] = retention.Answer{ID: "a-1", Yes: true}
	hold, _, err := w.Place(ctx, person("officer"), retention.Hold{Person: "p-1", Document: "样检〔2031〕1号", Reason: "案件"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Settle(ctx, person("officer"), a.ID); !errors.Is(err, retention.ErrHeld) {
		t.Errorf("a hold that came after the question: %v", err)
	}
	if _, err := w.Drop(ctx, person("admin"), a.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := w.Due(ctx); err != nil || len(list) != 0 {
		t.Errorf("a held thing is listed: %+v, %v", list, err)
	}
	lift, _, err := w.AskLift(ctx, person("officer"), hold.ID, "结案")
	if err != nil {
		t.Fatal(err)
	}
	w.answers[lift.Digest()] = retention.Answer{ID: "a-2"}
	if got, _, err := w.Settle(ctx, person("officer"), lift.ID); err != nil || got.State != retention.Refused {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := w.Ask(ctx, person("admin"), refs, "到期"); !errors.Is(err, retention.ErrHeld) {
		t.Errorf("after a refused lift: %v", err)
	}
	if _, _, err := w.Place(ctx, person("officer"), retention.Hold{Person: "p-1", System: "s", Document: "x", Reason: "y"}); !errors.Is(err, retention.ErrInvalid) {
		t.Errorf("two scopes: %v", err)
	}
}

// No sequence of acts purges what is not over for five years, or is held.
func TestNothingIsPurgedEarly_Property(t *testing.T) {
	ctx := context.Background()
	purged := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 11))
		w := newWorld(t, 5+int(seed%3))
		ends := map[retention.Ref]time.Time{}
		who := map[retention.Ref]string{}
		held := map[string]string{} // person → hold
		var waiting string
		for step := range 60 {
			w.at = w.at.Add(time.Duration(r.Int64N(int64(200 * 24 * time.Hour))))
			switch r.IntN(7) {
			case 0:
				name := fmt.Sprintf("p-%d", r.IntN(4))
				until := w.at.Add(time.Duration(r.Int64N(int64(400 * 24 * time.Hour)))).Truncate(time.Second)
				ref := w.certified(t, name, until)
				ends[ref], who[ref] = until, name
			case 1, 2:
				var refs []retention.Ref
				for ref := range ends {
					if r.IntN(2) == 0 {
						refs = append(refs, ref)
					}
				}
				if r.IntN(2) == 0 { // or what is listed
					due, err := w.Due(ctx)
					if err != nil {
						t.Fatal(err)
					}
					refs = nil
					for _, i := range due {
						refs = append(refs, retention.Ref{Class: i.Class, ID: i.ID})
					}
				}
				if a, _, err := w.Ask(ctx, person("admin"), refs, "到期"); err == nil {
					waiting = a.ID
				}
			case 3:
				name := fmt.Sprintf("p-%d", r.IntN(4))
				if h, _, err := w.Place(ctx, person("officer"), retention.Hold{Person: name, Document: "样检", Reason: "案件"}); err == nil && held[name] == "" {
					held[name] = h.ID
				} else if err == nil {
					held[name] = "two"
				}
			case 4:
				for name, h := range held {
					if a, _, err := w.AskLift(ctx, person("admin"), h, "结案"); err == nil {
						waiting = a.ID
						w.answers[a.Digest()] = retention.Answer{ID: "l", Yes: true}
						if _, _, err := w.Settle(ctx, person("officer"), a.ID); err == nil {
							delete(held, name)
						}
					}
					break
				}
			case 5:
				if a, err := w.Act(ctx, waiting); err == nil {
					w.answers[a.Digest()] = retention.Answer{ID: "a", Yes: r.IntN(4) > 0}
					_, _, _ = w.Settle(ctx, person("officer"), waiting)
				}
			case 6:
				_, _ = w.Drop(ctx, person("admin"), waiting)
			}
			for _, c := range w.reg.Certificates() {
				ref := retention.Ref{Class: retention.Person, ID: c.Issuer + ":" + c.Serial}
				if c.Purged == "" || ends[ref].IsZero() {
					continue
				}
				if w.at.Before(ends[ref].AddDate(w.Years(), 0, 0)) || held[who[ref]] != "" {
					t.Fatalf("seed %d, step %d: %s was purged at %s, ends %s, held by %q", seed, step, ref.ID, w.at, ends[ref], held[who[ref]])
				}
				delete(ends, ref)
				purged++
			}
		}
	}
	if purged < 20 {
		t.Errorf("only %d were purged: the search sees nothing", purged)
	}
}
