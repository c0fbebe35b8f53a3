package grading_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// The laws, after any sequence of calls: nothing is certified without its
// evidence, the grade is the judgement's, no grade in force is below what is
// held, and history only grows.
func TestProcedure_AnySequence(t *testing.T) {
	const id = "civil-a"
	certified, refused, lowered := 0, 0, 0
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 8))
		d := newDesk(t)
		d.open(d.object(id))
		on := day(t, "2020-01-06")
		revision := 1
		for range 120 {
			grade := uint8(1 + rng.IntN(4))
			a := randomAct(d, rng, grade, on+workday.Date(rng.IntN(8)-1))
			if rng.IntN(12) == 0 && len(d.held) < 6 {
				if r, err := d.reg.Grading(t.Context(), id); err == nil && r.State == grading.StateCertified {
					l := mustLabel(uint8(1+rng.IntN(int(r.Grade.S))), uint8(1+rng.IntN(int(r.Grade.A))))
					d.reg.Hold(id, l)
					if rng.IntN(3) > 0 { // else only the store knows: it must hold the line alone
						d.held = append(d.held, grading.Held{ID: "h", Provider: string(d.provider), Label: l})
					}
				}
			}
			before := d.see(id)
			var err error
			if rng.IntN(5) == 0 { // unsigned
				_, _, err = d.Take(t.Context(), a, d.actor)
			} else {
				err = d.take(a)
			}
			after := d.see(id)
			if err != nil {
				refused++
				if after.Revision != before.Revision {
					t.Fatalf("%s was refused and changed something", a.Event)
				}
				if !known(err) {
					t.Fatalf("%s: %v", a.Event, err)
				}
				continue
			}
			revision++
			on = a.On
			if after.Revision != revision {
				t.Fatalf("revision %d, want %d", after.Revision, revision)
			}
			if a.Event == grading.EventCertify {
				certified++
				if before.InForce != nil && after.InForce.Grade.Level() < before.InForce.Grade.Level() {
					lowered++
				}
			}
			lawful(t, d, after)
		}
		steps, err := d.store.History(t.Context(), id)
		must(t, err)
		if len(steps) != revision-1 {
			t.Fatalf("%d steps, revision %d", len(steps), revision)
		}
	}
	if certified < 20 || refused < 500 {
		t.Errorf("%d certified (%d lower), %d refused: the sequences test little", certified, lowered, refused)
	}
	t.Logf("%d certified, %d of them lower, %d refused", certified, lowered, refused)
}

func known(err error) bool {
	for _, want := range []error{grading.ErrState, grading.ErrEvidence, grading.ErrOrder, grading.ErrNotApproved, grading.ErrBelowHoldings, grading.ErrConsent, grading.ErrInUse, grading.ErrExists, grading.ErrInvalid} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// randomAct mostly goes on where the object stands, so that sequences get far.
func randomAct(d *desk, rng *rand.Rand, grade uint8, on workday.Date) grading.Act {
	way := d.way("civil-a", grade, max(1, grade-uint8(rng.IntN(2))), "2020-01-06")
	likely := map[grading.State]int{
		grading.StateDraft: 0, grading.StateProposed: 1, grading.StateExpertReview: 2, grading.StateAuthorityApproval: 3,
		grading.StateCorrectionRequired: 3, grading.StateSubmitted: 4, grading.StatePoliceReview: 5,
	}
	var a grading.Act
	step, goes := likely[d.see("civil-a").State]
	switch n := rng.IntN(10); {
	case n < 6 && goes:
		a = way[step]
	case n == 6 && rng.IntN(4) == 0:
		a = grading.Act{Event: grading.EventRetire, Retirement: &grading.Retirement{Reason: "r", Data: "migrated", Report: digest}}
	case n == 7:
		a = grading.Act{Event: grading.EventLevelWrong, Judgement: way[0].Judgement, Notice: &grading.Notice{Number: "1", Reason: "r", Report: digest}}
	case n == 8:
		a = grading.Act{Event: grading.EventConfirm}
	case n < 6 || rng.IntN(2) == 0:
		a = grading.Act{Event: grading.EventChange, Judgement: way[0].Judgement, Review: review(), Cause: &grading.Cause{Reason: "r", Report: digest}}
		if rng.IntN(3) > 0 {
			a.Consents = []grading.Consent{{Provider: d.provider, Report: digest}}
		}
	default:
		a = way[rng.IntN(len(way))]
	}
	if rng.IntN(8) == 0 { // evidence is lost
		a.Review, a.Authority, a.Submission = nil, nil, nil
	}
	a.Object, a.On = "civil-a", on
	return a
}

func lawful(t *testing.T, d *desk, now grading.Dossier) {
	t.Helper()
	if g := now.InForce; g != nil {
		derived, err := g.Judgement.Grade()
		if err != nil || derived != g.Grade {
			t.Fatalf("a grade %s that was not judged: %s, %v", g.Grade, derived, err)
		}
		if g.Grade.Level() >= 2 && (g.Review == nil || g.Authority == nil || g.Submission == nil || g.Acceptance == nil || g.Certificate == nil || g.Approver == "") {
			t.Fatalf("in force without its evidence: %+v", g)
		}
	}
	r, err := d.reg.Grading(t.Context(), now.Object.ID)
	if err != nil {
		return
	}
	if r.State == grading.StateCertified && (now.InForce == nil || now.InForce.Certificate == nil || r.Grade != now.InForce.Grade) {
		t.Fatalf("a certified record that the dossier does not have: %+v", r)
	}
	if r.State == grading.StateCertified || r.State == grading.StateSubmitted || r.State == grading.StateConfirmed {
		for _, h := range d.held {
			if !r.Grade.Carries(h.Label) {
				t.Fatalf("%s in force, %s held", r.Grade, h.Label)
			}
		}
	}
}
